// Package auditcmd is the command `audit` of both programs: it verifies, exports and shows the audit.
package auditcmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/approvals/audit"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/cli"
)

// Program is what the command needs to know of the program that it belongs to.
type Program struct {
	Env cli.Env
	Set *cli.Settings
	// Check reports what the program's configuration must not have.
	Check func(app.Config) error
	// Buckets open the checkpoints.
	Buckets app.Buckets
}

// Command makes `audit`.
func Command(p Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "verify, export and show the audit of everything that was asked, decided and done",
		Args:  cli.NoWords,
		RunE:  func(*cobra.Command, []string) error { return cli.Usagef("audit needs one of verify, export and tail") },
	}
	cmd.AddCommand(verifyCommand(p), exportCommand(p), tailCommand(p))
	return cmd
}

// open reads the configuration and opens the store.
func (p Program) open(ctx context.Context) (app.Config, *store.DB, error) {
	cfg, log, err := cli.LoadStore(ctx, p.Env, *p.Set, p.Check)
	if err != nil {
		return cfg, nil, err
	}
	db, err := OpenStore(ctx, cfg, log)
	return cfg, db, err
}

// OpenStore opens a store that is there. A new and empty one would verify, and tell nobody that the path is wrong.
func OpenStore(ctx context.Context, cfg app.Config, log *slog.Logger) (*store.DB, error) {
	missing, err := app.StoreMissing(cfg)
	if err != nil {
		return nil, err
	}
	if missing != "" {
		return nil, fmt.Errorf("there is no database %s: MDE_STORE must name the one that mde-slackbot uses", missing)
	}
	return app.OpenStore(ctx, cfg, log)
}

// verifyOptions are the flags of `audit verify`.
type verifyOptions struct {
	restores int
	export   string
}

func verifyCommand(p Program) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "read the whole audit and report every row that was altered, removed, added or moved",
		Long: "verify reads the whole audit and every request, compares them with each other and with the signed checkpoints in\n" +
			"MDE_AUDIT_CHECKPOINTS (by the keys in MDE_AUDIT_PUBLIC_KEYS), and says up to which row the audit is proved.\n" +
			"Exit code 1 means that something is wrong, or that a restore was recorded which --restores does not count.",
		Args: cli.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error { return verify(cmd.Context(), p, o) },
	}
	cmd.Flags().IntVar(&o.restores, "restores", 0, "how many restores of the database from a backup people know of")
	cmd.Flags().StringVar(&o.export, "export", "", "compare with this earlier export (JSON lines) as well, row by row")
	return cmd
}

func verify(ctx context.Context, p Program, o verifyOptions) error {
	if o.restores < 0 {
		return cli.Usagef("--restores %d: want 0 or more", o.restores)
	}
	export, err := openExport(o.export)
	if err != nil {
		return err
	}
	defer export.Close()
	cfg, db, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	report, err := p.report(ctx, cfg, db)
	if err != nil {
		return err
	}
	fmt.Fprint(p.Env.Stdout, report)
	found, err := audit.Compare(ctx, db, export)
	if err != nil {
		return err
	}
	if o.export != "" {
		fmt.Fprintf(p.Env.Stdout, "%d exported rows were compared\n", found.Rows)
	}
	for _, f := range found.Faults {
		fmt.Fprintln(p.Env.Stdout, "FAULT:", f)
	}
	return verdict(len(report.Faults)+len(found.Faults), len(report.Restores), o.restores)
}

// openExport opens the named export, or nothing.
func openExport(path string) (io.ReadCloser, error) {
	if path == "" {
		return io.NopCloser(emptyReader{}), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, cli.Usagef("--export: %w", err)
	}
	return f, nil
}

type emptyReader struct{}

// Read implements io.Reader.
func (emptyReader) Read([]byte) (int, error) { return 0, io.EOF }

func (p Program) report(ctx context.Context, cfg app.Config, db *store.DB) (audit.Report, error) {
	keep, err := cfg.CheckpointPlace(ctx, p.Buckets, false)
	if err != nil {
		return audit.Report{}, err
	}
	keys, err := cfg.Audit.Keys()
	if err != nil {
		return audit.Report{}, err
	}
	return audit.Verify(ctx, db, keep, keys, cfg.Origin())
}

func verdict(faults, restores, known int) error {
	switch {
	case faults > 0:
		return fmt.Errorf("the audit does NOT verify: %d fault(s)", faults)
	case restores > known:
		return fmt.Errorf("%d restore(s) are recorded, and people know of %d: find out why the database went back, then verify with --restores %d", restores, known, restores)
	}
	return nil
}

// exportOptions are the flags of `audit export`.
type exportOptions struct {
	since int64
	out   string
}

func exportCommand(p Program) *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export",
		Short: "write the audit as JSON lines, to standard output or a new file",
		Long: "export writes every audit row from --since on as one JSON object on a line. It checks the chain on the way: exit code 1\n" +
			"means that everything was written, but a row does not verify.",
		Args: cli.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error { return export(cmd.Context(), p, o) },
	}
	cmd.Flags().Int64Var(&o.since, "since", 1, "the number of the first row")
	cmd.Flags().StringVar(&o.out, "out", "", "a new file (mode 0600) instead of standard output")
	return cmd
}

func export(ctx context.Context, p Program, o exportOptions) (err error) {
	if o.since < 1 {
		return cli.Usagef("--since %d: rows are numbered from 1", o.since)
	}
	_, db, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	w := p.Env.Stdout
	if o.out != "" {
		f, err := os.OpenFile(o.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return cli.Usagef("--out: %w", err)
		}
		defer func() { err = errors.Join(err, f.Sync(), f.Close()) }()
		w = f
	}
	n, wrong, err := writeRows(ctx, db, w, o.since)
	if err != nil {
		return err
	}
	if o.out != "" {
		fmt.Fprintf(p.Env.Stdout, "%d rows were written to %s\n", n, o.out)
	}
	if wrong != nil {
		return fmt.Errorf("%d rows were written, but the audit does not verify: %w; see `audit verify`", n, wrong)
	}
	return nil
}

const page = 1000

// writeRows writes the rows from a number on, and returns how many there were and the first fault of their chain.
func writeRows(ctx context.Context, db *store.DB, w io.Writer, since int64) (n int64, wrong, err error) {
	last, err := before(ctx, db, since)
	for err == nil {
		rows, failed := db.Events(ctx, store.Query{After: max(last.Seq, since-1), Limit: page})
		if failed != nil {
			return n, wrong, failed
		}
		var text []byte
		for _, e := range rows {
			if bad := store.VerifyLink(last, e); bad != nil && wrong == nil {
				wrong = bad
			}
			if text, err = audit.AppendLine(text, e); err != nil {
				return n, wrong, err
			}
			last = e
			n++
		}
		if _, err = w.Write(text); err != nil || len(rows) < page {
			return n, wrong, err
		}
	}
	return n, wrong, err
}
