package azpipe

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"
)

// deadAuthority answers after 10 s: with a failure until it is repaired.
type deadAuthority struct {
	asked    atomic.Int32
	repaired atomic.Bool
}

func (d *deadAuthority) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	d.asked.Add(1)
	select {
	case <-time.After(10 * time.Second):
	case <-ctx.Done():
		return azcore.AccessToken{}, ctx.Err()
	}
	if d.repaired.Load() {
		return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(time.Hour)}, nil
	}
	return azcore.AccessToken{}, errors.New("the authority does not answer")
}

func TestThoseWhoWaitForATokenShareItsFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cred := newService(t, func(_ int, _ http.ResponseWriter, _ *http.Request) {}), &deadAuthority{}
		pipe := s.pipe(t, func(o *Options) { o.Credential = cred })
		var all sync.WaitGroup
		start := time.Now()
		for range 20 {
			all.Go(func() {
				_, _, err := send(t.Context(), t, pipe, "POST", Operation{})
				var failed *TokenError
				if !errors.As(err, &failed) || !NotSent(err) {
					t.Errorf("%v", err)
				}
			})
		}
		all.Wait()
		require.Equal(t, 10*time.Second, time.Since(start), "the last one waited no longer than the first")
		require.EqualValues(t, 1, cred.asked.Load())

		time.Sleep(time.Second)
		cred.repaired.Store(true)
		_, _, err := send(t.Context(), t, pipe, "POST", Operation{})
		require.NoError(t, err, "a failure is not kept")
		require.EqualValues(t, 2, cred.asked.Load())
		require.Equal(t, 1, s.sends())
	})
}

func TestWhoGivesUpWaitingForATokenFailsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, cred := newService(t, func(_ int, _ http.ResponseWriter, _ *http.Request) {}), &deadAuthority{}
		cred.repaired.Store(true)
		pipe := s.pipe(t, func(o *Options) { o.Credential = cred })
		first, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, _, err := send(first, t, pipe, "GET", Operation{}); !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait()
		all.Go(func() {
			if _, _, err := send(t.Context(), t, pipe, "GET", Operation{}); err != nil {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait()
		cancel()
		all.Wait()
		require.Equal(t, 1, s.sends())
	})
}
