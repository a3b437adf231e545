package tools

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus"
)

func TestALargeReportIsDecodedAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDecodes()
		small := make([]func(), 8)
		for i := range small { // as many usual ones as are under way
			leave, err := d.enter(t.Context(), 5<<20)
			require.NoError(t, err)
			small[i] = leave
		}
		entered := 0
		for range 2 {
			go func() {
				leave, err := d.enter(t.Context(), 50<<20)
				if err == nil {
					entered++
					<-t.Context().Done()
					leave()
				}
			}()
		}
		synctest.Wait()
		require.Zero(t, entered, "while usual ones are decoded")
		for _, leave := range small {
			leave()
		}
		synctest.Wait()
		require.Equal(t, 1, entered, "and then one of the two")
		cut, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := d.enter(cut, 50<<20)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestWhatIsMoreThanThereIsRoomForIsDecodedAloneAllTheSame(t *testing.T) {
	t.Parallel()
	d := newDecodes()
	leave, err := d.enter(t.Context(), 4<<30)
	require.NoError(t, err)
	leave()
}

func TestANodeHasOneNameInTheEvidence(t *testing.T) {
	t.Parallel()
	const id = "/subscriptions/123e4567-e89b-12d3-a456-426655440000/resourceGroups/rg/providers/Microsoft.NetworkCloud/bareMetalMachines/rack1"
	one, err := nexus.ParseID(id)
	require.NoError(t, err)
	other, err := nexus.ParseID(strings.ToUpper(id))
	require.NoError(t, err)
	require.Equal(t, nexusDeviceID(one), nexusDeviceID(other))
	one.Name = "rack2"
	require.NotEqual(t, nexusDeviceID(one), nexusDeviceID(other))
	require.Regexp(t, "^nexus-[0-9a-f]{32}$", nexusDeviceID(one))
	require.Equal(t, "105b0d26-C6D8", reportActionID("EASTUS/105b0d26*C6D8"))
}
