package slackapp

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mde-ops/mde-ops/approvals/audit"
)

// buildAudit makes what writes checkpoints and what exports rows, as far as they are configured.
func (a *App) buildAudit(ctx context.Context) error {
	cfg := a.Config.Audit
	if key := cfg.SigningKey.Reveal(); key != "" {
		if err := a.buildKeeper(ctx, key); err != nil {
			return err
		}
	}
	sink, err := a.sink()
	if err != nil || sink == nil {
		return err
	}
	a.exporter, err = audit.NewExporter(audit.ExporterOptions{Store: a.Store, Sink: sink, Logger: a.Log})
	return err
}

func (a *App) buildKeeper(ctx context.Context, key string) error {
	cfg := a.Config.Audit
	signer, err := audit.ParseSigner(key)
	if err != nil {
		return fmt.Errorf("MDE_AUDIT_SIGNING_KEY: %w", err)
	}
	keys, err := cfg.Keys()
	if err != nil {
		return fmt.Errorf("MDE_AUDIT_PUBLIC_KEYS: %w", err)
	}
	keep, err := a.Config.CheckpointPlace(ctx, a.buckets, true)
	if err != nil {
		return err
	}
	a.keeper, err = audit.NewKeeper(audit.KeeperOptions{
		Store: a.Store, Keep: keep, Signer: signer, Keys: keys, Origin: a.Config.Origin(), Logger: a.Log, Alarm: a.alarm(),
	})
	return err
}

// alarm stops everything when the audit is not the one that was signed, until it was compared with the tenant and people
// lift it: once for each finding, so that they can.
func (a *App) alarm() func(context.Context, string) {
	said := map[string]bool{}
	return func(ctx context.Context, what string) {
		finding := what
		if _, place, ok := strings.Cut(what, ", but "); ok {
			finding = place // where the audit ends moves on with every row, also with that of the stop
		}
		if said[finding] {
			return
		}
		err := a.board.Halt(ctx, what)
		if err == nil {
			err = a.board.Restored(ctx, what)
		}
		if err != nil {
			a.Log.ErrorContext(ctx, "the audit is not the one that was signed, and acting could not be stopped", "error", err)
			return
		}
		said[finding] = true
	}
}

// sink is where the audit is exported to; nil when that is not configured.
func (a *App) sink() (audit.Sink, error) {
	cfg := a.Config.Audit
	switch {
	case cfg.Export == "":
		return nil, nil
	case strings.Contains(cfg.Export, "://"):
		return audit.NewCollector(audit.CollectorOptions{URL: cfg.Export, Token: cfg.ExportToken.Reveal(), Store: a.Store})
	}
	return audit.NewFile(audit.FileOptions{Path: cfg.Export})
}

// restored is what the worker asks before it does anything; nil when there are no checkpoints to tell by.
func (a *App) restored() func(context.Context) (string, error) {
	if a.keeper == nil {
		return nil
	}
	return a.keeper.Restored
}

// startAudit begins to write checkpoints and to export, after the worker has started: a database that was restored is stopped
// by then. What it returns ends both, with a last checkpoint, and waits for that.
func (a *App) startAudit(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	if a.keeper != nil {
		running.Go(func() { a.keeper.Run(ctx) })
	}
	if a.exporter != nil {
		running.Go(func() { a.exporter.Run(ctx) })
	}
	if a.Config.Evidence.Keep > 0 {
		running.Go(func() { a.sweepEvidence(ctx) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// sweepEvery is how often evidence is looked for that is older than it has to be kept.
const sweepEvery = time.Hour

// sweepEvidence removes evidence that is older than it has to be kept, until ctx ends.
func (a *App) sweepEvidence(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		swept, err := a.Evidence.Sweep(ctx, a.Config.Evidence.Keep)
		if ctx.Err() != nil {
			return
		}
		if err != nil || len(swept.Faults) > 0 {
			a.Log.WarnContext(ctx, "not all evidence that is older than it has to be kept could be removed", "error", err, "faults", swept.Faults)
		}
		if swept.Contents > 0 {
			a.Log.InfoContext(ctx, "evidence that was older than it has to be kept was removed", "contents", swept.Contents, "bytes", swept.Bytes)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
