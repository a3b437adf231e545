package slacksim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

func TestMessagesAreStoredEditedAndThreaded(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	m := d.post(t, slack.MsgOptionText("first", false), slack.MsgOptionBlocks(card("please")...))
	second := d.post(t, slack.MsgOptionText("second", false))
	require.Less(t, m.TS, second.TS, "unique and increasing although the clock stands still")
	require.Equal(t, "approve", m.Buttons()[0].ActionID)

	_, ts, text, err := d.api.UpdateMessageContext(ctxFor(t), slacksim.Security, m.TS, slack.MsgOptionText("text only", false))
	require.NoError(t, err)
	require.Equal(t, []string{m.TS, "text only"}, []string{ts, text})
	now, _ := d.Message(slacksim.Security, m.TS)
	require.Len(t, now.Buttons(), 2, "blocks that are not sent stay")
	require.Equal(t, "first", now.Edits[0].Text)

	reply := d.post(t, slack.MsgOptionText("reply", false), slack.MsgOptionTS(m.TS))
	nested := d.post(t, slack.MsgOptionText("reply to the reply", false), slack.MsgOptionTS(reply.TS))
	lost := d.post(t, slack.MsgOptionText("parent gone", false), slack.MsgOptionTS("1.000001"))
	require.Equal(t, m.TS, nested.ThreadTS)
	require.Empty(t, lost.ThreadTS, "posted outside a thread that doesn't exist")
	require.Len(t, d.Thread(slacksim.Security, m.TS), 3)

	_, _, err = d.api.DeleteMessageContext(ctxFor(t), slacksim.Security, second.TS)
	require.NoError(t, err)
	_, ok := d.Message(slacksim.Security, second.TS)
	require.False(t, ok)
}

func TestEphemeralsAreForOnePersonAndNotUpdatable(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.connect(t, ackEmpty)
	ts, err := d.api.PostEphemeralContext(ctxFor(t), slacksim.Security, slacksim.Alice, slack.MsgOptionBlocks(card("psst")...))
	require.NoError(t, err)
	require.Len(t, d.Ephemerals("alice"), 1)
	require.Empty(t, d.Messages(slacksim.Security))
	_, _, _, err = d.api.UpdateMessageContext(ctxFor(t), slacksim.Security, ts, slack.MsgOptionText("x", false))
	require.Equal(t, "message_not_found", slackCode(err))

	_, err = d.Click(ctxFor(t), "bob", "#security", ts, "approve")
	require.ErrorContains(t, err, "message_not_found", "bob doesn't see it")
	_, err = d.Click(ctxFor(t), "alice", "#security", ts, "approve")
	require.NoError(t, err)
	cb := a.events()[0].Data.(slack.InteractionCallback)
	require.True(t, cb.Container.IsEphemeral)
	require.NoError(t, slack.PostWebhookContext(ctxFor(t), cb.ResponseURL, &slack.WebhookMessage{Text: "voted", ReplaceOriginal: true, Blocks: &slack.Blocks{}}))
	require.Empty(t, d.Ephemerals("alice")[0].Buttons(), "replaced through the response_url")
	require.NoError(t, slack.PostWebhookContext(ctxFor(t), cb.ResponseURL, &slack.WebhookMessage{DeleteOriginal: true}))
	require.Empty(t, d.Ephemerals("alice"))
}

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.SetChannel(slacksim.Channel{ID: "C0CLOSED", Name: "closed", BotAbsent: true})
	ctx := ctxFor(t)
	text := slack.MsgOptionText("x", false)
	for want, call := range map[string]func() error{
		"channel_not_found": func() error { _, _, err := d.api.PostMessageContext(ctx, "C0NONE", text); return err },
		"not_in_channel":    func() error { _, _, err := d.api.PostMessageContext(ctx, "C0CLOSED", text); return err },
		"no_text":           func() error { _, _, err := d.api.PostMessageContext(ctx, slacksim.Security); return err },
		"msg_too_long": func() error {
			_, _, err := d.api.PostMessageContext(ctx, slacksim.Security, slack.MsgOptionText(strings.Repeat("x", 40001), false))
			return err
		},
		"message_not_found": func() error { _, _, err := d.api.DeleteMessageContext(ctx, slacksim.Security, "1.0"); return err },
		"user_not_in_channel": func() error {
			_, err := d.api.PostEphemeralContext(ctx, slacksim.Security, "U0NONE", text)
			return err
		},
		"user_not_found":  func() error { _, err := d.api.GetUserInfoContext(ctx, "U0NONE"); return err },
		"users_not_found": func() error { _, err := d.api.GetUserByEmailContext(ctx, "no@example.com"); return err },
		"no_such_subteam": func() error { _, err := d.api.GetUserGroupMembersContext(ctx, "S0NONE"); return err },
		"user_disabled":   func() error { return d.openIM(ctx, slacksim.Mallory) },
		"invalid_auth": func() error {
			_, err := slack.New("xoxb-wrong", slack.OptionAPIURL(d.srv.APIURL())).AuthTestContext(ctx)
			return err
		},
		"not_authed": func() error {
			_, err := slack.New("", slack.OptionAPIURL(d.srv.APIURL())).AuthTestContext(ctx)
			return err
		},
		"unknown_method": func() error { _, err := d.api.GetTeamInfoContext(ctx); return err },
		"invalid_trigger_id": func() error {
			_, err := d.api.OpenViewContext(ctx, "made up", modal("x"))
			return err
		},
		"not_allowed_token_type": func() error {
			_, err := slack.New(d.Tokens().App, slack.OptionAPIURL(d.srv.APIURL())).AuthTestContext(ctx)
			return err
		},
	} {
		t.Run(want, func(t *testing.T) { require.Equal(t, want, slackCode(call())) })
	}
}

