package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// underWay has an approved isolation sent, and returns its request and machine action.
func (o *office) underWay() (approvals.Request, string) {
	o.t.Helper()
	_, r := o.ask("isolate_devices", fmt.Sprintf(`{"devices":[%q],"reason":"x"}`, mdesim.NameOffline))
	o.approve(r)
	_, err := o.worker.Handle(o.t.Context(), store.Job{Kind: store.Advance, RequestID: r.ID})
	require.NoError(o.t, err)
	r, err = o.DB.Request(o.t.Context(), r.ID)
	require.NoError(o.t, err)
	require.NotEmpty(o.t, r.Steps[0].ActionID)
	return r, r.Steps[0].ActionID
}

// byHand has somebody else isolate the device, with that comment, and returns the machine action.
func (o *office) byHand(comment string) string {
	o.t.Helper()
	a, err := o.Writer.IsolateMachine(o.t.Context(), o.Tenant.Device(mdesim.NameOffline).ID,
		mdecore.IsolateRequest{Comment: comment, IsolationType: mdecore.IsolationFull})
	require.NoError(o.t, err)
	return a.ID
}

func TestAnActionOfOurOwnIsCancelledAsOurs(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	isolation, action := o.underWay()
	_, err := o.call("cancel_action", fmt.Sprintf(`{"action_id":%q,"foreign":true,"reason":"x"}`, action))
	require.ErrorContains(t, err, "was started by request "+isolation.ID)
	v, r := o.ask("cancel_action", fmt.Sprintf(`{"action_id":%q,"reason":"x"}`, action))
	require.Equal(t, "machine action", v.Targets[0].Kind)
	require.JSONEq(t, `{"request":"`+isolation.ID+`"}`, string(r.Plan.Steps[0].Args))
	o.approve(r)
	require.Equal(t, "succeeded", o.finish(r.ID).Status)
}

func TestAForeignActionIsCancelledOnlyWhenItIsNamedAsSuch(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	action := o.byHand("by hand")
	o.refused("cancel_action", fmt.Sprintf(`{"action_id":%q,"reason":"x"}`, action), approvals.KindDenied, "not started by mde-ops", "foreign true")
	v, r := o.ask("cancel_action", fmt.Sprintf(`{"action_id":%q,"foreign":true,"reason":"x"}`, action))
	require.Equal(t, "foreign machine action", v.Targets[0].Kind)
	require.Contains(t, v.Preview, "not started by mde-ops")
	var frozen ownership
	require.NoError(t, json.Unmarshal(r.Plan.Steps[0].Args, &frozen))
	require.True(t, frozen.Foreign)
	require.NotEmpty(t, frozen.Owner)
	require.Contains(t, v.Warnings, "not started by mde-ops; started by "+frozen.Owner)
	o.approve(r)
	require.Equal(t, "succeeded", o.finish(r.ID).Status)
}

// Anybody can write a comment, so that a tag alone makes no action ours.
func TestATagThatSomebodyElseWroteMakesNoActionOurs(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	_, r := o.ask("isolate_devices", `{"devices":["host01"],"reason":"x"}`)
	action := o.byHand(approvals.Tag(r.ID, 0) + " x")
	_, err := o.call("cancel_action", fmt.Sprintf(`{"action_id":%q,"reason":"x"}`, action))
	require.ErrorContains(t, err, "not started by mde-ops")
}

func TestTheTagOfAnotherRequestOrNoneIsNotOurs(t *testing.T) {
	t.Parallel()
	for comment, want := range map[string]bool{
		"[mde-ops:ABCDEFGH.0] x": true, "[mde-ops:ABCDEFGH.12]": true, "x [mde-ops:ABCDEFGH.0]": false, "[mde-ops:ABCDEFGX.0] x": false,
		"[mde-ops:ABCDEFGH.] x": false, "[mde-ops:ABCDEFGH.0": false, "": false, "[mde-ops:ABCDEFGH.0x]": false, "[mde-ops:.0]": false,
	} {
		require.Equal(t, want, taggedBy("ABCDEFGH", comment), comment)
	}
	require.False(t, taggedBy("", "[mde-ops:.0]"))
}

