package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/internal/evidence/blobs"
	"github.com/mde-ops/mde-ops/internal/simtenant"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/nexus"
	"github.com/mde-ops/mde-ops/nexus/nexussim"
	"github.com/mde-ops/mde-ops/tools"
)

const (
	benchReport   = 5 << 20
	benchParallel = 8

	// benchOperation is how long a node takes to write its report, some sixty times less than a real one, and benchPoll how
	// often both sides look.
	benchOperation = time.Second
	benchPoll      = 100 * time.Millisecond

	// childVariable says which part of a benchmark a process of its own plays.
	childVariable = "MDE_TEST_BENCH_CHILD"
)

// TestMain lets the test binary play the parts whose memory is measured, or must not be in the measured process.
func TestMain(m *testing.M) {
	part := map[string]func() error{"clusters": serveClusters, "collect": collectReports, "bare": fetchBare}[os.Getenv(childVariable)]
	if part == nil {
		os.Exit(m.Run())
	}
	if err := part(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// benchNodes is how many nodes there are: 120, or what MDE_BENCH_NODES says.
func benchNodes() int {
	if n, err := strconv.Atoi(os.Getenv("MDE_BENCH_NODES")); err == nil {
		return n
	}
	return 120
}

// BenchmarkNexusReports collects the reports of 120 nodes, 5 MB each, 8 at a time: with the worker's own tools into an evidence
// store on disk, and by turns with nothing but net/http, which throws them away. The clusters are a process of their own.
func BenchmarkNexusReports(b *testing.B) {
	sim := child(b, "clusters")
	var ratios, ours, bare, resident []float64
	for b.Loop() {
		floor, _ := timed(b, "bare", sim...)
		mine, rss := timed(b, "collect", append([]string{"BENCH_DIR=" + b.TempDir()}, sim...)...)
		ratios, ours, bare, resident = append(ratios, mine/floor), append(ours, mine), append(bare, floor), append(resident, rss)
	}
	b.ReportMetric(middle(bare), "bare-s")
	b.ReportMetric(middle(ours), "collect-s")
	b.ReportMetric(middle(ratios), "ratio")
	b.ReportMetric(middle(resident), "RSS-MB")
	b.ReportMetric(0, "ns/op")
}

// child starts a part that goes on until the benchmark ends, and returns the variables that it prints first.
func child(b *testing.B, part string) (environ []string) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+part, "BENCH_DIR="+b.TempDir())
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "" {
		environ = append(environ, lines.Text())
	}
	require.NotEmpty(b, environ)
	return environ
}

// timed runs a part to its end, and returns the seconds that it took and its peak resident memory in MB.
func timed(b *testing.B, part string, environ ...string) (seconds, rss float64) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), childVariable+"="+part), environ...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(b, err)
	_, err = fmt.Sscan(string(out), &seconds, &rss)
	require.NoError(b, err, string(out))
	return seconds, rss
}

