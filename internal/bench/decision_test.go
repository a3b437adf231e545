package bench

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/policy"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/internal/app"
)

// storedEnv says how many requests BenchmarkDecisionStored compares with a hundred; a million unless set.
const storedEnv = "MDE_BENCH_STORED"

// eachStore runs fn with the URL of an empty database of each kind.
func eachStore(b *testing.B, fn func(*testing.B, func(testing.TB) string)) {
	b.Run("sqlite", func(b *testing.B) { fn(b, storetest.SQLite) })
	b.Run("postgres", func(b *testing.B) {
		if os.Getenv(storetest.PostgresEnv) == "" {
			b.Skip("no PostgreSQL: set " + storetest.PostgresEnv)
		}
		fn(b, storetest.Postgres)
	})
}

// BenchmarkDecisionTransaction measures what a deciding vote commits: vote, arrow, audit rows and jobs.
func BenchmarkDecisionTransaction(b *testing.B) {
	eachStore(b, func(b *testing.B, newURL func(testing.TB) string) {
		d := newDecider(b, newURL(b))
		var took []time.Duration
		for b.Loop() {
			r := d.pending(b)
			began := time.Now()
			require.NoError(b, d.commit(b.Context(), r))
			took = append(took, time.Since(began))
		}
		b.ReportMetric(milliseconds(median(took)), "commit-p50-ms")
		b.ReportMetric(0, "ns/op")
	})
}

