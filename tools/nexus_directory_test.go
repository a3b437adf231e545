package tools

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

func TestOneLookServesAllCallsAndOutlivesThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d directory
		found, looks := &nodesKnown{byDNS: map[string][]deviceNode{"n": {{Node: "n"}}}}, 0
		look := func(ctx context.Context) (*nodesKnown, error) {
			looks++
			select {
			case <-time.After(10 * time.Second):
				return found, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		ask := func(wait time.Duration) *nodesKnown {
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			return d.nodes(ctx, time.Now, look)
		}
		began := time.Now()
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() { require.Nil(t, ask(directoryWait)) })
		}
		calls.Wait()
		require.Equal(t, directoryWait, time.Since(began), "nobody waits for another's wait")
		require.Same(t, found, ask(time.Hour), "the look that the first began")
		require.Equal(t, 10*time.Second, time.Since(began))
		time.Sleep(directoryLife - time.Second)
		require.Same(t, found, ask(0))
		require.Equal(t, 1, looks)
		time.Sleep(2 * time.Second)
		require.Same(t, found, ask(time.Hour))
		require.Equal(t, 2, looks)
	})
}

func TestALookThatFailsIsNotRepeatedAtOnceAndForgetsWhatWasKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var d directory
		var fault error
		looks := 0
		look := func(ctx context.Context) (*nodesKnown, error) {
			looks++
			if fault != nil {
				<-ctx.Done() // as long as it may
			}
			return &nodesKnown{}, fault
		}
		ask := func() *nodesKnown { return d.nodes(t.Context(), time.Now, look) }
		require.NotNil(t, ask())
		time.Sleep(directoryLife)
		fault = errors.New("no answer")
		began := time.Now()
		require.Nil(t, ask(), "what was known is too old")
		require.Equal(t, directoryLook, time.Since(began))
		time.Sleep(directoryRest - time.Second)
		require.Nil(t, ask())
		require.Equal(t, 2, looks)
		fault = nil
		time.Sleep(time.Second)
		require.NotNil(t, ask())
	})
}

func TestADeviceIsOneNodeOrNone(t *testing.T) {
	t.Parallel()
	k := nodesKnown{
		byEDR: map[string][]deviceNode{"aa": {{Node: "a"}}, "bb": {{Node: "b1"}, {Node: "b2"}}},
		byDNS: map[string][]deviceNode{"a": {{Node: "other"}}, "twin": {{Node: "t1"}, {Node: "t2"}}, "b": {{Node: "b3"}}},
	}
	of := func(id, name string) string {
		if n := k.of(&mdecore.Machine{ID: id, ComputerDNSName: name}); n != nil {
			return n.Node
		}
		return "none"
	}
	require.Equal(t, "a", of("AA", "a"), "what the agent states counts more than a name")
	require.Equal(t, "none", of("BB", "b"), "two agents state it")
	require.Equal(t, "other", of("cc", "A"))
	require.Equal(t, "none", of("cc", "twin"))
	require.Equal(t, "none", of("cc", "a.contoso.com"))
	require.Equal(t, "none", of("cc", ""))
}