// A row that was written straight into the database makes no action ours either, even with a tag that fits.
func TestAnActionWrittenIntoAStepThatWasNeverSentIsForeign(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	_, r := o.ask("isolate_devices", `{"devices":["host01"],"reason":"x"}`)
	action := o.byHand(approvals.Tag(r.ID, 0) + " x")
	o.exec(fmt.Sprintf(`UPDATE steps SET action_id = '%s' WHERE request_id = '%s'`, action, r.ID))
	_, err := o.call("cancel_action", fmt.Sprintf(`{"action_id":%q,"reason":"x"}`, action))
	require.ErrorContains(t, err, "not started by mde-ops")
	o.exec(fmt.Sprintf(`UPDATE steps SET state = 'accepted', attempt = 1 WHERE request_id = '%s'`, r.ID))
	_, err = o.call("cancel_action", fmt.Sprintf(`{"action_id":%q,"reason":"x"}`, action))
	require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err), "what the audit contradicts decides nothing: %v", err)
}

// claims is an Origins that says what it is told.
type claims struct {
	request string
	err     error
}

func (c claims) Started(context.Context, string) (string, bool, error) {
	return c.request, c.request != "", c.err
}

func TestARowAloneMakesNoActionOurs(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	a, err := o.Reader.GetMachineAction(t.Context(), o.byHand("by hand"))
	require.NoError(t, err)
	whose, err := ownerOf(t.Context(), claims{request: "ABCDEFGH"}, a)
	require.NoError(t, err)
	require.True(t, whose.Foreign)
	_, err = ownerOf(t.Context(), claims{err: errors.New("down")}, a)
	require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err))
}

// Whose an action is can differ between the approval and the write; then nothing is written.
func TestACancellationIsRefusedWhenTheFrozenOwnershipIsNotTrue(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	_, ours := o.underWay()
	_, mine := o.ask("cancel_action", fmt.Sprintf(`{"action_id":%q,"reason":"x"}`, ours))
	for name, change := range map[string]func(*worker.Task, *hands){
		"it became foreign":     func(_ *worker.Task, h *hands) { h.origins = claims{} },
		"another request's":     func(_ *worker.Task, h *hands) { h.origins = claims{request: "ZZZZZZZZ"} },
		"ours, approved as not": func(j *worker.Task, _ *hands) { foreignStep(j, "somebody") },
		"nobody can tell":       func(_ *worker.Task, h *hands) { h.origins = nil },
		"kind and step differ":  func(j *worker.Task, _ *hands) { j.Plan.Targets[0].Kind = kindForeignAction },
		"no arguments":          func(j *worker.Task, _ *hands) { j.Step.Args = nil },
		"both":                  func(j *worker.Task, _ *hands) { j.Step.Args = json.RawMessage(`{"request":"A","foreign":true}`) },
		"neither":               func(j *worker.Task, _ *hands) { j.Step.Args = json.RawMessage(`{}`) },
	} {
		job, with := task(mine), o.performer.hands
		job.Plan.Targets = append([]approvals.Target(nil), job.Plan.Targets...)
		change(&job, &with)
		before := o.Tenant.Writes()
		_, err := applyCancellation(t.Context(), with, job)
		var refused *worker.Refused
		require.ErrorAs(t, err, &refused, name)
		require.Equal(t, before, o.Tenant.Writes(), name)
	}
	with := o.performer.hands
	with.origins = claims{err: errors.New("down")}
	_, err := applyCancellation(t.Context(), with, task(mine))
	var unsent *worker.NotSent
	require.ErrorAs(t, err, &unsent, "what can't be found out now is tried again, and nothing is sent")
	_, err = applyCancellation(t.Context(), o.performer.hands, task(mine))
	require.NoError(t, err)
}

func foreignStep(j *worker.Task, owner string) {
	j.Step.Args = json.RawMessage(`{"foreign":true,"owner":"` + owner + `"}`)
	j.Plan.Targets[0].Kind = kindForeignAction
}

func TestAForeignActionOfAnotherOwnerIsNotCancelled(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	_, r := o.ask("cancel_action", fmt.Sprintf(`{"action_id":%q,"foreign":true,"reason":"x"}`, o.byHand("by hand")))
	job, before := task(r), o.Tenant.Writes()
	foreignStep(&job, "somebody else")
	_, err := o.performer.Apply(t.Context(), job)
	require.ErrorContains(t, err, "differs from what was approved")
	require.Equal(t, before, o.Tenant.Writes())
}
