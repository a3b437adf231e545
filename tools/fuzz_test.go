package tools

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/nearest"
)

// FuzzArguments requires that whatever passes the checks can be read by the tool, passes them again unchanged, and that
// what is refused says why in text that is safe to show.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, ``, `[]`, `{"devices":["host01"],"reason":"x"}`, `{"devices":"host01"}`, `{"devices":[null]}`, `{"devices":["a","a"]}`,
		`{"devices":["h\u0000"]}`, `{"isolation_type":"Full","devices":["10.0.0.1"]}`, `{"devices":["x"],"Devices":["y"]}`,
		`{"limit":1e2}`, `{"dry_run":null,"devices":["host01"]}`, `{"reason":"\ud800","devices":["host01"]}`, "{\"\u202e\":1}",
	} {
		f.Add([]byte(seed))
	}
	all, err := compileAll(declarations())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, c := range all {
			args, problems := check(c.tool.Args, raw)
			if len(problems) > 0 {
				require.Nil(t, args)
				require.Error(t, problems.refusal(c.tool.Name))
				require.True(t, utf8.ValidString(problems.Error()))
				continue
			}
			again, problems := check(c.tool.Args, args)
			require.Empty(t, problems)
			require.JSONEq(t, string(args), string(again))
			if c.tool.Name == "isolate_devices" {
				in, err := decode[isolateIn](args)
				require.NoError(t, err)
				require.NotEmpty(t, in.Devices)
			}
		}
	})
}

// FuzzDeviceReference requires that whatever is understood as a reference holds nothing that could mean another thing:
// no path, no hidden or non-ASCII character, and that it is understood the same when it is given again.
func FuzzDeviceReference(f *testing.F) {
	for _, seed := range []string{
		"host01", "HOST01.contoso.com", "host01.contoso.com.", "10.1.0.1", "::1", "fe80::1%eth0", "2001:db8::5", "::ffff:10.0.0.1", "..", "a/b", "h\u043est",
		strings.Repeat("a", 40), strings.Repeat("a", 41), "11111111-2222-3333-4444-555555555555", "-x", "a..b", "1.2.3", "", " ", "\u202ea", "a b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseRef(s)
		if err != nil {
			require.True(t, utf8.ValidString(err.Error()))
			return
		}
		require.NotContains(t, r.text, "..")
		for _, c := range r.text {
			require.True(t, c < 128 && strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789.-_:", c), "%q", r.text)
		}
		again, err := parseRef(r.text)
		require.NoError(t, err)
		require.Equal(t, r, again)
	})
}

// FuzzClean requires that cleaned text hides nothing, stays in one line and within its limit.
func FuzzClean(f *testing.F) {
	for _, seed := range []string{"", "a\nb", "\u202e\u200b\x00", strings.Repeat("é", 400), "\xff\xfe", "  x  "} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := clean(s, 50)
		require.True(t, utf8.ValidString(c))
		require.LessOrEqual(t, utf8.RuneCountInString(c), 62)
		for _, r := range c {
			require.False(t, hidden(r) || r == '\n', "U+%04X", r)
		}
		require.NotContains(t, strings.Trim(quoted(s, 50), `"`), `"`)
	})
}

func TestAges(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for s, want := range map[string]time.Time{
		"24h": now.Add(-24 * time.Hour), "7d": now.Add(-7 * 24 * time.Hour), "90m": now.Add(-90 * time.Minute),
		"2026-11-21": now.Add(-34 * time.Hour), "2026-11-22T09:00:00+01:00": now.Add(-2 * time.Hour),
	} {
		got, err := parseAge(s, now)
		require.NoError(t, err, s)
		require.Equal(t, want, got, s)
	}
	for _, s := range []string{"", "h", "7", "7w", "-7d", "0d", "07d", "7d ", "99999d", "7d7d"} {
		_, err := parseAge(s, now)
		require.Error(t, err, s)
	}
}

func TestNearest(t *testing.T) {
	offered := []string{"devices", "isolation_type", "reason", "dry_run"}
	for word, want := range map[string]string{"device": "devices", "dry-run": "dry_run", "Reason": "reason", "isolationtype": "isolation_type", "xyzzy": "", "": ""} {
		got, _ := nearest.Word(word, offered)
		require.Equal(t, want, got, word)
	}
	_, err := json.Marshal(Problems{problem("a", "b")})
	require.NoError(t, err)
}
