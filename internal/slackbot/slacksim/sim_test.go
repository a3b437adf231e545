package slacksim_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// clock is a time that tests move by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 3, 1, 9, 41, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// desk is a workspace with its cast, and a client for it.
type desk struct {
	*slacksim.Workspace
	srv   *slacksim.Server
	api   *slack.Client
	clock *clock
}

func newDesk(t *testing.T, change ...func(*slacksim.Workspace)) *desk {
	t.Helper()
	clk := newClock()
	ws := &slacksim.Workspace{Clock: clk.Now, RedeliverAfter: time.Millisecond}
	for _, f := range change {
		f(ws)
	}
	ws.Cast()
	srv, err := ws.Start()
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	return &desk{Workspace: ws, srv: srv, clock: clk, api: newClient(ws, srv)}
}

func newClient(ws *slacksim.Workspace, srv *slacksim.Server) *slack.Client {
	return slack.New(ws.Tokens().Bot, slack.OptionAPIURL(srv.APIURL()), slack.OptionAppLevelToken(ws.Tokens().App),
		slack.OptionHTTPClient(&http.Client{Timeout: 10 * time.Second}))
}

// app is a Socket Mode client with a handler for each event that carries a request.
type app struct {
	client *socketmode.Client
	mu     sync.Mutex
	seen   []socketmode.Event
}

func (a *app) events() []socketmode.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]socketmode.Event(nil), a.seen...)
}

// waitEvents waits until the client has handed on at least n envelopes.
func (a *app) waitEvents(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return len(a.events()) >= n }, 15*time.Second, time.Millisecond)
}

// connect runs a Socket Mode client until the test ends; handle answers what it receives.
func (d *desk) connect(t *testing.T, handle func(*socketmode.Client, socketmode.Event)) *app {
	t.Helper()
	before := d.Snapshot().Connections
	a := &app{client: socketmode.New(newClient(d.Workspace, d.srv))}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = a.client.RunContext(ctx) })
	wg.Go(func() { a.loop(ctx, handle) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	d.wait(t, func(s slacksim.Snapshot) bool { return s.Connections == before+1 })
	return a
}

func (a *app) loop(ctx context.Context, handle func(*socketmode.Client, socketmode.Event)) {
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-a.client.Events:
			if ev.Request == nil || ev.Request.EnvelopeID == "" {
				continue
			}
			a.mu.Lock()
			a.seen = append(a.seen, ev)
			a.mu.Unlock()
			handle(a.client, ev)
		}
	}
}

func (d *desk) wait(t *testing.T, ok func(slacksim.Snapshot) bool) {
	t.Helper()
	require.NoError(t, d.WaitFor(ctxFor(t), ok))
}

func ctxFor(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func ackEmpty(c *socketmode.Client, ev socketmode.Event) { _ = c.Ack(*ev.Request) }

func silent(*socketmode.Client, socketmode.Event) {}

func plain(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}

func mrkdwn(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, s, false, false)
}

// card is a message with Approve and Deny.
func card(text string) []slack.Block {
	approve := slack.NewButtonBlockElement("approve", "req-1", plain("Approve")).WithStyle(slack.StylePrimary)
	deny := slack.NewButtonBlockElement("deny", "req-1", plain("Deny")).WithStyle(slack.StyleDanger)
	return []slack.Block{
		slack.NewHeaderBlock(plain("Isolate host01")),
		slack.NewSectionBlock(mrkdwn(text), nil, nil),
		slack.NewActionBlock("vote", approve, deny),
	}
}

func (d *desk) post(t *testing.T, opts ...slack.MsgOption) slacksim.Message {
	t.Helper()
	_, ts, err := d.api.PostMessageContext(ctxFor(t), slacksim.Security, opts...)
	require.NoError(t, err)
	require.NotEmpty(t, ts)
	m, ok := d.Message(slacksim.Security, ts)
	require.True(t, ok)
	return m
}

func slackCode(err error) string {
	var e slack.SlackErrorResponse
	if errors.As(err, &e) {
		return e.Err
	}
	return ""
}

