package manifest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/manifest"
)

// exported is an app's manifest as Slack exports it, changed as a test says.
func exported(t *testing.T, o manifest.Options, change func(map[string]any)) json.RawMessage {
	t.Helper()
	m, _ := tree(t, o)
	made := jsonOf(t, m).(map[string]any)
	if change != nil {
		change(made)
	}
	raw, err := json.Marshal(made)
	require.NoError(t, err)
	return raw
}

// at is the object at a place in a manifest.
func at(m map[string]any, keys ...string) map[string]any {
	for _, k := range keys {
		m = m[k].(map[string]any)
	}
	return m
}

func TestAnAppMadeOfTheManifestIsAsItsManifest(t *testing.T) {
	t.Parallel()
	for name, o := range kinds() {
		got, err := manifest.Installed{Manifest: exported(t, o, nil), OverHTTP: o.HTTP != "", Rotates: o.Rotate}.Compare()
		require.NoError(t, err, name)
		require.Empty(t, got.Differences, name)
		require.Equal(t, strings.TrimSuffix(o.HTTP, "/"), got.Base, name)
	}
}

func TestWhatTheOrganizationMayChoose(t *testing.T) {
	t.Parallel()
	got, err := manifest.Installed{Manifest: exported(t, manifest.Options{}, func(m map[string]any) {
		m["_metadata"] = map[string]any{"major_version": 2}
		at(m, "display_information")["name"] = "Defender"
		at(m, "features", "bot_user")["display_name"] = "defender"
		at(m, "features", "bot_user")["always_online"] = false
		at(m, "features", "app_home")["messages_tab_read_only_enabled"] = false
		at(m, "features")["shortcuts"].([]any)[0].(map[string]any)["name"] = "Ask Defender"
		at(m, "settings")["allowed_ip_address_ranges"] = []any{"203.0.113.0/24"}
		at(m, "settings")["is_mcp_enabled"] = false
		delete(at(m, "settings"), "org_deploy_enabled") // what is left out is off
		at(m, "settings")["function_runtime"] = "remote"
		at(m, "oauth_config")["redirect_urls"] = []any{}
	})}.Compare()
	require.NoError(t, err)
	require.Empty(t, got.Differences)
}