// serveClusters plays the simulated clusters until its input ends.
func serveClusters() error {
	running, err := simtenant.Start(&mdesim.Tenant{Devices: 5}, "")
	if err != nil {
		return err
	}
	defer running.Close()
	azure := &nexussim.Azure{
		OperationTime: benchOperation, ReportSize: benchReport, PageSize: 200, Clusters: []nexussim.Cluster{{
			Name: "large", ResourceGroup: "rg", ManagedGroup: "managed-rg", Location: "eastus", Level: "OnDemand", Version: "4.4.1", OwnStorage: true,
			Nodes: nexussim.Nodes(1, 20, benchNodes()-20, time.Time{}),
		}},
	}
	server, err := azure.Start()
	if err != nil {
		return err
	}
	defer func() { _ = server.Close() }()
	ca := filepath.Join(os.Getenv("BENCH_DIR"), "ca.pem")
	if err := os.WriteFile(ca, append(running.Server.CertificatePEM(), server.CertificatePEM()...), 0o600); err != nil {
		return err
	}
	fmt.Printf("BENCH_TENANT=%s\nBENCH_AZURE=%s\nBENCH_CA=%s\n\n", running.Server.URL, server.URL, ca)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// benchClients are the clients of a worker, signed in with the simulated tenant.
func benchClients() (*mdecore.Client, *nexus.Client, error) {
	ca := os.Getenv("BENCH_CA")
	cred, err := mdecore.NewCredential(mdecore.CredentialConfig{
		Kind: "secret", TenantID: mdesim.DefaultTenantID, ClientID: mdesim.DefaultAppID, ClientSecret: mdesim.DefaultAppSecret,
		Authority: os.Getenv("BENCH_TENANT"), CAFile: ca,
	})
	if err != nil {
		return nil, nil, err
	}
	tenant := os.Getenv("BENCH_TENANT")
	client, err := mdecore.New(cred, mdecore.Options{Cloud: mdecore.Custom(tenant, tenant, ""), CAFile: ca})
	if err != nil {
		return nil, nil, err
	}
	clusters, err := nexus.New(cred, nexus.Options{Cloud: nexus.Custom(os.Getenv("BENCH_AZURE")), CAFile: ca})
	return client, clusters, err
}

// collectReports plays a worker that sees the approved steps of a collection through.
func collectReports() error {
	ctx := context.Background()
	client, clusters, err := benchClients()
	if err != nil {
		return err
	}
	store, err := evidence.New(evidence.Options{
		Open: func(context.Context) (evidence.Bucket, error) {
			return blobs.Folder(filepath.Join(os.Getenv("BENCH_DIR"), "evidence"))
		},
		TempDir: os.Getenv("BENCH_DIR"),
	})
	if err != nil {
		return err
	}
	p, err := tools.NewPerformer(tools.PerformerOptions{
		Reader: client, Writer: client, Tenant: mdesim.DefaultTenantID, Evidence: store, NexusReader: clusters, NexusWriter: clusters,
	})
	if err != nil {
		return err
	}
	plan, err := benchPlan(ctx, clusters)
	if err != nil {
		return err
	}
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(benchParallel)
	for i, step := range plan.Steps {
		g.Go(func() error {
			return perform(ctx, p, worker.Task{
				RequestID: "BENCH001", Index: i, Tag: approvals.Tag("BENCH001", i), Plan: plan, Step: step,
				Requester: approvals.Requester{Person: approvals.Person{ID: "bench@contoso.com"}},
			})
		})
	}
	return errors.Join(g.Wait(), printUse(began))
}

// perform sends a step, follows it and collects what it gave.
func perform(ctx context.Context, p *tools.Performer, t worker.Task) error {
	receipt, err := p.Apply(ctx, t)
	if err != nil {
		return err
	}
	end, err := p.Follow(ctx, t, receipt.ActionID)
	for err == nil && end.State == approvals.StepAccepted {
		time.Sleep(benchPoll)
		end, err = p.Follow(ctx, t, receipt.ActionID)
	}
	if err == nil && end.State == approvals.StepSucceeded {
		end, err = p.Collect(ctx, t, receipt.ActionID)
	}
	if err != nil || end.State != approvals.StepSucceeded {
		return errors.Join(err, fmt.Errorf("step %d is %s: %s", t.Index, end.State, end.Message))
	}
	return nil
}

// benchPlan is what nexus_collect_reports plans for all nodes.
func benchPlan(ctx context.Context, clusters *nexus.Client) (approvals.Plan, error) {
	plan := approvals.Plan{Tenant: mdesim.DefaultTenantID, Tool: "nexus_collect_reports", Risk: approvals.RiskContain}
	for c, err := range clusters.ListClusters(ctx, nexussim.DefaultSubscription, "") {
		if err != nil {
			return plan, err
		}
		args, err := json.Marshal(map[string]any{"cluster": c.ID.String(), "limit_seconds": 600})
		if err != nil {
			return plan, err
		}
		for n, err := range clusters.ListNodes(ctx, c) {
			if err != nil {
				return plan, err
			}
			plan.Targets = append(plan.Targets, approvals.Target{ID: n.ID.String(), Kind: "node", Name: n.MachineName})
			plan.Steps = append(plan.Steps, approvals.Step{Action: "collect_report", Target: n.ID.String(), Args: args})
		}
	}
	if len(plan.Steps) != benchNodes() {
		return plan, fmt.Errorf("there are %d nodes, want %d", len(plan.Steps), benchNodes())
	}
	return plan, nil
}

// fetchBare makes the same calls with net/http alone, and throws away what comes.
func fetchBare() error {
	ctx := context.Background()
	_, clusters, err := benchClients()
	if err != nil {
		return err
	}
	plan, err := benchPlan(ctx, clusters)
	if err != nil {
		return err
	}
	client, err := azpipe.NewHTTPClient(azpipe.TransportOptions{CAFile: os.Getenv("BENCH_CA")})
	if err != nil {
		return err
	}
	until := time.Now().Add(time.Hour)
	arm, blob := nexussim.Token("bare", nexussim.AudienceARM, until), nexussim.Token("bare", nexussim.AudienceStorage, until)
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(benchParallel)
	for _, step := range plan.Steps {
		g.Go(func() error { return fetchOne(ctx, client, os.Getenv("BENCH_AZURE")+step.Target, arm, blob) })
	}
	return errors.Join(g.Wait(), printUse(began))
}

func fetchOne(ctx context.Context, client *http.Client, node, arm, blob string) error {
	const body = `{"commands":[{"command":"mde-agent-information"}],"limitTimeSeconds":600}`
	header, _, err := send(ctx, client, http.MethodPost, node+"/runDataExtractsRestricted?api-version=2025-09-01", arm, body)
	if err != nil {
		return err
	}
	var said struct{ Properties struct{ ResultURL string } }
	for said.Properties.ResultURL == "" {
		time.Sleep(benchPoll)
		_, status, err := send(ctx, client, http.MethodGet, header.Get("Location"), arm, "")
		if err != nil {
			return err
		}
		if err := json.Unmarshal(status, &said); err != nil {
			return err
		}
	}
	_, _, err = send(ctx, client, http.MethodGet, said.Properties.ResultURL, blob, "")
	return err
}

// send makes one call. A large answer is thrown away.
func send(ctx context.Context, client *http.Client, method, address, token, body string) (http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("x-ms-version", "2023-11-03")
	res, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= http.StatusBadRequest {
		return nil, nil, fmt.Errorf("%s %s: %s", method, address, res.Status)
	}
	head, err := io.ReadAll(io.LimitReader(res.Body, 16<<10))
	if err != nil {
		return nil, nil, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.Header, head, err
}

// printUse prints the seconds since the beginning, and this process's peak resident memory in MB.
func printUse(began time.Time) error {
	took := time.Since(began).Seconds()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		return err
	}
	_, err = fmt.Println(took, float64(kb)/1024)
	return err
}
