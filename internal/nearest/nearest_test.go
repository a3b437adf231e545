package nearest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/nearest"
)

func TestWord(t *testing.T) {
	t.Parallel()
	offered := []string{"devices", "isolation_type", "reason", "dry_run", "--type"}
	for meant, want := range map[string]string{
		"device": "devices", "dry-run": "dry_run", "Reason": "reason", "isolationtype": "isolation_type", "raeson": "reason",
		"--typ": "--type", "xyzzy": "", "": "", "x": "", strings.Repeat("reason", 40): "",
	} {
		got, ok := nearest.Word(meant, offered)
		require.Equal(t, want, got, meant)
		require.Equal(t, want != "", ok, meant)
	}
	_, ok := nearest.Word("device", nil)
	require.False(t, ok)
}

// Whatever is asked, only an offered word is answered.
func FuzzWord(f *testing.F) {
	f.Add("devcies")
	f.Add("\xff-_")
	offered := []string{"devices", "reason"}
	f.Fuzz(func(t *testing.T, meant string) {
		if got, ok := nearest.Word(meant, offered); ok {
			require.Contains(t, offered, got)
		}
	})
}
