package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// Progress is how far a request has come, for a caller that waits for its end.
type Progress struct {
	// Done of Total: one for the approval, one for each step that was sent, and one for each that has ended.
	Done, Total int
	// Text says it in words.
	Text string
}

// progressView is how far a request has come and what holds it.
type progressView struct {
	Of        int         `json:"of" jsonschema:"steps of the plan"`
	Waiting   int         `json:"waiting" jsonschema:"steps that were not sent"`
	Sent      int         `json:"sent" jsonschema:"steps that were sent and have not ended"`
	Succeeded int         `json:"succeeded" jsonschema:"steps that ended well"`
	Failed    int         `json:"failed" jsonschema:"steps that were refused, failed, timed out or were cancelled in Defender"`
	Skipped   int         `json:"skipped" jsonschema:"steps that will never be sent"`
	Unknown   int         `json:"unknown" jsonschema:"steps that may or may not have reached Defender"`
	Wave      int         `json:"wave,omitempty" jsonschema:"the wave that was sent last, from 1; absent before the first and for a plan without waves"`
	Waves     int         `json:"waves,omitempty" jsonschema:"how many waves the plan has"`
	Held      []stopView  `json:"held,omitempty" jsonschema:"the stops that hold it: nothing more is sent until approvers lift them in Slack"`
	Paused    *pausedView `json:"paused,omitempty" jsonschema:"set while its stop rule holds it, because too many of its steps did not succeed"`
}

// stopView is a stop in force.
type stopView struct {
	Scope string    `json:"scope" jsonschema:"all, restore (the database was restored) or the toolset that is stopped"`
	Since time.Time `json:"since" jsonschema:"when it was pressed"`
	By    string    `json:"by" jsonschema:"who pressed it"`
	Why   string    `json:"why" jsonschema:"untrusted text: their words"`
	Doubt string    `json:"doubt,omitempty" jsonschema:"why its lift does not count"`
}

// pausedView is a pause that nobody has answered with a yes.
type pausedView struct {
	Since time.Time `json:"since" jsonschema:"when"`
	Why   string    `json:"why" jsonschema:"what the stop rule counted"`
	Asks  string    `json:"asks,omitempty" jsonschema:"id of the request that asks people whether to go on; absent until they are asked"`
}

// callView is one moment at which approvers of a pending request are called again.
type callView struct {
	At   time.Time `json:"at" jsonschema:"when, unless somebody has decided before"`
	What string    `json:"what" jsonschema:"the reminder, or the group that may approve as well from then on"`
	Past bool      `json:"past,omitempty" jsonschema:"whether that moment is over"`
}

// describe is viewOf with what stands around a request: how far it is, what holds it, its time-boxes, and what to do then.
func (s *session) describe(ctx context.Context, r approvals.Request) (requestView, error) {
	v := s.viewOf(r)
	var err error
	if v.Timeboxes, err = s.boxesOf(ctx, r); err != nil {
		return v, err
	}
	if v.Progress == nil {
		return v, nil
	}
	if v.Progress.Held, err = s.holding(ctx, r); err != nil {
		return v, err
	}
	if v.Progress.Paused, err = s.pausedAt(ctx, r); err != nil {
		return v, err
	}
	v.Next = v.next(r)
	return v, nil
}

// progressOf counts the steps; nil before a request may start, when there is nothing to count.
func progressOf(r approvals.Request) *progressView {
	if r.State == approvals.Pending || len(r.Steps) == 0 {
		return nil
	}
	p := &progressView{Of: len(r.Steps)}
	last := -1
	for _, st := range r.Steps {
		switch st.State {
		case approvals.StepWaiting:
			p.Waiting++
		case approvals.StepSending, approvals.StepAccepted:
			p.Sent++
		case approvals.StepSucceeded:
			p.Succeeded++
		case approvals.StepFailed, approvals.StepTimedOut, approvals.StepCancelled:
			p.Failed++
		case approvals.StepSkipped:
			p.Skipped++
		case approvals.StepUnknown:
			p.Unknown++
		}
		if st.State != approvals.StepWaiting && st.State != approvals.StepSkipped {
			last = max(last, st.Index)
		}
	}
	if w := r.Terms.Wave.Width; w > 0 && p.Of > 1 {
		p.Waves = (p.Of + w - 1) / w
		if last >= 0 {
			p.Wave = last/w + 1
		}
	}
	return p
}

