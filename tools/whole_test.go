package tools

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// listed is a directory that knows the people a group lists.
type listed struct{}

func (listed) Size(context.Context, approvals.Group) (int, error) { return 9, nil }

func (listed) Eligible(_ context.Context, g approvals.Group, p approvals.Person) (bool, error) {
	return slices.Contains(g.People, p.ID), nil
}

func (listed) Known(_ context.Context, p approvals.Person) (approvals.Person, bool, error) {
	return p, true, nil
}

// office is a world with an approver's ballot box and a worker.
type office struct {
	*world
	box    *ballot.Box
	worker *worker.Worker
}

func staffed(t *testing.T) *office {
	t.Helper()
	return staffedUnder(t, nil)
}

// staffedUnder is staffed with a policy; nil is the default one.
func staffedUnder(t *testing.T, p approvals.Policy) *office {
	t.Helper()
	o := &office{world: open(t, toolstest.Options{Policy: p})}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := approvals.NewSigner(key)
	require.NoError(t, err)
	verifier, err := approvals.NewVerifier(signer.Public())
	require.NoError(t, err)
	o.box, err = ballot.New(ballot.Options{
		Store: o.DB, Policy: o.Policy, Signer: signer, Verifier: verifier, Directory: listed{}, Clock: o.Clock.Now,
	})
	require.NoError(t, err)
	facts, err := Facts()
	require.NoError(t, err)
	o.performer.hands.board, err = control.New(control.Options{Store: o.DB, Tools: facts, Clock: o.Clock.Now})
	require.NoError(t, err)
	o.worker, err = worker.New(worker.Options{
		Store: o.DB, Policy: o.Policy, Verifier: verifier, Directory: listed{}, Performer: o.performer, Tools: facts, Gate: o.Gate, Clock: o.Clock.Now,
	})
	require.NoError(t, err)
	return o
}

func (o *office) approve(r approvals.Request) {
	o.t.Helper()
	_, err := o.box.Cast(o.t.Context(), ballot.Ballot{
		RequestID: r.ID, Digest: r.Digest, Voter: approvals.Person{ID: "bob@contoso.com"}, Verdict: approvals.VerdictApprove,
	})
	require.NoError(o.t, err)
}

// push does the job of a request once.
func (o *office) push(id string) {
	o.t.Helper()
	_, err := o.worker.Handle(o.t.Context(), store.Job{Kind: store.Advance, RequestID: id})
	require.NoError(o.t, err)
}

// fetchAll does the jobs that fetch what the steps of a request gave.
func (o *office) fetchAll(r approvals.Request) {
	o.t.Helper()
	for i, s := range r.Steps {
		if s.State == approvals.StepAccepted {
			_, err := o.worker.Handle(o.t.Context(), store.Job{Kind: store.Collect, RequestID: r.ID, Step: i})
			require.NoError(o.t, err)
		}
	}
}

// until does the worker's jobs for a request again and again, with time passing between, until done says so.
func (o *office) until(id string, done func(approvals.Request) bool) requestView {
	o.t.Helper()
	for range 200 {
		o.push(id)
		r, err := o.Gate.Get(o.t.Context(), id)
		require.NoError(o.t, err)
		if done(r) {
			return o.ok("get_request", fmt.Sprintf(`{"id":%q}`, id)).Output.(requestView)
		}
		o.fetchAll(r)
		o.Clock.Add(10 * time.Second)
	}
	o.t.Fatalf("request %s does not come so far", id)
	return requestView{}
}

// finish is until the request is final.
func (o *office) finish(id string) requestView {
	o.t.Helper()
	return o.until(id, func(r approvals.Request) bool { return r.State.Terminal() })
}

func TestAFleetIsIsolatedAndReleasedOnceEach(t *testing.T) {
	o := staffed(t)
	_, r := o.ask("isolate_devices", `{"devices":["host01","host02","host03"],"reason":"beaconing"}`)
	_, err := o.worker.Handle(t.Context(), store.Job{Kind: store.Advance, RequestID: r.ID})
	require.NoError(t, err)
	require.Zero(t, o.Tenant.Writes(), "nobody approved yet")
	o.approve(r)
	// The second answer is lost after Defender took the request in: found again by its tag, never sent again.
	o.Tenant.Fail(mdesim.Fault{Path: "/api/machines/" + o.Tenant.Device("host02").ID + "/isolate", Kind: mdesim.FaultCutAfter})
	v := o.finish(r.ID)

	require.Equal(t, "succeeded", v.Status, v.Message)
	require.Len(t, v.Votes, 1)
	require.Equal(t, 3, o.Tenant.Writes())
	require.Len(t, o.Tenant.Effects(), 3)
	for i, e := range o.Tenant.Effects() {
		require.Contains(t, e.Comment, approvals.Tag(r.ID, i))
		require.True(t, o.Tenant.Isolated(e.MachineID))
	}
	require.NotNil(t, v.Undo)
	require.Equal(t, "release_devices", v.Undo.Tool)

	_, r = o.ask("release_devices", fmt.Sprintf(`{"devices":%s,"reason":"clean"}`, remarshal(v.Undo.Devices)))
	o.approve(r)
	v = o.finish(r.ID)
	require.Equal(t, "succeeded", v.Status, v.Message)
	require.Equal(t, 6, o.Tenant.Writes())
	for _, e := range o.Tenant.Effects() {
		require.False(t, o.Tenant.Isolated(e.MachineID))
	}
}

func TestARequestThatDefenderRefusesSaysWhy(t *testing.T) {
	o := staffed(t)
	_, r := o.ask("isolate_devices", `{"devices":["host01"],"reason":"beaconing"}`)
	o.approve(r)
	// Between plan and claim the device was offboarded.
	o.Tenant.UpdateDevice(o.Tenant.Device("host01").ID, func(m *mdesim.Machine) { m.OnboardingStatus = "CanBeOnboarded" })
	v := o.finish(r.ID)
	require.Equal(t, "failed", v.Status)
	require.Contains(t, v.Steps[0].Message, "not onboarded")
	require.Equal(t, 1, o.Tenant.Writes())
	require.Empty(t, o.Tenant.Effects())
}
