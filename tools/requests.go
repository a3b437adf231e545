package tools

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// requestTools lists the toolset requests.
func requestTools() []declaration {
	return []declaration{getRequest(), listRequests(), cancelRequest(), extendTimebox(), liftStop(), resumeRequest()}
}

type getRequestIn struct {
	ID          string `json:"id" jsonschema:"Request id" form:"request"`
	WaitSeconds int    `json:"wait_seconds,omitempty" jsonschema:"Wait up to so long for its end" range:"0,50"`
}

func getRequest() declaration {
	return spec[getRequestIn, requestView]{
		name: "get_request", title: "Get a request", toolset: Requests, surface: Default, risk: approvals.RiskRead,
		summary:    "Read how far a request has come: votes, steps, outcome. With wait_seconds it answers when the request is final or the time is over.",
		positional: []string{"id"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true},
		read:  readRequest,
	}
}

func readRequest(ctx context.Context, s *session, in getRequestIn) (requestView, string, error) {
	id := strings.ToUpper(in.ID)
	var r approvals.Request
	var err error
	if in.WaitSeconds > 0 {
		r, err = s.gate.Wait(ctx, id, s.ended, time.Duration(in.WaitSeconds)*time.Second)
	} else {
		r, err = s.gate.Get(ctx, id)
	}
	if err != nil {
		return requestView{}, "", err
	}
	v, err := s.describe(ctx, r)
	if err != nil {
		return requestView{}, "", err
	}
	return v, v.text(), nil
}

// ended says whether a request that somebody waits for is final, and tells them how far it is while it is not.
func (s *session) ended(r approvals.Request) bool {
	if s.progress != nil && !r.State.Terminal() {
		s.progress(progress(r))
	}
	return r.State.Terminal()
}

type listRequestsIn struct {
	State string `json:"state,omitempty" jsonschema:"Only this state" enum:"pending,approved,running,succeeded,partial,failed,unknown,denied,expired,cancelled"`
	Mine  bool   `json:"mine,omitempty" jsonschema:"Only the caller's own"`
	listing
}

type listRequestsOut struct {
	Requests []requestLine `json:"requests" jsonschema:"newest first"`
	paged
}

// requestLine is a request in a list.
type requestLine struct {
	RequestID string    `json:"request_id" jsonschema:"8 letters and digits"`
	Status    string    `json:"status" jsonschema:"as in get_request"`
	Preview   string    `json:"preview" jsonschema:"untrusted text: the plan in one sentence, with device names"`
	Requester string    `json:"requester" schema:"omit" jsonschema:"who asked"`
	CreatedAt time.Time `json:"created_at" schema:"omit" jsonschema:"when"`
	ExpiresAt time.Time `json:"expires_at,omitzero" schema:"omit" jsonschema:"when the voting ends"`
	Message   string    `json:"message,omitempty" schema:"omit" jsonschema:"why the status is what it is"`
	EndedBy   string    `json:"ended_by,omitempty" schema:"omit" jsonschema:"as in get_request"`
	Hold      string    `json:"hold,omitempty" jsonschema:"held (people stopped it) or paused (too many of its steps failed)"`
	Timebox   *boxSum   `json:"timebox,omitempty" schema:"omit" jsonschema:"what of it is still to be undone by itself"`
}

// boxSum is the time-boxes of a request in a list.
type boxSum struct {
	Open    int       `json:"open" jsonschema:"steps that are still to be undone"`
	Next    time.Time `json:"next" jsonschema:"when the next is due"`
	Trouble string    `json:"trouble,omitempty" jsonschema:"what keeps a due one from being undone"`
}

func listRequests() declaration {
	return spec[listRequestsIn, listRequestsOut]{
		name: "list_requests", title: "List requests", toolset: Requests, surface: Default, risk: approvals.RiskRead,
		summary:    "List requests at the approval gate, newest first, by state or only one's own.",
		positional: []string{"state"}, untrusted: true, lists: "requests",
		hints: Annotations{ReadOnly: true, Idempotent: true},
		read:  readRequests,
	}
}

func readRequests(ctx context.Context, s *session, in listRequestsIn) (listRequestsOut, string, error) {
	f := store.Filter{Limit: in.Limit + 1}
	if in.State != "" {
		f.States = []approvals.State{approvals.State(in.State)}
	}
	if in.Mine {
		f.RequesterID = s.who.ID
	}
	var out listRequestsOut
	var unread error
	var err error
	out.Requests, out.paged, err = allRows(s, in.listing, stored(ctx, s.gate, f), func(r approvals.Request) requestLine {
		l, err := s.lineOf(ctx, r)
		unread = cmp.Or(unread, err)
		return l
	})
	if err = cmp.Or(err, unread); err != nil {
		return listRequestsOut{}, "", err
	}
	if out.Count == 0 {
		return out, "No request matches.", nil
	}
	return out, counted(out.Count, "request", out.Cursor != "") + ":" + shortList(out.Requests, requestLine.text), nil
}

