package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/app/mcpapp"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools"
)

// secondWriter is a second writing application, so that the tenant's record tells two workers apart.
const secondWriter = "0c6e2f4a-51a7-4b3e-8c1d-7f2f5e9d0a03"

// build builds the real programs with their failpoints and returns their folder.
func build(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", "failpoints", "-o", path, "github.com/mde-ops/mde-ops/cmd/...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// house is a tenant, a workspace and a store with nobody working in them yet, and the means to ask and to vote.
type house struct {
	tenant    *mdesim.Tenant
	sim       *mdesim.Server
	workspace *slacksim.Workspace
	app       *mcpapp.App
	box       *ballot.Box
	ledger    *ledger
	bin       string // folder of the programs
	environ   []string
	slackURL  string
	voteKey   string
	devices   int
	failing   int
	logs      string
}

// newHouse starts a house on an empty store.
func newHouse(t *testing.T, bin, storeURL string, tenant *mdesim.Tenant, more ...string) *house {
	t.Helper()
	h := &house{tenant: tenant, bin: bin, logs: t.TempDir()}
	tenant.ActionPending, tenant.ActionRunning = 50*time.Millisecond, 100*time.Millisecond
	tenant.Apps = []mdesim.App{
		{ID: mdesim.DefaultAppID, Name: "worker one", Secret: mdesim.DefaultAppSecret, Roles: mdesim.WriterRoles()},
		{ID: secondWriter, Name: "worker two", Secret: mdesim.DefaultAppSecret, Roles: mdesim.WriterRoles()},
		{ID: mdesim.DefaultReaderID, Name: "reader", Secret: mdesim.DefaultReaderSecret, Roles: mdesim.ReaderRoles()},
	}
	var err error
	h.sim, err = tenant.Start()
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.sim.Close() })
	h.workspace = new(slacksim.Workspace)
	h.workspace.Cast()
	alice, err := h.workspace.User(slacksim.Alice)
	require.NoError(t, err)
	alice.Email = "alice@contoso.com" // as in the tenant: whom Slack doesn't know needs a second approver
	h.workspace.AddUser(alice)
	slack, err := h.workspace.Start()
	require.NoError(t, err)
	t.Cleanup(slack.Close)
	ca, err := h.sim.CAFile(t.TempDir())
	require.NoError(t, err)
	private, public, err := app.NewVoteKey()
	require.NoError(t, err)
	h.environ = []string{
		"MDE_TENANT_ID=" + mdesim.DefaultTenantID, "MDE_BASE_URL=" + h.sim.URL, "MDE_AUTHORITY=" + h.sim.URL, "MDE_CA_FILE=" + ca,
		"MDE_CLIENT_ID=" + mdesim.DefaultReaderID, "MDE_CLIENT_SECRET=" + mdesim.DefaultReaderSecret,
		"MDE_CALLS_PER_MINUTE=60000", "MDE_CALLS_PER_HOUR=900000",
		"MDE_STORE=" + storeURL, "MDE_APPROVER_GROUP=" + slacksim.OnCall,
		"MDE_POLL_INTERVAL=100ms", "MDE_GRACE=3s", "MDE_SEND_LIMIT=1s", "MDE_WRITE_TIMEOUT=1500ms",
		"MDE_JOB_TIMEOUT=3s", "MDE_RESCUE_AFTER=4s", "MDE_SWEEP_EVERY=500ms", "MDE_RECOVER_AFTER=1s",
		"MDE_SLACK_API_URL=" + slack.APIURL(), "MDE_SLACK_BOT_TOKEN=" + h.workspace.Tokens().Bot,
		"MDE_SLACK_APPROVAL_CHANNEL=" + slacksim.Security, "MDE_VOTE_PUBLIC_KEYS=" + public,
	}
	h.environ = append(h.environ, more...)
	h.slackURL, h.voteKey = slack.APIURL(), private
	h.ledger = newLedger(t, storeURL)
	h.open(t)
	return h
}

// open gives the test the asking and the voting side, in this process.
func (h *house) open(t *testing.T) {
	t.Helper()
	cfg, err := app.Load(t.Context(), append([]string{"MDE_USER=alice@example.com", "MDE_IDENTITY=cli", "MDE_VOTE_SIGNING_KEY=" + h.voteKey}, h.environ...), false)
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	h.app, err = mcpapp.Open(t.Context(), cfg, mcpapp.Options{Log: log, SignIn: h.sim.UserCredential("alice@contoso.com")})
	require.NoError(t, err)
	t.Cleanup(h.app.Close)
	signer, verifier, err := cfg.Votes.SignerKeys()
	require.NoError(t, err)
	people, err := slackbot.NewPeople(slackbot.PeopleOptions{APIURL: h.slackURL, BotToken: h.workspace.Tokens().Bot})
	require.NoError(t, err)
	h.box, err = ballot.New(ballot.Options{
		Store: h.app.Store, Policy: h.app.Policy, Signer: signer, Verifier: verifier, Directory: people, Logger: log,
	})
	require.NoError(t, err)
}

// device adds a fresh device. The names of failing ones are known to the tenant beforehand.
func (h *house) device(t *testing.T, fails bool) string {
	t.Helper()
	h.devices++
	name := fmt.Sprintf("chaos-%04d.contoso.com", h.devices)
	if fails {
		h.failing++
		name = failing(h.failing)
	}
	return h.tenant.AddDevice(mdesim.Machine{
		ComputerDNSName: name, OSPlatform: "Windows11", HealthStatus: "Active",
		OnboardingStatus: "onboarded", DeviceValue: "Normal", RiskScore: "High", ExposureLevel: "Low",
		FirstSeen: time.Now().Add(-time.Hour), LastSeen: time.Now(),
	}).ID
}

