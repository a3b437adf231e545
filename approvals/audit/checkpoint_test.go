package audit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals/audit"
)

func sample(restored bool) audit.Checkpoint {
	c := audit.Checkpoint{
		Origin: "tenant", Number: 7, Rows: 120, Head: strings.Repeat("ab", 32), At: time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC),
		Previous: strings.Repeat("cd", 32),
	}
	if restored {
		c.Restored, c.Since = true, 90
	}
	return c
}

func TestACheckpointHasOneSpelling(t *testing.T) {
	t.Parallel()
	for _, restored := range []bool{false, true} {
		want := sample(restored)
		have, err := audit.Parse(want.Text())
		require.NoError(t, err)
		require.Equal(t, want, have)
	}
	good := sample(true).Text()
	for _, change := range [][2]string{
		{"checkpoint 1", "checkpoint 2"},
		{"number 7", "number 07"},
		{"number 7", "number 0"},
		{"rows 120", "rows -1"},
		{"rows 120", "rows 0"},
		{"abab", "ABAB"},
		{"abab", "xxxx"},
		{"abab", "ab"},
		{".005Z", "Z"},
		{"restored-to 90", "restored-to 121"},
		{"restored-to 90", "restored-to -1"},
		{"restored-to 90\n", "restored-to 90\nmore x\n"},
		{"origin tenant", "origin"},
		{"\nrows", "\nrow"},
		{"90\n", "90"},
	} {
		_, err := audit.Parse(strings.Replace(good, change[0], change[1], 1))
		require.Error(t, err, "%q", change)
	}
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add(sample(false).Text())
	f.Add(sample(true).Text())
	f.Add("mde-ops audit checkpoint 1\norigin x\nnumber 1\nrows 1\nhead none\ntime 2026\nprevious none\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := audit.Parse(text)
		if err == nil {
			require.Equal(t, text, c.Text())
		}
	})
}