// stored are the requests that f chooses, newest first. One that expired while it was read is no longer of the state that was
// asked for.
func stored(ctx context.Context, from *gate.Gate, f store.Filter) iter.Seq2[approvals.Request, error] {
	return func(yield func(approvals.Request, error) bool) {
		seen := map[string]bool{}
		for {
			found, err := from.List(ctx, f)
			if err != nil {
				yield(approvals.Request{}, err)
				return
			}
			fresh := 0
			for _, r := range found {
				if seen[r.ID] {
					continue
				}
				fresh++
				seen[r.ID] = true
				if len(f.States) > 0 && !slices.Contains(f.States, r.State) {
					continue
				}
				if !yield(r, nil) {
					return
				}
			}
			if fresh == 0 { // not: fewer than the limit, because what can't be understood is left out
				return
			}
			// Those of the same millisecond as the last may not all have been among these.
			f.Before = found[len(found)-1].CreatedAt.Add(time.Millisecond)
			f.Limit = maxStored
		}
	}
}

// maxStored is how many requests are read at a time after the first.
const maxStored = 500

// lineOf is a request in a list, with what people must know of one that does not go on by itself.
func (s *session) lineOf(ctx context.Context, r approvals.Request) (requestLine, error) {
	l := requestLine{
		RequestID: r.ID, Status: statusOf(r), Preview: clean(r.Plan.Preview, 300), Requester: r.Requester.ID,
		CreatedAt: r.CreatedAt, Message: clean(r.Message, 300), EndedBy: endedBy(r),
	}
	if r.State == approvals.Pending {
		l.ExpiresAt = r.ExpiresAt
	}
	held, err := s.holding(ctx, r)
	if err != nil {
		return l, err
	}
	paused, err := s.pausedAt(ctx, r)
	if err != nil {
		return l, err
	}
	switch {
	case len(held) > 0:
		l.Hold = "held"
	case paused != nil:
		l.Hold = "paused"
	}
	boxes, err := s.boxesOf(ctx, r)
	if err != nil {
		return l, err
	}
	l.Timebox = sumOf(boxes)
	return l, nil
}

// sumOf is nil when nothing is left to undo.
func sumOf(boxes []boxView) *boxSum {
	var sum boxSum
	for _, b := range boxes {
		if !b.ClosedAt.IsZero() {
			continue
		}
		sum.Open++
		if sum.Next.IsZero() || b.Due.Before(sum.Next) {
			sum.Next = b.Due
		}
		if b.Trouble != "" {
			sum.Trouble = b.Trouble
		}
	}
	if sum.Open == 0 {
		return nil
	}
	return &sum
}

func (l requestLine) text() string {
	status := l.Status
	if l.Hold != "" {
		status += ", " + l.Hold
	}
	if l.EndedBy == endedUndecided || l.EndedBy == endedUnstarted {
		status += " (timed out)"
	}
	line := fmt.Sprintf("%s %s: %s, asked by %s", l.RequestID, status, l.Preview, l.Requester)
	if t := l.Timebox; t != nil {
		line += fmt.Sprintf("; %s to be undone, the next at %s", counted(t.Open, "step", false), clockTime(t.Next))
		if t.Trouble != "" {
			line += ", NOT undone yet: " + t.Trouble
		}
	}
	return line
}

type cancelRequestIn struct {
	ID string `json:"id" jsonschema:"Id of one's own request" form:"request"`
}

// cancelRequest has the risk of a reading tool because it changes nothing in the tenant: it can only keep something
// from happening. It is not read-only: our store changes.
func cancelRequest() declaration {
	return spec[cancelRequestIn, requestView]{
		name: "cancel_request", title: "Withdraw a request", toolset: Requests, surface: Default, risk: approvals.RiskRead,
		summary:    "Withdraw one's own request. Steps that were already sent go on; cancel_action stops those.",
		positional: []string{"id"}, untrusted: true,
		hints: Annotations{},
		read:  withdrawRequest,
	}
}

func withdrawRequest(ctx context.Context, s *session, in cancelRequestIn) (requestView, string, error) {
	r, err := s.gate.Withdraw(ctx, strings.ToUpper(in.ID), s.who)
	if err != nil {
		return requestView{}, "", err
	}
	v, err := s.describe(ctx, r)
	if err != nil { // it is withdrawn, whatever could not be read about it
		s.log.WarnContext(ctx, "not everything about a withdrawn request could be shown", "request", r.ID, "error", err)
		v = s.viewOf(r)
	}
	return v, v.text(), nil
}