// failing is the name of a device whose every action fails.
func failing(n int) string { return fmt.Sprintf("fails-%04d.contoso.com", n) }

// requester is alice, as this process's callers are identified.
func (h *house) requester(t *testing.T) approvals.Requester {
	t.Helper()
	who, err := h.app.Caller.Requester(t.Context(), approvals.ViaMCP, "chaos")
	require.NoError(t, err)
	return who
}

// ask requests the isolation of n fresh devices in one call.
func (h *house) ask(t *testing.T, n int) approvals.Request {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = h.device(t, false)
	}
	return h.isolate(t, ids)
}

// isolate requests the isolation of devices in one call.
func (h *house) isolate(t *testing.T, ids []string) approvals.Request {
	t.Helper()
	return h.call(t, "isolate_devices", map[string]any{"devices": ids, "reason": "a crash test"}, h.requester(t))
}

func (h *house) call(t *testing.T, tool string, args map[string]any, who approvals.Requester) approvals.Request {
	t.Helper()
	text, err := json.Marshal(args)
	require.NoError(t, err)
	res, err := h.app.Dispatcher.Call(t.Context(), tools.Call{Tool: tool, Args: text, Requester: who})
	require.NoError(t, err)
	require.NotNil(t, res.Request)
	return *res.Request
}

// approve casts bob's vote, and carol's where one is not enough.
func (h *house) approve(t *testing.T, r approvals.Request) {
	t.Helper()
	for _, voter := range []struct{ id, slack string }{{"bob@example.com", slacksim.Bob}, {"carol@example.com", slacksim.Carol}} {
		who := approvals.Person{ID: voter.id, Aliases: []string{approvals.SlackAlias(slacksim.DefaultTeamID, voter.slack)}}
		now, err := h.box.Cast(t.Context(), ballot.Ballot{RequestID: r.ID, Digest: r.Digest, Voter: who, Verdict: approvals.VerdictApprove})
		require.NoError(t, err)
		if now.State != approvals.Pending {
			return
		}
	}
}

// live lists the requests that have not come to an end.
func (h *house) live(t *testing.T) []approvals.Request {
	t.Helper()
	all, err := h.app.Gate.List(t.Context(), store.Filter{States: []approvals.State{approvals.Pending, approvals.Approved, approvals.Running}, Limit: 500})
	require.NoError(t, err)
	return all
}

// ended reports whether every request and every time-box has come to its end. A release that became unknown keeps its box:
// people were called, and it is tried again much later.
func (h *house) ended(t *testing.T) bool {
	t.Helper()
	if len(h.live(t)) > 0 {
		return false
	}
	ids, err := h.app.Store.DueTimeboxes(t.Context(), time.Now().Add(1000*time.Hour))
	require.NoError(t, err)
	for _, id := range ids {
		boxes, err := h.app.Store.Timeboxes(t.Context(), id)
		require.NoError(t, err)
		for _, b := range boxes {
			if b.Open() && b.Trouble != "failed" {
				return false
			}
		}
	}
	return true
}

// process is one process of ours.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	log  *logBuffer
}

// logBuffer is a process's log, which can be read while it grows.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *logBuffer) contains(text string) bool { return strings.Contains(b.String(), text) }

// spawn starts a worker. application is what it writes as; point, when not empty, is where it dies.
func (h *house) spawn(t *testing.T, application, point string) *process {
	t.Helper()
	environ := append(h.ledger.environ(application), "MDE_WRITE_CLIENT_ID="+application, "MDE_WRITE_CLIENT_SECRET="+mdesim.DefaultAppSecret)
	return h.start(t, point, environ, "mde-slackbot", "worker")
}

// start starts one of our programs.
func (h *house) start(t *testing.T, point string, environ []string, program string, args ...string) *process {
	t.Helper()
	p := &process{
		cmd:  exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(h.bin, program), args...),
		done: make(chan struct{}), log: new(logBuffer),
	}
	p.cmd.Env = append([]string{"HOME=" + h.logs, "PATH=" + os.Getenv("PATH")}, h.environ...)
	p.cmd.Env = append(p.cmd.Env, environ...)
	if point != "" {
		p.cmd.Env = append(p.cmd.Env, "MDE_FAILPOINT="+point)
	}
	p.cmd.Stderr = p.log
	require.NoError(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("log of %s %d (%s):\n%s", program, p.cmd.Process.Pid, point, tail(p.log.String()))
		}
	})
	return p
}

func tail(s string) string {
	lines := strings.Split(s, "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// kill sends SIGKILL and waits for the end.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// interrupt asks for an orderly end and waits for it.
func (p *process) interrupt(t *testing.T) {
	t.Helper()
	wait(t.Context(), t, 30*time.Second, "it works", func() bool { return p.killed(t) || p.log.contains("client started") })
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		require.Fail(t, "the worker does not end", tail(p.log.String()))
	}
	require.True(t, p.cmd.ProcessState.Success(), "%s\n%s", p.cmd.ProcessState, tail(p.log.String()))
}

// killed reports whether the process has ended by SIGKILL; an end of another kind is a fault of the test or the worker.
func (p *process) killed(t *testing.T) bool {
	t.Helper()
	select {
	case <-p.done:
	default:
		return false
	}
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	require.True(t, ok && status.Signaled() && status.Signal() == syscall.SIGKILL,
		"the worker ended by itself: %s\n%s", p.cmd.ProcessState, tail(p.log.String()))
	return true
}

// wait polls ok until it says yes; a test that waits in vain says for what.
func wait(ctx context.Context, t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			require.Fail(t, "not in time: "+what)
		case <-tick.C:
		}
	}
}
