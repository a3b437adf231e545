package manifest_test

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/manifest"
)

// What an administrator reads about scopes before installing the app is what the app asks for: every one, and no others.
func TestThePageExplainsEveryScope(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/slack.md")
	require.NoError(t, err)
	var want []string
	for _, list := range [][]manifest.Scope{manifest.Scopes(), manifest.Looks(), manifest.AppScopes(), manifest.Events()} {
		for _, s := range list {
			want = append(want, fmt.Sprintf("| `%s` | %s | %s |", s.Name, s.Why, s.Lost))
		}
	}
	section := regexp.MustCompile(`(?s)\n## 1\. The app\n(.*?)\n## 2\.`).FindSubmatch(page)
	require.NotNil(t, section)
	var have []string
	for _, row := range regexp.MustCompile("(?m)^\\| `.*$").FindAll(section[1], -1) {
		have = append(have, string(row))
	}
	require.Equal(t, want, have)
	for _, path := range []string{manifest.PathCommands, manifest.PathInteractions, manifest.PathOptions, manifest.PathEvents} {
		require.Contains(t, string(page), "`https://mde.example.com"+path+"`")
	}
}