func TestCommandRoundTrip(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	handle := func(c *socketmode.Client, ev socketmode.Event) {
		cmd := ev.Data.(slack.SlashCommand)
		_ = c.Ack(*ev.Request, map[string]any{"text": "got " + cmd.Text + " from " + cmd.UserName})
	}
	one, two := d.connect(t, handle), d.connect(t, handle)
	for range 16 {
		out, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "isolate host01")
		require.NoError(t, err)
		require.Equal(t, "got isolate host01 from alice", out.Reply)
		require.Len(t, out.Ephemerals, 1)
		require.Equal(t, slacksim.Alice, out.Ephemerals[0].To)
		require.Equal(t, 1, out.Deliveries)
	}
	require.Len(t, d.Ephemerals("alice"), 16)
	require.Empty(t, d.Ephemerals("bob"))
	require.Empty(t, d.Messages(slacksim.Security))
	require.NotEmpty(t, one.events(), "envelopes are spread over the connections")
	require.NotEmpty(t, two.events(), "envelopes are spread over the connections")
	cmd := one.events()[0].Data.(slack.SlashCommand)
	require.Equal(t, slacksim.DefaultTeamID, cmd.TeamID)
	require.Equal(t, "security", cmd.ChannelName)
	require.True(t, strings.HasPrefix(cmd.ResponseURL, d.srv.URL))
	require.True(t, one.events()[0].Request.AcceptsResponsePayload)
}

