package ballot_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

func TestBreakingTheGlassFindsTheSubmissionThatWasUnderWay(t *testing.T) {
	eachGlass(t, func(t *testing.T, g *glass) {
		e := emergency(1)
		twin := storetest.Pending(t, "AAAA0001", 1)
		twin.Plan, twin.Key = e.Plan, e.Plan.Key()
		twin.CreatedAt, twin.ExpiresAt = g.Clock.Now(), g.Clock.Now().Add(time.Hour)
		var err error
		twin.Digest, err = approvals.Digest(twin)
		require.NoError(t, err)
		db := storetest.Open(t, g.URL, store.Options{Clock: g.Clock.Now})
		inserted, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			done <- db.InTx(context.Background(), func(tx *store.Tx) error {
				err := errors.Join(tx.LockSubmissions(context.Background()),
					tx.Insert(context.Background(), twin, approvals.Event{Type: approvals.EventSubmitted, Actor: twin.Requester.ID}))
				close(inserted)
				<-end
				return err
			})
		}()
		<-inserted
		broken := make(chan error, 1)
		go func() {
			_, err := g.box.BreakGlass(context.Background(), e)
			broken <- err
		}()
		time.Sleep(100 * time.Millisecond) // only gives one that does not wait the time to be too early
		close(end)
		require.NoError(t, <-done)
		require.NoError(t, <-broken)
		require.Equal(t, approvals.Cancelled, g.Get(twin.ID).State)
		g.Verified()
	})
}

// pressing presses a switch after it said that nothing was stopped, as somebody else may.
type pressing struct {
	*control.Board
	scope string
	left  int
}

func (p *pressing) Clear(ctx context.Context, tool string) (control.Clearance, error) {
	c, err := p.Board.Clear(ctx, tool)
	if err != nil || p.left == 0 {
		return c, err
	}
	p.left--
	return c, p.Stop(ctx, control.Order{Scope: p.scope, By: lab.Ann(), Why: "drill"})
}

func TestAStopPressedWhileTheGlassIsBrokenCounts(t *testing.T) {
	for scope, want := range map[string]approvals.Kind{"response": approvals.KindHeld, "all": approvals.KindHeld, "devices": ""} {
		t.Run(scope, func(t *testing.T) {
			eachGlass(t, func(t *testing.T, g *glass) {
				board, err := control.New(control.Options{Store: g.DB, Tools: lab.Tools(), Clock: g.Clock.Now, Logger: lab.Quiet()})
				require.NoError(t, err)
				box, err := ballot.New(ballot.Options{
					Store: g.DB, Policy: g.Policy, Signer: g.Signer, Verifier: g.Verifier, Directory: g.Directory,
					Switches: &pressing{Board: board, scope: scope, left: 1}, Clock: g.Clock.Now, Logger: lab.Quiet(),
				})
				require.NoError(t, err)
				r, err := box.BreakGlass(t.Context(), emergency(1))
				require.Equal(t, want, approvals.KindOf(err), "%v", err)
				if want != "" {
					require.Empty(t, g.events(approvals.EventBreakGlass))
					return
				}
				require.Equal(t, approvals.Approved, r.State)
			})
		})
	}
}

func TestNoWrittenRowStandsInTheWayOfAnEmergency(t *testing.T) {
	eachGlass(t, func(t *testing.T, g *glass) {
		e := emergency(1)
		unread, foreign := g.Submit(e.Plan), g.Submit(lab.Plan("isolate_devices", 2))
		g.Write("UPDATE requests SET quorum = '{' WHERE id = $1", unread.ID)
		g.Write("UPDATE requests SET plan_key = $1 WHERE id = $2", e.Plan.Key(), foreign.ID)
		r, err := g.box.BreakGlass(t.Context(), e)
		require.NoError(t, err)
		require.Equal(t, approvals.Approved, r.State)
		require.Equal(t, approvals.Pending, g.Get(foreign.ID).State, "it does something else")
	})
}
