package slackbot_test

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // to hold a lock from outside

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestIsolateIsApprovedBySomebodyElseAndRunsOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	out := h.typed(t, slacksim.Alice, "isolate "+mdesim.NameHost+" because beaconing to a known C2")
	require.Equal(t, 1, len(out.Ephemerals))
	require.Contains(t, shown(out.Ephemerals[0]), "is pending")
	card := h.card(t, "Approval needed")
	id := requestOn(t, card)
	text := shown(card)
	for _, want := range []string{mdesim.NameHost, h.tenant.Device(mdesim.NameHost).ID, `"beaconing to a known C2"`, "alice@example.com", "on-call"} {
		require.Contains(t, text, want)
	}

	h.press(t, slacksim.Alice, card, "Approve")
	h.told(t, slacksim.Alice, "someone else must approve")
	require.Equal(t, approvals.Pending, h.state(t, id).State)
	require.Zero(t, h.tenant.Writes())

	h.press(t, slacksim.Bob, card, "Approve")
	h.told(t, slacksim.Bob, "counted")
	done := h.card(t, "Done: isolate devices")
	require.Equal(t, card.TS, done.TS, "the card is updated in place")
	require.Len(t, done.Buttons(), 1, "nothing can be voted on any more")
	h.waitThread(t, card, 2)
	require.Equal(t, approvals.Succeeded, h.state(t, id).State)
	require.Equal(t, 1, h.tenant.Writes())
	require.Len(t, h.tenant.Effects(), 1)

	h.press(t, slacksim.Carol, card, "Details") // the old screen still shows it; nothing changes
	h.typed(t, slacksim.Bob, "release "+mdesim.NameHost+" because cleaned")
	release := h.card(t, "Approval needed: release")
	h.press(t, slacksim.Carol, release, "Approve")
	h.card(t, "Done: release devices")
	require.Len(t, h.tenant.Effects(), 2)
	report, err := h.gate.VerifyAudit(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK(), report.Faults)
}

func (h *house) waitThread(t *testing.T, card slacksim.Message, n int) {
	t.Helper()
	h.wait(t, func(s slacksim.Snapshot) bool {
		replies := 0
		for _, m := range s.Messages[card.Channel] {
			if m.ThreadTS == card.TS && m.TS != card.TS {
				replies++
			}
		}
		return replies == n
	})
}

func TestTwoApproversAreTwoPeople(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{approvers: 2})
	card, id := h.isolate(t)
	h.press(t, slacksim.Bob, card, "Approve")
	h.told(t, slacksim.Bob, "Now: waits for 1 more of on-call")
	h.press(t, slacksim.Bob, card, "Approve")
	h.told(t, slacksim.Bob, "already counted")
	require.Equal(t, approvals.Pending, h.state(t, id).State)
	require.Zero(t, h.tenant.Writes())
	h.press(t, slacksim.Carol, card, "Approve")
	h.card(t, "Done")
	require.Equal(t, 1, h.tenant.Writes())
	_, err := h.ClickStale(t.Context(), slacksim.Bob, card, "Approve")
	require.NoError(t, err)
	require.Equal(t, 1, h.tenant.Writes())
}

func TestDenyAsksForAReasonAndIsFinal(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	card, id := h.isolate(t)
	h.press(t, slacksim.Bob, card, "Deny")
	view := h.modal(t, slacksim.Bob)
	_, err := h.Submit(t.Context(), slacksim.Bob, view.ID, map[string]string{"mde_reason": "<!channel> wrong host"})
	require.NoError(t, err)
	h.told(t, slacksim.Bob, "You denied")
	denied := h.card(t, "Denied")
	require.Contains(t, shown(denied), "wrong host")
	h.waitThread(t, card, 1)
	for _, m := range h.Thread(slacksim.Security, card.TS) {
		for _, e := range m.Fires() {
			require.Equal(t, slacksim.Alice, e.Target, "who asked is told, and nobody else")
		}
	}

	_, err = h.ClickStale(t.Context(), slacksim.Carol, card, "Approve")
	require.NoError(t, err)
	h.told(t, slacksim.Carol, "already denied")
	require.Equal(t, approvals.Denied, h.state(t, id).State)
	require.Zero(t, h.tenant.Writes())
}

