package mcpserver

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestTextIsShortAndSaysThatThereIsMore(t *testing.T) {
	short := "3 devices:\n- a\n- b\n- c"
	require.Equal(t, short, brief(short))
	list := brief("200 devices:" + strings.Repeat("\n- a device with a name", 200))
	require.Equal(t, "200 devices:"+strings.Repeat("\n- a device with a name", 3)+"\n(more in structuredContent)", list)
	request := brief("Request X is pending." + strings.Repeat("\nWarning: a long warning", 30) + "\nWait with get_request.")
	require.Contains(t, request, "(more in structuredContent)\nWait with get_request.")
	require.True(t, strings.HasPrefix(request, "Request X is pending.\nWarning: "))
}

func FuzzBrief(f *testing.F) {
	for _, seed := range []string{"", "\n", strings.Repeat("ä", 800), strings.Repeat("line\n", 40), strings.Repeat("x", 701) + "\n- y", "a\n" + strings.Repeat("€", 400)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := brief(s)
		require.LessOrEqual(t, len(got), shownBytes)
		require.LessOrEqual(t, strings.Count(got, "\n"), shownLines-1)
		if utf8.ValidString(s) {
			require.True(t, utf8.ValidString(got))
		}
		if len(s) <= shownBytes && strings.Count(s, "\n") < shownLines {
			require.Equal(t, s, got)
		}
	})
}
