package store

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
)

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{
		"", "sqlite:mde.db", "sqlite:///var/lib/mde.db", "/var/lib/mde.db", "mde.db", "postgres://u:p@h:5432/d", "postgresql://h/d",
		"mysql://u:s3cret@h/d", "://", "sqlite::memory:", "a?b", "a\x00b", "sqlite://", "sqlite:/", "C:\\mde.db", "file:x#y%41",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseURL(s)
		switch {
		case err != nil:
			require.Equal(t, approvals.KindStore, approvals.KindOf(err))
			require.Less(t, len(err.Error()), 2000)
		case p.postgres:
			require.Equal(t, strings.TrimSpace(s), p.text)
		default:
			require.True(t, filepath.IsAbs(p.text))
			u, err := url.Parse(sqliteDSN(p.text, url.Values{"_txlock": {"immediate"}}))
			require.NoError(t, err)
			require.Equal(t, p.text, u.Path, "the path comes through as it is")
			require.Equal(t, "_txlock=immediate", u.RawQuery, "and can't add an option")
		}
	})
}

func FuzzPlain(f *testing.F) {
	for _, s := range []string{"", "a\x00b", "\xff\xfe", "é", "�", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p := plain(s)
		require.True(t, utf8.ValidString(p))
		require.NotContains(t, p, "\x00")
		require.Equal(t, p, plain(p))
		if utf8.ValidString(s) && !strings.Contains(s, "\x00") {
			require.Equal(t, s, p)
		}
	})
}
