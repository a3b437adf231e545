package slacksim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/interop/npm"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// Slack's own libraries meet the simulated workspace here, so that it is not only what slack-go makes of it.

// caller calls the Web API with Slack's own client.
type caller struct {
	*desk
	guest *npm.Guest
}

// answered is what the Web API answered, as Slack's client returns it.
type answered struct {
	OK       bool            `json:"ok"`
	Error    string          `json:"error"`
	Needed   string          `json:"needed"`
	Channel  json.RawMessage `json:"channel"`
	TS       string          `json:"ts"`
	UserID   string          `json:"user_id"`
	TeamID   string          `json:"team_id"`
	User     any             `json:"user"`
	Users    []string        `json:"users"`
	Groups   []any           `json:"usergroups"`
	View     struct{ ID, Hash string }
	Metadata struct {
		Messages []string `json:"messages"`
	} `json:"response_metadata"`
	RetryAfter int `json:"retryAfter"`
}

func (c caller) call(t *testing.T, method string, args map[string]any) (a answered) {
	t.Helper()
	c.guest.Ask(t, map[string]any{"do": "call", "token": c.Tokens().Bot, "api": c.srv.APIURL(), "method": method, "args": args}, &a)
	return a
}

func newCaller(t *testing.T, change ...func(*slacksim.Workspace)) caller {
	t.Helper()
	npm.Folder(t)
	return caller{newDesk(t, change...), npm.Start(t, "slack.mjs")}
}

func said(kind, text string) map[string]any { return map[string]any{"type": kind, "text": text} }

func window(text string) map[string]any {
	return map[string]any{
		"type": "modal", "title": said("plain_text", text),
		"blocks": []any{map[string]any{"type": "section", "text": said("mrkdwn", text)}},
	}
}

func TestOthersMessages(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	section := []any{map[string]any{"type": "section", "text": said("mrkdwn", "*host01* & <https://example.com|more>")}}
	posted := c.call(t, "chat.postMessage", map[string]any{"channel": slacksim.Security, "text": "a & b = 100%", "blocks": section})
	require.True(t, posted.OK, posted.Error)
	m, ok := c.Message(slacksim.Security, posted.TS)
	require.True(t, ok)
	require.Equal(t, "a & b = 100%", m.Text)
	require.Equal(t, "*host01* & <https://example.com|more>", m.Blocks[0].Text.Text)

	reply := c.call(t, "chat.postMessage", map[string]any{"channel": slacksim.Security, "thread_ts": posted.TS, "text": "reply"})
	m, _ = c.Message(slacksim.Security, reply.TS)
	require.Equal(t, posted.TS, m.ThreadTS)

	require.True(t, c.call(t, "chat.update", map[string]any{"channel": slacksim.Security, "ts": posted.TS, "text": "other", "blocks": []any{}}).OK)
	m, _ = c.Message(slacksim.Security, posted.TS)
	require.Equal(t, "other", m.Text)
	require.Empty(t, m.Blocks)
	require.Equal(t, "message_not_found", c.call(t, "chat.update", map[string]any{"channel": slacksim.Security, "ts": "1.2", "text": "x"}).Error)

	require.True(t, c.call(t, "chat.postEphemeral", map[string]any{"channel": slacksim.Security, "user": slacksim.Alice, "text": "to you"}).OK)
	require.Equal(t, "to you", c.Snapshot().Ephemerals[slacksim.Alice][0].Text)
	require.True(t, c.call(t, "chat.delete", map[string]any{"channel": slacksim.Security, "ts": posted.TS}).OK)
	_, ok = c.Message(slacksim.Security, posted.TS)
	require.False(t, ok)

	refused := c.call(t, "chat.postMessage", map[string]any{"channel": slacksim.Security, "blocks": []any{map[string]any{"type": "header", "text": said("mrkdwn", "x")}}})
	require.Equal(t, "invalid_blocks", refused.Error)
	require.Contains(t, refused.Metadata.Messages[0], "[json-pointer:/blocks/0/text/type]")
}

