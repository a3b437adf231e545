package slackbot_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/manifest"
	"github.com/mde-ops/mde-ops/internal/slackbot/rotation"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// seenIn is what LookAt sees in a workspace with everything as it should be, but for what the test changes.
func seenIn(t *testing.T, w *slacksim.Workspace, change func(*slackbot.Workspace)) map[string][]slackbot.Sight {
	t.Helper()
	w.Cast()
	srv, err := w.Start()
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	o := slackbot.Workspace{
		APIURL: srv.APIURL(), BotToken: w.Tokens().Bot, AppToken: w.Tokens().App, ResponderGroup: slacksim.Responders,
		ApproverGroups: []string{slacksim.OnCall}, Channels: []string{slacksim.Security}, ApprovalChannel: slacksim.Security,
	}
	if change != nil {
		change(&o)
	}
	seen, err := slackbot.LookAt(t.Context(), o)
	require.NoError(t, err)
	by := map[string][]slackbot.Sight{}
	for _, s := range seen {
		by[s.What] = append(by[s.What], s)
		require.NotContains(t, s.Said+s.Doubt, "simulated")
		if s.Err != nil {
			require.NotContains(t, s.Err.Error(), "simulated", "no token is shown")
		}
	}
	return by
}

func without(names []string, one string) (out []string) {
	for _, n := range names {
		if n != one {
			out = append(out, n)
		}
	}
	return out
}

func TestEveryScopeThatIsMissingIsToldWithWhatIsLost(t *testing.T) {
	t.Parallel()
	all := manifest.Names(manifest.Scopes())
	for _, s := range manifest.Scopes() {
		seen := seenIn(t, &slacksim.Workspace{BotScopes: without(all, s.Name)}, nil)["scopes"]
		require.Len(t, seen, 1, s.Name)
		require.ErrorContains(t, seen[0].Err, "lacks "+s.Name+": without it, "+s.Lost)
		require.Equal(t, s.Name == "files:write" || s.Name == "im:write", seen[0].Partly, s.Name)
	}
	seen := seenIn(t, &slacksim.Workspace{BotScopes: all}, nil)
	require.Equal(t, []slackbot.Sight{{What: "scopes", Said: "enough and no more: " + strings.Join(all, ", ")}}, seen["scopes"])
	require.Contains(t, seen["approval channel"][0].Doubt, "channels:read", "the manifest leaves it out, and nothing fails for it")

	seen = seenIn(t, &slacksim.Workspace{BotScopes: append(all, "channels:history", "admin", "channels:read", "groups:read")}, nil)
	require.NoError(t, seen["scopes"][0].Err)
	require.Contains(t, seen["scopes"][0].Doubt, "also has channels:history, admin, and nothing here uses it")
}

func TestABotStartsWithoutAScopeThatOnlySomeAnswersNeed(t *testing.T) {
	t.Parallel()
	check := func(lacks string) (*house, error) {
		h := newHouse(t, plan{idle: true, deaf: true, workspace: func(w *slacksim.Workspace) {
			w.BotScopes = append(without(manifest.Names(manifest.Scopes()), lacks), "channels:read")
		}})
		b, err := slackbot.New(h.options)
		require.NoError(t, err)
		return h, b.Check(t.Context())
	}
	_, err := check("usergroups:read")
	require.ErrorContains(t, err, "lacks usergroups:read")
	h, err := check("files:write")
	require.NoError(t, err)
	require.Contains(t, h.log.String(), "lacks files:write: without it, long answers are cut")
}

func TestScopesThatSlackDoesNotTellAreDoubted(t *testing.T) {
	t.Parallel()
	w := &slacksim.Workspace{}
	seen := seenIn(t, w, func(o *slackbot.Workspace) {
		to, err := url.Parse(o.APIURL)
		require.NoError(t, err)
		proxy := &httputil.ReverseProxy{
			Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(to.ResolveReference(&url.URL{Path: "/"})) },
			ModifyResponse: func(resp *http.Response) error { resp.Header.Del("X-Oauth-Scopes"); return nil },
		}
		srv := httptest.NewServer(proxy)
		t.Cleanup(srv.Close)
		o.APIURL = srv.URL + "/api/"
	})
	require.Contains(t, seen["scopes"][0].Doubt, "Slack did not say")
	require.Empty(t, seen["scopes"][0].Said)
}

func TestAppLevelTokenWithoutItsScope(t *testing.T) {
	t.Parallel()
	seen := seenIn(t, &slacksim.Workspace{AppScopes: []string{"authorizations:read"}}, nil)
	require.ErrorContains(t, seen["app-level token"][0].Err, "lacks connections:write: without it, the bot can't connect")
}

