package tools

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

type getRequestIn struct {
	ID          string `json:"id" jsonschema:"Request id" form:"request"`
	WaitSeconds int    `json:"wait_seconds,omitempty" jsonschema:"Wait up to so long for its end" range:"0,50"`
}

func getRequest() declaration {
	return spec[getRequestIn, requestView]{
		name: "get_request", title: "Get a request", toolset: Requests, risk: approvals.RiskRead,
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
		r, err = s.gate.Wait(ctx, id, func(r approvals.Request) bool { return r.State.Terminal() }, time.Duration(in.WaitSeconds)*time.Second)
	} else {
		r, err = s.gate.Get(ctx, id)
	}
	if err != nil {
		return requestView{}, "", err
	}
	v := s.viewOf(r)
	if v.Timeboxes, err = s.boxesOf(ctx, r); err != nil {
		return requestView{}, "", err
	}
	return v, v.text(), nil
}

type listRequestsIn struct {
	State string `json:"state,omitempty" jsonschema:"Only this state" enum:"pending,approved,running,succeeded,partial,failed,unknown,denied,expired,cancelled"`
	Mine  bool   `json:"mine,omitempty" jsonschema:"Only the caller's own"`
	Limit int    `json:"limit,omitempty" jsonschema:"Most requests to return" range:"1,100" default:"20"`
}

type listRequestsOut struct {
	Requests []requestLine `json:"requests" jsonschema:"newest first"`
	Count    int           `json:"count" jsonschema:"how many are listed"`
}

// requestLine is a request in a list.
type requestLine struct {
	RequestID string    `json:"request_id" jsonschema:"8 letters and digits"`
	Status    string    `json:"status" jsonschema:"as in get_request"`
	Preview   string    `json:"preview" jsonschema:"untrusted text: the plan in one sentence, with device names"`
	Requester string    `json:"requester" jsonschema:"who asked"`
	CreatedAt time.Time `json:"created_at" jsonschema:"when"`
	ExpiresAt time.Time `json:"expires_at,omitzero" jsonschema:"when the voting ends"`
	Message   string    `json:"message,omitempty" jsonschema:"why the status is what it is"`
}

func listRequests() declaration {
	return spec[listRequestsIn, listRequestsOut]{
		name: "list_requests", title: "List requests", toolset: Requests, risk: approvals.RiskRead,
		summary:    "List requests at the approval gate, newest first, by state or only one's own.",
		positional: []string{"state"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true},
		read:  readRequests,
	}
}

func readRequests(ctx context.Context, s *session, in listRequestsIn) (listRequestsOut, string, error) {
	f := store.Filter{Limit: in.Limit}
	if in.State != "" {
		f.States = []approvals.State{approvals.State(in.State)}
	}
	if in.Mine {
		f.RequesterID = s.who.ID
	}
	found, err := s.gate.List(ctx, f)
	if err != nil {
		return listRequestsOut{}, "", err
	}
	out := listRequestsOut{Requests: []requestLine{}}
	var b strings.Builder
	for _, r := range found {
		if in.State != "" && string(r.State) != in.State {
			continue // it expired while it was read
		}
		l := requestLine{
			RequestID: r.ID, Status: statusOf(r), Preview: clean(r.Plan.Preview, 300), Requester: r.Requester.ID,
			CreatedAt: r.CreatedAt, Message: clean(r.Message, 300),
		}
		if r.State == approvals.Pending {
			l.ExpiresAt = r.ExpiresAt
		}
		out.Requests = append(out.Requests, l)
		fmt.Fprintf(&b, "\n- %s %s: %s, asked by %s", l.RequestID, l.Status, l.Preview, l.Requester)
	}
	out.Count = len(out.Requests)
	if out.Count == 0 {
		return out, "No request matches.", nil
	}
	return out, counted(out.Count, "request", false) + ":" + b.String(), nil
}

type cancelRequestIn struct {
	ID string `json:"id" jsonschema:"Id of one's own request" form:"request"`
}

// cancelRequest has the risk of a reading tool because it changes nothing in the tenant: it can only keep something
// from happening. It is not read-only: our store changes.
func cancelRequest() declaration {
	return spec[cancelRequestIn, requestView]{
		name: "cancel_request", title: "Withdraw a request", toolset: Requests, risk: approvals.RiskRead,
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
	v := s.viewOf(r)
	return v, v.text(), nil
}
