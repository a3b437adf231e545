// Package lab is where the gate is tested as a whole: a real database, the real gate, ballot box and worker, and a
// tenant and a directory with memories instead of the remote ones. Nothing in it moves by itself: jobs run when a test
// runs them, and time passes when a test says so.
package lab

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/policy"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

// Lab is one gate with everything around it.
type Lab struct {
	T         testing.TB
	URL       string
	DB        *store.DB
	Clock     *Clock
	Tenant    *Tenant
	Directory *Directory
	Signer    *approvals.Signer
	Verifier  *approvals.Verifier
	Policy    approvals.Policy
	Gate      *gate.Gate
	Box       *ballot.Box
	Worker    *worker.Worker
	// Restored is what workers made from now on are told of the database's age.
	Restored func(context.Context) (string, error)
}

// New makes a lab on a database of its own. ann asks; bob, cat and dan are on call, eve and fay are leads.
func New(t testing.TB, url string) *Lab {
	clock := NewClock()
	l := &Lab{
		T: t, URL: url, Clock: clock, Tenant: NewTenant(clock), Directory: NewDirectory(),
		DB: storetest.Open(t, storetest.Ready(t, url), store.Options{Clock: clock.Now}),
	}
	l.Directory.Join("oncall", Person("bob"), Person("cat"), Person("dan"))
	l.Directory.Join("leads", Person("eve"), Person("fay"))
	l.Signer = NewSigner(t, 1)
	var err error
	l.Verifier, err = approvals.NewVerifier(l.Signer.Public())
	require.NoError(t, err)
	l.Use(DefaultPolicy(t))
	return l
}

// NewSigner makes the same key for the same seed.
func NewSigner(t testing.TB, seed byte) *approvals.Signer {
	s, err := approvals.NewSigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize)))
	require.NoError(t, err)
	return s
}

// DefaultPolicy is the default table with oncall as approvers.
func DefaultPolicy(t testing.TB) approvals.Policy {
	p, err := policy.Default(policy.DefaultOptions{ApproverGroup: Oncall()})
	require.NoError(t, err)
	return p
}

// ParsePolicy reads a policy file in which oncall and leads are defined.
func ParsePolicy(t testing.TB, rules string) approvals.Policy {
	text := "version: 1\ngroups: {oncall: {slack: S0001}, leads: {slack: S0002}}\ndefaults: {from: oncall}\n" + rules
	p, err := policy.Parse("policy.yaml", []byte(text), policy.Known{Tools: Tools()})
	require.NoError(t, err)
	return p
}

// Tools are the tools that the lab's worker knows.
func Tools() map[string]approvals.ToolInfo {
	return map[string]approvals.ToolInfo{
		"isolate_devices":  {Risk: approvals.RiskContain, Toolset: "response"},
		"release_devices":  {Risk: approvals.RiskExpose, Toolset: "response"},
		"run_script":       {Risk: approvals.RiskExecute, Toolset: "live_response"},
		"set_level":        {Risk: approvals.RiskContain, Raised: approvals.RiskExecute, Toolset: "nexus"},
		"tag_devices":      {Risk: approvals.RiskAnnotate, Toolset: "devices"},
		"offboard_devices": {Risk: approvals.RiskOff, Toolset: "response"},
		"get_device":       {Risk: approvals.RiskRead, Toolset: "devices"},
		"lift_stop":        {Risk: approvals.RiskDestroy, Toolset: "requests"},
		"resume_request":   {Risk: approvals.RiskContain, Toolset: "requests"},
		"extend_timebox":   {Risk: approvals.RiskContain, Toolset: "requests"},
	}
}

// Use makes gate, ballot box and worker anew with a policy, as a restart with another file does.
func (l *Lab) Use(p approvals.Policy) {
	l.Policy = p
	var err error
	l.Gate, err = gate.New(gate.Options{Store: l.DB, Policy: p, Tools: Tools(), Clock: l.Clock.Now, Logger: Quiet()})
	require.NoError(l.T, err)
	l.T.Cleanup(l.Gate.Close)
	l.Box, err = ballot.New(ballot.Options{
		Store: l.DB, Policy: p, Signer: l.Signer, Verifier: l.Verifier, Directory: l.Directory, Clock: l.Clock.Now, Logger: Quiet(),
	})
	require.NoError(l.T, err)
	l.Worker = l.NewWorker(p, l.Tenant)
}