func (h *house) modal(t *testing.T, user string) slacksim.View {
	t.Helper()
	h.wait(t, func(s slacksim.Snapshot) bool { return len(s.Views[user]) > 0 })
	views := h.Views(user)
	return views[len(views)-1]
}

func TestDenialThatIsNotCountedKeepsTheModalOpen(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	card, id := h.isolate(t)
	h.press(t, slacksim.Alice, card, "Deny")
	out, err := h.Submit(t.Context(), slacksim.Alice, h.modal(t, slacksim.Alice).ID, map[string]string{"mde_reason": "changed my mind"})
	require.NoError(t, err)
	require.Contains(t, out.Errors["mde_reason"], "you asked for this")
	require.Len(t, out.Views, 1)
	require.Equal(t, approvals.Pending, h.state(t, id).State)
}

func TestDetailsShowEverything(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	card, id := h.isolate(t)
	h.press(t, slacksim.Carol, card, "Details")
	view := h.modal(t, slacksim.Carol)
	text := slacksim.RenderView(view, slacksim.RenderOptions{Width: 400})
	require.Contains(t, text, h.state(t, id).Digest)
	require.Contains(t, text, `"isolation_type":"Full"`)
	require.Nil(t, view.Submit, "what the card shows whole is approved on the card")
}

// confirming asks for the requester's own yes whatever the tool.
type confirming struct{ approvals.Policy }

func (c confirming) Decide(call approvals.Call) approvals.Decision {
	d := c.Policy.Decide(call)
	if d.Outcome == approvals.Approve {
		d.Outcome, d.Quorum = approvals.Confirm, approvals.Quorum{}
	}
	return d
}

func TestConfirmIsForTheRequesterOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{policy: confirming{defaultPolicy(t)}})
	h.typed(t, slacksim.Alice, "isolate "+mdesim.NameHost+" because beaconing")
	card := h.card(t, "Confirmation needed")
	h.press(t, slacksim.Bob, card, "Confirm")
	h.told(t, slacksim.Bob, "only alice@example.com")
	require.Zero(t, h.tenant.Writes())
	h.press(t, slacksim.Alice, card, "Confirm")
	h.card(t, "Done")
	require.Equal(t, 1, h.tenant.Writes())
}

func TestCommandsAreForRespondersInListedChannels(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	h.AddChannel("C0RANDOM", "random", slacksim.Alice)
	for _, c := range []struct{ name, user, channel, text, want string }{
		{"not a responder", slacksim.Carol, slacksim.Security, "device " + mdesim.NameHost, "responder group"},
		{"not even help", slacksim.Carol, slacksim.Security, "help", "responder group"},
		{"another channel", slacksim.Alice, "C0RANDOM", "device " + mdesim.NameHost, "does not work in this channel"},
		{"guest", slacksim.Dave, slacksim.Security, "help", "guest"},
		{"stranger", slacksim.Eve, slacksim.Security, "help", "another workspace"},
		{"unknown word", slacksim.Alice, slacksim.Security, "isolat " + mdesim.NameHost, "Did you mean /mde isolate?"},
		{"unknown flag", slacksim.Alice, slacksim.Security, "isolate x --typo full because y", "--typo: there is no such flag"},
		{"missing reason", slacksim.Alice, slacksim.Security, "isolate " + mdesim.NameHost, "reason"},
		{"ambiguous", slacksim.Alice, slacksim.Security, "isolate host02 because y", ""},
		{"unknown device", slacksim.Alice, slacksim.Security, "isolate nosuchhost because y", "no device"},
		{"slash in the id", slacksim.Alice, slacksim.Security, "isolate ../machines because y", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := h.Command(t.Context(), c.user, c.channel, "/mde", c.text)
			require.NoError(t, err)
			require.Equal(t, 1, len(out.Ephemerals))
			require.Contains(t, shown(out.Ephemerals[0]), c.want)
		})
	}
	require.Zero(t, h.tenant.Writes())
	require.Zero(t, h.Calls("chat.postMessage"))
}

