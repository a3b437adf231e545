package chaos

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools"
)

// verdict is what came of a run.
type verdict struct {
	requests, steps, once, failed, skipped, unknown, unknownWithEffect int
	released, escalated, stops, pauses, resumed, adopted               int
}

// String tells it in one line.
func (v verdict) String() string {
	return fmt.Sprintf("requests %d, steps %d: one effect %d (%d of them failed in the tenant), not sent %d, unknown %d (with the effect %d), "+
		"time-boxes released once %d, escalated %d, stops %d, pauses %d (resumed %d), adopted after a restore %d; lost 0, doubled 0, stuck 0",
		v.requests, v.steps, v.once, v.failed, v.skipped, v.unknown, v.unknownWithEffect, v.released, v.escalated, v.stops, v.pauses, v.resumed, v.adopted)
}

func (v *verdict) add(o verdict) {
	v.requests, v.steps, v.once, v.failed, v.skipped = v.requests+o.requests, v.steps+o.steps, v.once+o.once, v.failed+o.failed, v.skipped+o.skipped
	v.unknown, v.unknownWithEffect = v.unknown+o.unknown, v.unknownWithEffect+o.unknownWithEffect
	v.released, v.escalated, v.stops = v.released+o.released, v.escalated+o.escalated, v.stops+o.stops
	v.pauses, v.resumed, v.adopted = v.pauses+o.pauses, v.resumed+o.resumed, v.adopted+o.adopted
}

// jury is one look at everything that a house has done.
type jury struct {
	t       *testing.T
	h       *house
	effects map[string]int // in the tenant, by tag
	freed   map[string]int // releases in the tenant, by device
	all     map[string]approvals.Request
	rows    []approvals.Event
	find    *tools.Performer
	v       verdict
}

// judge compares every step with what the tenant saw of it: exactly one effect, or none and said so, or unknown and a
// person asked. A worker must run, because it is what asks people.
func judge(t *testing.T, h *house) verdict {
	t.Helper()
	j := &jury{t: t, h: h, effects: map[string]int{}, freed: map[string]int{}, all: map[string]approvals.Request{}, rows: rows(t, h), find: h.performer(t)}
	for _, e := range h.tenant.Effects() {
		tag, _, _ := strings.Cut(e.Comment, " ")
		j.effects[tag]++
		if e.Type == mdesim.TypeUnisolate {
			j.freed[strings.ToLower(e.MachineID)]++
		}
	}
	for _, e := range j.rows {
		if e.Type == approvals.EventSubmitted {
			r, err := h.app.Gate.Get(t.Context(), e.RequestID)
			require.NoError(t, err)
			j.all[r.ID] = r
			j.request(r)
		}
	}
	j.stops()
	j.pauses()
	return j.v
}

// rows reads the whole audit.
func rows(t *testing.T, h *house) (all []approvals.Event) {
	t.Helper()
	for {
		after := int64(0)
		if len(all) > 0 {
			after = all[len(all)-1].Seq
		}
		some, err := h.app.Store.Events(t.Context(), store.Query{After: after, Limit: 5000})
		require.NoError(t, err)
		if len(some) == 0 {
			return all
		}
		all = append(all, some...)
	}
}

// performer can look in the tenant as a worker does, with the reading credential.
func (h *house) performer(t *testing.T) *tools.Performer {
	t.Helper()
	client, _, err := h.app.Client(h.app.Config.Read)
	require.NoError(t, err)
	p, err := tools.NewPerformer(tools.PerformerOptions{
		Reader: client, Writer: client, Tenant: h.app.Config.Tenant.ID, Board: h.app.Gate.Board(), Origins: h.app.Gate,
	})
	require.NoError(t, err)
	return p
}

func (j *jury) request(r approvals.Request) {
	j.v.requests++
	require.True(j.t, r.State.Terminal(), "request %s is stuck: %s: %s", r.ID, r.State, r.Message)
	for _, s := range r.Steps {
		j.step(r, s)
	}
	if r.State == approvals.Unknown {
		requireAsked(j.t, j.h, r.ID)
	}
	if r.Plan.TimeBox != nil {
		j.boxes(r)
	}
}

// count is how often a step took effect: in the tenant, or on our own switches by their rows in the audit.
func (j *jury) count(r approvals.Request, s approvals.StepStatus) (n int, own bool) {
	if r.Plan.Tool != approvals.ToolLift && r.Plan.Tool != approvals.ToolResume {
		return j.effects[approvals.Tag(r.ID, s.Index)], false
	}
	for _, e := range j.rows {
		lifted := e.Type == approvals.EventLifted && e.RequestID == r.ID
		resumed := e.Type == approvals.EventResumed && strings.HasPrefix(e.Detail, r.ID+": ")
		if lifted || resumed {
			n++
		}
	}
	return n, true
}

func (j *jury) step(r approvals.Request, s approvals.StepStatus) {
	t := j.t
	j.v.steps++
	n, own := j.count(r, s)
	require.LessOrEqual(t, n, 1, "step %d of %s had %d effects", s.Index, r.ID, n)
	switch s.State {
	case approvals.StepSucceeded:
		require.Equal(t, 1, n, "step %d of %s succeeded without an effect", s.Index, r.ID)
		j.v.once++
	case approvals.StepFailed:
		require.NotEmpty(t, s.Message)
		if !own {
			require.Equal(t, 1, n, "step %d of %s failed in a tenant that never saw it: %s", s.Index, r.ID, s.Message)
			j.v.once++
			j.v.failed++
		}
	case approvals.StepUnknown:
		require.Equal(t, approvals.Unknown, r.State)
		j.v.unknown++
		j.v.unknownWithEffect += n
		j.reconcile(r, s, n)
	case approvals.StepSkipped, approvals.StepWaiting:
		told := strings.Contains(r.Message, "already performed before the restore")
		require.True(t, n == 0 || told, "step %d of %s is %s and had an effect", s.Index, r.ID, s.State)
		require.NotEmpty(t, r.Message)
		j.v.skipped++
	case approvals.StepSending, approvals.StepAccepted, approvals.StepTimedOut, approvals.StepCancelled:
		require.Fail(t, "unexpected end", "step %d of %s is %s: %s", s.Index, r.ID, s.State, s.Message)
	}
}