func TestGroupsAndChannelsAreLookedAt(t *testing.T) {
	t.Parallel()
	w := &slacksim.Workspace{}
	w.AddGroup("S0EMPTY", "empty")
	w.SetChannel(slacksim.Channel{ID: "C0QUIET", Name: "quiet", BotAbsent: true})
	w.SetChannel(slacksim.Channel{ID: "C0ASK", Name: "ask", BotAbsent: true})
	seen := seenIn(t, w, func(o *slackbot.Workspace) {
		o.ResponderGroup, o.ApproverGroups, o.ApprovalChannel, o.Channels = "S0EMPTY", []string{slacksim.OnCall, "S0NONE"}, "C0QUIET", []string{"C0ASK", "C0NONE"}
	})
	require.Contains(t, seen["responder group"][0].Doubt, "nobody is in S0EMPTY")
	require.Equal(t, slacksim.OnCall+" has 2 people", seen["approver group"][0].Said)
	require.ErrorContains(t, seen["approver group"][1].Err, "no such user group")
	require.ErrorContains(t, seen["approval channel"][0].Err, "invite the app")
	require.NoError(t, seen["channel for commands"][0].Err, "commands work where the app is not")
	require.ErrorContains(t, seen["channel for commands"][1].Err, "C0NONE: Slack answered channel_not_found")
}

func TestTheConfigurationTokenIsForOneQuestionAlone(t *testing.T) {
	t.Parallel()
	app := func(token string) func(*slackbot.Workspace) {
		return func(o *slackbot.Workspace) { o.App = &slackbot.App{ConfigToken: token} }
	}
	require.NotContains(t, seenIn(t, &slacksim.Workspace{}, nil), "app", "a worker is delivered nothing")
	require.Contains(t, seenIn(t, &slacksim.Workspace{}, app(""))["app"][0].Doubt, "were not compared")
	for token, says := range map[string]string{
		"xoxb-simulated":           "MDE_SLACK_CONFIG_TOKEN is a bot token",
		"xoxe-1-simulated-refresh": "MDE_SLACK_CONFIG_TOKEN is a refresh or rotating token",
		"xoxe.xoxp-1-simulated":    "invalid_auth: such a token ends after 12 hours",
		slacksim.ConfigToken:       "app_not_found",
	} {
		seen := seenIn(t, &slacksim.Workspace{}, app(token))["app"]
		require.Len(t, seen, 1)
		require.ErrorContains(t, seen[0].Err, says)
	}
	w := &slacksim.Workspace{BotScopes: without(manifest.Names(manifest.Scopes()), "users:read")}
	require.ErrorContains(t, seenIn(t, w, app(slacksim.ConfigToken))["app"][0].Err, "which app it is: Slack answered missing_scope")
	w = &slacksim.Workspace{}
	w.SetManifest([]byte(`[]`))
	require.ErrorContains(t, seenIn(t, w, app(slacksim.ConfigToken))["app"][0].Err, "not a manifest")
}

// Where the bot token is renewed, the configuration token still goes as it is.
func TestAnAppWithRenewedTokensIsComparedToo(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, deaf: true})
	made, err := manifest.YAML(manifest.Options{Rotate: true})
	require.NoError(t, err)
	raw, err := yaml.YAMLToJSON([]byte(made))
	require.NoError(t, err)
	h.SetManifest(raw)
	r := newRenewing(t, h.slack)
	tokens, err := rotation.New(rotation.Options{
		APIURL: r.url, ClientID: "1.2", ClientSecret: "secret", RefreshToken: "xoxe-1-first", Vault: h.db, Logger: h.logger(),
	})
	require.NoError(t, err)
	seen, err := slackbot.LookAt(t.Context(), slackbot.Workspace{
		APIURL: r.url, BotToken: rotation.Placeholder, HTTPClient: tokens.Client(&http.Client{Timeout: patience}),
		App: &slackbot.App{Renews: true, ConfigToken: slacksim.ConfigToken},
	})
	require.NoError(t, err)
	require.Equal(t, slackbot.Sight{What: "app", Said: "it is as its manifest"}, seen[len(seen)-1])
}

func TestLookingAtTheStoreClaimsNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, deaf: true})
	look := func(srv *slacksim.Server) slackbot.Sight {
		s, err := slackbot.LookAtStore(t.Context(), slackbot.Workspace{APIURL: srv.APIURL(), BotToken: slacksim.DefaultBotToken}, h.db)
		require.NoError(t, err)
		return s
	}
	require.Contains(t, look(h.slack).Said, "none yet")
	kept, err := h.db.Kept(t.Context(), "slack-workspace")
	require.NoError(t, err)
	require.Zero(t, kept.Version)
	_, err = slackbot.GiveStore(t.Context(), h.db, slacksim.DefaultTeamID)
	require.NoError(t, err)
	require.NoError(t, look(h.slack).Err)
	require.ErrorContains(t, look(otherWorkspace(t, "T0SECOND")).Err, "belongs to the Slack workspace T0MDEOPS and the bot token to T0SECOND")
	require.NoError(t, h.db.Close())
	require.ErrorContains(t, look(h.slack).Err, "could not be asked")
}