// BenchmarkDecisionsByEight has eight callers cast deciding votes for some seconds, each with its signature, the check of
// the request's own audit and the count. The callers share the processes' handles as the program does.
func BenchmarkDecisionsByEight(b *testing.B) {
	eachStore(b, func(b *testing.B, newURL func(testing.TB) string) {
		const callers, lasting = 8, 5 * time.Second
		for b.Loop() {
			d := newDecider(b, newURL(b))
			requests := make([]approvals.Request, 12_000)
			d.load(b, requests)
			var next, done atomic.Int64
			var all sync.WaitGroup
			began := time.Now()
			for range callers {
				all.Go(func() {
					for time.Since(began) < lasting {
						i := int(next.Add(1)) - 1
						if i >= len(requests) {
							return
						}
						if !b.Failed() && d.cast(b.Context(), requests[i]) != nil {
							b.Error("a vote was not counted")
							return
						}
						done.Add(1)
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(done.Load())/time.Since(began).Seconds(), "decisions/s")
		}
		b.ReportMetric(0, "ns/op")
	})
}

// BenchmarkDecisionStored compares a deciding vote in a database of a million requests with one in a database of a hundred,
// in turns, so that both meet the same machine.
func BenchmarkDecisionStored(b *testing.B) {
	many := 1_000_000
	if n, err := strconv.Atoi(os.Getenv(storedEnv)); err == nil && n > 0 {
		many = n
	}
	eachStore(b, func(b *testing.B, newURL func(testing.TB) string) {
		few, lots := newURL(b), newURL(b)
		small, large := newDecider(b, few), newDecider(b, lots)
		storetest.Fill(b, few, 100, time.Now())
		began := time.Now()
		storetest.Fill(b, lots, many, time.Now())
		b.Logf("%d requests were loaded in %v", many, time.Since(began).Round(time.Second))
		for range 50 { // until the disk has written what was loaded, and the caches are warm
			small.timed(b)
			large.timed(b)
		}
		var of, ofMany []time.Duration
		for b.Loop() {
			for range 50 {
				of, ofMany = append(of, small.timed(b)), append(ofMany, large.timed(b))
			}
		}
		b.ReportMetric(milliseconds(median(of)), "of-100-p50-ms")
		b.ReportMetric(milliseconds(median(ofMany)), fmt.Sprintf("of-%d-p50-ms", many))
		b.ReportMetric(float64(median(ofMany))/float64(median(of)), "ratio")
		b.ReportMetric(0, "ns/op")
	})
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// decider casts deciding votes on requests that are written straight into a store.
type decider struct {
	db   *store.DB
	box  *ballot.Box
	base approvals.Request
	made int
}

func newDecider(b *testing.B, url string) *decider {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	db, err := store.Open(b.Context(), store.Options{URL: url, Logger: log})
	require.NoError(b, err)
	b.Cleanup(func() { _ = db.Close() })
	rules, err := policy.Default(policy.DefaultOptions{ApproverGroup: approvals.Group{Name: "oncall", Slack: "S1"}, MaxTargets: 100})
	require.NoError(b, err)
	private, _, err := app.NewVoteKey()
	require.NoError(b, err)
	signer, verifier, err := app.Votes{SigningKey: app.NewSecret(private)}.SignerKeys()
	require.NoError(b, err)
	box, err := ballot.New(ballot.Options{Store: db, Policy: rules, Signer: signer, Verifier: verifier, Directory: everyone{}, Logger: log})
	require.NoError(b, err)
	base := storetest.Pending(b, "BASE0000", 1)
	base.CreatedAt = time.Now().UTC().Truncate(time.Millisecond)
	base.ExpiresAt = base.CreatedAt.Add(time.Hour)
	base.Quorum = []approvals.Quorum{{Count: 1, From: approvals.Group{Name: "oncall", Slack: "S1"}}}
	return &decider{db: db, box: box, base: base}
}

// pending stores one more request.
func (d *decider) pending(b *testing.B) approvals.Request {
	b.Helper()
	one := make([]approvals.Request, 1)
	d.load(b, one)
	return one[0]
}

// load stores as many requests as there is room for.
func (d *decider) load(b *testing.B, into []approvals.Request) {
	b.Helper()
	require.NoError(b, d.db.InTx(b.Context(), func(tx *store.Tx) (err error) {
		for i := range into {
			r := d.base
			r.ID = fmt.Sprintf("A%07d", d.made)
			d.made++
			if r.Digest, err = approvals.Digest(r); err != nil {
				return err
			}
			if err = tx.Insert(b.Context(), r, approvals.Event{Type: approvals.EventSubmitted, Actor: r.Requester.ID}); err != nil {
				return err
			}
			into[i] = r
		}
		return nil
	}))
}

func (d *decider) cast(ctx context.Context, r approvals.Request) error {
	_, err := d.box.Cast(ctx, ballot.Ballot{
		RequestID: r.ID, Digest: r.Digest, Verdict: approvals.VerdictApprove, Voter: approvals.Person{ID: "bob@example.com"}, Delivery: r.ID,
	})
	return err
}

// timed is how long one deciding vote takes.
func (d *decider) timed(b *testing.B) time.Duration {
	b.Helper()
	r := d.pending(b)
	began := time.Now()
	require.NoError(b, d.cast(b.Context(), r))
	return time.Since(began)
}

// commit is the last transaction of a deciding vote, without what is looked up before.
func (d *decider) commit(ctx context.Context, r approvals.Request) error {
	return d.db.InTx(ctx, func(tx *store.Tx) error {
		if _, err := tx.FirstTime(ctx, "ballot", r.ID, r.CreatedAt); err != nil {
			return err
		}
		if err := tx.AddVote(ctx, storetest.Vote(r, "bob@example.com"), approvals.Event{}); err != nil {
			return err
		}
		move := store.Move{ID: r.ID, From: approvals.Pending, To: approvals.Approved, Version: 1, At: r.CreatedAt.Add(time.Second)}
		if err := tx.Move(ctx, move); err != nil {
			return err
		}
		for _, k := range []store.JobKind{store.Advance, store.Notify} {
			if err := tx.Enqueue(ctx, store.Job{Kind: k, RequestID: r.ID}, time.Time{}); err != nil {
				return err
			}
		}
		return nil
	})
}
