package auditcmd

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/audit"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/cli"
)

// before is the row before a number; the zero Event when there is none.
func before(ctx context.Context, db *store.DB, seq int64) (approvals.Event, error) {
	rows, err := db.Events(ctx, store.Query{After: seq - 2, Limit: 1})
	if err != nil || len(rows) == 0 || rows[0].Seq != seq-1 {
		return approvals.Event{}, err
	}
	return rows[0], nil
}

// tailOptions are the flags of `audit tail`.
type tailOptions struct {
	lines                int
	follow, json         bool
	request, kind, actor string
	every                time.Duration
}

func tailCommand(p Program) *cobra.Command {
	var o tailOptions
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "show the last rows of the audit, and with --follow the new ones as they come",
		Args:  cli.NoWords,
		RunE:  func(cmd *cobra.Command, _ []string) error { return tail(cmd.Context(), p, o) },
	}
	f := cmd.Flags()
	f.IntVarP(&o.lines, "lines", "n", 20, "how many rows")
	f.BoolVarP(&o.follow, "follow", "f", false, "wait for new rows until interrupted")
	f.BoolVar(&o.json, "json", false, "JSON lines, as export writes them")
	f.StringVar(&o.request, "request", "", "only rows of this request")
	f.StringVar(&o.kind, "type", "", "only rows of these types, separated by commas, such as vote,refused")
	f.StringVar(&o.actor, "actor", "", "only rows of this person or part of the program")
	f.DurationVar(&o.every, "every", time.Second, "how often to look for new rows")
	return cmd
}

func tail(ctx context.Context, p Program, o tailOptions) error {
	switch {
	case o.lines < 0 || o.lines > 1e6:
		return cli.Usagef("--lines %d: want 0 to 1000000", o.lines)
	case o.every < 100*time.Millisecond:
		return cli.Usagef("--every %s: want 100ms or more", o.every)
	}
	_, db, err := p.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	rows, seq, err := o.last(ctx, db)
	if err != nil {
		return err
	}
	if len(rows) == 0 && o.lines > 0 && !o.follow {
		fmt.Fprintf(p.Env.Stderr, "none of the %d rows is wanted by --request, --type and --actor\n", seq)
	}
	if err := o.write(p.Env.Stdout, rows); err != nil || !o.follow {
		return err
	}
	return o.watch(ctx, db, p.Env.Stdout, seq)
}

// watch writes new rows until ctx ends.
func (o tailOptions) watch(ctx context.Context, db *store.DB, w io.Writer, seq int64) error {
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	for {
		rows, next, err := o.after(ctx, db, seq)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			err = o.write(w, rows)
		}
		if err != nil {
			return err
		}
		if seq = next; len(rows) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// last finds the last rows that are wanted, and the number up to which was looked.
func (o tailOptions) last(ctx context.Context, db *store.DB) (found []approvals.Event, seq int64, err error) {
	end, err := db.Ending(ctx)
	if err != nil {
		return nil, 0, err
	}
	if o.request == "" && o.kind == "" && o.actor == "" {
		seq = max(0, end.Seq-int64(o.lines)) // no need to read what nobody wants
	}
	for seq < end.Seq {
		rows, next, err := o.after(ctx, db, seq)
		if err != nil {
			return nil, 0, err
		}
		found = append(found, rows...)
		found = slices.Clone(found[max(0, len(found)-o.lines):])
		if next == seq {
			break
		}
		seq = next
	}
	return found, max(seq, end.Seq), nil
}

// after reads a page of rows after a number, and returns those that are wanted and the number of the last.
func (o tailOptions) after(ctx context.Context, db *store.DB, seq int64) (wanted []approvals.Event, last int64, err error) {
	rows, err := db.Events(ctx, store.Query{After: seq, RequestID: strings.ToUpper(o.request), Limit: page})
	if err != nil || len(rows) == 0 {
		return nil, seq, err
	}
	for _, e := range rows {
		if o.wants(e) {
			wanted = append(wanted, e)
		}
	}
	return wanted, rows[len(rows)-1].Seq, nil
}

func (o tailOptions) wants(e approvals.Event) bool {
	return (o.kind == "" || slices.Contains(strings.Split(o.kind, ","), e.Type)) && (o.actor == "" || strings.EqualFold(e.Actor, o.actor))
}

func (o tailOptions) write(w io.Writer, rows []approvals.Event) error {
	var text []byte
	for _, e := range rows {
		if !o.json {
			text = append(text, line(e)...)
			continue
		}
		var err error
		if text, err = audit.AppendLine(text, e); err != nil {
			return err
		}
	}
	_, err := w.Write(text)
	return err
}

// line is a row for people. Whatever other people wrote is quoted, so that it can't draw on the terminal.
func line(e approvals.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %s", e.Seq, e.At.UTC().Format(time.RFC3339), Harmless(e.Type))
	if e.RequestID != "" {
		b.WriteString(" " + Harmless(e.RequestID))
	}
	if e.Step >= 0 {
		b.WriteString(" step " + strconv.Itoa(e.Step))
	}
	if e.To != "" {
		fmt.Fprintf(&b, " %s→%s", Harmless(e.From), Harmless(e.To))
	}
	if e.Actor != "" {
		b.WriteString(" by " + Harmless(e.Actor))
	}
	if e.Detail != "" {
		b.WriteString(": " + Harmless(e.Detail))
	}
	return b.String() + "\n"
}

// Harmless makes what other people wrote fit for a terminal: it stays on its line and draws nothing.
func Harmless(s string) string {
	quoted := strconv.QuoteToGraphic(s)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`) // a quotation mark draws nothing
}