// reconcile prints what a person who is asked about an unknown step would find.
func (j *jury) reconcile(r approvals.Request, s approvals.StepStatus, effects int) {
	task := worker.Task{
		RequestID: r.ID, Index: s.Index, Tag: approvals.Tag(r.ID, s.Index), Plan: r.Plan, Step: r.Plan.Steps[s.Index], Requester: r.Requester,
	}
	ctx, cancel := context.WithTimeout(j.t.Context(), 20*time.Second)
	defer cancel()
	receipt, found, err := j.find.Find(ctx, task, r.CreatedAt.Add(-time.Minute))
	require.NoError(j.t, err)
	require.Equal(j.t, effects > 0, found, "Find says something else about step %d of %s than the tenant saw", s.Index, r.ID)
	says := "nothing was done"
	if found {
		says = "done, as action " + receipt.ActionID
	}
	j.t.Logf("unknown: step %d of %s %s: people are asked in its thread; Find says: %s", s.Index+1, r.Plan.Tool, r.ID, says)
}

// boxes demands that whatever a time-boxed request did was taken back exactly once, or that people were called.
func (j *jury) boxes(r approvals.Request) {
	t := j.t
	boxes, err := j.h.app.Store.Timeboxes(t.Context(), r.ID)
	require.NoError(t, err)
	byStep := map[int]store.Timebox{}
	for _, b := range boxes {
		byStep[b.Index] = b
	}
	for _, s := range r.Steps {
		device := strings.ToLower(r.Plan.Steps[s.Index].Target)
		b, armed := byStep[s.Index]
		require.Equal(t, s.State == approvals.StepSucceeded, armed, "step %d of %s is %s", s.Index, r.ID, s.State)
		if !armed {
			continue
		}
		require.LessOrEqual(t, j.freed[device], 1, "%s was released %d times", device, j.freed[device])
		if !b.Open() {
			require.Equal(t, 1, j.freed[device], "the time-box of %s is closed and it was not released: %s", device, b.Message)
			j.v.released++
			continue
		}
		require.Equal(t, "failed", b.Trouble, "the time-box of %s is %s: %s", device, b.State, b.Message)
		require.True(t, j.wrote(r.ID, approvals.EventEscalated), "the time-box of %s was forgotten", device)
		j.v.escalated++
	}
}

func (j *jury) wrote(id, kind string) bool {
	for _, e := range j.rows {
		if e.RequestID == id && e.Type == kind {
			return true
		}
	}
	return false
}

// stops demands that between a press and its lift, in the audit's own order, nothing was marked to be sent and nothing was
// left pending by the end, except lifts themselves.
func (j *jury) stops() {
	stopped := map[string]bool{}
	for _, e := range j.rows {
		scope, _, _ := strings.Cut(e.Detail, ": ")
		switch {
		case e.Type == approvals.EventStopped:
			stopped[scope] = true
			j.v.stops++
		case e.Type == approvals.EventLifted:
			delete(stopped, scope)
		case adopted(e):
			j.v.adopted++
		case e.To == string(approvals.StepSending) && e.Step >= 0 && len(stopped) > 0:
			require.Equal(j.t, approvals.ToolLift, j.all[e.RequestID].Plan.Tool, "row %d: step %d of %s was marked while everything is stopped", e.Seq, e.Step, e.RequestID)
		}
	}
}

// adopted says that a row marks what the tenant had done before.
func adopted(e approvals.Event) bool {
	return strings.Contains(e.Detail, "found in the tenant after the database was restored") && e.To == string(approvals.StepSending)
}

// pauses demands that a fleet is paused once and not again before people let it go on, and that they are never asked about
// it by two requests at a time.
func (j *jury) pauses() {
	paused, asking := map[string]bool{}, map[string]string{}
	for _, e := range j.rows {
		r := j.all[e.RequestID]
		switch {
		case e.Type == approvals.EventPaused:
			require.False(j.t, paused[r.ID], "row %d: request %s is paused twice", e.Seq, r.ID)
			paused[r.ID] = true
			j.v.pauses++
		case e.Type == approvals.EventResumed:
			delete(paused, r.ID)
			j.v.resumed++
		case r.Plan.Tool != approvals.ToolResume || e.Step >= 0:
		case e.Type == approvals.EventSubmitted:
			about := r.Plan.Steps[0].Target
			require.Empty(j.t, asking[about], "row %d: people are asked twice about %s", e.Seq, about)
			asking[about] = r.ID
		case approvals.State(e.To).Terminal():
			delete(asking, r.Plan.Steps[0].Target)
		}
	}
}

// requireAsked waits until the workspace shows that a person has to look at a request.
func requireAsked(t *testing.T, h *house, id string) {
	t.Helper()
	wait(t.Context(), t, 60*time.Second, fmt.Sprintf("a person is asked about %s", id), func() bool {
		for _, m := range h.workspace.Messages(slacksim.Security) {
			said := strings.ToLower(m.Text + string(m.RawBlocks))
			if m.ThreadTS != "" && strings.Contains(said, strings.ToLower(id)) && strings.Contains(said, "unknown") {
				return true
			}
		}
		return false
	})
}
