package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
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
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools"
)

// everyone finds everybody eligible, so that the benchmark measures the gate and not a directory.
type everyone struct{}

func (everyone) Size(context.Context, approvals.Group) (int, error) { return 9, nil }

func (everyone) Eligible(context.Context, approvals.Group, approvals.Person) (bool, error) {
	return true, nil
}

func (everyone) Known(_ context.Context, p approvals.Person) (approvals.Person, bool, error) {
	return p, true, nil
}

// rig is a gate with a worker before a simulated tenant.
type rig struct {
	tenant     *mdesim.Tenant
	arrived    chan time.Time // when an isolation reached the tenant
	dispatcher *tools.Dispatcher
	box        *ballot.Box
	client     *mdecore.Client
	store      *store.DB
	devices    int
}

// BenchmarkApproveToWire measures from casting the deciding vote to the POST's arrival at the tenant, on each store.
// The baseline is a bare POST by the same client without gate and store.
func BenchmarkApproveToWire(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) { approveToWire(b, storetest.SQLite(b)) })
	b.Run("postgres", func(b *testing.B) {
		if os.Getenv(storetest.PostgresEnv) == "" {
			b.Skip("no PostgreSQL: set " + storetest.PostgresEnv)
		}
		approveToWire(b, storetest.Postgres(b))
	})
}

func approveToWire(b *testing.B, url string) {
	r := newRig(b, url)
	var gated, bare []time.Duration
	for b.Loop() {
		req := r.ask(b)
		began := time.Now()
		_, err := r.box.Cast(b.Context(), ballot.Ballot{
			RequestID: req.ID, Digest: req.Digest, Verdict: approvals.VerdictApprove, Voter: approvals.Person{ID: "bob@contoso.com"},
		})
		require.NoError(b, err)
		gated = append(gated, (<-r.arrived).Sub(began))

		d := r.device()
		began = time.Now()
		_, err = r.client.IsolateMachine(b.Context(), d, mdecore.IsolateRequest{Comment: "bare", IsolationType: mdecore.IsolationFull})
		require.NoError(b, err)
		bare = append(bare, (<-r.arrived).Sub(began))
	}
	b.ReportMetric(float64(median(gated).Microseconds())/1000, "approve-to-wire-p50-ms")
	b.ReportMetric(float64(median(bare).Microseconds())/1000, "bare-post-p50-ms")
	b.ReportMetric(float64(median(gated))/float64(median(bare)), "ratio")
	b.ReportMetric(0, "ns/op")
}

func newRig(b *testing.B, url string) *rig {
	b.Helper()
	r := &rig{arrived: make(chan time.Time, 1)}
	r.tenant = &mdesim.Tenant{Devices: 10, ActionPending: time.Millisecond, ActionRunning: time.Millisecond}
	r.tenant.OnAccepted = func(mdesim.Effect) { r.arrived <- time.Now() }
	sim, err := r.tenant.Start()
	require.NoError(b, err)
	b.Cleanup(func() { _ = sim.Close() })
	r.client, err = mdecore.New(sim.AppCredential(mdesim.DefaultAppID, mdesim.DefaultAppSecret), mdecore.Options{
		Cloud:      mdecore.Cloud{Name: "sim", Endpoint: sim.URL, Scope: mdecore.Public().Scope, Authority: sim.URL},
		HTTPClient: sim.Client(), Limit: &azpipe.Limit{},
	})
	require.NoError(b, err)
	log := slog.New(slog.DiscardHandler)
	r.store, err = store.Open(b.Context(), store.Options{URL: url, Logger: log})
	require.NoError(b, err)
	b.Cleanup(func() { _ = r.store.Close() })
	r.gate(b, log)
	return r
}

// gate puts gate, ballot box and worker before the tenant.
func (r *rig) gate(b *testing.B, log *slog.Logger) {
	b.Helper()
	rules, err := policy.Default(policy.DefaultOptions{ApproverGroup: approvals.Group{Name: "oncall", Slack: "S1"}, MaxTargets: 100})
	require.NoError(b, err)
	g, err := gate.New(gate.Options{Store: r.store, Policy: rules, Logger: log})
	require.NoError(b, err)
	b.Cleanup(g.Close)
	r.dispatcher, err = tools.NewDispatcher(tools.Options{Reader: r.client, Gate: g, Tenant: mdesim.DefaultTenantID, Logger: log})
	require.NoError(b, err)
	private, _, err := app.NewVoteKey()
	require.NoError(b, err)
	signer, verifier, err := app.Votes{SigningKey: app.NewSecret(private)}.SignerKeys()
	require.NoError(b, err)
	r.box, err = ballot.New(ballot.Options{Store: r.store, Policy: rules, Signer: signer, Verifier: verifier, Directory: everyone{}, Logger: log})
	require.NoError(b, err)
	performer, err := tools.NewPerformer(tools.PerformerOptions{Reader: r.client, Writer: r.client, Tenant: mdesim.DefaultTenantID})
	require.NoError(b, err)
	risks, err := tools.Facts()
	require.NoError(b, err)
	w, err := worker.New(worker.Options{
		Store: r.store, Policy: rules, Verifier: verifier, Directory: everyone{}, Performer: performer, Tools: risks, Logger: log,
	})
	require.NoError(b, err)
	require.NoError(b, w.Start(b.Context()))
	b.Cleanup(func() { _ = w.Stop(context.Background()) })
}

func (r *rig) device() string {
	r.devices++
	return r.tenant.AddDevice(mdesim.Machine{
		ComputerDNSName: fmt.Sprintf("bench-%05d.contoso.com", r.devices), OSPlatform: "Windows11", HealthStatus: "Active",
		OnboardingStatus: "onboarded", DeviceValue: "Normal", FirstSeen: time.Now(), LastSeen: time.Now(),
	}).ID
}

func (r *rig) ask(b *testing.B) approvals.Request {
	b.Helper()
	args, err := json.Marshal(map[string]any{"devices": r.device(), "reason": "a benchmark"})
	require.NoError(b, err)
	res, err := r.dispatcher.Call(b.Context(), tools.Call{Tool: "isolate_devices", Args: args, Requester: approvals.Requester{
		Person: approvals.Person{ID: "alice@contoso.com"}, Verified: true, Via: approvals.ViaMCP,
	}})
	require.NoError(b, err)
	require.NotNil(b, res.Request)
	return *res.Request
}
