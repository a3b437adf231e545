package mcpserver

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// FuzzInput requires that every byte of a client's input comes through unchanged, however it is cut, but for a line end
// that is missing at the very end, and that what is noted as open can be settled.
func FuzzInput(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "x", "{\"id\":1,\"method\":\"a\"}\n{\"id\":1,\"method\":\"a\"}", "{\"id\":null}\n\n{\"id\":[1]}", "{\"id\":1.0,\"method\":\"a\"}", "{\"id\":1e999,\"method\":\"a\"}",
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
		for request := range l.open {
			l.end(request)
		}
		<-l.wait()
	})
}

// The end of the input is held back while a request is open, for a minute at most. However its id is spelt, its answer
// must be known for what it is, or a script that pipes its calls in hangs that long after the last answer.
func TestTheEndOfInputIsHeldBackForAnswersOnly(t *testing.T) {
	w := open(t)
	for _, c := range []struct {
		line    string
		answers int
	}{
		{`{"jsonrpc":"2.0","id":1.0,"method":"ping"}`, 1},
		{`{"jsonrpc":"2.0","id": 1e2,"method":"ping"}`, 1},
		{`{"jsonrpc":"2.0","id":-0,"method":"ping"}`, 1},
		{`{"jsonrpc":"2.0","id":0.1,"method":"ping"}`, 1},
		{`{"jsonrpc":"2.0","id":1e22,"method":"ping"}`, 1},
		{`{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}`, 1},
		{`{"jsonrpc":"2.0","id":"\u0061","method":"ping"}`, 1},
		{`{"jsonrpc":"2.0","id":"<\u2028>","method":"ping"}`, 1},
		{`{"jsonrpc":"2.0","id":{"b":1,"a":2},"method":"ping"}`, 1},
		{`{"jsonrpc":"2.0","id":true,"method":"ping"}`, 1},
		{`{"jsonrpc":"1.0","id":3,"method":"ping"}`, 1},
		{`{"jsonrpc":"2.0","id":4,"method":"nope"}`, 1},
		{`{"jsonrpc":"2.0","id":5,"method":"tools/call","params":[]}`, 1},
		{`{"jsonrpc":"2.0","id":6,"method":"ping","result":{}}`, 0},
		{`{"jsonrpc":"2.0","id":6,"method":"ping","result":null}`, 1},
		{`{"jsonrpc":"2.0","id":6,"result":{}}`, 0},
		{`[{"jsonrpc":"2.0","id":7,"method":"ping"}]`, 1},
		{`[[[[`, 1},
		{`null`, 1},
	} {
		t.Run(c.line, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), drain/2)
			defer cancel()
			var out bytes.Buffer
			require.NoError(t, w.server.Serve(ctx, strings.NewReader(c.line+"\n"), &out))
			require.NoError(t, ctx.Err(), "the end was held back for an answer that came, or never comes")
			require.Equal(t, c.answers, bytes.Count(out.Bytes(), []byte("\n")), out.String())
		})
	}
}

// What a client cancels gets no answer, in whichever spelling it names it.
func TestACancelledRequestIsNotWaitedFor(t *testing.T) {
	l := newLedger()
	r := &openReader{ledger: l}
	r.note([]byte(`{"jsonrpc":"2.0","id":"a","method":"tools/call"}`))
	r.note([]byte(`{"jsonrpc":"2.0","id":100,"method":"tools/call"}`))
	require.Len(t, l.open, 2)
	r.note([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"\u0061"}}`))
	r.note([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1e2}}`))
	for _, odd := range []string{`[]`, `{}`, `{"requestId":null}`, `"x"`, `null`} {
		r.note([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":` + odd + `}`))
	}
	require.Empty(t, l.open)
	<-l.wait()
}
