package approvals

import (
	"slices"
	"strings"
	"time"
)

// EventVote is the type of the audit row that goes with every stored vote.
const EventVote = "vote"

// EventRefused is the type of the audit row of an attempt that reached the gate and was refused.
const EventRefused = "refused"

// EventSubmitted is the type of a request's first audit row.
const EventSubmitted = "submitted"

// EventBreakGlass is the type of the audit row that goes with a request whose requester used the emergency way.
const EventBreakGlass = "break_glass"

// EventWithdrawn is the type of the audit row of a withdrawal from a running request. From then on nothing of it is sent.
const EventWithdrawn = "withdrawn"

// Withdrawn says how the request of these audit rows was withdrawn while it ran; false when it was not.
func Withdrawn(events []Event) (how string, yes bool) {
	for _, e := range events {
		if e.Type == EventWithdrawn {
			return e.Detail, true
		}
	}
	return "", false
}

// CheckHistory compares a request with its own audit rows, in order: every state must be the last one that a
// transition led to, along the arrows, and every vote and every attempt must have its row. KindTampering when not,
// because then somebody wrote a state or a vote straight into the database.
func CheckHistory(r Request, events []Event) error {
	h := history{request: r, steps: make(map[int]StepState), attempts: make(map[int]int)}
	for _, e := range events {
		if err := h.apply(e); err != nil {
			return err
		}
	}
	if h.state != r.State {
		return h.fault("its state is %q and its audit says %q", r.State, h.state)
	}
	if h.votes != len(r.Votes) {
		return h.fault("it has %d votes and its audit says %d", len(r.Votes), h.votes)
	}
	if err := h.sameAttached(); err != nil {
		return err
	}
	if len(r.Steps) != len(r.Plan.Steps) {
		return h.fault("it has %d steps and its plan has %d", len(r.Steps), len(r.Plan.Steps))
	}
	for i, s := range r.Steps {
		if s.Index != i || h.step(i) != s.State || h.attempts[i] != s.Attempt {
			return h.fault("step %d is %q after %d attempts and its audit says %q after %d", i+1, s.State, s.Attempt, h.step(i), h.attempts[i])
		}
	}
	return nil
}

// history is what replaying audit rows has led to so far.
type history struct {
	request  Request
	state    State
	votes    int
	attached []string
	steps    map[int]StepState
	attempts map[int]int
}

func (h *history) step(i int) StepState {
	if s, ok := h.steps[i]; ok {
		return s
	}
	return StepWaiting
}

func (h *history) apply(e Event) error {
	switch {
	case e.RequestID != h.request.ID:
		return h.fault("audit row %d belongs to request %q", e.Seq, e.RequestID)
	case e.Type == EventVote:
		h.votes++
	case e.Type == EventAttached:
		h.attached = append(h.attached, e.Actor)
	case e.From == "" && e.To == "":
		return nil // an event, not a transition
	case e.Step >= 0:
		return h.moveStep(e)
	default:
		return h.move(e)
	}
	return nil
}

func (h *history) move(e Event) error {
	from, to := State(e.From), State(e.To)
	first := h.state == "" && from == "" && (to == Pending || to == Approved)
	if !first && (from != h.state || (from != to && !from.CanMove(to))) {
		return h.fault("audit row %d goes from %q to %q where its state was %q", e.Seq, from, to, h.state)
	}
	h.state = to
	return nil
}

func (h *history) moveStep(e Event) error {
	from, to := StepState(e.From), StepState(e.To)
	if from != h.step(e.Step) || (from != to && !from.CanMove(to)) {
		return h.fault("audit row %d takes step %d from %q to %q where it was %q", e.Seq, e.Step+1, from, to, h.step(e.Step))
	}
	h.steps[e.Step] = to
	if from != to && to == StepSending {
		h.attempts[e.Step]++
	}
	return nil
}

// sameAttached compares the people who asked for the same: one taken out of the row could approve.
func (h *history) sameAttached() error {
	stored := make([]string, len(h.request.Attached))
	for i, p := range h.request.Attached {
		stored[i] = p.ID
	}
	if !slices.Equal(plainIDs(stored), plainIDs(h.attached)) {
		return h.fault("%v asked for the same and its audit says %v", stored, h.attached)
	}
	return nil
}

// plainIDs are ids as the store compares them, sorted and each once.
func plainIDs(ids []string) []string {
	plain := make([]string, len(ids))
	for i, id := range ids {
		plain[i] = strings.ToLower(strings.TrimSpace(id))
	}
	slices.Sort(plain)
	return slices.Compact(plain)
}

func (h *history) fault(format string, args ...any) error {
	e := Refuse(KindTampering, nil, format, args...)
	e.Text = "request " + h.request.ID + " does not agree with its audit: " + e.Text + "; run the audit's verification"
	return e
}

// Overdue reports that r must expire at now, and why. The very instant of the limit is too late.
func Overdue(r Request, now time.Time) (why string, due bool) {
	switch {
	case r.State == Pending && !now.Before(r.ExpiresAt):
		return "nobody decided in time", true
	case r.State == Approved && !now.Before(r.StartBefore()):
		return "approved, but it was not started in time", true
	}
	return "", false
}

// AsOf is r as people should see it at now: expired when it is overdue, although nobody has written that yet.
func AsOf(r Request, now time.Time) Request {
	why, due := Overdue(r, now)
	if !due {
		return r
	}
	at := r.ExpiresAt
	if r.State == Approved {
		at = r.StartBefore()
	}
	if r.DecidedAt.IsZero() {
		r.DecidedAt = at
	}
	r.State, r.Message, r.FinishedAt = Expired, why, at
	return r
}
