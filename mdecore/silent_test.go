package mdecore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// A proxy that asks people to sign in answers everything with 200 and a page. A method that wants no answer must not take
// that for the service's.
func TestAPageOfAProxyIsNoSuccess(t *testing.T) {
	t.Parallel()
	page := newService(t, answer(200, "<html>please sign in</html>", "Content-Type", "text/html"))
	cut := newService(t, answer(200, `{"value":`))
	good := newService(t, answer(200, " \r\n"))
	tried := 0
	for name, op := range operations(t) {
		if !op.silent {
			continue
		}
		tried++
		for _, s := range []*service{page, cut} {
			err := op.good(t.Context(), s.clientOf(t))
			require.True(t, mdecore.Uncertain(err), "%s: %v", name, err)
			require.ErrorContains(t, err, "not the service's", name)
		}
		require.NoError(t, op.good(t.Context(), good.clientOf(t)), name)
	}
	require.Equal(t, 5, tried)
	require.Len(t, page.received(), tried, "each was sent once")
}
