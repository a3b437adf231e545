package app

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// without is a configuration without some of its settings.
func without(environ []string, names ...string) []string {
	var left []string
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		drop := false
		for _, n := range names {
			drop = drop || n == name
		}
		if !drop {
			left = append(left, kv)
		}
	}
	return left
}

func TestSlackOverHTTPNeedsASecretAndNoAppToken(t *testing.T) {
	t.Parallel()
	over := func(more ...string) []string {
		return without(slackSettings(append([]string{"MDE_SLACK_MODE=http", "MDE_SLACK_HTTP_ADDR=127.0.0.1:3000", "MDE_SLACK_SIGNING_SECRET=hunter2"}, more...)...), "MDE_SLACK_APP_TOKEN")
	}
	cfg := load(t, over()...)
	require.NoError(t, cfg.CheckSlack())
	require.True(t, cfg.Slack.OverHTTP())
	require.ErrorContains(t, load(t, without(over(), "MDE_SLACK_SIGNING_SECRET")...).CheckSlack(), "MDE_SLACK_SIGNING_SECRET (or _FILE) is not set")
	require.ErrorContains(t, load(t, without(over(), "MDE_SLACK_HTTP_ADDR")...).CheckSlack(), "MDE_SLACK_HTTP_ADDR is not set")
	require.NoError(t, load(t, without(over(), "MDE_SLACK_SIGNING_SECRET", "MDE_VOTE_SIGNING_KEY")...).worker().err(), "a worker takes nothing in")

	for _, c := range []struct{ setting, want string }{
		{"MDE_SLACK_MODE=HTTP", `MDE_SLACK_MODE: "HTTP" is not valid here: want socket (Socket Mode) or http`},
		{"MDE_SLACK_MODE=webhook", "want socket (Socket Mode) or http"},
		{"MDE_SLACK_MODE=socket", "nobody would listen there"},
		{"MDE_SLACK_HTTP_ADDR=3000", "want an address and a port"},
		{"MDE_SLACK_HTTP_ADDR=127.0.0.1:", "want an address and a port"},
		{"MDE_SLACK_TEAM=mde-ops", "MDE_SLACK_TEAM: "},
		{"MDE_SLACK_TYPED_ABOVE=0", "MDE_SLACK_TYPED_ABOVE: 0 is not valid here"},
		{"MDE_SLACK_TYPED_ABOVE=-1", "MDE_SLACK_TYPED_ABOVE: -1 is not valid here"},
		{"MDE_SLACK_TEAM=E0ORG", "can't be served as a whole"},
	} {
		_, err := Load(t.Context(), over(c.setting), false)
		require.ErrorContains(t, err, c.want, c.setting)
	}
	require.NotContains(t, strings.Join(cfg.Notes(), "\n"), "MDE_SLACK_HTTP_ADDR")
	for _, open := range []string{":3000", "0.0.0.0:3000", "10.0.0.1:3000", "[::]:3000", "proxy:3000"} {
		require.Contains(t, strings.Join(load(t, over("MDE_SLACK_HTTP_ADDR="+open)...).Notes(), "\n"), "speaks no TLS", open)
	}
}

func TestARenewedBotTokenTakesThePlaceOfAFixedOne(t *testing.T) {
	t.Parallel()
	trio := []string{"MDE_SLACK_CLIENT_ID=1.2", "MDE_SLACK_CLIENT_SECRET=hunter2", "MDE_SLACK_REFRESH_TOKEN=xoxe-1-hunter2"}
	renewing := without(slackSettings(trio...), "MDE_SLACK_BOT_TOKEN")
	cfg := load(t, renewing...)
	require.NoError(t, cfg.CheckSlack())
	require.True(t, cfg.Slack.Renews())
	require.ErrorContains(t, load(t, slackSettings(trio...)...).CheckSlack(), "both set: keep one")
	for _, name := range []string{"MDE_SLACK_CLIENT_ID", "MDE_SLACK_CLIENT_SECRET", "MDE_SLACK_REFRESH_TOKEN"} {
		err := load(t, without(renewing, name)...).CheckSlack()
		require.ErrorContains(t, err, name+" is not: to renew the bot token all of them are needed")
		require.NotContains(t, err.Error(), "hunter2")
	}
	err := load(t, append(renewing, "MDE_SLACK_REFRESH_TOKEN=xoxb-hunter2")...).CheckSlack()
	require.ErrorContains(t, err, "does not begin with xoxe-")
	require.NotContains(t, err.Error(), "hunter2")
	require.ErrorContains(t, load(t, slackSettings("MDE_SLACK_BOT_TOKEN=xoxe.xoxb-hunter2")...).CheckSlack(), "is a token that expires")
}
