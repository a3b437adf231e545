package evidence_test

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/evidence"
)

func TestNamesOfDevicesAreMadeHarmless(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"package.zip": "package.zip", "../../etc/passwd": "passwd", `C:\Users\x\evil.exe`: "evil.exe", "..": "evidence", "": "evidence",
		"a\x00b\nc.txt": "abc.txt", "CON": "_CON", "com1.txt": "_com1.txt", "lpt¹": "_lpt¹", "common.txt": "common.txt", "nul .txt": "_nul .txt",
		"gpj.\u202eexe": "gpj.exe", "a\u200bb": "ab", "-rf": "_-rf", "~root": "_~root", "name. . .": "name", "a:b|c*": "a_b_c_",
		"https://x.blob.core.windows.net/c/p.zip?sv=1&sig=SECRET": "p.zip", "p.zip?se=1&SIG=SECRET": "p.zip", "what?.txt": "what_.txt",
		"a\u2215b": "a_b", "Übung.txt": "Übung.txt", "dir/": "dir", "\xff\xfe": "_", "$(id)`x`": "_(id)_x_",
		strings.Repeat("x", 300) + ".evtx": strings.Repeat("x", 115) + ".evtx",
	} {
		require.Equal(t, want, evidence.SafeName(name), "%q", name)
	}
}

func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"a.txt", "../..", "con", "com1", "\u202e", strings.Repeat("é.", 200), "x?sig=1", "-", ". .", "aux. ", "_" + strings.Repeat("-", 130)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := evidence.SafeName(s)
		require.Equal(t, got, evidence.SafeName(got), "what is safe stays as it is")
		require.True(t, utf8.ValidString(got))
		require.NotEmpty(t, got)
		require.LessOrEqual(t, len(got), 120)
		require.Equal(t, got, filepath.Base(got))
		require.False(t, strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }))
		require.NotContains(t, strings.ToLower(got), "?sig=")
		require.NotContains(t, ".-~", got[:1])
	})
}
