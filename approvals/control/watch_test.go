package control_test

import (
	"strings"
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
				var pressed []string
				for _, s := range stops {
					if s.Event.Actor == "gate" && strings.Contains(s.Why, "was altered") {
						pressed = append(pressed, s.Scope)
					}
				}
				require.Equal(t, []string{"all", "restore"}, pressed, "the program pressed it itself")
			})
		})
	}
}

// TestAProcessThatStartsFindsTheGapInWhatIsOpen removes rows while nobody looks; a process that starts later reads on from where
// the oldest open request was made, and once people have dealt with it the next one doesn't stop again.
func TestAProcessThatStartsFindsTheGapInWhatIsOpen(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		open := l.Submit(lab.Plan("isolate_devices", 1))
		require.NoError(t, l.NewBoard(l.Policy).Held(ctx(), "isolate_devices"))
		l.Approve(open.ID, "bob")
		l.Work(open.ID)
		require.Equal(t, approvals.Running, l.Get(open.ID).State, "what runs is held and not cancelled, so that it stays open")
		l.Write("DELETE FROM audit_event WHERE request_id = $1 AND type = 'vote'", open.ID)
		lab.Kind(t, approvals.KindHeld, l.NewBoard(l.Policy).Held(ctx(), "isolate_devices"))
		pressed := len(l.Said("", approvals.EventStopped))
		require.Equal(t, 2, pressed)
		lab.Kind(t, approvals.KindHeld, l.NewBoard(l.Policy).Held(ctx(), "isolate_devices"))
		require.Len(t, l.Said("", approvals.EventStopped), pressed, "said once")
	})
}
