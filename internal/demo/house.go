// Package demo starts the whole house on a simulated tenant and a simulated Slack workspace, from production parts, and
// shows it: as a story that an assistant and two people play, and as a terminal in which a person plays all of them.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/app/mcpapp"
	"github.com/mde-ops/mde-ops/internal/app/slackapp"
	"github.com/mde-ops/mde-ops/internal/mcpserver"
	"github.com/mde-ops/mde-ops/internal/simtenant"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// Options are what a demo is told.
type Options struct {
	In       io.Reader
	Out, Log io.Writer
	// Serve keeps everything up after the story; Verbose shows the log of every part.
	Serve, Verbose bool
	// SignIn makes clients of the MCP server sign in with the simulated tenant.
	SignIn bool
	// Nexus tells the story of a Nexus cluster in place of the usual one.
	Nexus bool
	// StepLimit bounds every step, so that a demo that hangs says where; 20 s when zero.
	StepLimit time.Duration
	// Buckets open where evidence is written; a folder of the demo's own unless set, which needs no driver.
	Buckets app.Buckets
}

// The times of a demo: short enough to watch, in the same order as the real ones.
const (
	actionPending = 200 * time.Millisecond
	actionRunning = 450 * time.Millisecond
	startLimit    = 30 * time.Second
	stepLimit     = 20 * time.Second
)

// clock is the time of everything in a house. It can be sent ahead, so that nobody waits for the end of a time-box.
type clock struct{ ahead atomic.Int64 }

// Now is the clock's time.
func (c *clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// forward sends the clock ahead.
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// house is everything that a demo runs.
type house struct {
	log       *slog.Logger
	buckets   app.Buckets
	dir       string
	clock     *clock
	policy    string // the content of a policy file; the default policy when empty
	tenant    *mdesim.Tenant
	sim       *simtenant.Running
	workspace *slacksim.Workspace
	slack     *slacksim.Server
	bot       *slackapp.App
	mcp       *mcpapp.App
	url       string // of the MCP server
	signIn    bool   // its clients must sign in
	toolsets  string // that it offers; the default ones when empty
	token     string // the assistant's; empty where nobody must sign in
	environ   []string
	botEnded  chan error
	stepLimit time.Duration

	closers []func()
}

// build starts the house and waits until the bot is connected.
func build(ctx context.Context, o Options) (*house, error) {
	return furnish(ctx, o, "")
}

// furnish is build with a policy.
func furnish(ctx context.Context, o Options, policy string) (*house, error) {
	h := &house{log: slog.New(slog.DiscardHandler), botEnded: make(chan error, 1), clock: new(clock), policy: policy, buckets: o.Buckets, signIn: o.SignIn}
	if h.stepLimit = o.StepLimit; h.stepLimit == 0 {
		h.stepLimit = stepLimit
	}
	if o.Nexus {
		h.toolsets = "default,nexus"
	}
	if h.buckets.Folder == nil {
		h.buckets.Folder = openFolder
	}
	if o.Verbose {
		h.log = app.NewLogger(o.Log, app.Log{Level: slog.LevelDebug, Format: "text"})
	}
	for _, start := range []func(context.Context) error{h.startSims, h.startBot, h.startServer} {
		if err := start(ctx); err != nil {
			h.close()
			return nil, err
		}
	}
	return h, nil
}

func (h *house) onClose(f func()) { h.closers = append(h.closers, f) }

// close ends everything, last started first.
func (h *house) close() {
	for i := len(h.closers) - 1; i >= 0; i-- {
		h.closers[i]()
	}
	h.closers = nil
}

func (h *house) startSims(context.Context) error {
	dir, err := os.MkdirTemp("", "mde-ops-demo-")
	if err != nil {
		return fmt.Errorf("no folder for the demo: %w", err)
	}
	h.dir = dir
	h.onClose(func() { _ = os.RemoveAll(dir) })
	h.tenant = &mdesim.Tenant{ActionPending: actionPending, ActionRunning: actionRunning, Clock: h.clock.Now, Log: h.log}
	h.tenant.SetWebAPI(simtenant.WebAPI())
	if h.sim, err = simtenant.Start(h.tenant, ""); err != nil {
		return err
	}
	h.onClose(h.sim.Close)
	h.workspace = new(slacksim.Workspace)
	h.workspace.Cast()
	addPlaces(h.workspace)
	for id, name := range map[string]string{slacksim.Alice: "alice", slacksim.Bob: "bob", slacksim.Carol: "carol"} {
		u, err := h.workspace.User(id)
		if err != nil {
			return err
		}
		u.Email = name + "@contoso.com" // the people of the simulated tenant
		h.workspace.AddUser(u)
	}
	if h.slack, err = h.workspace.Start(); err != nil {
		return fmt.Errorf("the simulated workspace can't start: %w", err)
	}
	h.onClose(h.slack.Close)
	return h.makeEnviron()
}

// makeEnviron writes the configuration as an administrator would, so that the demo runs what production runs.
func (h *house) makeEnviron() error {
	h.environ = append(
		h.sim.Environ(),
		"MDE_STORE=sqlite:"+filepath.Join(h.dir, "gate.db"),
		"MDE_APPROVER_GROUP="+slacksim.OnCall,
		"MDE_POLL_INTERVAL=250ms",
		"MDE_SWEEP_EVERY=250ms", // a clock that was sent ahead is noticed by a sweep,
		"MDE_RECOVER_AFTER=1s",  // which looks for what is late by that
		"MDE_EVIDENCE="+filepath.Join(h.dir, "evidence"),
	)
	if h.toolsets != "" {
		h.environ = append(h.environ, "MDE_TOOLSETS="+h.toolsets)
	}
	if h.policy == "" {
		return nil
	}
	file := filepath.Join(h.dir, "policy.yaml")
	h.environ = append(h.environ, "MDE_POLICY_FILE="+file)
	return os.WriteFile(file, []byte(h.policy), 0o600)
}

// configured reads the configuration as a program would, and sets the house's clock.
func (h *house) configured(ctx context.Context, environ []string) (app.Config, error) {
	cfg, err := app.Load(ctx, environ, false)
	cfg.Clock = h.clock.Now
	return cfg, err
}

func (h *house) startBot(ctx context.Context) error {
	key, _, err := app.NewVoteKey()
	if err != nil {
		return err
	}
	tokens := h.workspace.Tokens()
	cfg, err := h.configured(ctx, slices.Concat(h.sim.WriteEnviron(), h.environ, []string{
		"MDE_SLACK_API_URL=" + h.slack.APIURL(),
		"MDE_SLACK_BOT_TOKEN=" + tokens.Bot,
		"MDE_SLACK_APP_TOKEN=" + tokens.App,
		"MDE_SLACK_RESPONDER_GROUP=" + slacksim.Responders,
		"MDE_SLACK_CHANNELS=" + slacksim.Security,
		"MDE_SLACK_APPROVAL_CHANNEL=" + slacksim.Security,
		"MDE_VOTE_SIGNING_KEY=" + key,
	}))
	if err != nil {
		return err
	}
	if err := cfg.CheckSlack(); err != nil {
		return err
	}
	if h.bot, err = slackapp.Open(ctx, cfg, slackapp.Options{Log: h.log.With("part", "mde-slackbot"), Buckets: h.buckets}); err != nil {
		return err
	}
	h.onClose(h.bot.Close)
	return h.runBot(ctx)
}

func (h *house) runBot(ctx context.Context) error {
	running, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.botEnded <- h.bot.RunBot(running)
	}()
	h.onClose(func() { stop(); <-done })
	limited, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	connected := make(chan error, 1)
	go func() {
		connected <- h.workspace.WaitFor(limited, func(s slacksim.Snapshot) bool { return s.Connections >= 2 })
	}()
	select {
	case err := <-connected:
		return err
	case err := <-h.botEnded:
		return errors.Join(errors.New("the bot ended before it was connected"), err)
	}
}