func TestHowAnAppDiffersAndWhatIsLostByIt(t *testing.T) {
	t.Parallel()
	socket, http := manifest.Options{}, manifest.Options{HTTP: "https://mde.example.com"}
	for _, c := range []struct {
		name       string
		of         manifest.Options
		app        manifest.Installed
		change     func(map[string]any)
		says, lost string // lost is empty where nothing is
	}{
		{
			"no command", socket,
			manifest.Installed{},
			func(m map[string]any) { at(m, "features")["slash_commands"] = []any{} },
			"features.slash_commands lacks /mde", "nothing can be asked in Slack",
		},
		{"another command", socket, manifest.Installed{}, func(m map[string]any) {
			f := at(m, "features")
			f["slash_commands"] = append(f["slash_commands"].([]any), map[string]any{"command": "/other", "should_escape": true})
		}, `features.slash_commands has "/other", and nothing here uses it`, ""},
		{"escaped words", socket, manifest.Installed{}, func(m map[string]any) {
			at(m, "features")["slash_commands"].([]any)[0].(map[string]any)["should_escape"] = true
		}, "features.slash_commands[/mde].should_escape is true, and must be false", ""},
		{"no shortcut", socket, manifest.Installed{}, func(m map[string]any) {
			f := at(m, "features")
			f["shortcuts"] = f["shortcuts"].([]any)[:1]
		}, "features.shortcuts lacks mde_look_up", "the shortcut does nothing"},
		{"a shortcut elsewhere", socket, manifest.Installed{}, func(m map[string]any) {
			at(m, "features")["shortcuts"].([]any)[0].(map[string]any)["type"] = "message"
		}, `features.shortcuts[mde_ask].type is "message", and must be global`, "the shortcut does nothing"},
		{
			"no Home tab", socket,
			manifest.Installed{},
			func(m map[string]any) { delete(at(m, "features"), "app_home") },
			"features.app_home.home_tab_enabled is not set, and must be true", "the Home tab is not shown",
		},
		{"no scope", socket, manifest.Installed{}, func(m map[string]any) {
			s := at(m, "oauth_config", "scopes")
			s["bot"] = s["bot"].([]any)[1:]
		}, "oauth_config.scopes.bot lacks commands", "nothing can be asked in Slack"},
		{"a scope too many", socket, manifest.Installed{}, func(m map[string]any) {
			s := at(m, "oauth_config", "scopes")
			s["bot"] = append(s["bot"].([]any), "channels:history", "channels:read")
		}, `oauth_config.scopes.bot has "channels:history", and nothing here uses it`, ""},
		{"a scope of people", socket, manifest.Installed{}, func(m map[string]any) {
			at(m, "oauth_config", "scopes")["user"] = []any{"search:read\nfail  everything: " + strings.Repeat("x", 200)}
		}, `oauth_config.scopes.user has "search:read\nfail  everything: ` + strings.Repeat("x", 70) + `…", and nothing here uses it`, ""},
		{"no event", socket, manifest.Installed{}, func(m map[string]any) {
			s := at(m, "settings", "event_subscriptions")
			s["bot_events"] = s["bot_events"].([]any)[1:]
		}, "settings.event_subscriptions.bot_events lacks app_home_opened", "the Home tab stays empty"},
		{
			"no interactivity", socket,
			manifest.Installed{},
			func(m map[string]any) { at(m, "settings", "interactivity")["is_enabled"] = false },
			"settings.interactivity.is_enabled is false, and must be true", "buttons, forms and shortcuts do nothing",
		},
		{
			"for every workspace", socket,
			manifest.Installed{},
			func(m map[string]any) { at(m, "settings")["org_deploy_enabled"] = true },
			"settings.org_deploy_enabled is true, and must be false", "",
		},
		{
			"an assistant", socket,
			manifest.Installed{},
			func(m map[string]any) { at(m, "settings")["is_mcp_enabled"] = true },
			"settings.is_mcp_enabled is true, and nothing here uses it", "",
		},
		{
			"no sockets", socket,
			manifest.Installed{},
			func(m map[string]any) { at(m, "settings")["socket_mode_enabled"] = false },
			"settings.socket_mode_enabled is false, and must be true", "the bot waits at sockets to which Slack does not deliver; compare it with MDE_SLACK_MODE",
		},
		{
			"sockets", http,
			manifest.Installed{OverHTTP: true},
			func(m map[string]any) { at(m, "settings")["socket_mode_enabled"] = true },
			"settings.socket_mode_enabled is true, and must be false", "Slack delivers to sockets and not over HTTP; compare it with MDE_SLACK_MODE",
		},
		{
			"rotation", socket,
			manifest.Installed{},
			func(m map[string]any) { at(m, "settings")["token_rotation_enabled"] = true },
			"settings.token_rotation_enabled is true, and must be false", "the bot token ends after 12 hours or can't be renewed; compare it with MDE_SLACK_REFRESH_TOKEN",
		},
		{
			"no rotation", socket,
			manifest.Installed{Rotates: true},
			nil,
			"settings.token_rotation_enabled is false, and must be true", "the bot token ends after 12 hours or can't be renewed; compare it with MDE_SLACK_REFRESH_TOKEN",
		},
		{"a path", http, manifest.Installed{OverHTTP: true}, func(m map[string]any) {
			at(m, "settings", "interactivity")["message_menu_options_url"] = "https://mde.example.com/slack/interactions"
		}, `settings.interactivity.message_menu_options_url is "https://mde.example.com/slack/interactions", and must be https://mde.example.com/slack/options`, "menus of devices are empty"},
		{"a host", http, manifest.Installed{OverHTTP: true}, func(m map[string]any) {
			at(m, "features")["slash_commands"].([]any)[0].(map[string]any)["url"] = "https://evil.example/slack/interactions"
		}, `features.slash_commands[/mde].url is "https://evil.example/slack/interactions", and must be https://mde.example.com/slack/commands`, "commands don't reach the bot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.app.Manifest = exported(t, c.of, c.change)
			got, err := c.app.Compare()
			require.NoError(t, err)
			require.Len(t, got.Differences, 1)
			require.Equal(t, c.says, got.Differences[0].Says)
			require.Equal(t, c.lost, got.Differences[0].Lost)
		})
	}
}

// An app that Slack posts to nowhere lacks each of its addresses, and none is made up of what it has.
func TestAnAppWithoutAddresses(t *testing.T) {
	t.Parallel()
	got, err := manifest.Installed{OverHTTP: true, Manifest: exported(t, manifest.Options{HTTP: "https://mde.example.com"}, func(m map[string]any) {
		at(m, "features")["slash_commands"].([]any)[0].(map[string]any)["url"] = "http://mde.example.com/slack/commands"
		delete(at(m, "settings", "event_subscriptions"), "request_url")
		at(m, "settings", "interactivity")["request_url"] = "https://mde.example.com/"
		at(m, "settings", "interactivity")["message_menu_options_url"] = "https:///slack/options"
	})}.Compare()
	require.NoError(t, err)
	require.Empty(t, got.Base)
	require.Len(t, got.Differences, 4)
	for _, d := range got.Differences {
		require.Contains(t, d.Says, "must be https://HOST/slack/")
		require.NotEmpty(t, d.Lost)
	}
}

func TestWhatIsNoManifestIsRefused(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "[]", "null", `"x"`, `{"settings": `} {
		_, err := manifest.Installed{Manifest: json.RawMessage(raw)}.Compare()
		require.ErrorContains(t, err, "not a manifest", raw)
	}
}

func FuzzCompare(f *testing.F) {
	f.Add(`{"settings":{"interactivity":{"request_url":"https://x/slack/interactions"}}}`, true)
	f.Add(`{"features":{"slash_commands":[{"command":"/mde"},7,null,[["x"]]]},"oauth_config":[true]}`, false)
	f.Fuzz(func(t *testing.T, raw string, overHTTP bool) {
		got, err := manifest.Installed{Manifest: json.RawMessage(raw), OverHTTP: overHTTP}.Compare()
		if err != nil {
			require.Empty(t, got.Differences)
			return
		}
		require.Equal(t, overHTTP && got.Base != "", strings.HasPrefix(got.Base, "https://"))
		for _, d := range got.Differences {
			require.NotEmpty(t, d.Where)
			require.NotEmpty(t, d.Says)
		}
	})
}