// words are the counts in one phrase.
func (p progressView) words() string {
	parts := []string{fmt.Sprintf("%d of %d succeeded", p.Succeeded, p.Of)}
	for _, c := range []struct {
		n    int
		what string
	}{
		{p.Failed, "failed"}, {p.Unknown, "unknown"}, {p.Sent, "under way"}, {p.Waiting, "not sent yet"}, {p.Skipped, "skipped"},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	text := strings.Join(parts, ", ")
	if p.Wave > 0 {
		text += fmt.Sprintf("; wave %d of %d", p.Wave, p.Waves)
	}
	return text
}

// progress is what a caller that waits is told.
func progress(r approvals.Request) Progress {
	n := len(r.Steps)
	out := Progress{Total: 1 + 2*n, Text: "request " + r.ID + " is " + statusOf(r)}
	p := progressOf(r)
	if p == nil {
		return out
	}
	out.Done = 1 + p.Sent + 2*(p.Succeeded+p.Failed+p.Skipped+p.Unknown)
	out.Text += ": " + p.words()
	return out
}

// holding lists the stops in force that hold a request. What only asks to lift one is never held.
func (s *session) holding(ctx context.Context, r approvals.Request) ([]stopView, error) {
	if (r.State != approvals.Approved && r.State != approvals.Running) || r.Plan.Tool == approvals.ToolLift {
		return nil, nil
	}
	stops, err := s.gate.Board().InForce(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(s.tools, func(t Tool) bool { return t.Name == r.Plan.Tool })
	var views []stopView
	for _, stop := range stops {
		if at < 0 || stop.Covers(string(s.tools[at].Toolset)) {
			views = append(views, viewOfStop(stop))
		}
	}
	return views, nil
}

// stopped lists every stop in force.
func (s *session) stopped(ctx context.Context) ([]stopView, error) {
	stops, err := s.gate.Board().InForce(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]stopView, len(stops))
	for i, stop := range stops {
		views[i] = viewOfStop(stop)
	}
	return views, nil
}

func viewOfStop(s approvals.Stop) stopView {
	return stopView{Scope: clean(s.Scope, 60), Since: s.Event.At, By: clean(s.Event.Actor, 120), Why: clean(s.Why, 300), Doubt: clean(s.Doubt, 300)}
}

// words say what is stopped, and how that ends.
func (v stopView) words() string {
	what := "the toolset " + v.Scope + " is stopped"
	switch v.Scope {
	case approvals.ScopeAll:
		what = "everything is stopped"
	case approvals.ScopeRestore:
		what = "everything is stopped because the database was restored,"
	}
	line := fmt.Sprintf("%s since %s by %s: %s", what, v.Since.UTC().Format(time.RFC3339), v.By, quoted(v.Why, 300))
	if v.Doubt != "" {
		line += "; its lift does not count: " + v.Doubt
	}
	return line
}

func (s *session) pausedAt(ctx context.Context, r approvals.Request) (*pausedView, error) {
	p, paused, err := s.gate.Pause(ctx, r)
	if err != nil || !paused {
		return nil, err
	}
	return &pausedView{Since: p.Event.At, Why: clean(p.Why, 300), Asks: clean(p.Asked, 20)}, nil
}

// callsOf is when the approvers of a pending request are called again, in order.
func callsOf(r approvals.Request, now time.Time) []callView {
	if r.State != approvals.Pending {
		return nil
	}
	var calls []callView
	add := func(after time.Duration, what string) {
		c := callView{At: r.CreatedAt.Add(after), What: what}
		c.Past = !now.Before(c.At)
		if after > 0 && c.At.Before(r.ExpiresAt) && !slices.Contains(calls, c) {
			calls = append(calls, c)
		}
	}
	add(r.Terms.RemindAfter, "the approvers are reminded")
	for _, e := range r.Escalations() {
		add(e.After, "group "+quoted(e.To.Name, 60)+" may approve as well")
	}
	slices.SortStableFunc(calls, func(a, b callView) int { return a.At.Compare(b.At) })
	return calls
}
