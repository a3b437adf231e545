package tools

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// isolated asks for the isolation of devices, has it approved and sees it through.
func (o *office) isolated(devices, more string) approvals.Request {
	o.t.Helper()
	_, r := o.ask("isolate_devices", fmt.Sprintf(`{"devices":%s,"reason":"beaconing"%s}`, devices, more))
	o.approve(r)
	require.Equal(o.t, "succeeded", o.finish(r.ID).Status)
	r, err := o.DB.Request(o.t.Context(), r.ID)
	require.NoError(o.t, err)
	return r
}

// somebody isolates or releases a device by other means than us, and it succeeds.
func (o *office) somebody(kind mdecore.ActionType, host string) {
	o.t.Helper()
	id := o.Tenant.Device(host).ID
	var err error
	if kind == mdecore.ActionIsolate {
		_, err = o.Writer.IsolateMachine(o.t.Context(), id, mdecore.IsolateRequest{Comment: "by hand", IsolationType: mdecore.IsolationFull})
	} else {
		_, err = o.Writer.UnisolateMachine(o.t.Context(), id, mdecore.UnisolateRequest{Comment: "by hand"})
	}
	require.NoError(o.t, err)
	o.Clock.Add(time.Minute)
}

// leaves asks for an undo that must be refused, without a write and without a further request.
func (o *office) leaves(id string, kind approvals.Kind, texts ...string) {
	o.t.Helper()
	writes, requests := o.Tenant.Writes(), len(o.requests())
	_, err := o.call("undo_request", fmt.Sprintf(`{"id":%q,"reason":"clean"}`, id))
	require.Error(o.t, err)
	require.Equal(o.t, kind, approvals.KindOf(err), err.Error())
	for _, text := range texts {
		require.Contains(o.t, err.Error(), text)
	}
	require.Equal(o.t, writes, o.Tenant.Writes())
	require.Len(o.t, o.requests(), requests)
}

func TestUndoReleasesOnlyWhatTheRequestIsolatedAndStillIs(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	r := o.isolated(`["host01","host02","host03"]`, "")
	o.somebody(mdecore.ActionUnisolate, "host02")
	o.somebody(mdecore.ActionUnisolate, "host03")
	o.somebody(mdecore.ActionIsolate, "host03")

	writes := o.Tenant.Writes()
	_, undo := o.ask("undo_request", fmt.Sprintf(`{"id":%q,"reason":"clean"}`, strings.ToLower(r.ID)))
	require.Equal(t, writes, o.Tenant.Writes(), "planning writes nothing")
	require.Equal(t, "release_devices", undo.Plan.Tool, "policy is asked about the inverse tool")
	require.Equal(t, approvals.RiskExpose, undo.Plan.Risk)
	require.Equal(t, o.Tenant.Device("host01").ID, undo.Plan.Steps[0].Target)
	require.Len(t, undo.Plan.Steps, 1)
	require.Len(t, undo.Plan.Targets, 1)
	require.JSONEq(t, fmt.Sprintf(`{"devices":[%q],"reason":"clean"}`, o.Tenant.Device("host01").ID), string(undo.Plan.Args))
	require.Contains(t, undo.Plan.Preview, "to take back request "+r.ID)
	said := strings.Join(undo.Plan.Warnings, "\n")
	require.Contains(t, said, "host02.contoso.com is left out: Unisolate")
	require.Contains(t, said, "host03.contoso.com is left out: Isolate")
	require.Contains(t, said, "came after it")

	o.approve(undo)
	require.Equal(t, "succeeded", o.finish(undo.ID).Status)
	require.False(t, o.Tenant.Isolated(o.Tenant.Device("host01").ID))
	require.True(t, o.Tenant.Isolated(o.Tenant.Device("host03").ID))
	require.Equal(t, writes+1, o.Tenant.Writes())
	o.leaves(r.ID, approvals.KindInvalid, "nothing of request "+r.ID+" is left to take back", "host01")
}

