package sightings_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/sightings"
)

func TestFind(t *testing.T) {
	t.Parallel()
	sha1, sha256 := strings.Repeat("aB", 20), strings.Repeat("0f", 32)
	for text, want := range map[string][]sightings.Sighting{
		"":                               nil,
		"please look at this, thank you": nil,
		"host01 talks to 198.51.100.23":  {{Kind: sightings.Name, Value: "host01"}, {Kind: sightings.IP, Value: "198.51.100.23"}},
		"10.0.0.5:443, [::1] and fe80::1": {
			{Kind: sightings.IP, Value: "10.0.0.5", Private: true}, {Kind: sightings.IP, Value: "::1", Private: true}, {Kind: sightings.IP, Value: "fe80::1", Private: true},
		},
		"hxxps://evil[.]example[.]com/a?b=c": {{Kind: sightings.URL, Value: "https://evil.example.com/a?b=c"}},
		"<http://evil.example.com|click me>": {{Kind: sightings.URL, Value: "http://evil.example.com"}},
		"<mailto:fred@contoso.com|fred@contoso.com> evil(.)example.com.": {
			{Kind: sightings.Account, Value: "fred@contoso.com"}, {Kind: sightings.Domain, Value: "evil.example.com"},
		},
		sha1 + " `" + sha256 + "`":              {{Kind: sightings.SHA1, Value: sha1}, {Kind: sightings.SHA256, Value: sha256}},
		"request K7Q2M4XT about finance-laptop": {{Kind: sightings.Request, Value: "K7Q2M4XT"}, {Kind: sightings.Name, Value: "finance-laptop"}},
		"host01 HOST01 host01":                  {{Kind: sightings.Name, Value: "host01"}},
		"da637308392288907382_-880718168":       {{Kind: sightings.Alert, Value: "da637308392288907382_-880718168"}},
		"CAPITALS PASSWORD 12345678":            nil,
	} {
		require.Equal(t, want, sightings.Find(text), text)
	}
	require.Len(t, sightings.Find(strings.Repeat("host", 1)+numbered(50)), sightings.Most)
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" host" + strings.Repeat("9", i+1))
	}
	return b.String()
}

func FuzzFind(f *testing.F) {
	for _, s := range []string{"host01 10.0.0.1", "hxxp://a[.]b", "<@U1|x> <!channel>", "[::1]:443/24", "&lt;http://x&gt;", "\u202eabc-def1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found := sightings.Find(text)
		require.LessOrEqual(t, len(found), sightings.Most)
		seen := map[string]bool{}
		for _, s := range found {
			require.NotEmpty(t, s.Value)
			require.LessOrEqual(t, len(s.Value), 2000)
			require.False(t, seen[strings.ToLower(s.Value)])
			seen[strings.ToLower(s.Value)] = true
		}
	})
}
