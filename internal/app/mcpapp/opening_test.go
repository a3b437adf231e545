package mcpapp

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
)

// A database that is away when the server starts must not keep it useless for ever.
func TestAStoreThatWasAwayIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int32
		p := &Opening{open: func() (*App, error) {
			if tries.Add(1) == 1 {
				return nil, approvals.Refuse(approvals.KindStore, nil, "the database is locked")
			}
			return nil, errors.New("the policy is gone")
		}}
		_, err := p.Wait(t.Context())
		require.ErrorContains(t, err, "locked")
		_, err = p.Wait(t.Context())
		require.ErrorContains(t, err, "locked")
		require.Equal(t, int32(1), tries.Load(), "not at every call")
		time.Sleep(2 * tryAgain)
		_, err = p.Wait(t.Context())
		require.ErrorContains(t, err, "policy")
		time.Sleep(2 * tryAgain)
		_, err = p.Wait(t.Context())
		require.ErrorContains(t, err, "policy")
		require.Equal(t, int32(2), tries.Load(), "only a store is tried again")
		p.Close()
	})
}

func TestAnOpeningThatNobodyNeededEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := &Opening{open: func() (*App, error) { return nil, errors.New("opened") }}
	p.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.Wait(ended)
	require.ErrorIs(t, err, context.Canceled)
}