func TestCommandRefusedByTheClient(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.SetChannel(slacksim.Channel{ID: "C0OTHER", Name: "other"})
	for name, c := range map[string]struct{ user, channel, want string }{
		"deactivated":     {"mallory", "#security", "account_inactive"},
		"unknown person":  {"nobody", "#security", "user_not_found"},
		"unknown channel": {"alice", "#nowhere", "channel_not_found"},
		"not a member":    {"alice", "#other", "user_not_in_channel"},
		"no connection":   {"alice", "#security", "dispatch_failed"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := d.Command(ctxFor(t), c.user, c.channel, "/mde", "help")
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestClick(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.connect(t, func(c *socketmode.Client, ev socketmode.Event) {
		cb := ev.Data.(slack.InteractionCallback)
		_, _ = d.api.PostEphemeralContext(t.Context(), cb.Channel.ID, cb.User.ID, slack.MsgOptionText("counted", false))
		_ = c.Ack(*ev.Request)
	})
	m := d.post(t, slack.MsgOptionText("card", false), slack.MsgOptionBlocks(card("please")...))
	for _, button := range []string{"approve", "Approve", "1"} {
		out, err := d.Click(ctxFor(t), "bob", "#security", m.TS, button)
		require.NoError(t, err)
		require.Equal(t, "counted", out.Ephemerals[0].Text)
	}
	cb := a.events()[0].Data.(slack.InteractionCallback)
	require.Equal(t, slack.InteractionTypeBlockActions, cb.Type)
	require.Equal(t, slacksim.Bob, cb.User.ID)
	require.Equal(t, slacksim.DefaultTeamID, cb.User.TeamID)
	require.Equal(t, m.TS, cb.Message.Timestamp)
	require.Equal(t, m.TS, cb.Container.MessageTs)
	require.Len(t, cb.Message.Blocks.BlockSet, 3)
	require.Equal(t, "req-1", cb.ActionCallback.BlockActions[0].Value)
	require.Equal(t, "approve", cb.ActionCallback.BlockActions[0].ActionID)
	require.False(t, a.events()[0].Request.AcceptsResponsePayload)
}

func TestClickNeedsTheButtonToBeThere(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.connect(t, ackEmpty)
	old := d.post(t, slack.MsgOptionBlocks(card("please")...))
	_, _, _, err := d.api.UpdateMessageContext(ctxFor(t), slacksim.Security, old.TS, slack.MsgOptionText("done", false), slack.MsgOptionBlocks([]slack.Block{}...))
	require.NoError(t, err)

	_, err = d.Click(ctxFor(t), "bob", "#security", old.TS, "approve")
	require.ErrorContains(t, err, `no button "approve"`)
	_, err = d.Click(ctxFor(t), "bob", "#security", "1.000000", "approve")
	require.ErrorContains(t, err, "message_not_found")
	require.Empty(t, a.events())

	out, err := d.ClickStale(ctxFor(t), "mallory", old, "approve")
	require.NoError(t, err)
	require.Equal(t, slacksim.Mallory, a.events()[0].Data.(slack.InteractionCallback).User.ID)

	again, err := d.Replay(ctxFor(t), out.EnvelopeID)
	require.NoError(t, err)
	require.Equal(t, 2, again.Deliveries)
	require.Equal(t, a.events()[0].Request.EnvelopeID, a.events()[1].Request.EnvelopeID)
	require.JSONEq(t, string(a.events()[0].Request.Payload), string(a.events()[1].Request.Payload))
	_, err = d.Replay(ctxFor(t), "env-unknown")
	require.Error(t, err)
}

func TestForgedPayloads(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.connect(t, ackEmpty)
	m := d.post(t, slack.MsgOptionBlocks(card("please")...))
	p, err := d.ClickPayload("alice", m, "approve")
	require.NoError(t, err)
	p["user"] = slacksim.Payload{"id": slacksim.Bob, "team_id": "T0ELSEWHERE"}
	_, err = d.Send(ctxFor(t), slacksim.Interactive, p)
	require.NoError(t, err)
	require.Equal(t, "T0ELSEWHERE", a.events()[0].Data.(slack.InteractionCallback).User.TeamID)

	cmd := d.CommandPayload(slacksim.User{ID: "U0FORGED", Name: "root"}, slacksim.Channel{ID: "C0FORGED"}, "/mde", "help")
	_, err = d.Send(ctxFor(t), slacksim.SlashCommands, cmd)
	require.NoError(t, err)
	require.Equal(t, "U0FORGED", a.events()[1].Data.(slack.SlashCommand).UserID)
}

func TestRedeliveryWithoutAck(t *testing.T) {
	t.Parallel()
	for name, fresh := range map[string]bool{"same envelope_id": false, "fresh envelope_id": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, func(w *slacksim.Workspace) { w.AckDeadline, w.FreshEnvelopeIDs = 50*time.Millisecond, fresh })
			one, two := d.connect(t, silent), d.connect(t, func(c *socketmode.Client, ev socketmode.Event) {
				if ev.Request.RetryAttempt >= 2 {
					_ = c.Ack(*ev.Request)
				}
			})
			out, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "help")
			if err != nil { // The third delivery may have gone to the silent one; the fourth then comes too.
				require.ErrorIs(t, err, slacksim.ErrNotAcknowledged)
			}
			require.GreaterOrEqual(t, out.Deliveries, 3)
			one.waitEvents(t, 1) // A redelivery goes to the other connection, so that both get some.
			two.waitEvents(t, 1)
			all := append(one.events(), two.events()...)
			ids := map[string]bool{}
			for _, ev := range all {
				ids[ev.Request.EnvelopeID] = true
				require.Equal(t, ev.Request.RetryAttempt > 0, ev.Request.RetryReason == "timeout")
			}
			require.LessOrEqual(t, len(ids), out.Deliveries)
			require.Equal(t, fresh, len(ids) > 1)
		})
	}
}

func TestNobodyAcknowledges(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(w *slacksim.Workspace) { w.AckDeadline, w.Redeliveries = 20*time.Millisecond, 2 })
	a := d.connect(t, silent)
	out, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "help")
	require.ErrorIs(t, err, slacksim.ErrNotAcknowledged)
	require.Equal(t, 3, out.Deliveries)
	a.waitEvents(t, 1)
	require.NoError(t, a.client.Ack(*a.events()[0].Request))
	d.wait(t, func(s slacksim.Snapshot) bool { return s.LateAcks == 1 && s.Envelopes[0].Acks == 1 })
}