func (h *house) startServer(ctx context.Context) error {
	environ := append([]string{"MDE_IDENTITY=cli", "MDE_HTTP=127.0.0.1:0"}, h.environ...)
	if h.signIn {
		environ = append(environ, h.sim.SignInEnviron()...)
	}
	cfg, err := h.configured(ctx, environ)
	if err != nil {
		return err
	}
	if err := cfg.CheckServe(); err != nil {
		return err
	}
	log := h.log.With("part", "mde-mcp")
	h.mcp, err = mcpapp.Open(ctx, cfg, mcpapp.Options{Log: log, SignIn: h.sim.Server.UserCredential("alice@contoso.com")})
	if err != nil {
		return err
	}
	h.onClose(h.mcp.Close)
	web, err := mcpapp.Ready(h.mcp).Web(cfg, mcpapp.WebOptions{Version: "demo", Log: log})
	if err != nil {
		return err
	}
	listener, err := mcpserver.Listen(ctx, cfg.HTTP.Listen, "", "", log)
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = web.Serve(serving, listener)
	}()
	h.onClose(func() { stop(); <-done })
	h.url = "http://" + listener.Addr().String() + mcpserver.Path
	return h.assistantSignsIn(ctx)
}

// assistantSignsIn gets the assistant a token of alice's, where one is asked for.
func (h *house) assistantSignsIn(ctx context.Context) error {
	if !h.signIn {
		return nil
	}
	got, err := h.sim.Server.UserCredential("alice@contoso.com").GetToken(ctx, policy.TokenRequestOptions{
		Scopes: []string{"api://" + mdesim.DefaultWebAPIID + "/" + mdesim.DefaultWebAPIScope},
	})
	h.token = got.Token
	return err
}
