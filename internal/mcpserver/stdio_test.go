package mcpserver

import (
	"bytes"
	"context"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// FuzzInput requires that every byte of a client's input comes through unchanged, however it is cut, but for a line end
// that is missing at the very end, and that what is noted as open can be settled.
func FuzzInput(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "x", "{\"id\":1,\"method\":\"a\"}\n{\"id\":1,\"method\":\"a\"}", "{\"id\":null}\n\n{\"id\":[1]}",
		"{\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}\n", "\xff\x00\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // nobody answers here
		l := newLedger()
		r := &openReader{in: iotest.HalfReader(bytes.NewReader(in)), ctx: ctx, ledger: l, limit: 1 << 20}
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		want := in
		if len(want) > 0 && want[len(want)-1] != '\n' {
			want = append(bytes.Clone(want), '\n')
		}
		require.Equal(t, string(want), string(got))
		for id := range l.open {
			l.end(id)
		}
		<-l.wait()
	})
}