func TestUnsetResponderGroupRefusesEverything(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*slackbot.Options){
		"no group":    func(o *slackbot.Options) { o.ResponderGroup = approvals.Group{} },
		"no channels": func(o *slackbot.Options) { o.Channels = nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, plan{deaf: true, bot: change})
			for _, text := range []string{"help", "device " + mdesim.NameHost, "isolate " + mdesim.NameHost + " because x"} {
				out := h.typed(t, slacksim.Alice, text)
				require.Contains(t, shown(out.Ephemerals[0]), "switched off")
			}
			require.Contains(t, h.log.String(), "set the responder group")
			require.Zero(t, h.tenant.Writes())
		})
	}
}

func TestRefusedPeopleCantVote(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	card, id := h.isolate(t)
	bob, err := h.User(slacksim.Bob)
	require.NoError(t, err)
	for name, change := range map[string]func(*slacksim.User){
		"deleted":     func(u *slacksim.User) { u.Deleted = true },
		"bot":         func(u *slacksim.User) { u.Bot = true },
		"app user":    func(u *slacksim.User) { u.AppUser = true },
		"guest":       func(u *slacksim.User) { u.Restricted = true },
		"one channel": func(u *slacksim.User) { u.UltraRestricted = true },
		"stranger":    func(u *slacksim.User) { u.Stranger = true },
		"invited":     func(u *slacksim.User) { u.Invited = true },
		"unconfirmed": func(u *slacksim.User) { u.EmailConfirmed = false },
		"no e-mail":   func(u *slacksim.User) { u.Email = "" },
		"other team":  func(u *slacksim.User) { u.TeamID = "T0OTHER" },
	} {
		changed := bob
		change(&changed)
		h.AddUser(changed)
		before := len(h.Ephemerals(slacksim.Bob))
		_, err := h.ClickStale(t.Context(), slacksim.Bob, card, "Approve")
		require.NoError(t, err, name)
		h.wait(t, func(s slacksim.Snapshot) bool { return len(s.Ephemerals[slacksim.Bob]) > before })
		require.Contains(t, shown(h.Ephemerals(slacksim.Bob)[before]), "Not counted", name)
		require.Equal(t, approvals.Pending, h.state(t, id).State, name)
	}
	h.AddUser(bob)
	h.Fail(slacksim.Fault{Method: "users.info", Kind: slacksim.FaultStatus})
	h.press(t, slacksim.Bob, card, "Approve")
	h.told(t, slacksim.Bob, "Not saved, press again")
	require.Equal(t, approvals.Pending, h.state(t, id).State)
	require.Zero(t, h.tenant.Writes())
}

func TestForgedAndCopiedCardsCountNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	first, firstID := h.isolate(t)
	h.typed(t, slacksim.Alice, "isolate "+mdesim.NameVIP+" because the same")
	var second slacksim.Message
	h.wait(t, func(s slacksim.Snapshot) bool {
		for _, m := range s.Messages[slacksim.Security] {
			if m.TS != first.TS {
				second = m
			}
		}
		return second.TS != ""
	})
	forge := func(change func(slacksim.Payload)) {
		before := len(h.Ephemerals(slacksim.Bob))
		p, err := h.ClickPayload(slacksim.Bob, first, "Approve")
		require.NoError(t, err)
		change(p)
		_, err = h.Send(t.Context(), slacksim.Interactive, p)
		require.NoError(t, err)
		h.wait(t, func(s slacksim.Snapshot) bool {
			return len(s.Ephemerals[slacksim.Bob]) > before || strings.Contains(h.log.String(), "strange value")
		})
		require.Equal(t, approvals.Pending, h.state(t, firstID).State)
	}
	value := func(m slacksim.Message) string { return m.Buttons()[0].Value }
	action := func(p slacksim.Payload) slacksim.Payload { return p["actions"].([]any)[0].(slacksim.Payload) }
	id, digest, _ := strings.Cut(value(second), ".")
	forge(func(p slacksim.Payload) { action(p)["value"] = firstID + "." + digest })
	forge(func(p slacksim.Payload) { action(p)["value"] = id + "." + digest })
	forge(func(p slacksim.Payload) { p["container"].(slacksim.Payload)["message_ts"] = "1700000000.000100" })
	forge(func(p slacksim.Payload) { p["container"].(slacksim.Payload)["channel_id"] = "C0COPY" })
	forge(func(p slacksim.Payload) { p["user"].(slacksim.Payload)["team_id"] = "T0OTHER" })
	forge(func(p slacksim.Payload) { action(p)["value"] = "../../etc" })
	require.Equal(t, approvals.Pending, h.state(t, id).State)
	require.Zero(t, h.tenant.Writes())
}