func (d *desk) openIM(ctx context.Context, user string) error {
	_, _, _, err := d.api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{user}})
	return err
}

func TestScopes(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(w *slacksim.Workspace) {
		w.BotScopes, w.AppScopes = []string{"chat:write", "users:read"}, []string{}
	})
	_, err := d.api.GetUserGroupsContext(ctxFor(t))
	var e slack.SlackErrorResponse
	require.ErrorAs(t, err, &e)
	require.Equal(t, []string{"missing_scope", "usergroups:read", "chat:write,users:read"}, []string{e.Err, e.Needed, e.Provided})
	_, _, err = d.api.StartSocketModeContext(ctxFor(t))
	require.Equal(t, "missing_scope", slackCode(err))
	u, err := d.api.GetUserInfoContext(ctxFor(t), slacksim.Alice)
	require.NoError(t, err)
	require.Empty(t, u.Profile.Email, "the e-mail needs users:read.email")
}

func TestPeopleAndGroups(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx := ctxFor(t)
	flags := map[string]func(*slack.User) bool{
		slacksim.Dave:    func(u *slack.User) bool { return u.IsRestricted && u.IsUltraRestricted },
		slacksim.Eve:     func(u *slack.User) bool { return u.IsStranger && u.TeamID == "T0ELSEWHERE" },
		slacksim.Mallory: func(u *slack.User) bool { return u.Deleted },
		slacksim.Robot:   func(u *slack.User) bool { return u.IsBot },
		slacksim.Alice: func(u *slack.User) bool {
			return u.IsEmailConfirmed && u.TeamID == slacksim.DefaultTeamID && u.Profile.Email == "alice@example.com" && !u.Deleted && !u.IsStranger
		},
	}
	for id, ok := range flags {
		u, err := d.api.GetUserInfoContext(ctx, id)
		require.NoError(t, err)
		require.True(t, ok(u), "%+v", u)
	}
	u, err := d.api.GetUserByEmailContext(ctx, "BOB@example.com")
	require.NoError(t, err)
	require.Equal(t, slacksim.Bob, u.ID)

	groups, err := d.api.GetUserGroupsContext(ctx, slack.GetUserGroupsOptionIncludeUsers(true))
	require.NoError(t, err)
	require.Len(t, groups, 2)
	require.Equal(t, []string{slacksim.Bob, slacksim.Carol}, groups[1].Users)
	d.SetGroup(slacksim.OnCall, slacksim.Carol)
	members, err := d.api.GetUserGroupMembersContext(ctx, slacksim.OnCall)
	require.NoError(t, err)
	require.Equal(t, []string{slacksim.Carol}, members)

	me, err := d.api.AuthTestContext(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{slacksim.DefaultTeamID, slacksim.DefaultBotUserID, slacksim.DefaultBotID}, []string{me.TeamID, me.UserID, me.BotID})
	ch, err := d.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: slacksim.Security})
	require.NoError(t, err)
	require.Equal(t, "security", ch.Name)
	_, _, err = d.api.PostMessageContext(ctx, slacksim.Alice, slack.MsgOptionText("hello", false))
	require.NoError(t, err)
	im, err := d.DirectMessages("alice")
	require.NoError(t, err)
	require.Equal(t, "hello", d.Messages(im)[0].Text)
	require.NoError(t, d.openIM(ctx, slacksim.Alice))
}

