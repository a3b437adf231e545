package mdecore_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// FuzzFilter builds filters of outside values and reads them with the simulator's parser: whatever is not refused must
// mean what the builders' names say.
func FuzzFilter(f *testing.F) {
	f.Add("o'brien", "o", "text", int64(-1), int64(1_700_000_000))
	f.Add("' or text ne '", "''", "text", int64(1)<<62, int64(0))
	f.Add("a) or (b", " and ", "text eq 'x' or text", int64(0), int64(-62_000_000_000))
	f.Add("x\x00\xff", "é%27+&", "not", int64(7), int64(253_402_300_800))
	f.Fuzz(func(t *testing.T, text, other, name string, number, seconds int64) {
		at := time.Unix(seconds, number&0xffff*100)
		row := map[string]any{"text": text, "number": number, "time": at, name: text}
		is, starts, later := mdecore.Eq("text", other), mdecore.StartsWith("text", other), mdecore.Gt("time", at.Add(-time.Hour))
		for _, tc := range []struct {
			filter mdecore.Filter
			want   bool
		}{
			{mdecore.Eq("text", text), true},
			{mdecore.Ne("text", text), false},
			{is, text == other},
			{starts, strings.HasPrefix(text, other)},
			{mdecore.Le("number", number), true},
			{mdecore.Lt("number", number), false},
			{mdecore.Ge("time", at), true},
			{later, true},
			{mdecore.Not(is), text != other},
			{mdecore.In("text", other, text), true},
			{mdecore.And(mdecore.Or(is, mdecore.Eq("number", number)), mdecore.Not(starts)), !strings.HasPrefix(text, other)},
			{mdecore.Or(mdecore.And(is, mdecore.Lt("number", number)), later), true},
			{mdecore.Not(mdecore.Or(mdecore.Not(mdecore.And(is, later)), mdecore.Ne("text", text))), text == other},
		} {
			means(t, tc.filter, row, tc.want)
		}
		if named := mdecore.Eq(name, text); name != "number" && name != "time" && name != "startswith" && !strings.HasSuffix(name, "/any") {
			means(t, named, row, true)
		}
		if raw := mdecore.Raw(text); raw != "" && raw.Check() == nil {
			// Combining keeps a foreign expression in one piece, valid or not.
			if _, err := mdesim.MatchFilter(string(raw), row); err == nil {
				means(t, mdecore.And(raw, mdecore.Lt("number", number)), row, false)
			}
		}
	})
}

// means reads a filter as the service would get it, unless it is refused.
func means(t *testing.T, f mdecore.Filter, row map[string]any, want bool) {
	t.Helper()
	if f.Check() != nil {
		return
	}
	query, err := url.ParseQuery(strings.ReplaceAll(url.Values{"$filter": {string(f)}}.Encode(), "+", "%20"))
	require.NoError(t, err)
	got, err := mdesim.MatchFilter(query.Get("$filter"), row)
	if err != nil {
		require.ErrorContains(t, err, "longer than")
		return
	}
	require.Equal(t, want, got, "%q over %v", f, row)
}
