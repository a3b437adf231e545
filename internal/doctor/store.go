package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/tools"
)

// store looks at the database before it opens it, because opening one would make it or bring its tables up to date.
func (d *Doctor) store(ctx context.Context) []Finding {
	if d.unknown != nil {
		return []Finding{failure("set MDE_STORE to sqlite:<path> or postgres://…", "%v", d.unknown)}
	}
	c, err := store.Look(ctx, store.Options{URL: d.address})
	if err != nil {
		return []Finding{failure("look at MDE_STORE", "%v", err)}
	}
	if !d.cfg.Sim { // beside the simulated tenant it is new and ends with this command
		if f, open := condition(c); !open {
			return []Finding{f}
		}
	}
	found := d.owners(c)
	cfg := d.cfg
	cfg.Store = app.NewSecret(d.address)
	if d.db, err = app.OpenStore(ctx, cfg, d.o.Base.Log); err != nil {
		return append(found, failure("look at MDE_STORE", "%v", err))
	}
	took, err := d.latency(ctx)
	if err != nil {
		return append(found, failure("look at the database's log", "%v", err))
	}
	f := good("%s has the tables of this program and answers in %s", c.Place, took)
	if took > slowStore {
		f = warning("use a database that is nearer, or a local disk", "%s answers in %s, which every call waits for several times", c.Place, took)
	}
	return append([]Finding{f}, found...)
}

const slowStore = 250 * time.Millisecond

// condition says why a database is not opened.
func condition(c store.Condition) (Finding, bool) {
	switch {
	case c.Missing:
		return warning("set MDE_STORE to the one that mde-slackbot uses, or start mde-slackbot, which makes it", "there is no database %s yet", c.Place).ending(), false
	case c.Newer():
		return failure("update this program", "a newer version of the program made the tables of %s: version %d and queue %d, this one knows %d and %d",
			c.Place, c.Version, c.Queue, c.Needs, c.QueueNeeds), false
	case !c.Current() && c.Postgres:
		return failure("start the program once with the role that owns the tables: it brings them up to date; then run the SQL of `mde-slackbot roles`",
			"the tables of %s are of version %d (queue %d) and this program needs %d (%d)", c.Place, c.Version, c.Queue, c.Needs, c.QueueNeeds), false
	case !c.Current():
		return warning("the next start of either program brings them up to date", "the tables of %s are of version %d (queue %d) and this program needs %d (%d)",
			c.Place, c.Version, c.Queue, c.Needs, c.QueueNeeds).ending(), false
	}
	return Finding{}, true
}

// owners says who else can write what is in the database.
func (d *Doctor) owners(c store.Condition) (found []Finding) {
	switch {
	case c.Postgres && c.Votes && !d.o.Writer:
		return []Finding{warning("sign in as a login that is in the role mde_mcp alone: `mde-slackbot roles` prints the SQL",
			"%q may write votes, which the role of a process that assistants call should not", c.Role).about("store role")}
	case c.Postgres && c.Votes:
		return []Finding{good("%q may write votes, as the worker's must", c.Role).about("store role")}
	case c.Postgres && d.o.Writer:
		return []Finding{failure("sign in as a login that is in the role mde_worker: `mde-slackbot roles` prints the SQL", "%q may not write votes", c.Role).about("store role")}
	case c.Postgres:
		return []Finding{good("%q can't write votes", c.Role).about("store role")}
	case c.Mode&0o077 != 0 && !d.cfg.Sim:
		return []Finding{warning("chmod 600 it, after looking who has read it", "%s can be used by other users (mode %04o)", c.Place, c.Mode).about("store file")}
	}
	return []Finding{good("this user alone can use it; with SQLite mde-mcp and mde-slackbot trust each other").about("store file")}
}