// NewWorker makes one more worker on the same database.
func (l *Lab) NewWorker(p approvals.Policy, performer worker.Performer) *worker.Worker {
	board := l.NewBoard(p)
	w, err := worker.New(worker.Options{
		Store: l.DB, Policy: p, Verifier: l.Verifier, Directory: l.Directory, Performer: hands{performer, board}, Tools: Tools(),
		Board: board, Gate: l.Gate, Restored: l.Restored, Clock: l.Clock.Now, Logger: Quiet(),
	})
	require.NoError(l.T, err)
	return w
}

// Quiet discards logs.
func Quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// Ann asks for things, verified and in Slack.
func Ann() approvals.Requester {
	return approvals.Requester{Person: Person("ann"), Verified: true, Via: approvals.ViaSlack}
}

// Plan is a plan of a tool on so many devices. Every call makes a plan that does something else, so that two requests in a
// test are two; submit the same plan again to ask for the same.
func Plan(tool string, devices int) approvals.Plan {
	p := approvals.Plan{
		Tenant: "11111111-2222-3333-4444-555555555555", Tool: tool, Risk: Tools()[tool].Risk, Reason: "beaconing to a known C2",
		Args: json.RawMessage(`{"devices":["host"]}`), Preview: tool,
	}
	made := rand.Text()
	for i := range devices {
		id := fmt.Sprintf("device-%d", i)
		p.Targets = append(p.Targets, approvals.Target{ID: id, Kind: "device", Name: "host" + id})
		args := json.RawMessage(`{"made":"` + made + `"}`)
		p.Steps = append(p.Steps, approvals.Step{Action: tool, Target: id, Args: args, Summary: tool + " " + id})
	}
	return p
}

// Submit asks for a plan as ann and must succeed.
func (l *Lab) Submit(p approvals.Plan) approvals.Request {
	r, err := l.Gate.Submit(context.Background(), gate.Submission{Plan: p, Requester: Ann()})
	require.NoError(l.T, err)
	return r
}

// Cast casts a ballot on the request as it is now.
func (l *Lab) Cast(id string, who approvals.Person, v approvals.Verdict) error {
	_, err := l.Box.Cast(context.Background(), l.Ballot(id, who, v))
	return err
}

// Ballot is what a face makes of a click on the newest card.
func (l *Lab) Ballot(id string, who approvals.Person, v approvals.Verdict) ballot.Ballot {
	return ballot.Ballot{RequestID: id, Digest: l.Get(id).Digest, Voter: who, Verdict: v}
}

// Approve casts yeses that must be counted.
func (l *Lab) Approve(id string, who ...string) {
	for _, name := range who {
		require.NoError(l.T, l.Cast(id, Person(name), approvals.VerdictApprove), name)
	}
}

// Get reads a request without letting it expire.
func (l *Lab) Get(id string) approvals.Request {
	r, err := l.DB.Request(context.Background(), id)
	require.NoError(l.T, err)
	return r
}

// Work runs the request's job until it wants to wait, and returns how long.
func (l *Lab) Work(id string) time.Duration {
	for range 200 {
		again, err := l.Worker.Handle(context.Background(), store.Job{Kind: store.Advance, RequestID: id})
		require.NoError(l.T, err)
		if again >= 0 {
			return again
		}
	}
	require.Fail(l.T, "the job wants to run again for ever")
	return 0
}

// Settle works a request to its end, with the tenant ending every action well.
func (l *Lab) Settle(id string) approvals.Request {
	for range 300 {
		again := l.Work(id)
		r := l.Get(id)
		if r.State.Terminal() {
			return r
		}
		l.Tenant.End("Succeeded")
		l.Clock.Advance(max(again, time.Second))
	}
	require.Fail(l.T, "the request never ends")
	return approvals.Request{}
}

// Write changes rows behind the gate's back, as an intruder would.
func (l *Lab) Write(sql string, args ...any) {
	raw := storetest.Raw(l.T, l.URL)
	require.NotZero(l.T, storetest.Exec(l.T, raw, sql, args...), "the intruder changed nothing")
}

// Verified requires the audit to verify.
func (l *Lab) Verified() {
	report, err := l.Gate.VerifyAudit(context.Background())
	require.NoError(l.T, err)
	require.Empty(l.T, report.Faults)
}

// Each runs fn in a fresh lab on every database at hand: SQLite always, PostgreSQL when the environment names one.
func Each(t *testing.T, fn func(t *testing.T, l *Lab)) {
	t.Helper()
	t.Parallel()
	storetest.Each(t, func(t *testing.T, newURL func(testing.TB) string) { fn(t, New(t, newURL(t))) })
}

// Kind requires err to be a refusal of a kind.
func Kind(t testing.TB, want approvals.Kind, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, want, approvals.KindOf(err), "%v", err)
}