func TestUndoOfAReleaseIsolatesAgainTheWayItWas(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	o.isolated(`["host01"]`, `,"isolation_type":"Selective"`)
	o.isolated(`["host02"]`, "")
	_, r := o.ask("release_devices", `{"devices":["host01","host02","host03"],"reason":"clean"}`)
	o.approve(r)
	require.Equal(t, "partial", o.finish(r.ID).Status, "host03 was not isolated")

	_, undo := o.ask("undo_request", fmt.Sprintf(`{"id":%q,"reason":"not clean"}`, r.ID))
	require.Equal(t, "isolate_devices", undo.Plan.Tool)
	require.Equal(t, approvals.RiskContain, undo.Plan.Risk)
	require.Len(t, undo.Plan.Steps, 2)
	require.JSONEq(t, `{"isolation_type":"Selective"}`, string(undo.Plan.Steps[0].Args))
	require.JSONEq(t, `{"isolation_type":"Full"}`, string(undo.Plan.Steps[1].Args))
	require.Contains(t, strings.Join(undo.Plan.Warnings, "\n"), "host03.contoso.com is left out: its step is failed")
	o.approve(undo)
	require.Equal(t, "succeeded", o.finish(undo.ID).Status)
	require.True(t, o.Tenant.Isolated(o.Tenant.Device("host01").ID))
	require.True(t, o.Tenant.Isolated(o.Tenant.Device("host02").ID))
	require.False(t, o.Tenant.Isolated(o.Tenant.Device("host03").ID))
}

func TestUndoTakesNothingBackThatWasThereBefore(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	o.somebody(mdecore.ActionIsolate, "host01")
	r := o.isolated(`["host01"]`, "")
	o.leaves(r.ID, approvals.KindInvalid, "had done so before")
}

func TestUndoDoesNotFollowAnActionIDThatWasWrittenIntoTheDatabase(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	r := o.isolated(`["host01"]`, "")
	o.somebody(mdecore.ActionUnisolate, "host01")
	id := o.Tenant.Device("host01").ID
	foreign, err := o.Writer.IsolateMachine(t.Context(), id, mdecore.IsolateRequest{Comment: "by hand", IsolationType: mdecore.IsolationFull})
	require.NoError(t, err)
	o.Clock.Add(time.Minute)
	u := &undoing{r: r, reversal: isolationReversal()}
	actions, err := listActions(t.Context(), o.Reader, "machineId eq '"+id+"'")
	require.NoError(t, err)
	d := deedOf(r, 0)
	d.actionID = foreign.ID
	force, _ := u.standing(d, actions)
	require.Contains(t, force.Why, "is not what this request did there")
	require.True(t, o.Tenant.Isolated(id))
}

func TestUndoOfWhatDidNothingSaysSo(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	_, r := o.ask("isolate_devices", `{"devices":["host01"],"reason":"beaconing"}`)
	o.leaves(r.ID, approvals.KindInvalid, "its step is waiting")
	o.leaves("ZZZZZZZZ", approvals.KindNotFound)
	_, r = o.ask("cancel_action", fmt.Sprintf(`{"action_id":%q,"foreign":true,"reason":"x"}`, o.pendingAction()))
	o.leaves(r.ID, approvals.KindInvalid, "which no tool takes back")
}

// pendingAction is a machine action that is still under way.
func (o *office) pendingAction() string {
	a, err := o.Writer.IsolateMachine(o.t.Context(), o.Tenant.Device("host02").ID, mdecore.IsolateRequest{Comment: "by hand", IsolationType: mdecore.IsolationFull})
	require.NoError(o.t, err)
	return a.ID
}

func TestADryRunOfUndoNamesUndo(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	r := o.isolated(`["host01"]`, "")
	v := o.ok("undo_request", fmt.Sprintf(`{"id":%q,"dry_run":true}`, r.ID)).Output.(requestView)
	require.Equal(t, "release_devices", v.Tool)
	require.Contains(t, v.Next, "Call undo_request again without dry_run")
	require.Len(t, v.Steps, 1)
}

func TestAPlanThatNamesUndoItselfIsPerformedByNobody(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	_, r := w.ask("isolate_devices", `{"devices":["host01"],"reason":"x"}`)
	r.Plan.Tool, r.Plan.Risk = "undo_request", approvals.RiskExpose
	_, err := w.performer.Apply(t.Context(), task(r))
	require.ErrorContains(t, err, "is not an acting tool of this version")
	require.Zero(t, w.Tenant.Writes())
}
