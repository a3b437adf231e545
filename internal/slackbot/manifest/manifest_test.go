package manifest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/manifest"
)

// kinds are the ways to run the app.
func kinds() map[string]manifest.Options {
	return map[string]manifest.Options{
		"socket": {}, "looks": {Looks: true}, "rotating": {Rotate: true},
		"http": {HTTP: "https://mde.example.com"}, "http below a path": {HTTP: "https://example.com/mde/", Rotate: true},
	}
}

// tree is a manifest as JSON has it.
func tree(t *testing.T, o manifest.Options) (map[string]any, []byte) {
	t.Helper()
	text, err := manifest.YAML(o)
	require.NoError(t, err)
	var out map[string]any
	require.NoError(t, yaml.UnmarshalWithOptions([]byte(text), &out, yaml.Strict()))
	raw, err := json.Marshal(out)
	require.NoError(t, err)
	return out, raw
}

func TestTheManifestInTheRepositoryIsFresh(t *testing.T) {
	t.Parallel()
	stored, err := os.ReadFile("../../../deploy/slack-manifest.yaml")
	require.NoError(t, err)
	want, err := manifest.YAML(manifest.Options{})
	require.NoError(t, err)
	require.Equal(t, want, string(stored), "run make generate")
}

// slack-go knows every field by its name, and nothing is lost on the way through it.
func TestTheManifestIsOneOfSlackGo(t *testing.T) {
	t.Parallel()
	for name, o := range kinds() {
		have, raw := tree(t, o)
		strict := json.NewDecoder(bytes.NewReader(raw))
		strict.DisallowUnknownFields()
		var m slack.Manifest
		require.NoError(t, strict.Decode(&m), name)
		again, err := json.Marshal(m)
		require.NoError(t, err)
		var back map[string]any
		require.NoError(t, json.Unmarshal(again, &back))
		contained(t, name, jsonOf(t, have), back)
		require.Equal(t, o.HTTP == "", m.Settings.SocketModeEnabled, name)
		require.Equal(t, o.Rotate, m.Settings.TokenRotationEnabled, name)
	}
}

func jsonOf(t *testing.T, v any) any {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	var out any
	require.NoError(t, json.Unmarshal(raw, &out))
	return out
}

// contained fails unless everything in want is in have; a false that was left out is still false.
func contained(t *testing.T, at string, want, have any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		h, _ := have.(map[string]any)
		for k, v := range w {
			contained(t, at+"/"+k, v, h[k])
		}
	case []any:
		h, _ := have.([]any)
		require.Len(t, h, len(w), at)
		for i, v := range w {
			contained(t, at, v, h[i])
		}
	case bool:
		h, _ := have.(bool)
		require.Equal(t, w, h, at)
	default:
		require.Equal(t, want, have, at)
	}
}

// never is an expression that Go can't read, with a look-ahead. It fits nothing, so that what it is for would be refused.
type never string

func (n never) String() string          { return string(n) }
func (n never) MatchString(string) bool { return false }

func engine(expr string) (jsonschema.Regexp, error) {
	re, err := regexp.Compile(expr)
	if err != nil && strings.Contains(expr, "(?!") {
		return never(expr), nil
	}
	return re, err
}

// Slack's published schema, where the test is told where it is.
func TestContractTheManifestKeepsSlacksSchema(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("MDE_SLACK_MANIFEST_DIR")
	if dir == "" {
		t.Skip("set MDE_SLACK_MANIFEST_DIR to the folder with Slack's manifest schemas (manifest.schema.1.0.0.json and 2.0.0) to check the manifest against them")
	}
	files, err := filepath.Glob(filepath.Join(dir, "manifest.schema.*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		compiler := jsonschema.NewCompiler()
		compiler.UseRegexpEngine(engine)
		schema, err := compiler.Compile(file)
		require.NoError(t, err)
		for name, o := range kinds() {
			have, _ := tree(t, o)
			require.NoError(t, schema.Validate(jsonOf(t, have)), "%s by %s", name, filepath.Base(file))
			wrong := jsonOf(t, have).(map[string]any)
			wrong["display_information"].(map[string]any)["name"] = strings.Repeat("x", 36)
			require.Error(t, schema.Validate(wrong), "a schema that takes a name of 36 letters checks nothing")
		}
	}
}

// The lengths that Slack documents, the schema's or not.
func TestTheManifestKeepsEveryLength(t *testing.T) {
	t.Parallel()
	for name, o := range kinds() {
		_, raw := tree(t, o)
		var m slack.Manifest
		require.NoError(t, json.Unmarshal(raw, &m))
		short := func(what, s string, limit int) {
			require.NotEmpty(t, s, "%s %s", name, what)
			require.LessOrEqual(t, utf8.RuneCountInString(s), limit, "%s %s", name, what)
		}
		short("name", m.Display.Name, 35)
		short("description", m.Display.Description, 140)
		short("long_description", m.Display.LongDescription, 4000)
		require.GreaterOrEqual(t, utf8.RuneCountInString(m.Display.LongDescription), 174, "Slack takes no shorter one")
		short("display_name", m.Features.BotUser.DisplayName, 80)
		require.Len(t, m.Features.SlashCommands, 1)
		for _, c := range m.Features.SlashCommands {
			short("command", c.Command, 32)
			short("command description", c.Description, 2000)
			short("usage_hint", c.UsageHint, 1000)
			require.False(t, c.ShouldEscape, "what is typed is read as it was typed")
			require.Equal(t, o.HTTP != "", c.Url != "", name)
		}
		require.Len(t, m.Features.Shortcuts, 2)
		for _, s := range m.Features.Shortcuts {
			short("shortcut", s.Name, 24)
			short("shortcut description", s.Description, 150)
			short("callback_id", s.CallbackID, 255)
		}
		require.LessOrEqual(t, len(m.OAuthConfig.Scopes.Bot), 255)
		require.LessOrEqual(t, len(m.Settings.EventSubscriptions.BotEvents), 100)
		require.Equal(t, o.HTTP != "", m.Settings.Interactivity.RequestUrl != "", name)
	}
}

func TestScopesAreTheSmallestSetAndEachHasItsReason(t *testing.T) {
	t.Parallel()
	_, raw := tree(t, manifest.Options{})
	var m slack.Manifest
	require.NoError(t, json.Unmarshal(raw, &m))
	require.Equal(t, []string{"commands", "chat:write", "users:read", "users:read.email", "usergroups:read", "files:write", "im:write"}, m.OAuthConfig.Scopes.Bot)
	for _, list := range [][]manifest.Scope{manifest.Scopes(), manifest.Looks(), manifest.AppScopes(), manifest.Events()} {
		for _, s := range list {
			require.NotEmpty(t, s.Why, s.Name)
			require.NotEmpty(t, s.Lost, s.Name)
		}
	}
	for _, s := range m.OAuthConfig.Scopes.Bot {
		require.NotContains(t, []string{"channels:history", "chat:write.public", "chat:write.customize", "links:read"}, s)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	missing, superfluous := manifest.Compare(append(manifest.Names(manifest.Scopes())[1:], "channels:read", "channels:history"))
	require.Equal(t, []string{"commands"}, manifest.Names(missing))
	require.Equal(t, []string{"channels:history"}, superfluous)
}

func TestAddressesThatSlackCantPostToAreRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"http://mde.example.com", "mde.example.com", "https://", "https://u:p@mde.example.com", "https://mde.example.com?x=1", "https://mde.example.com#x"} {
		_, err := manifest.YAML(manifest.Options{HTTP: bad})
		require.ErrorContains(t, err, "https", bad)
	}
}
