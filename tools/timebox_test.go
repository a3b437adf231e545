package tools

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// tend does the job of a request's time-boxes.
func (o *office) tend(id string) {
	o.t.Helper()
	for range 5 {
		again, err := o.worker.Handle(o.t.Context(), store.Job{Kind: store.Boxes, RequestID: id})
		require.NoError(o.t, err)
		if again >= 0 {
			return
		}
	}
}

func (o *office) view(id string) requestView {
	o.t.Helper()
	return o.ok("get_request", fmt.Sprintf(`{"id":%q}`, id)).Output.(requestView)
}

func TestATimeBoxedIsolationIsReleasedWithoutAnotherApproval(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	_, asked := o.ask("isolate_devices", `{"devices":["host01","host02"],"reason":"beaconing","for":"4h"}`)
	require.Equal(t, &approvals.TimeBox{For: 4 * time.Hour, Tool: "release_devices", Risk: approvals.RiskExpose}, asked.Plan.TimeBox)
	require.Contains(t, asked.Plan.Preview, "for 4h, each released 4h after its isolation succeeded")
	o.approve(asked)
	v := o.finish(asked.ID)
	require.Equal(t, "succeeded", v.Status)
	require.Equal(t, "4h0m0s", v.For)
	require.Len(t, v.Timeboxes, 2)
	require.Equal(t, "armed", v.Timeboxes[0].State)
	require.Equal(t, v.Timeboxes[0].Due.Sub(o.Clock.Now()).Round(time.Second).String(), v.Timeboxes[0].Left)
	require.Equal(t, 2, o.Tenant.Writes())

	o.Clock.Add(3 * time.Hour)
	o.tend(asked.ID)
	require.Equal(t, 2, o.Tenant.Writes(), "not yet")
	o.Clock.Add(time.Hour)
	o.tend(asked.ID)
	child := o.view(asked.ID).Timeboxes[0].Release
	require.NotEmpty(t, child)
	v = o.finish(child)
	require.Equal(t, "succeeded", v.Status, v.Message)
	require.Equal(t, asked.ID, v.Parent)
	require.Equal(t, "release_devices", v.Tool)
	require.Contains(t, v.Preview, "because the time-box of request "+asked.ID+" is over")
	require.Len(t, o.Tenant.Effects(), 4, "the token has expired meanwhile, so that more was sent than accepted")
	for _, host := range []string{"host01", "host02"} {
		require.False(t, o.Tenant.Isolated(o.Tenant.Device(host).ID))
	}
	o.tend(asked.ID)
	v = o.view(asked.ID)
	require.Equal(t, "closed", v.Timeboxes[1].State)
	require.Equal(t, "released by request "+child, v.Timeboxes[1].Message)
	require.NotZero(t, v.Timeboxes[1].ClosedAt)
	o.leaves(asked.ID, approvals.KindInvalid, "nothing of request "+asked.ID+" is left to take back")
}

func TestATimeBoxClosesWhenUndoReleasesEarly(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	r := o.isolated(`["host01"]`, `,"for":"2d"`)
	_, undo := o.ask("undo_request", fmt.Sprintf(`{"id":%q,"reason":"clean"}`, r.ID))
	o.approve(undo)
	require.Equal(t, "succeeded", o.finish(undo.ID).Status)
	_, err := o.worker.Handle(t.Context(), store.Job{Kind: store.Boxes, RequestID: r.ID, Nonce: "look-" + undo.ID})
	require.NoError(t, err)
	box := o.view(r.ID).Timeboxes[0]
	require.Equal(t, "closed", box.State)
	require.Contains(t, box.Message, "Unisolate")
	writes := o.Tenant.Writes()
	o.Clock.Add(49 * time.Hour)
	o.tend(r.ID)
	require.Equal(t, writes, o.Tenant.Writes())
}

func TestATimeBoxIsNotPutOnWhatOthersIsolated(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	o.somebody(mdecore.ActionIsolate, "host01")
	writes := o.Tenant.Writes()
	_, err := o.call("isolate_devices", `{"devices":["host01"],"reason":"x","for":"4h"}`)
	require.ErrorContains(t, err, "would end an isolation which this call did not make")
	require.Equal(t, writes, o.Tenant.Writes())
	o.ask("isolate_devices", `{"devices":["host01"],"reason":"x"}`)
}

func TestWhatSomebodyElseDidMeanwhileIsLeftAlone(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	r := o.isolated(`["host01","host02"]`, `,"for":"1h"`)
	o.somebody(mdecore.ActionUnisolate, "host01")
	o.somebody(mdecore.ActionIsolate, "host01")
	o.somebody(mdecore.ActionUnisolate, "host02")
	writes := o.Tenant.Writes()
	o.Clock.Add(2 * time.Hour)
	o.tend(r.ID)
	for _, b := range o.view(r.ID).Timeboxes {
		require.Equal(t, "closed", b.State, b.Message)
	}
	require.Equal(t, writes, o.Tenant.Writes())
	require.True(t, o.Tenant.Isolated(o.Tenant.Device("host01").ID))
}