func TestOthersWindows(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	alice, err := c.User(slacksim.Alice)
	require.NoError(t, err)
	trigger := func() any {
		return c.CommandPayload(alice, slacksim.Channel{ID: slacksim.Security}, "/mde", "x")["trigger_id"]
	}
	first := trigger()
	opened := c.call(t, "views.open", map[string]any{"trigger_id": first, "view": window("One")})
	require.True(t, opened.OK, opened.Metadata.Messages)
	require.Equal(t, "exchanged_trigger_id", c.call(t, "views.open", map[string]any{"trigger_id": first, "view": window("Two")}).Error)
	updated := c.call(t, "views.update", map[string]any{"view_id": opened.View.ID, "hash": opened.View.Hash, "view": window("Two")})
	require.True(t, updated.OK, updated.Error)
	require.Equal(t, "Two", c.Views(slacksim.Alice)[0].Title.Text)
	require.Equal(t, "hash_conflict", c.call(t, "views.update", map[string]any{"view_id": opened.View.ID, "hash": opened.View.Hash, "view": window("Three")}).Error)

	home := map[string]any{"type": "home", "blocks": []any{map[string]any{"type": "divider"}}}
	require.True(t, c.call(t, "views.publish", map[string]any{"user_id": slacksim.Bob, "view": home}).OK)
	shown, ok := c.Home(slacksim.Bob)
	require.True(t, ok)
	require.Equal(t, "divider", shown.Blocks[0].Type)
	require.Equal(t, "hash_conflict", c.call(t, "views.publish", map[string]any{"user_id": slacksim.Bob, "view": home, "hash": "0"}).Error)
}

func TestOthersFiles(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	upload := func(args map[string]any, out any) string {
		return c.guest.Try(t, map[string]any{"do": "upload", "token": c.Tokens().Bot, "api": c.srv.APIURL(), "args": args}, out)
	}
	root := c.call(t, "chat.postMessage", map[string]any{"channel": slacksim.Security, "text": "root"})
	var done struct{ OK bool }
	require.Empty(t, upload(map[string]any{
		"channel_id": slacksim.Security, "thread_ts": root.TS, "filename": "hosts.csv", "title": "All hosts", "content": "name\nhäst01 😀\n",
	}, &done))
	require.True(t, done.OK)
	files := c.Files(slacksim.Security)
	require.Len(t, files, 1)
	require.Equal(t, "name\nhäst01 😀\n", string(files[0].Content))
	require.Equal(t, []string{"hosts.csv", "All hosts", root.TS}, []string{files[0].Name, files[0].Title, files[0].ThreadTS})
	require.Contains(t, upload(map[string]any{"channel_id": "C0NOWHERE", "filename": "a", "content": "x"}, nil), "channel_not_found")
}

func TestOthersPeople(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(w *slacksim.Workspace) {
		w.BotScopes = []string{"users:read", "users:read.email", "usergroups:read", "im:write"}
	})
	me := c.call(t, "auth.test", map[string]any{})
	require.Equal(t, slacksim.DefaultBotUserID, me.UserID)
	require.Equal(t, slacksim.DefaultTeamID, me.TeamID)
	require.Contains(t, fmt.Sprint(c.call(t, "users.info", map[string]any{"user": slacksim.Alice}).User), "email:alice@example.com")
	require.Contains(t, fmt.Sprint(c.call(t, "users.lookupByEmail", map[string]any{"email": "bob@example.com"}).User), "id:"+slacksim.Bob)
	require.Len(t, c.call(t, "usergroups.list", map[string]any{"include_users": true}).Groups, 2)
	require.Equal(t, []string{slacksim.Bob, slacksim.Carol}, c.call(t, "usergroups.users.list", map[string]any{"usergroup": slacksim.OnCall}).Users)
	var direct struct{ ID string }
	require.NoError(t, json.Unmarshal(c.call(t, "conversations.open", map[string]any{"users": slacksim.Alice}).Channel, &direct))
	require.Equal(t, "D0ALICE", direct.ID)

	refused := c.call(t, "chat.postMessage", map[string]any{"channel": slacksim.Security, "text": "x"})
	require.Equal(t, "missing_scope", refused.Error)
	require.Equal(t, "chat:write", refused.Needed)
	c.Fail(slacksim.Fault{Method: "auth.test", Kind: slacksim.FaultRateLimited})
	limited := c.call(t, "auth.test", map[string]any{})
	require.Equal(t, "ratelimited", limited.Error)
	require.Equal(t, 1, limited.RetryAfter)
}

// TestOthersApp is the whole conversation of an app made with Bolt, by Socket Mode: before and after it was asked to come back.
func TestOthersApp(t *testing.T) {
	t.Parallel()
	c := newCaller(t, func(w *slacksim.Workspace) { w.Redeliveries = -1 })
	c.guest.Ask(t, map[string]any{"do": "socket", "token": c.Tokens().Bot, "appToken": c.Tokens().App, "api": c.srv.APIURL()}, nil)
	c.wait(t, func(s slacksim.Snapshot) bool { return s.Connections == 1 })
	c.talk(t, "before", slacksim.Carol)
	c.Disconnect(slacksim.DisconnectRefreshRequested)
	c.wait(t, func(s slacksim.Snapshot) bool { return s.Connections == 1 && s.Calls["apps.connections.open"] == 2 })
	c.talk(t, "after", slacksim.Bob)
	s := c.Snapshot()
	require.Zero(t, s.LateAcks)
	require.Zero(t, s.Oversized)
	for _, e := range s.Envelopes {
		require.Equal(t, 1, e.Acks, "%s: %s", e.Type, e.Payload)
	}
}

