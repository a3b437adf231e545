package slacksim_test

import (
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

func TestAnswersTellTheScopesOfTheToken(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	me, err := d.api.AuthTestContext(ctxFor(t))
	require.NoError(t, err)
	scopes := strings.Split(me.Header.Get("X-OAuth-Scopes"), ",")
	require.Contains(t, scopes, "chat:write")
	require.NotContains(t, scopes, "connections:write", "which is the other token's")
}

func TestManifestsAreExportedToTheConfigurationTokenAlone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	bot, err := d.api.GetBotInfoContext(ctxFor(t), slack.GetBotInfoParameters{Bot: slacksim.DefaultBotID})
	require.NoError(t, err)
	require.Equal(t, slacksim.DefaultAppID, bot.AppID)
	_, err = d.api.GetBotInfoContext(ctxFor(t), slack.GetBotInfoParameters{Bot: "B0OTHER"})
	require.Equal(t, "bot_not_found", slackCode(err))

	export := func(token, app string) (string, error) {
		raw, err := d.api.ExportManifestRawContext(ctxFor(t), token, app)
		return string(raw), err
	}
	_, err = export(slacksim.ConfigToken, bot.AppID)
	require.Equal(t, "app_not_found", slackCode(err))
	d.SetManifest([]byte(`{"display_information": {"name": "x"}}`))
	raw, err := export(slacksim.ConfigToken, bot.AppID)
	require.NoError(t, err)
	require.JSONEq(t, `{"display_information": {"name": "x"}}`, raw)
	for token, code := range map[string]string{
		d.Tokens().Bot: "not_allowed_token_type", d.Tokens().App: "invalid_auth", "xoxe.xoxp-other": "invalid_auth",
	} {
		_, err = export(token, bot.AppID)
		require.Equal(t, code, slackCode(err), token)
	}
	_, err = export(slacksim.ConfigToken, "A0OTHER")
	require.Equal(t, "invalid_app_id", slackCode(err))
}