// latency is how long a small read takes: the median of some.
func (d *Doctor) latency(ctx context.Context) (time.Duration, error) {
	var took []time.Duration
	for range 5 {
		began := time.Now()
		if _, err := d.db.Head(ctx); err != nil {
			return 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2].Round(10 * time.Microsecond), nil
}

// noted compares the policy with the one that a program last began to work with.
func (d *Doctor) noted(ctx context.Context) []Finding {
	marks, err := d.db.Marks(ctx, []string{approvals.EventPolicy}, 0)
	if err != nil {
		return []Finding{failure("look at the store", "%v", err)}
	}
	own := d.policy.Digest()
	if len(marks) == 0 {
		return []Finding{good("no program has noted the policy that it works with yet; here it is %.12s", own)}
	}
	last := marks[len(marks)-1]
	digest, who, _ := strings.Cut(last.Detail, ": ")
	if digest == own {
		return []Finding{good("the store was last told of this policy, %.12s, at %s", own, stamp(last.At))}
	}
	return []Finding{warning("give every program the same MDE_POLICY_FILE, MDE_APPROVER_GROUP and MDE_MAX_DEVICES, and start them again",
		"the policy here is %.12s, and at %s the store was told of %.12s (%s): a request must satisfy both", own, stamp(last.At), digest, who)}
}

const (
	// silence is how long a worker may show nothing before it is taken to be gone: it sweeps every minute.
	silence = 3 * time.Minute
	// patience is how long a job may wait for a worker.
	patience = 2 * time.Minute
)

// worker looks for signs of life of whoever performs what was approved, and of whoever tells people in Slack.
func (d *Doctor) worker(ctx context.Context) []Finding {
	if d.cfg.Sim {
		return []Finding{good("the simulated tenant's store is new, so there is none; `mde-mcp demo` has one")}
	}
	p, err := d.db.Pulse(ctx)
	if err != nil {
		return []Finding{failure("look at the store", "%v", err)}
	}
	now := time.Now() // the queue's times are the machines'
	limit := max(silence, 3*d.cfg.Timing.SweepEvery)
	const fix = "start mde-slackbot (or `mde-slackbot worker`) on this store, or look at its log"
	var f Finding
	worked, ever := p.Worked[store.QueueMDE]
	switch {
	case !ever:
		f = warning(fix, "no worker has shown itself for a day: what is approved is not performed")
	case now.Sub(worked) > limit:
		f = warning(fix, "no worker has shown itself since %s: what is approved is not performed", stamp(worked))
	default:
		f = good("one was at work %s ago", max(now.Sub(worked), 0).Round(time.Second))
	}
	return []Finding{f, d.slack(p, now)}
}

// slack says what the store shows of Slack. This program has no Slack token, so that it can't speak as the bot.
func (d *Doctor) slack(p store.Pulse, now time.Time) Finding {
	what, has := "Slack", "mde-mcp has no Slack token, by design: `mde-slackbot doctor` asks Slack; "
	if d.o.Writer {
		what, has = "messages", ""
	}
	said := "no message was sent for a day"
	if told, ever := p.Worked[store.QueueSlack]; ever {
		said = "the last message was sent at " + stamp(told)
	}
	if since, waits := p.Waiting[store.QueueSlack]; waits && now.Sub(since) > patience {
		return warning("start mde-slackbot on this store, or look at its log", "%s%s, and messages wait since %s", has, said, stamp(since)).about(what)
	}
	return good("%s%s, and none waits", has, said).about(what)
}

// stops lists what people have stopped.
func (d *Doctor) stops(ctx context.Context) []Finding {
	facts, err := tools.Facts()
	if err != nil {
		return []Finding{failure("", "%v", err)}
	}
	board, err := control.New(control.Options{Store: d.db, Tools: facts, Logger: d.o.Base.Log})
	if err != nil {
		return []Finding{failure("", "%v", err)}
	}
	list, err := board.InForce(ctx)
	if err != nil {
		return []Finding{failure("look at the store", "%v", err)}
	}
	var found []Finding
	for _, s := range list {
		text := fmt.Sprintf("%s stopped since %s by %s: %q", s.Scope, stamp(s.Event.At), s.Event.Actor, s.Why)
		if s.Doubt != "" {
			text += ", and its lift does not count: " + s.Doubt
		}
		found = append(found, warning("approvers lift it in Slack: /mde lift "+s.Scope+" because …", "%s", text))
	}
	if len(found) == 0 {
		found = append(found, good("nothing is stopped"))
	}
	return found
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }
