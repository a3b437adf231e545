// Package mcpapp builds the MCP server: a dispatcher that can read the tenant and submit requests, and nothing with which
// a vote could be made. The writing credential and the signing key are not here on purpose.
package mcpapp

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/internal/evidence/container"
	"github.com/mde-ops/mde-ops/internal/evidence/reading"
	"github.com/mde-ops/mde-ops/internal/mcpserver"
	"github.com/mde-ops/mde-ops/internal/telemetry"
	"github.com/mde-ops/mde-ops/tools"
)

// App is an MCP server and what is behind it.
type App struct {
	*app.Base
	Dispatcher *tools.Dispatcher
	Caller     *app.Caller
}

// Options are what is not configuration.
type Options struct {
	Log *slog.Logger
	// SignIn proves who calls, with MDE_IDENTITY=cli; by default the Azure CLI's credential.
	SignIn azcore.TokenCredential
}

// Open opens the store, checks the policy and builds the dispatcher.
func Open(ctx context.Context, cfg app.Config, o Options) (*App, error) {
	base, err := app.Open(ctx, cfg, o.Log)
	if err != nil {
		return nil, err
	}
	a := &App{Base: base}
	if err = base.OpenEvidence(Buckets()); err == nil {
		a.Dispatcher, err = base.Dispatcher(base.Config.Read)
	}
	if err == nil {
		a.Caller, err = NewCaller(base.Config, o.SignIn)
	}
	if err != nil {
		base.Close()
		return nil, err
	}
	return a, nil
}

// Buckets open evidence and checkpoints to read them, containers with the reading credential.
func Buckets() app.Buckets {
	return app.Buckets{
		Folder: reading.Folder,
		Container: func(_ context.Context, cfg app.Config, url string) (evidence.Bucket, error) {
			cred, err := cfg.ReadCredential()
			if err != nil {
				return nil, err
			}
			return reading.Container(container.Options{URL: url, Credential: cred})
		},
	}
}

// NewCaller makes what says whose this process's calls are; a nil signIn is the Azure CLI's where that is configured.
func NewCaller(cfg app.Config, signIn azcore.TokenCredential) (*app.Caller, error) {
	cloud := cfg.Tenant.Cloud()
	if signIn == nil && cfg.Identity.Source == "cli" {
		cli, err := azpipe.NewCredential(azpipe.CredentialConfig{Kind: azpipe.KindCLI, TenantID: cfg.Tenant.ID})
		if err != nil {
			return nil, err
		}
		signIn = cli
	}
	return app.NewCaller(app.CallerOptions{Identity: cfg.Identity, Tenant: cfg.Tenant.ID, Scope: cloud.Scope, SignIn: signIn}), nil
}

// Opening is an App on its way: MCP's handshake must not wait for the store, so the server is given this instead.
type Opening struct {
	open    func() (*App, error)
	surface app.Surface
	meter   *telemetry.Telemetry

	mu    sync.Mutex
	done  chan struct{} // closed when the try that runs has ended; nil before the first
	app   *App
	err   error
	tried time.Time
	ended bool // no further try is begun
}

const (
	// headStart is how long the handshake has the processor for itself. The first call begins to open at once.
	headStart = 150 * time.Millisecond
	// tryAgain is how long after a failed try a call begins another one, where the store was what failed.
	tryAgain = 2 * time.Second
)

// Begin opens an App in the background: at the first call, or a moment from now.
func Begin(ctx context.Context, cfg app.Config, o Options) *Opening {
	p := &Opening{surface: cfg.Surface, open: func() (*App, error) {
		a, err := Open(ctx, cfg, o)
		if err == nil {
			a.notePolicy(ctx)
		}
		if err != nil && ctx.Err() == nil {
			o.Log.ErrorContext(ctx, "the server can't take calls", "error", err)
		}
		return a, err
	}}
	p.measure(cfg, o.Log)
	time.AfterFunc(headStart, func() { p.begin() })
	return p
}

// notePolicy puts a change of the policy into the audit. A server that can't write still answers what only reads; whatever
// acts needs the audit anyway.
func (a *App) notePolicy(ctx context.Context) {
	if err := a.Gate.NotePolicy(ctx, "mde-mcp"); err != nil && ctx.Err() == nil {
		a.Log.WarnContext(ctx, "the policy that this server works with could not be noted in the audit", "error", err)
	}
}

// Ready returns an Opening that is already done.
func Ready(a *App) *Opening {
	done := make(chan struct{})
	close(done)
	p := &Opening{done: done, app: a, surface: a.Config.Surface}
	p.measure(a.Config, a.Log)
	return p
}

// begin begins a try unless one runs or has done its work, and returns what its end closes.
func (p *Opening) begin() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	again := approvals.KindOf(p.err) == approvals.KindStore && time.Since(p.tried) > tryAgain
	if p.done != nil && !again || p.ended {
		return p.done
	}
	done := make(chan struct{})
	p.done, p.err = done, nil
	go func() {
		defer close(done)
		a, err := p.open()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.app, p.err, p.tried = a, err, time.Now()
	}()
	return done
}

// Wait returns the App when it is open.
func (p *Opening) Wait(ctx context.Context) (*App, error) {
	select {
	case <-p.begin():
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.app, p.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close waits for a try that runs to end, and closes what was opened.
func (p *Opening) Close() {
	p.mu.Lock()
	p.ended = true
	done := p.done
	p.mu.Unlock()
	if done == nil {
		return
	}
	<-done
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.app != nil {
		p.app.Close()
	}
}

// Server makes the MCP server over an App that may still be opening, with the tools that the configuration asks for.
func (p *Opening) Server(version string, log *slog.Logger) (*mcpserver.Server, error) {
	list, err := p.surface.Select()
	if err != nil {
		return nil, err
	}
	return mcpserver.New(p.options(list, version, log))
}

// options are a server's whose calls are all one person's.
func (p *Opening) options(list []tools.Tool, version string, log *slog.Logger) mcpserver.Options {
	return mcpserver.Options{
		Tools: list, Version: version, Logger: log, Watch: p.watch(list),
		Dispatcher: func(ctx context.Context) (mcpserver.Caller, error) {
			a, err := p.Wait(ctx)
			if err != nil {
				return nil, asRefusal(err)
			}
			return a, nil
		},
		Requester: func(_ context.Context, agent string) approvals.Requester {
			return approvals.Requester{Via: approvals.ViaMCP, Agent: agent} // Call fills in the person
		},
	}
}

// Call runs a tool for whoever this process's calls belong to, because an MCP client can't be asked who that is. Without
// an answer to that the tool is not run.
func (a *App) Call(ctx context.Context, c tools.Call) (tools.Result, error) {
	who, err := a.Caller.Requester(ctx, c.Requester.Via, c.Requester.Agent)
	if err != nil {
		return tools.Result{}, approvals.Refuse(approvals.KindNoAnswer, err, "who is calling could not be found out, so nothing was done: %v", err)
	}
	c.Requester = who
	return a.Dispatcher.Call(ctx, c)
}

// asRefusal gives an error of opening a text for the caller, because a call can't be answered without what failed.
func asRefusal(err error) error {
	var refused *approvals.Error
	if errors.As(err, &refused) {
		return refused
	}
	return approvals.Refuse(approvals.KindStore, err, "the server could not start: %v", err)
}
