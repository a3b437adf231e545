package mdecore_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

func TestLinkShowsWhereItLeadsOnly(t *testing.T) {
	t.Parallel()
	for link, shown := range map[string]string{
		"":                                    "",
		"https://x.blob.core.windows.net/a/b": "https://x.blob.core.windows.net/a/b",
		"https://x.blob.core.windows.net/a%2Fb?sv=1&sig=hunter2": "https://x.blob.core.windows.net/a%2Fb?REDACTED",
		" https://x/a?sig=hunter2 ":                              "https://x/a?REDACTED",
		"https://hunter2:hunter2@x/a":                            "https://x/a?REDACTED",
		"https://x/a#hunter2":                                    "https://x/a?REDACTED",
		"https://x/%zz?sig=hunter2":                              "REDACTED",
		"hunter2":                                                "REDACTED",
		"mailto:hunter2":                                         "REDACTED",
	} {
		require.Equal(t, shown, mdecore.Link(link).String())
		require.Equal(t, link, mdecore.Link(link).Reveal())
	}
}

func TestLinkIsPrintedAndEncodedWithoutItsSignature(t *testing.T) {
	t.Parallel()
	link := mdecore.Link("https://x.blob.core.windows.net/a?sv=1&sig=hunter2")
	files := mdecore.ExportFiles{ExportFiles: []mdecore.Link{link}}
	var logged bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		slog.New(h).Info("got", "link", link, "files", files, "pointer", &files)
	}
	encoded, err := json.Marshal(files)
	require.NoError(t, err)
	texts := []string{logged.String(), string(encoded), errors.New(link.String()).Error()}
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%d", "%10s"} {
		texts = append(texts, fmt.Sprintf(verb, link), fmt.Sprintf(verb, files), fmt.Sprintf(verb, &files), fmt.Sprintf(verb, []any{link}))
	}
	for _, text := range texts {
		require.NotContains(t, text, "hunter2")
		require.NotContains(t, text, fmt.Sprintf("%x", "hunter2"))
	}
	require.Contains(t, texts[0], "x.blob.core.windows.net/a")
}

func FuzzLinkString(f *testing.F) {
	for _, seed := range []string{"", "https://x/a", "//x/a", "https://[::1]:8/a?b", "::", "https://x/\x7f", "a b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, before string) {
		shown := mdecore.Link(before + "?sv=1&sig=hunter2SIGNATURE").String()
		require.False(t, strings.Contains(shown, "hunter2SIGNATURE"), shown)
	})
}
