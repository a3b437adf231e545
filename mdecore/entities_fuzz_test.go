package mdecore

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzEntityKeys: whatever is accepted as the key of an entity stays one segment of the path and comes out as it went in.
func FuzzEntityKeys(f *testing.F) {
	for _, seed := range []string{
		"example.com", "xn--bcher-kva.example", "a..b", "../x", "a%2fb", "user 1", "o'brien", "jörg", "a#b", "a?b", `d\u`, "u@d", ".", "", "10.0.0.1",
		"0991a395da64e1c5fbe8732ed11e6be064081d9f", "-a", "a-", "a.b.", "\xff", "user\u202e1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		for _, a := range []arg{domainArg(key), accountArg(key), fileHashArg(key), fileSHA1Arg(key)} {
			if a.invalid != nil {
				require.Less(t, len(a.invalid.Error()), 1000, "a huge argument must not fill the log")
				continue
			}
			u, err := url.Parse(call{args: args{a}}.address("https://host", "/api/x/{key}/alerts"))
			require.NoError(t, err)
			segments := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
			require.Len(t, segments, 4)
			back, err := url.PathUnescape(segments[2])
			require.NoError(t, err)
			require.Equal(t, key, back)
			require.Empty(t, u.RawQuery+u.Fragment)
			require.NotContains(t, key, "..")
		}
	})
}
