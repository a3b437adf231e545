package manifest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/interop/npm"
)

// Slack's schema has expressions that Go can't read. Here it is judged by who can.
func TestOthersFindNothingWrongWithTheManifest(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("MDE_SLACK_MANIFEST_DIR")
	if dir == "" {
		t.Skip("set MDE_SLACK_MANIFEST_DIR to the folder with Slack's manifest schemas to have ajv check the manifest against them")
	}
	guest := npm.Start(t, "slack.mjs")
	files, err := filepath.Glob(filepath.Join(dir, "manifest.schema.*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	wrong := func(file string, value any) []string {
		var answer struct{ Wrong []string }
		guest.Ask(t, map[string]any{"do": "schema", "file": file, "value": value}, &answer)
		return answer.Wrong
	}
	for _, file := range files {
		for name, o := range kinds() {
			have, raw := tree(t, o)
			require.Empty(t, wrong(file, have), "%s by %s", name, filepath.Base(file))
			for what, change := range map[string][2]string{
				"/display_information/name": {`"name":"`, `"name":"` + strings.Repeat("x", 36)}, "/slash_commands": {`"command":"/`, `"command":"`},
			} {
				found := wrong(file, json.RawMessage(strings.Replace(string(raw), change[0], change[1], 1)))
				require.NotEmpty(t, found, "%s by %s: a schema that takes this checks nothing", what, filepath.Base(file))
			}
		}
	}
}

// Slack's client has a type for it too.
func TestOthersTypesTakeTheManifest(t *testing.T) {
	t.Parallel()
	source := "import type { Manifest } from '@slack/web-api/dist/types/request/manifest';\n"
	for name, o := range kinds() {
		_, raw := tree(t, o)
		source += "export const " + strings.ReplaceAll(name, " ", "_") + ": Manifest = " + string(raw) + ";\n"
	}
	require.Empty(t, npm.TypeCheck(t, source))
	require.NotEmpty(t, npm.TypeCheck(t, strings.Replace(source, `"always_online"`, `"often_online"`, 1)))
	require.NotEmpty(t, npm.TypeCheck(t, strings.Replace(source, `"app_home_opened"`, `"app_home_open"`, 1)))
}
