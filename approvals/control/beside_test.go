package control_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
)

// underWay is a submission of another process that has looked and inserted, and not yet committed.
func underWay(t *testing.T, l *lab.Lab, r approvals.Request) (commit func()) {
	t.Helper()
	db := storetest.Open(t, l.URL, store.Options{Clock: l.Clock.Now})
	inserted, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- db.InTx(ctx(), func(tx *store.Tx) error {
			err := errors.Join(tx.LockSubmissions(ctx()),
				tx.Insert(ctx(), r, approvals.Event{Type: approvals.EventSubmitted, Actor: r.Requester.ID}))
			close(inserted)
			<-end
			return err
		})
	}()
	<-inserted
	return func() {
		close(end)
		require.NoError(t, <-done)
	}
}

func TestAStopFindsTheSubmissionThatWasUnderWay(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := storetest.Pending(t, "AAAA0001", 1)
		commit := underWay(t, l, r)
		pressed := make(chan error, 1)
		go func() { pressed <- face(l).Stop(ctx(), order("all")) }()
		select {
		case err := <-pressed:
			commit()
			require.Fail(t, "the press did not wait for the submission", "%v", err)
		case <-time.After(100 * time.Millisecond): // only gives a press that does not wait the time to show it
		}
		commit()
		require.NoError(t, <-pressed)
		require.Equal(t, approvals.Cancelled, l.Get(r.ID).State)
		l.Verified()
	})
}
