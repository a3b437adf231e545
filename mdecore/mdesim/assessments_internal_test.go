package mdesim

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzBookmark reads anything as a $skiptoken. What is accepted can be written again, and reading on from it never
// goes wrong, wherever it points to.
func FuzzBookmark(f *testing.F) {
	for _, seed := range []string{"", "e30", bookmark{Device: 1, Row: 2}.String(), bookmark{Device: 1 << 40, Row: 1 << 40}.String(), "AAAA", "eyJ", "%"} {
		f.Add(seed)
	}
	tenant := &Tenant{Devices: 3}
	tenant.ready()
	e := inventoryExport("AssetSoftware", "SoftwareInventory", softwareRows)
	f.Fuzz(func(t *testing.T, token string) {
		mark, err := readBookmark(token)
		if err != nil {
			return
		}
		again, err := readBookmark(mark.String())
		require.NoError(t, err)
		require.Equal(t, mark, again)
		rows, next, more := e.read(tenant, exportOptions{size: 2, mark: mark})
		require.LessOrEqual(t, len(rows), 2)
		require.True(t, !more || next.Device > mark.Device || next.Row > mark.Row)
	})
}