// The limits themselves are in limits_test.go.
func TestBlocksOverTheirLimitsAreNotPosted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	button := slack.NewButtonBlockElement("a", strings.Repeat("v", 2001), plain("A"))
	_, ts, err := d.api.PostMessageContext(ctxFor(t), slacksim.Security, slack.MsgOptionBlocks(slack.NewDividerBlock(), slack.NewActionBlock("", button)))
	require.Empty(t, ts)
	var e slack.SlackErrorResponse
	require.ErrorAs(t, err, &e)
	require.Equal(t, "invalid_blocks", e.Err)
	require.Contains(t, strings.Join(e.ResponseMetadata.Messages, "\n"), "[json-pointer:/blocks/1/elements/0/value]")
	require.Empty(t, d.Messages(slacksim.Security))
	button.Value = strings.Repeat("v", 2000)
	d.post(t, slack.MsgOptionBlocks(slack.NewDividerBlock(), slack.NewActionBlock("", button)))
}

func TestFaults(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	post := func(ctx context.Context) (string, error) {
		_, ts, err := d.api.PostMessageContext(ctx, slacksim.Security, slack.MsgOptionText("x", false))
		return ts, err
	}
	for _, c := range []struct {
		name   string
		fault  slacksim.Fault
		effect bool
		check  func(t *testing.T, ts string, err error)
	}{
		{"error", slacksim.Fault{Kind: slacksim.FaultError, Error: "fatal_error"}, false, func(t *testing.T, _ string, err error) { require.Equal(t, "fatal_error", slackCode(err)) }},
		{"status", slacksim.Fault{Kind: slacksim.FaultStatus, Status: http.StatusBadGateway}, false, func(t *testing.T, _ string, err error) { require.ErrorContains(t, err, "502") }},
		{"empty", slacksim.Fault{Kind: slacksim.FaultEmpty}, false, func(t *testing.T, ts string, err error) {
			require.NoError(t, err, "the client takes {} for success")
			require.Empty(t, ts)
		}},
		{"html", slacksim.Fault{Kind: slacksim.FaultHTML}, false, func(t *testing.T, _ string, err error) { require.Error(t, err) }},
		{"limited", slacksim.Fault{Kind: slacksim.FaultRateLimited, RetryAfter: 7 * time.Second}, false, func(t *testing.T, _ string, err error) {
			var e *slack.RateLimitedError
			require.ErrorAs(t, err, &e)
			require.Equal(t, 7*time.Second, e.RetryAfter)
		}},
		{"limited without Retry-After", slacksim.Fault{Kind: slacksim.FaultRateLimited, RetryAfter: -1}, false, func(t *testing.T, _ string, err error) {
			var e slack.StatusCodeError
			require.ErrorAs(t, err, &e)
			require.Equal(t, http.StatusTooManyRequests, e.Code)
		}},
		{"cut after effect", slacksim.Fault{Kind: slacksim.FaultEOFAfterEffect}, true, func(t *testing.T, _ string, err error) { require.ErrorIs(t, err, io.EOF) }},
		{"slow", slacksim.Fault{Kind: slacksim.FaultSlow, Delay: time.Millisecond}, true, func(t *testing.T, ts string, err error) {
			require.NoError(t, err)
			require.NotEmpty(t, ts)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(d.Messages(slacksim.Security))
			c.fault.Method = "chat.postMessage"
			d.Fail(c.fault)
			_, err := d.api.AuthTestContext(ctxFor(t))
			require.NoError(t, err, "other methods are not touched")
			ts, err := post(ctxFor(t))
			c.check(t, ts, err)
			require.Equal(t, c.effect, len(d.Messages(slacksim.Security)) == before+1)
			ts, err = post(ctxFor(t))
			require.NoError(t, err, "once")
			require.NotEmpty(t, ts)
		})
	}
	d.Fail(slacksim.Fault{Method: "*", Kind: slacksim.FaultError, Times: -1})
	for range 3 {
		_, err := post(ctxFor(t))
		require.Equal(t, "internal_error", slackCode(err))
	}
	d.ClearFaults()
	_, err := post(ctxFor(t))
	require.NoError(t, err)
}