func TestRedeliveriesCanBeOff(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(w *slacksim.Workspace) { w.AckDeadline, w.Redeliveries = 20*time.Millisecond, -1 })
	d.connect(t, silent)
	out, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "help")
	require.ErrorIs(t, err, slacksim.ErrNotAcknowledged)
	require.Equal(t, 1, out.Deliveries)
}

func TestCutBeforeAck(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	one, two := d.connect(t, ackEmpty), d.connect(t, ackEmpty)
	d.CutBeforeAck(1)
	out, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "help")
	require.NoError(t, err)
	require.Equal(t, 2, out.Deliveries, "the first answer was lost with its connection")
	require.Len(t, append(one.events(), two.events()...), 2)
	d.wait(t, func(s slacksim.Snapshot) bool { return s.Connections == 2 })
}

func TestCutAfterSendingWithOneConnection(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.connect(t, ackEmpty)
	d.CutAfterSending(1)
	out, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "help")
	require.NoError(t, err, "the envelope waits for the reconnect")
	// A client may keep an answer it could not send and send it on its next connection: then one delivery is enough.
	require.LessOrEqual(t, out.Deliveries, 2)
	require.Equal(t, 2, d.Calls("apps.connections.open"))
	require.Equal(t, 1, d.Snapshot().Envelopes[0].Acks-d.Snapshot().LateAcks)
}

func TestDropAndReconnect(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.connect(t, ackEmpty)
	d.connect(t, ackEmpty)
	require.Equal(t, 2, d.DropConnections())
	d.wait(t, func(s slacksim.Snapshot) bool { return s.Connections == 2 && s.Calls["apps.connections.open"] == 4 })
	_, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "help")
	require.NoError(t, err)
}

func TestDisconnectMessages(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{slacksim.DisconnectWarning, slacksim.DisconnectRefreshRequested, slacksim.DisconnectLinkDisabled} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.connect(t, ackEmpty)
			d.Disconnect(reason)
			d.wait(t, func(s slacksim.Snapshot) bool { return s.Calls["apps.connections.open"] == 2 && s.Connections == 1 })
			_, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "help")
			require.NoError(t, err)
		})
	}
}

func TestPings(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(w *slacksim.Workspace) { w.PingInterval = time.Millisecond })
	conn := d.dial(t)
	pings := 0
	conn.SetPingHandler(func(string) error {
		pings++
		if pings == 3 {
			return errors.New("three pings")
		}
		return nil
	})
	read(t, conn)
	_, _, err := conn.ReadMessage()
	require.ErrorContains(t, err, "three pings")
}

func TestWithoutPingsTheClientReconnects(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(w *slacksim.Workspace) { w.PingInterval = -1 })
	client := socketmode.New(newClient(d.Workspace, d.srv), socketmode.OptionPingInterval(50*time.Millisecond))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = client.RunContext(ctx) })
	wg.Go(func() { (&app{client: client}).loop(ctx, silent) })
	d.wait(t, func(s slacksim.Snapshot) bool { return s.Calls["apps.connections.open"] >= 2 })
	cancel()
	wg.Wait()
}

func TestEventsAreDelivered(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.connect(t, ackEmpty)
	_, err := d.Send(ctxFor(t), slacksim.EventsAPI, map[string]any{
		"type": "event_callback", "team_id": slacksim.DefaultTeamID, "event_id": "Ev1",
		"event": map[string]any{"type": "app_home_opened", "user": slacksim.Alice, "channel": "D1", "tab": "home"},
	})
	require.NoError(t, err)
	require.Equal(t, socketmode.EventTypeEventsAPI, a.events()[0].Type)
}

func TestWaitForEnds(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	never := func(slacksim.Snapshot) bool { return false }
	err := d.WaitFor(ctx, never)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "0 messages")
	d.srv.Close()
	require.ErrorIs(t, d.WaitFor(t.Context(), never), slacksim.ErrClosed)
	_, err = d.Start()
	require.ErrorContains(t, err, "started before")
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}
