package mdecore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// TestHuntingAndFilesAgree: what hunting says of a file is what GetFile says of it.
func TestHuntingAndFilesAgree(t *testing.T) {
	t.Parallel()
	c := simulated(t, &mdesim.Tenant{}, nil)
	got, err := c.RunHuntingQuery(t.Context(), mdecore.HuntingQuery{Query: "DeviceProcessEvents | project FileName, FolderPath, SHA1, SHA256, MD5, FileSize | distinct FileName, SHA1, SHA256, FileSize"})
	require.NoError(t, err)
	n := 0
	for _, row := range got.Results {
		f, err := c.GetFile(t.Context(), row.Text("SHA1"))
		if err != nil {
			t.Errorf("%s: %v", row.Text("FileName"), err)
			continue
		}
		size, _ := row.Int("FileSize")
		if f.SHA256 != row.Text("SHA256") || int64(f.Size) != size {
			t.Errorf("%s: GetFile says %s, %d bytes; hunting says %s, %d", row.Text("FileName"), f.SHA256, f.Size, row.Text("SHA256"), size)
		}
		n++
	}
	require.NotZero(t, n)
}
