package slacksim_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

const firstRefresh = "xoxe-1-first"

func newRotating(t *testing.T) *desk {
	t.Helper()
	return newDesk(t, func(w *slacksim.Workspace) { w.BotToken, w.RefreshToken = "xoxe.xoxb-first", firstRefresh })
}

// call asks auth.test with a token.
func (d *desk) call(t *testing.T, token string) string {
	t.Helper()
	_, err := slack.New(token, slack.OptionAPIURL(d.srv.APIURL())).AuthTestContext(ctxFor(t))
	if err != nil {
		return slackCode(err)
	}
	return "ok"
}

func (d *desk) renew(ctx context.Context, id, secret, refresh string) (*slack.OAuthV2Response, error) {
	return slack.RefreshOAuthV2TokenContext(ctx, http.DefaultClient, id, secret, refresh, slack.OAuthOptionAPIURL(d.srv.APIURL()))
}

func TestTokensEndAndAreRenewed(t *testing.T) {
	t.Parallel()
	d := newRotating(t)
	renew := func(refresh string) (*slack.OAuthV2Response, error) {
		return d.renew(ctxFor(t), slacksim.DefaultClientID, slacksim.DefaultClientSecret, refresh)
	}
	require.Equal(t, "ok", d.call(t, "xoxe.xoxb-first"))
	d.clock.Add(12*time.Hour - time.Second)
	require.Equal(t, "ok", d.call(t, "xoxe.xoxb-first"))
	d.clock.Add(time.Second)
	require.Equal(t, "token_expired", d.call(t, "xoxe.xoxb-first"))

	second, err := renew(firstRefresh)
	require.NoError(t, err)
	require.Equal(t, 43200, second.ExpiresIn)
	require.Equal(t, "bot", second.TokenType)
	require.Equal(t, slacksim.DefaultTeamID, second.Team.ID)
	require.Equal(t, "ok", d.call(t, second.AccessToken))
	_, err = renew(firstRefresh)
	require.Equal(t, "invalid_refresh_token", slackCode(err), "a refresh token serves once")

	third, err := renew(second.RefreshToken)
	require.NoError(t, err)
	require.Equal(t, "ok", d.call(t, second.AccessToken), "the one before stays valid beside the new one")
	fourth, err := renew(third.RefreshToken)
	require.NoError(t, err)
	require.Equal(t, []string{"token_revoked", "ok", "ok"}, []string{d.call(t, second.AccessToken), d.call(t, third.AccessToken), d.call(t, fourth.AccessToken)})
	require.Equal(t, "invalid_auth", d.call(t, "xoxe.xoxb-other"))
}

func TestRenewalNeedsTheAppsSecret(t *testing.T) {
	t.Parallel()
	d := newRotating(t)
	for code, given := range map[string][3]string{
		"invalid_client_id":     {"1.1", slacksim.DefaultClientSecret, firstRefresh},
		"bad_client_secret":     {slacksim.DefaultClientID, "guessed", firstRefresh},
		"invalid_refresh_token": {slacksim.DefaultClientID, slacksim.DefaultClientSecret, "xoxe-1-guessed"},
	} {
		_, err := d.renew(ctxFor(t), given[0], given[1], given[2])
		require.Equal(t, code, slackCode(err))
	}
	form := url.Values{"grant_type": {"authorization_code"}, "refresh_token": {firstRefresh}}
	req, err := http.NewRequestWithContext(ctxFor(t), http.MethodPost, d.srv.APIURL()+"oauth.v2.access", strings.NewReader(form.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(slacksim.DefaultClientID, slacksim.DefaultClientSecret)
	require.Contains(t, bodyOf(t, req), "invalid_grant_type", "the app's id and secret are taken from the header too")
	_, err = d.renew(ctxFor(t), slacksim.DefaultClientID, slacksim.DefaultClientSecret, firstRefresh)
	require.NoError(t, err, "what was refused used nothing up")

	fixed := newDesk(t)
	_, err = fixed.renew(ctxFor(t), slacksim.DefaultClientID, slacksim.DefaultClientSecret, firstRefresh)
	require.Equal(t, "invalid_refresh_token", slackCode(err), "the app has no token rotation")
	fixed.clock.Add(1000 * time.Hour)
	require.Equal(t, "ok", fixed.call(t, fixed.Tokens().Bot))
}

func bodyOf(t *testing.T, req *http.Request) string {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(body)
}

func TestRevokedTokensAreRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, err := d.api.SendAuthRevokeContext(ctxFor(t), "")
	require.NoError(t, err)
	require.Equal(t, "token_revoked", d.call(t, d.Tokens().Bot))
	_, _, err = d.api.PostMessageContext(ctxFor(t), slacksim.Security, slack.MsgOptionText("x", false))
	require.Equal(t, "token_revoked", slackCode(err))
}

func TestUninstalledAppsHearOfItAndAreRefused(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.connect(t, ackEmpty)
	_, err := d.Uninstall(ctxFor(t))
	require.NoError(t, err)
	var heard []string
	for _, ev := range a.events() {
		heard = append(heard, ev.Data.(slackevents.EventsAPIEvent).InnerEvent.Type)
	}
	require.Equal(t, []string{"tokens_revoked", "app_uninstalled"}, heard)
	require.Equal(t, "account_inactive", d.call(t, d.Tokens().Bot))
	require.Equal(t, "invalid_auth", d.call(t, "xoxb-other"))
}