func TestSlowAnswerOutlivesTheCaller(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.Fail(slacksim.Fault{Method: "chat.postMessage", Kind: slacksim.FaultSlow, Delay: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_ = d.WaitFor(t.Context(), func(s slacksim.Snapshot) bool { return len(s.Messages[slacksim.Security]) == 1 })
		cancel()
	}()
	_, _, err := d.api.PostMessageContext(ctx, slacksim.Security, slack.MsgOptionText("x", false))
	require.ErrorIs(t, err, context.Canceled)
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(w *slacksim.Workspace) { w.RateLimits = true })
	var limited *slack.RateLimitedError
	d.post(t, slack.MsgOptionText("one", false))
	_, _, err := d.api.PostMessageContext(ctxFor(t), slacksim.Security, slack.MsgOptionText("two", false))
	require.ErrorAs(t, err, &limited)
	require.Equal(t, time.Second, limited.RetryAfter)
	d.clock.Add(time.Second)
	d.post(t, slack.MsgOptionText("two", false))

	for range 20 {
		_, err = d.api.GetUserGroupMembersContext(ctxFor(t), slacksim.OnCall)
		require.NoError(t, err)
	}
	_, err = d.api.GetUserGroupMembersContext(ctxFor(t), slacksim.OnCall)
	require.ErrorAs(t, err, &limited)
	require.Equal(t, time.Minute, limited.RetryAfter)
	d.clock.Add(time.Minute)
	_, err = d.api.GetUserGroupMembersContext(ctxFor(t), slacksim.OnCall)
	require.NoError(t, err)
}

func TestResponseURL(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.connect(t, ackEmpty)
	fresh := func() string {
		_, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "help")
		require.NoError(t, err)
		all := a.events()
		return all[len(all)-1].Data.(slack.SlashCommand).ResponseURL
	}
	post := func(u, body string) (int, string) {
		req, err := http.NewRequestWithContext(ctxFor(t), http.MethodPost, u, strings.NewReader(body))
		require.NoError(t, err)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res.StatusCode, string(text)
	}
	check := func(u, body string, status int, want string) {
		t.Helper()
		got, text := post(u, body)
		require.Equal(t, fmt.Sprint(status, want), fmt.Sprint(got, text))
	}
	u := fresh()
	check(u, "not json", 400, "invalid_payload")
	check(u, `{"text":"hi"}`, 200, "ok")
	check(u, `{"text":"all","response_type":"in_channel"}`, 200, "ok")
	check(u, `{}`, 400, "no_text")
	check(u, `{"text":"4"}`, 200, "ok")
	check(u, `{"text":"5"}`, 200, "ok")
	check(u, `{"text":"6"}`, 404, "used_url")
	require.Len(t, d.Ephemerals("alice"), 3)
	require.Len(t, d.Messages(slacksim.Security), 1)
	u = fresh()
	d.clock.Add(30*time.Minute + time.Second)
	check(u, `{"text":"late"}`, 404, "expired_url")
	check(d.srv.URL+"/response/none", `{"text":"x"}`, 404, "invalid_url")
	require.Equal(t, 9, d.Calls("response_url"))
}

func TestTokenInHeaderOrBody(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	call := func(header, contentType, body string) string {
		req, err := http.NewRequestWithContext(ctxFor(t), http.MethodPost, d.srv.APIURL()+"auth.test", strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", contentType)
		if header != "" {
			req.Header.Set("Authorization", header)
		}
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		out, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return string(out)
	}
	form, js := "application/x-www-form-urlencoded", "application/json; charset=utf-8"
	require.Contains(t, call("", form, url.Values{"token": {d.Tokens().Bot}}.Encode()), `"ok":true`)
	require.Contains(t, call("Bearer "+d.Tokens().Bot, js, "{}"), `"ok":true`)
	require.Contains(t, call("Bearer "+d.Tokens().Bot, js, ""), `"ok":true`)
	require.Contains(t, call("", js, asJSON(t, map[string]string{"token": d.Tokens().Bot})), `"ok":true`)
	require.Contains(t, call("Bearer x", js, "{}"), "invalid_auth")
	require.Contains(t, call("Bearer "+d.Tokens().Bot, js, "[]"), "invalid_arguments")
	require.Contains(t, call("", form, "token=%zz"), "invalid_arguments")
}

func (d *desk) dial(t *testing.T) *websocket.Conn {
	t.Helper()
	_, u, err := d.api.StartSocketModeContext(ctxFor(t))
	require.NoError(t, err)
	conn, res, err := websocket.DefaultDialer.DialContext(ctxFor(t), u, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = conn.Close(), res.Body.Close() })
	return conn
}