func TestRedeliveriesAndReplaysActOnce(t *testing.T) {
	t.Parallel()
	for name, fresh := range map[string]bool{"same envelope": false, "fresh envelope": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, plan{workspace: func(w *slacksim.Workspace) { w.FreshEnvelopeIDs = fresh }})
			h.CutBeforeAck(1)
			out := h.typed(t, slacksim.Alice, "isolate "+mdesim.NameHost+" because x")
			require.Greater(t, out.Deliveries, 1)
			card := h.card(t, "Approval needed")
			_, err := h.Replay(t.Context(), out.EnvelopeID)
			require.NoError(t, err)
			require.Len(t, h.requests(t), 1, "a command that came again makes no second request")

			h.CutBeforeAck(1)
			vote := h.press(t, slacksim.Bob, card, "Approve")
			require.Greater(t, vote.Deliveries, 1)
			h.card(t, "Done")
			_, err = h.Replay(t.Context(), vote.EnvelopeID)
			require.NoError(t, err)
			require.Len(t, h.requests(t)[0].Votes, 1)
			require.Equal(t, 1, h.tenant.Writes())
		})
	}
}

func (h *house) requests(t *testing.T) []approvals.Request {
	t.Helper()
	list, err := h.gate.List(t.Context(), store.Filter{})
	require.NoError(t, err)
	return list
}

func TestConnectionsDroppedDuringAClick(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	card, id := h.isolate(t)
	h.CutAfterSending(1)
	h.press(t, slacksim.Bob, card, "Approve")
	h.card(t, "Done")
	require.Len(t, h.state(t, id).Votes, 1)
	require.Equal(t, 1, h.tenant.Writes())
	h.DropConnections()
	h.wait(t, func(s slacksim.Snapshot) bool { return s.Connections == 2 })
	require.NotEmpty(t, h.typed(t, slacksim.Alice, "help").Ephemerals)
	h.Disconnect(slacksim.DisconnectRefreshRequested)
	h.wait(t, func(s slacksim.Snapshot) bool { return s.Connections == 2 })
}

func TestVoteThatCantBeSavedSaysSo(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{busy: 200 * time.Millisecond, bot: func(o *slackbot.Options) { o.AckDeadline = time.Second }})
	card, id := h.isolate(t)
	unlock := h.lock(t)
	h.press(t, slacksim.Bob, card, "Approve")
	h.told(t, slacksim.Bob, "Perhaps not saved: look at the card")
	h.typed(t, slacksim.Alice, "isolate "+mdesim.NameVIP+" because x")
	h.told(t, slacksim.Alice, "database")
	unlock()
	require.Equal(t, approvals.Pending, h.state(t, id).State)
	require.Zero(t, h.tenant.Writes())

	for range 5 { // what waited for the lock goes first, so that a press may have to be made again
		if h.state(t, id).State == approvals.Pending {
			_, err := h.ClickStale(t.Context(), slacksim.Bob, card, "Approve")
			require.NoError(t, err)
		}
	}
	h.card(t, "Done")
	require.Len(t, h.state(t, id).Votes, 1)
	require.Equal(t, 1, h.tenant.Writes())
}

