package failpoint_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/failpoint"
)

// TestNormalBuildPassesEveryPoint fails when a normal build obeys the environment: this process would be killed.
func TestNormalBuildPassesEveryPoint(t *testing.T) {
	if failpoint.Enabled {
		t.Skip("built with the tag failpoints")
	}
	for _, name := range failpoint.Names() {
		t.Setenv("MDE_FAILPOINT", name)
		failpoint.Hit(name)
	}
	require.Len(t, failpoint.Names(), 17)
}
