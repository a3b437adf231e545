package blockkit

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"host01":                     "host01",
		"naïve 日本 Ünïcode 👍":         "naïve 日本 Ünïcode 👍",
		"a\u202eb\u2066c":            "a\uFFFDb\uFFFDc",
		"host\u200b01\ufeff":         "host\uFFFD01\uFFFD",
		"two\nlines\r\nthree\u2028x": "two⏎lines⏎three⏎x",
		"tab\tnbsp\u00a0bell\a":      "tab nbsp bell\uFFFD",
		"bad\xffbyte":                "bad\uFFFDbyte",
		"filler\u3164\u2800\u115f":   "filler\uFFFD\uFFFD\uFFFD",
		"tags\U000E0041\U0000FE0F":   "tags\uFFFD\uFFFD",
		"z\u0301\u0301\u0301\u0301":  "z\u0301\u0301\u0301\uFFFD",
	} {
		require.Equal(t, want, Clean(in), "%q", in)
	}
	require.Equal(t, "a\nb\uFFFD", cleanLines("a\r\nb\x00"))
}

func TestCutNeverSplitsAnEntity(t *testing.T) {
	t.Parallel()
	text := Escape("<<<<&&&&>>>>plain")
	for limit := 1; limit <= utf8.RuneCountInString(text)+1; limit++ {
		out, lost := Cut(text, limit)
		require.LessOrEqual(t, utf8.RuneCountInString(out), limit)
		require.Equal(t, limit < utf8.RuneCountInString(text), lost)
		rest := strings.NewReplacer("&lt;", "", "&gt;", "", "&amp;", "").Replace(out)
		require.NotContains(t, rest, "&", "limit %d: %q", limit, out)
	}
}

func TestChunksLoseNothing(t *testing.T) {
	t.Parallel()
	in := strings.Repeat("<a&b>\nü ", 500)
	pieces := Chunks(in, 100)
	require.Equal(t, Escape(cleanLines(in)), strings.Join(pieces, ""))
	for _, p := range pieces {
		require.LessOrEqual(t, utf8.RuneCountInString(p), 100)
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{
		"<!channel>", "<@U123>", "<https://evil.example|x>", "https://evil.example", "&lt;!here&gt;", "mailto:a@b.c", "HTTP://x", "\u202e\u200b", "a&", "hthttps://tps://x",
	} {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = min(max(limit, 1), 3000)
		obj, _ := Plain(s, limit)
		require.LessOrEqual(t, utf8.RuneCountInString(obj.Text), max(limit, 1))
		require.False(t, slacksim.FiresMention(obj.Text))
		require.NotContains(t, obj.Text, "<")
		require.True(t, utf8.ValidString(obj.Text))
		for _, r := range obj.Text {
			require.False(t, r != replacement && invisible(r), "%U", r)
			require.NotEqual(t, '\n', r)
		}
		note := notification(s)
		require.False(t, slacksim.FiresMention(note), note)
		require.False(t, slacksim.FiresLink(note), note)
		require.Equal(t, Escape(cleanLines(s)), strings.Join(Chunks(s, limit+5), ""))
	})
}