// TestOthersAppOverHTTP is the same over signed HTTP. Bolt takes what the workspace signs, and nothing else.
func TestOthersAppOverHTTP(t *testing.T) {
	t.Parallel()
	c := newCaller(t)
	var there struct{ URL string }
	c.guest.Ask(t, map[string]any{"do": "http", "token": c.Tokens().Bot, "secret": slacksim.DefaultSigningSecret, "api": c.srv.APIURL()}, &there)
	c.PostTo(slacksim.RequestURLs{Interactions: there.URL})
	c.talk(t, "signed", slacksim.Carol)

	status := func(r slacksim.SignedRequest) int {
		code, _, err := c.Resend(ctxFor(t), r)
		require.NoError(t, err)
		return code
	}
	body, kind, now := c.Sent()[0].Body, "application/x-www-form-urlencoded", time.Now()
	good := c.Sign(there.URL, kind, body, now)
	require.Equal(t, http.StatusOK, status(good))
	changed := good
	changed.Body += "&text=other"
	require.Equal(t, http.StatusUnauthorized, status(changed))
	require.Equal(t, http.StatusUnauthorized, status(c.Sign(there.URL, kind, body, now.Add(-6*time.Minute))))
	stranger := &slacksim.Workspace{SigningSecret: "another"}
	require.Equal(t, http.StatusUnauthorized, status(stranger.Sign(there.URL, kind, body, now)))
}

// talk goes through everything that an app can be told, and sees what it answers to this word and this person.
func (c caller) talk(t *testing.T, word, visitor string) {
	t.Helper()
	out, err := c.Command(ctxFor(t), slacksim.Alice, slacksim.Security, "/mde", "isolate <host01> & "+word)
	require.NoError(t, err)
	require.Equal(t, "heard isolate <host01> & "+word, out.Reply)

	button := map[string]any{"type": "button", "action_id": "probe", "value": word, "text": said("plain_text", "Probe")}
	posted := c.call(t, "chat.postMessage", map[string]any{
		"channel": slacksim.Security, "text": "press", "blocks": []any{map[string]any{"type": "actions", "elements": []any{button}}},
	})
	require.True(t, posted.OK, posted.Metadata.Messages)
	_, err = c.Click(ctxFor(t), slacksim.Bob, slacksim.Security, posted.TS, "Probe")
	require.NoError(t, err)
	c.wait(t, func(s slacksim.Snapshot) bool {
		told := s.Ephemerals[slacksim.Bob]
		return len(told) > 0 && told[len(told)-1].Text == "thanks for "+word
	})
	m, _ := c.Message(slacksim.Security, posted.TS)
	require.Equal(t, "pressed "+word, m.Text)
	c.fillInTheirForm(t)

	_, err = c.OpenHome(ctxFor(t), visitor)
	require.NoError(t, err)
	c.wait(t, func(s slacksim.Snapshot) bool {
		v, ok := s.Homes[visitor]
		return ok && v.Blocks[0].Text.Text == "home of "+visitor
	})
}

func (c caller) fillInTheirForm(t *testing.T) {
	t.Helper()
	_, err := c.Shortcut(ctxFor(t), slacksim.Alice, "probe_shortcut")
	require.NoError(t, err)
	c.wait(t, func(s slacksim.Snapshot) bool { return len(s.Views[slacksim.Alice]) == 1 })
	v := c.Views(slacksim.Alice)[0]
	found, err := c.Suggest(ctxFor(t), slacksim.Alice, v.ID, "which", "host")
	require.NoError(t, err)
	require.Equal(t, "host01", found[0].Text.Text)

	out, err := c.Submit(ctxFor(t), slacksim.Alice, v.ID, map[string]string{"why": "again", "which": "id-01"})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"why": "say why"}, out.Errors)
	_, err = c.Submit(ctxFor(t), slacksim.Alice, v.ID, map[string]string{"why": "more"})
	require.NoError(t, err)
	require.Equal(t, "Second", c.Views(slacksim.Alice)[0].Title.Text)
	_, err = c.Submit(ctxFor(t), slacksim.Alice, v.ID, map[string]string{"why": "enough"})
	require.NoError(t, err)
	require.Empty(t, c.Views(slacksim.Alice))
}
