package tools

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// librarian staffs an office whose reading credential may see the library: Defender asks for Library.Manage even for that.
func librarian(t *testing.T) *office {
	t.Helper()
	o := staffedUnder(t, sessionPolicy(t))
	o.Reader = o.Client(t, mdesim.DefaultAppID, mdesim.DefaultAppSecret)
	var err error
	o.d, err = NewDispatcher(o.options())
	require.NoError(t, err)
	return o
}