func TestAnExtensionIsApprovedAndMovesTheRelease(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	facts, err := Facts()
	require.NoError(t, err)
	o.performer.hands.board, err = control.New(control.Options{Store: o.DB, Tools: facts, Clock: o.Clock.Now})
	require.NoError(t, err)
	r := o.isolated(`["host01"]`, `,"for":"1h"`)
	due := o.view(r.ID).Timeboxes[0].Due
	_, x := o.ask("extend_timebox", fmt.Sprintf(`{"id":%q,"for":"90m","reason":"still looking"}`, strings.ToLower(r.ID)))
	require.Equal(t, approvals.RiskContain, x.Plan.Risk)
	require.Contains(t, x.Plan.Preview, "1 device at the latest "+due.Add(90*time.Minute).UTC().Format(time.RFC3339))
	o.tend(r.ID)
	require.Equal(t, due, o.view(r.ID).Timeboxes[0].Due, "asked for is not approved")
	o.approve(x)
	require.Equal(t, "succeeded", o.finish(x.ID).Status)
	o.tend(r.ID)
	require.Equal(t, due.Add(90*time.Minute), o.view(r.ID).Timeboxes[0].Due)
	o.Clock.Add(due.Sub(o.Clock.Now()) + 89*time.Minute)
	o.tend(r.ID)
	require.Len(t, o.Tenant.Effects(), 1)
	o.Clock.Add(2 * time.Minute)
	o.tend(r.ID)
	require.Equal(t, "succeeded", o.finish(o.view(r.ID).Timeboxes[0].Release).Status)
	require.Len(t, o.Tenant.Effects(), 2)
	_, err = o.call("extend_timebox", fmt.Sprintf(`{"id":%q,"for":"2h","reason":"x"}`, r.ID))
	require.ErrorContains(t, err, "no time-box that still runs")
}

func TestAnExtensionIsWrittenOnce(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	r := o.isolated(`["host01"]`, `,"for":"1h"`)
	_, x := o.ask("extend_timebox", fmt.Sprintf(`{"id":%q,"for":"2h","reason":"x"}`, r.ID))
	o.performer.hands.board = nil
	_, err := o.performer.Apply(t.Context(), task(x))
	var refused *worker.Refused
	require.ErrorAs(t, err, &refused, "without switches nothing can be written")
	o.performer.hands.board, err = control.New(control.Options{Store: o.DB, Clock: o.Clock.Now})
	require.NoError(t, err)
	_, found, err := o.performer.Find(t.Context(), task(x), o.Clock.Now())
	require.NoError(t, err)
	require.False(t, found)
	for range 2 {
		_, err = o.performer.Apply(t.Context(), task(x))
		require.NoError(t, err)
	}
	_, found, err = o.performer.Find(t.Context(), task(x), o.Clock.Now())
	require.NoError(t, err)
	require.True(t, found)
	marks, err := o.DB.Marks(t.Context(), []string{approvals.EventExtended}, 0)
	require.NoError(t, err)
	require.Len(t, marks, 1)
	x.Plan.Steps[0].Args = json.RawMessage(`{"for":-1}`)
	_, err = o.performer.Apply(t.Context(), task(x))
	require.ErrorAs(t, err, &refused)
}

func TestTheTenantsClockIsReadFromItsAnswers(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	w.Clock.Add(26 * time.Hour)
	at, err := w.performer.Clock(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, w.Clock.Now(), at, time.Second)
	w.Tenant.Fail(mdesim.Fault{Path: "/api/machineactions", Status: http.StatusInternalServerError})
	_, err = w.performer.Clock(t.Context())
	require.Error(t, err)
	require.Zero(t, w.Tenant.Writes())
}

func TestTheInverseOfATimeBoxDependsOnTheRequestAlone(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	_, r := w.ask("isolate_devices", `{"devices":["host01","host02"],"reason":"x","for":"4h"}`)
	plan, err := w.performer.Inverse(r, []int{1})
	require.NoError(t, err)
	again, err := w.performer.Inverse(r, []int{1})
	require.NoError(t, err)
	require.Equal(t, plan, again)
	require.NoError(t, plan.Check())
	require.Equal(t, "release_devices", plan.Tool)
	require.Equal(t, []string{w.Tenant.Device("host02").ID}, []string{plan.Steps[0].Target})
	for name, change := range map[string]func(*approvals.Request){
		"no time-box":  func(r *approvals.Request) { r.Plan.TimeBox = nil },
		"another tool": func(r *approvals.Request) { r.Plan.TimeBox.Tool = "isolate_devices" },
		"other tenant": func(r *approvals.Request) { r.Plan.Tenant = "elsewhere" },
	} {
		other := r
		box := *r.Plan.TimeBox
		other.Plan.TimeBox = &box
		change(&other)
		_, err := w.performer.Inverse(other, []int{0})
		require.Error(t, err, name)
		_, err = w.performer.InForce(t.Context(), other, []int{0})
		require.Error(t, err, name)
	}
	_, err = w.performer.Inverse(r, []int{2})
	require.Error(t, err)
	_, err = w.performer.InForce(t.Context(), r, []int{2})
	require.Error(t, err)
}

func TestSpans(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{"15m": leastSpan, "90m": 90 * time.Minute, "4h": 4 * time.Hour, "7d": mostSpan, "168h": mostSpan} {
		got, err := parseSpan(s)
		require.NoError(t, err, s)
		require.Equal(t, want, got, s)
	}
	for _, s := range []string{"", "14m", "169h", "8d", "0h", "-4h", "4", "h", "4h ", "04h", "4h4h", "1.5h", "4H", "2026-11-22", "9999999h", "1e1h"} {
		_, err := parseSpan(s)
		require.Error(t, err, s)
	}
	w := open(t, toolstest.Options{})
	w.refused("isolate_devices", `{"devices":["host01"],"reason":"x","for":"10m"}`, approvals.KindInvalid, "for", "15m to 168h")
}

func FuzzSpan(f *testing.F) {
	for _, s := range []string{"4h", "15m", "7d", "", "9999999h", "\x00", "４h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parseSpan(s); err == nil && (d < leastSpan || d > mostSpan) {
			t.Fatalf("%q is %v", s, d)
		}
	})
}
