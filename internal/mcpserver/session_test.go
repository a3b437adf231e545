package mcpserver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

// TestSessions plays every session in testdata over stdio. A line "-> message" is sent, a line "<- message" must be the next
// answer: what it holds must be there, and there may be more. "~text" in it stands for any string that holds text. "$id" in
// what is sent stands for the id of what was heard last. Other lines tell the story.
func TestSessions(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		require.NoError(t, err)
		for _, session := range archive.Files {
			t.Run(filepath.Base(file)+"/"+session.Name, func(t *testing.T) { play(t, string(session.Data)) })
		}
	}
}

func play(t *testing.T, story string) {
	w := open(t)
	in, toServer := io.Pipe()
	fromServer, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- w.server.Serve(t.Context(), in, out)
		_ = out.Close()
	}()
	answers, last := bufio.NewReader(fromServer), "null"
	for line := range strings.Lines(story) {
		switch word, rest, _ := strings.Cut(strings.TrimSpace(line), " "); word {
		case "->":
			_, err := io.WriteString(toServer, strings.ReplaceAll(rest, `"$id"`, last)+"\n")
			require.NoError(t, err)
		case "<-":
			got, err := answers.ReadString('\n')
			require.NoError(t, err)
			var want, have any
			require.NoError(t, json.Unmarshal([]byte(rest), &want), rest)
			require.NoError(t, json.Unmarshal([]byte(got), &have), got)
			if m, ok := have.(map[string]any); ok {
				last = fmt.Sprint(m["id"])
			}
			require.Empty(t, lacks("", want, have), "wanted %s\ngot %s", rest, got)
		}
	}
	require.NoError(t, toServer.Close())
	require.NoError(t, <-done)
	require.Zero(t, w.Tenant.Writes(), "nothing here was approved")
}

// lacks names the first thing that is in want and not in have.
func lacks(at string, want, have any) string {
	switch want := want.(type) {
	case map[string]any:
		have, ok := have.(map[string]any)
		if !ok {
			return at + " is no object"
		}
		for key, v := range want {
			if missing := lacks(at+"."+key, v, have[key]); missing != "" {
				return missing
			}
		}
		return ""
	case []any:
		have, ok := have.([]any)
		for _, v := range want {
			if !ok || !slices.ContainsFunc(have, func(h any) bool { return lacks("", v, h) == "" }) {
				return fmt.Sprintf("%s lacks %v", at, v)
			}
		}
		return ""
	case string:
		if part, ok := strings.CutPrefix(want, "~"); ok {
			if s, ok := have.(string); ok && strings.Contains(s, part) {
				return ""
			}
		}
	}
	if want != have {
		return fmt.Sprintf("%s is %v, not %v", at, have, want)
	}
	return ""
}
