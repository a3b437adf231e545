package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/policy"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/internal/telemetry"
	"github.com/mde-ops/mde-ops/tools"
)

// Base is what both binaries have: the store with the gate before it, the policy and the way to the tenant.
type Base struct {
	Config Config
	Log    *slog.Logger
	Policy approvals.Policy
	Store  *store.DB
	Gate   *gate.Gate
	// Evidence is what was collected. Nothing is opened before it is used.
	Evidence *evidence.Store

	sim     string          // the folder of a simulated tenant's store and evidence; empty before it is needed
	budgets *azpipe.Budgets // shared by every client, because the service counts by application
	closers []func()
}

// NewLogger makes the process's log. It goes to standard error, because standard output belongs to MCP and to results.
func NewLogger(w io.Writer, cfg Log) *slog.Logger {
	opts := &slog.HandlerOptions{Level: cfg.Level}
	if cfg.Format == "json" {
		return slog.New(telemetry.Logs(slog.NewJSONHandler(w, opts)))
	}
	return slog.New(telemetry.Logs(slog.NewTextHandler(w, opts)))
}

// Open builds the base: with the simulated tenant it is started first and the configuration completed with its
// addresses; then policy, store and gate. A policy that doesn't parse stops the start before anything is opened.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*Base, error) {
	b := &Base{Config: cfg, Log: log, budgets: azpipe.NewBudgets(0)}
	if err := b.open(ctx); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (b *Base) open(ctx context.Context) error {
	var err error
	if b.Config.Sim {
		if err = b.startTenant(); err != nil {
			return err
		}
	}
	if b.Policy, err = LoadPolicy(b.Config.Policy); err != nil {
		return err
	}
	url, err := b.storeURL()
	if err != nil {
		return err
	}
	if b.Store, err = store.Open(ctx, store.Options{URL: url, Logger: b.Log, Clock: b.Config.Clock}); err != nil {
		return err
	}
	b.onClose(func() { _ = b.Store.Close() })
	facts, err := tools.Facts()
	if err != nil {
		return err
	}
	if b.Gate, err = gate.New(gate.Options{Store: b.Store, Policy: b.Policy, Tools: facts, Logger: b.Log, Clock: b.Config.Clock, Watch: b.Config.watchGate()}); err != nil {
		return err
	}
	b.onClose(b.Gate.Close)
	return nil
}

// LoadPolicy reads the policy file, or makes the default policy when none is named.
func LoadPolicy(cfg PolicyConfig) (approvals.Policy, error) {
	if cfg.File == "" {
		return policy.Default(policy.DefaultOptions{
			ApproverGroup: approverGroup(cfg),
			MaxTargets:    cfg.MaxDevices,
		})
	}
	data, err := os.ReadFile(cfg.File)
	if err != nil {
		return nil, fmt.Errorf("MDE_POLICY_FILE: the policy can't be read: %w", err)
	}
	known, err := tools.Facts()
	if err != nil {
		return nil, err
	}
	return policy.Parse(cfg.File, data, policy.Known{Tools: known, Approvers: approverGroup(cfg)})
}

// approverGroup is the group that approves where a policy file names none; it is empty when none is set.
func approverGroup(cfg PolicyConfig) approvals.Group {
	if cfg.ApproverGroup == "" {
		return approvals.Group{}
	}
	return approvals.Group{Name: "approvers", Slack: cfg.ApproverGroup}
}

// storeURL is the configured store, or one file in the user's state folder; beside the simulated tenant a temporary
// one, because its devices exist only while it runs.
func (b *Base) storeURL() (string, error) {
	if url := b.Config.Store.Reveal(); url != "" {
		return url, nil
	}
	dir, err := b.stateFolder()
	if err != nil {
		return "", fmt.Errorf("no folder for the store: set MDE_STORE to sqlite:<path> or postgres://…: %w", err)
	}
	return filepath.Join(dir, "gate.db"), nil
}

// stateFolder is where a program keeps what nothing else is configured for: a temporary folder beside the simulated tenant.
func (b *Base) stateFolder() (string, error) {
	if b.Config.Sim {
		if b.sim != "" {
			return b.sim, nil
		}
		dir, err := os.MkdirTemp("", "mde-ops-sim-")
		if err != nil {
			return "", err
		}
		b.sim = dir
		b.onClose(func() { _ = os.RemoveAll(dir) })
		return dir, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "mde-ops")
	return dir, os.MkdirAll(dir, 0o700)
}

// OpenEvidence makes the evidence store, without opening it: what is wrong with its place is said to whoever uses it.
func (b *Base) OpenEvidence(buckets Buckets) error {
	place := b.Config.Evidence.Place
	if place == "" {
		dir, err := b.stateFolder()
		if err != nil {
			return fmt.Errorf("no folder for evidence: set MDE_EVIDENCE: %w", err)
		}
		place = filepath.Join(dir, "evidence")
	}
	var azure func(context.Context, string) (evidence.Bucket, error)
	if buckets.Container != nil {
		azure = func(ctx context.Context, url string) (evidence.Bucket, error) {
			return buckets.Container(ctx, b.Config, url)
		}
	}
	open, err := evidence.Opener(place, buckets.Folder, azure)
	if err != nil {
		open = func(context.Context) (evidence.Bucket, error) { return nil, err }
	}
	if b.Evidence, err = evidence.New(evidence.Options{Open: open, Logger: b.Log, Clock: b.Config.Clock}); err == nil {
		b.onClose(func() { _ = b.Evidence.Close() })
	}
	return err
}

// onClose runs f when the base closes, last one first.
func (b *Base) onClose(f func()) { b.closers = append(b.closers, f) }

// Close ends everything that Open started.
func (b *Base) Close() {
	for i := len(b.closers) - 1; i >= 0; i-- {
		b.closers[i]()
	}
	b.closers = nil
}

// StopTimeout is how long an orderly end may take before it is cut short.
const StopTimeout = 10 * time.Second