// lock holds the database from outside until the returned function is called.
func (h *house) lock(t *testing.T) (unlock func()) {
	t.Helper()
	outside, err := sql.Open("sqlite", "file:"+h.path+"?_pragma=busy_timeout(5000)")
	require.NoError(t, err)
	conn, err := outside.Conn(t.Context())
	require.NoError(t, err)
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	return func() {
		_, err := conn.ExecContext(context.Background(), "ROLLBACK")
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		require.NoError(t, outside.Close())
	}
}

func TestVoteIsSavedBeforeItIsAcknowledged(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	r := submittedFor(t, h, "beaconing")
	_, err := h.notifier(t).Notify(t.Context(), r.ID)
	require.NoError(t, err)
	card := h.card(t, "Approval needed")
	h.Fail(slacksim.Fault{Method: "users.info", Kind: slacksim.FaultSlow, Delay: 200 * time.Millisecond})
	h.press(t, slacksim.Bob, card, "Approve")
	require.Equal(t, approvals.Approved, h.state(t, r.ID).State, "by the time Slack hears that the press arrived")
}

func TestSlowAnswersComeAfterTheAcknowledgement(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{
		deaf: true, bot: func(o *slackbot.Options) { o.Promptly = 30 * time.Millisecond },
		tenant: func(m *mdesim.Tenant) { m.Latency = 300 * time.Millisecond },
	})
	out, err := h.Command(t.Context(), slacksim.Alice, slacksim.Security, "/mde", "device "+mdesim.NameHost)
	require.NoError(t, err)
	require.Empty(t, out.Reply)
	require.Contains(t, h.told(t, slacksim.Alice, mdesim.NameHost), "Active")
	require.Equal(t, 1, h.Calls("response_url"))
}

func TestAnswersGoToSlackOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	card, _ := h.isolate(t)
	var collected atomic.Int32
	attacker := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { collected.Add(1) }))
	defer attacker.Close()
	p, err := h.ClickPayload(slacksim.Carol, card, "Approve")
	require.NoError(t, err)
	p["response_url"] = attacker.URL + "/collect"
	_, err = h.Send(t.Context(), slacksim.Interactive, p)
	require.NoError(t, err)
	h.told(t, slacksim.Carol, "counted")
	require.Equal(t, 1, h.Calls("chat.postEphemeral"))
	require.Zero(t, collected.Load())
}

func TestHostileAlertTitlesFireNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	h.tenant.RaiseAlert(mdesim.Alert{Title: "<!channel> <https://evil.example|click> @here https://evil.example \u202egnp.exe", Severity: "High"})
	out := h.typed(t, slacksim.Alice, "alerts --severity high --limit 50")
	require.Contains(t, shown(out.Ephemerals[0]), "click")
	for _, m := range out.Ephemerals {
		require.Empty(t, m.Fires())
		require.NotContains(t, string(m.RawBlocks), "\u202e")
	}
}

func TestWrongTokensStopTheBotWithAClearError(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, deaf: true})
	o := h.options
	o.AppToken = "xapp-1-secret-revoked"
	b, err := slackbot.New(o)
	require.NoError(t, err)
	err = b.Run(t.Context())
	require.ErrorContains(t, err, "app-level token")
	require.NotContains(t, err.Error(), "secret")
	require.ErrorContains(t, b.Check(t.Context()), "app-level token")

	o.BotToken, o.AppToken, o.Channels, o.ApprovalChannel = "xapp-1-secret", "xoxp-secret", []string{"#security"}, ""
	_, err = slackbot.New(o)
	require.ErrorContains(t, err, "the bot token is an app-level token")
	require.ErrorContains(t, err, "the app-level token is a user token")
	require.ErrorContains(t, err, "not a channel id")
	require.NotContains(t, err.Error(), "secret")
	_, err = slackbot.New(slackbot.Options{})
	require.ErrorContains(t, err, "no dispatcher")
}

