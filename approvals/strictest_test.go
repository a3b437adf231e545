package approvals_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
)

// TestAWaveThatWaitsForTheEndIsTheStricterOne joins waves of which one goes on after a while and one only after the end.
func TestAWaveThatWaitsForTheEndIsTheStricterOne(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ a, b, want approvals.Wave }{
		"until it ended and a while": {
			approvals.Wave{Width: 5, StopOver: 20}, approvals.Wave{Width: 3, StopOver: 30, Wait: time.Hour}, approvals.Wave{Width: 3, StopOver: 20},
		},
		"the longer while": {
			approvals.Wave{Width: 5, StopOver: 20, Wait: time.Minute},
			approvals.Wave{Width: 9, StopOver: 20, Wait: time.Hour},
			approvals.Wave{Width: 5, StopOver: 20, Wait: time.Hour},
		},
		"both until they ended": {approvals.Wave{Width: 5}, approvals.Wave{Width: 6}, approvals.Wave{Width: 5}},
		"no waves and a while":  {approvals.Wave{}, approvals.Wave{Width: 6, Wait: time.Hour}, approvals.Wave{Width: 6, Wait: time.Hour}},
	} {
		for _, pair := range [][2]approvals.Wave{{c.a, c.b}, {c.b, c.a}} {
			answers := []approvals.Decision{
				{Outcome: approvals.Allow, Terms: approvals.Terms{Wave: pair[0]}}, {Outcome: approvals.Allow, Terms: approvals.Terms{Wave: pair[1]}},
			}
			require.Equal(t, c.want, approvals.Strictest(answers).Terms.Wave, name)
		}
	}
}