func read(t *testing.T, conn *websocket.Conn) map[string]any {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	var msg map[string]any
	require.NoError(t, conn.ReadJSON(&msg))
	return msg
}

func TestTenConnectionsAndNoMore(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for i := range 10 {
		hello := read(t, d.dial(t))
		require.Equal(t, "hello", hello["type"])
		require.EqualValues(t, i+1, hello["num_connections"])
		require.EqualValues(t, 3600, hello["debug_info"].(map[string]any)["approximate_connection_time"])
	}
	refused := d.dial(t)
	require.Equal(t, "too_many_websockets", read(t, refused)["reason"])
	_, _, err := refused.ReadMessage()
	require.Error(t, err)
}

func TestTicketsWorkOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, u, err := d.api.StartSocketModeContext(ctxFor(t))
	require.NoError(t, err)
	for i, want := range []int{http.StatusSwitchingProtocols, http.StatusForbidden} {
		conn, res, err := websocket.DefaultDialer.DialContext(ctxFor(t), u, nil)
		require.NoError(t, res.Body.Close())
		require.Equal(t, want, res.StatusCode)
		require.Equal(t, i == 0, err == nil)
		if conn != nil {
			require.NoError(t, conn.Close())
		}
	}
}

func TestOversizedAnswersAreDropped(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(w *slacksim.Workspace) { w.AckDeadline, w.Redeliveries = time.Second, 1 })
	conn := d.dial(t)
	read(t, conn)
	var out slacksim.Outcome
	errs := make(chan error, 1)
	go func() {
		var err error
		out, err = d.Command(t.Context(), "alice", "#security", "/mde", "help")
		errs <- err
	}()
	for _, size := range []int{20480, 20479} {
		env := read(t, conn)
		head := fmt.Sprintf(`{"envelope_id":%q,"payload":{"text":"`, env["envelope_id"])
		frame := append([]byte(head), bytes.Repeat([]byte("x"), size-len(head)-3)...)
		require.NoError(t, conn.WriteMessage(websocket.TextMessage, append(frame, `"}}`...)))
	}
	require.NoError(t, <-errs)
	require.Equal(t, 2, out.Deliveries)
	require.Equal(t, 1, d.Snapshot().Oversized)
	require.NotEmpty(t, out.Reply)
}

func TestRedeliveriesTakeTurns(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(w *slacksim.Workspace) { w.AckDeadline, w.Redeliveries = time.Millisecond, 9 })
	conns := []*websocket.Conn{d.dial(t), d.dial(t)}
	for _, conn := range conns {
		read(t, conn)
	}
	d.wait(t, func(s slacksim.Snapshot) bool { return s.Connections == 2 })
	_, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "help")
	require.ErrorIs(t, err, slacksim.ErrNotAcknowledged)
	for _, conn := range conns {
		first := read(t, conn)["retry_attempt"].(float64)
		for i := range 4 {
			require.InDelta(t, first+float64(2*i+2), read(t, conn)["retry_attempt"], 0, "each goes to the connection that the last did not go to")
		}
	}
}

func TestDisconnectedSocketsGetNothingNew(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(w *slacksim.Workspace) { w.AckDeadline, w.Redeliveries = time.Millisecond, -1 })
	conn := d.dial(t)
	read(t, conn)
	d.wait(t, func(s slacksim.Snapshot) bool { return s.Connections == 1 })
	for _, c := range []struct {
		reason string
		want   error
	}{{slacksim.DisconnectWarning, slacksim.ErrNotAcknowledged}, {slacksim.DisconnectRefreshRequested, slacksim.ErrNotConnected}} {
		d.Disconnect(c.reason)
		require.Equal(t, c.reason, read(t, conn)["reason"])
		_, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "help")
		require.ErrorIs(t, err, c.want)
		if errors.Is(c.want, slacksim.ErrNotAcknowledged) {
			require.Equal(t, "slash_commands", read(t, conn)["type"])
		}
	}
}

func TestPeopleWaitOnlyAsLongAsTheyWant(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.connect(t, silent)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		_ = d.WaitFor(t.Context(), func(s slacksim.Snapshot) bool { return len(s.Envelopes) == 1 && s.Envelopes[0].Deliveries == 1 })
		cancel(errors.New("went home"))
	}()
	_, err := d.Command(ctx, "alice", "#security", "/mde", "help")
	require.ErrorContains(t, err, "went home")
}
