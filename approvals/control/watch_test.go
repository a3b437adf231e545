package control_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
)

// TestAStopWhoseWordsWereAlteredStillHolds rewrites a press, with the hashes left as they are, so that it seems to be about
// something else or about nothing.
func TestAStopWhoseWordsWereAlteredStillHolds(t *testing.T) {
	for name, change := range map[string]string{
		"another scope": "UPDATE audit_event SET detail = 'devices: drill' WHERE detail = 'response: drill'",
		"no press":      "UPDATE audit_event SET type = 'noted' WHERE type = 'stopped'",
	} {
		t.Run(name, func(t *testing.T) {
			lab.Each(t, func(t *testing.T, l *lab.Lab) {
				b := l.NewBoard(l.Policy)
				require.NoError(t, b.Held(ctx(), "isolate_devices"), "from here on it reads on")
				require.NoError(t, face(l).Stop(ctx(), order("response")))
				l.Write(change)
				lab.Kind(t, approvals.KindHeld, b.Held(ctx(), "isolate_devices"))
				stops, err := b.InForce(ctx())
				require.NoError(t, err)
				require.Equal(t, "all", stops[len(stops)-1].Scope)
				require.Equal(t, "gate", stops[len(stops)-1].Event.Actor, "the program pressed it itself")
				require.Contains(t, stops[len(stops)-1].Why, "was altered")
			})
		})
	}
}
