package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// Noon is the time at which the fixtures' requests are made.
func Noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// Pending is a valid pending request with so many steps; hostile text included, because that is what plans hold.
func Pending(t testing.TB, id string, steps int) approvals.Request {
	t.Helper()
	r := approvals.Request{
		ID: id,
		Plan: approvals.Plan{
			Tenant: "11111111-2222-3333-4444-555555555555", Tool: "isolate_devices", Risk: approvals.RiskContain,
			Args: json.RawMessage(`{"devices":["host01"],"reason":"<beacon> & \u0000 more"}`), Reason: "beaconing <!channel> 'quoted'; --",
			Preview: "Isolate devices",
		},
		Requester: approvals.Requester{Person: approvals.Person{ID: "ann@example.com", Aliases: []string{"slack:T1/U1"}}, Verified: true, Via: approvals.ViaSlack},
		Origin:    approvals.Origin{Channel: "C1"},
		Outcome:   approvals.Approve, Rule: "contain",
		Quorum:       []approvals.Quorum{{Count: 1, From: approvals.Group{Name: "oncall", People: []string{"bob@example.com"}}}},
		PolicyDigest: "policy", CreatedAt: Noon(), ExpiresAt: Noon().Add(30 * time.Minute), StartWithin: 15 * time.Minute,
		State: approvals.Pending, Version: 1,
	}
	for i := range steps {
		target := fmt.Sprintf("device%d", i)
		r.Plan.Targets = append(r.Plan.Targets, approvals.Target{ID: target, Kind: "device", Name: "host <b>" + target, LastSeen: Noon()})
		r.Plan.Steps = append(r.Plan.Steps, approvals.Step{Action: "isolate", Target: target, Args: json.RawMessage(`{"type":"Full"}`), Summary: "Isolate " + target})
	}
	digest, err := approvals.Digest(r)
	require.NoError(t, err)
	r.Digest = digest
	return r
}

// Insert stores r as submitted.
func Insert(t testing.TB, db *store.DB, r approvals.Request) {
	t.Helper()
	require.NoError(t, db.InTx(context.Background(), func(tx *store.Tx) error {
		return tx.Insert(context.Background(), r, approvals.Event{Type: "submitted", Actor: r.Requester.ID, Detail: "asked"})
	}))
}

// Move takes one arrow of a request that must succeed, from what the store says now.
func Move(t testing.TB, db *store.DB, id string, to approvals.State) {
	t.Helper()
	require.NoError(t, db.InTx(context.Background(), func(tx *store.Tx) error {
		r, err := tx.Request(context.Background(), id)
		if err != nil {
			return err
		}
		return tx.Move(context.Background(), store.Move{
			ID: id, From: r.State, To: to, Version: r.Version, At: Noon().Add(time.Minute), Message: "moved",
			Event: approvals.Event{Type: string(to), Actor: "gate"},
		})
	}))
}

// MoveStep takes one arrow of a step that must succeed, from what the store says now.
func MoveStep(t testing.TB, db *store.DB, m store.StepMove) {
	t.Helper()
	require.NoError(t, db.InTx(context.Background(), func(tx *store.Tx) error {
		r, err := tx.Request(context.Background(), m.ID)
		if err != nil {
			return err
		}
		m.From, m.Version = r.Steps[m.Index].State, r.Steps[m.Index].Version
		return tx.MoveStep(context.Background(), m)
	}))
}

// Vote is an approving vote by a person; its signature is only filler.
func Vote(r approvals.Request, person string) approvals.Vote {
	return approvals.Vote{
		RequestID: r.ID, Digest: r.Digest, Voter: approvals.Person{ID: person}, Verdict: approvals.VerdictApprove,
		At: Noon().Add(time.Minute), KeyID: "key", Signature: []byte("signature"),
	}
}

// Recorder is a Handler that keeps what it was called with and answers by a script of its own.
type Recorder struct {
	mu    sync.Mutex
	jobs  []store.Job
	times []time.Time
	// Answer is asked for each call, with the number of earlier calls for the same kind and request; nil answers done.
	Answer func(ctx context.Context, job store.Job, earlier int) (time.Duration, error)
}

// Handle implements store.Handler. Sweeps are answered but not kept.
func (h *Recorder) Handle(ctx context.Context, job store.Job) (time.Duration, error) {
	if job.Kind == store.Sweep {
		return 0, nil
	}
	h.mu.Lock()
	earlier := h.count(job)
	h.jobs, h.times = append(h.jobs, job), append(h.times, time.Now())
	h.mu.Unlock()
	if h.Answer == nil {
		return 0, nil
	}
	return h.Answer(ctx, job, earlier)
}

func (h *Recorder) count(job store.Job) (n int) {
	for _, j := range h.jobs {
		if j.Kind == job.Kind && j.RequestID == job.RequestID {
			n++
		}
	}
	return n
}

// Jobs returns the calls so far.
func (h *Recorder) Jobs() []store.Job {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]store.Job(nil), h.jobs...)
}

// Times returns when the calls came.
func (h *Recorder) Times() []time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]time.Time(nil), h.times...)
}

// Count returns how often a job came.
func (h *Recorder) Count(job store.Job) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count(job)
}