func TestCheckFindsWhatIsMissing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, deaf: true})
	check := func(change func(*slackbot.Options)) error {
		o := h.options
		change(&o)
		b, err := slackbot.New(o)
		require.NoError(t, err)
		return b.Check(t.Context())
	}
	require.NoError(t, check(func(*slackbot.Options) {}))
	require.ErrorContains(t, check(func(o *slackbot.Options) { o.ResponderGroup.Slack = "S0NONE" }), "responder group")
	require.ErrorContains(t, check(func(o *slackbot.Options) { o.ApprovalChannel = "C0NONE" }), "approval channel")
	require.ErrorContains(t, check(func(o *slackbot.Options) { o.BotToken = "xoxb-wrong" }), "bot token")
	h.SetChannel(slacksim.Channel{ID: "C0QUIET", Name: "quiet", BotAbsent: true})
	require.ErrorContains(t, check(func(o *slackbot.Options) { o.ApprovalChannel = "C0QUIET" }), "invite the app")
}

func TestRunEndsCleanly(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, deaf: true, tenant: func(m *mdesim.Tenant) { m.Latency = 100 * time.Millisecond }})
	b, err := slackbot.New(h.options)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	h.wait(t, func(s slacksim.Snapshot) bool { return s.Connections == 2 })
	go func() {
		_, _ = h.Command(context.Background(), slacksim.Alice, slacksim.Security, "/mde", "device "+mdesim.NameHost)
	}()
	h.wait(t, func(s slacksim.Snapshot) bool { return s.Calls["users.info"] > 0 }) // the command is being handled
	cancel()
	require.NoError(t, <-ended)
	require.Contains(t, h.heard(), mdesim.NameHost, "what was begun is finished")
	h.wait(t, func(s slacksim.Snapshot) bool { return s.Connections == 0 })
}

func TestCutCardIsApprovedFromItsFullText(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	r := submittedFor(t, h, strings.Repeat("a very long reason ", 6000))
	_, err := h.notifier(t).Notify(t.Context(), r.ID)
	require.NoError(t, err)
	card := h.card(t, "does not hold everything")
	_, err = h.Click(t.Context(), slacksim.Bob, card.Channel, card.TS, "Approve")
	require.ErrorContains(t, err, "no button")

	h.press(t, slacksim.Bob, card, "Details")
	view := h.modal(t, slacksim.Bob)
	require.Nil(t, view.Submit, "the first page is not everything")
	for view.Submit == nil {
		_, err = h.ClickView(t.Context(), slacksim.Bob, view.ID, "Next")
		require.NoError(t, err)
		h.wait(t, func(s slacksim.Snapshot) bool { return s.Views[slacksim.Bob][0].Hash != view.Hash })
		view = h.modal(t, slacksim.Bob)
	}
	h.AddGroup(slacksim.OnCall, "on-call", slacksim.Carol)
	_, err = h.Submit(t.Context(), slacksim.Bob, view.ID, nil)
	require.NoError(t, err)
	h.told(t, slacksim.Bob, "not an approver")
	require.Equal(t, approvals.Pending, h.state(t, r.ID).State)

	h.AddGroup(slacksim.OnCall, "on-call", slacksim.Bob)
	h.press(t, slacksim.Bob, card, "Details")
	view = h.modal(t, slacksim.Bob)
	_, err = h.ClickView(t.Context(), slacksim.Bob, view.ID, "Next")
	require.NoError(t, err)
	h.wait(t, func(s slacksim.Snapshot) bool { return s.Views[slacksim.Bob][0].Hash != view.Hash })
	_, err = h.Submit(t.Context(), slacksim.Bob, view.ID, nil)
	require.NoError(t, err)
	h.told(t, slacksim.Bob, "counted")
	require.Equal(t, approvals.Approved, h.state(t, r.ID).State)
}

func TestGroupThatCantBeLookedUpIsNobody(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	card, id := h.isolate(t)
	h.Fail(slacksim.Fault{Method: "usergroups.users.list", Kind: slacksim.FaultStatus, Times: -1})
	out := h.typed(t, slacksim.Alice, "device "+mdesim.NameHost)
	require.Contains(t, shown(out.Ephemerals[0]), "could not be asked")
	h.press(t, slacksim.Bob, card, "Approve")
	h.told(t, slacksim.Bob, "Not saved, press again")
	require.Equal(t, approvals.Pending, h.state(t, id).State)
	require.Zero(t, h.tenant.Writes())
}
