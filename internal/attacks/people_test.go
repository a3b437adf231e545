package attacks_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools"
)

const alice, bob = "alice@example.com", "bob@example.com"

func TestSelfApprovalInSlack(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	h.SetGroup(slacksim.OnCall, slacksim.Alice, slacksim.Bob, slacksim.Carol) // alice is an approver herself
	id, card := h.asked(mdesim.NameHost)
	before := h.head()
	require.Contains(t, h.pressed(slacksim.Alice, card, "Approve"), "someone else must approve")
	h.refused(before, alice, "approve by "+alice)

	u := h.user(slacksim.Alice)
	for _, mail := range []string{"ALICE@Example.COM", "alice.arden@example.com"} {
		before, u.Email = h.head(), mail
		h.AddUser(u) // the same account under another spelling, and under another address
		h.pressed(slacksim.Alice, card, "Approve")
		h.refused(before, mail, "someone else must approve")
	}
	require.Equal(t, approvals.Pending, h.state(id).State)
	h.sent(0)
	h.sound()
}

// by is a caller who came through a face that is not Slack.
func by(via approvals.Via, id string, verified bool) approvals.Requester {
	return approvals.Requester{Person: approvals.Person{ID: id}, Verified: verified, Via: via}
}

// call calls a tool, as a face does.
func (h *house) call(tool, args string, who approvals.Requester) (tools.Result, error) {
	return h.dispatcher.Call(h.t.Context(), tools.Call{Tool: tool, Args: []byte(args), Requester: who})
}

// isolation asks for the isolation of a device, and returns the request.
func (h *house) isolation(device string, who approvals.Requester) string {
	h.t.Helper()
	res, err := h.call("isolate_devices", `{"devices":["`+device+`"],"reason":"beaconing"}`, who)
	require.NoError(h.t, err)
	return res.Request.ID
}

// One person asks through one face and votes through another, under other letters of the same name.
func TestSelfApprovalThroughAnotherFaceAliasOrCase(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	h.SetGroup(slacksim.OnCall, slacksim.Alice, slacksim.Bob, slacksim.Carol)
	entra := by(approvals.ViaMCP, "someone@example.com", true)
	entra.Aliases = []string{approvals.SlackAlias(slacksim.DefaultTeamID, slacksim.Alice)}
	for device, who := range map[string]approvals.Requester{
		mdesim.NameHost:    by(approvals.ViaMCP, alice, true),
		mdesim.NameVIP:     by(approvals.ViaMCP, "Alice@EXAMPLE.com", true),
		mdesim.NameLinux:   by(approvals.ViaShell, " ALICE@example.com ", false),
		mdesim.NameOffline: entra,
	} {
		id := h.isolation(device, who)
		before := h.head()
		require.Contains(t, h.pressed(slacksim.Alice, h.card(id), "Approve"), "someone else must approve", who.ID)
		h.refused(before, alice, "someone else must approve")
		require.Equal(t, approvals.Pending, h.state(id).State)
	}
	h.sent(0)
	h.sound()
}

// Whoever Slack does not know may be anybody with a vote, so that their request needs one more.
func TestARequesterUnderANameThatSlackDoesNotKnowIsNotTheirOwnApprover(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	id := h.isolation(mdesim.NameHost, by(approvals.ViaMCP, "bob.birch@corp.example", true))
	require.Contains(t, h.pressed(slacksim.Bob, h.card(id), "Approve"), "1 more of on-call")
	h.sent(0)
	h.sound()
}

func TestARequesterRemovedAndReAdded(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	id, card := h.asked(mdesim.NameHost)
	u := h.user(slacksim.Alice)
	u.Deleted = true
	h.AddUser(u)
	before := h.head()
	require.Contains(t, h.pressed(slacksim.Alice, card, "Approve"), "deactivated")
	h.refused(before, approvals.SlackAlias(slacksim.DefaultTeamID, slacksim.Alice), "deactivated")

	anew := u
	anew.ID, anew.Name, anew.Email, anew.Deleted = "U0ALICE2", "alice2", "Alice@example.com", false
	h.AddUser(anew)
	h.SetGroup(slacksim.OnCall, anew.ID, slacksim.Bob)
	before = h.head()
	require.Contains(t, h.pressed(anew.ID, card, "Approve"), "someone else must approve", "another account with her address")
	h.refused(before, alice, "someone else must approve")

	u.Deleted, u.Email = false, "a.arden@example.com"
	h.AddUser(u)
	h.SetGroup(slacksim.OnCall, u.ID, slacksim.Bob)
	before = h.head()
	require.Contains(t, h.pressed(u.ID, card, "Approve"), "someone else must approve", "her account with another address")
	h.refused(before, u.Email, "someone else must approve")
	require.Equal(t, approvals.Pending, h.state(id).State)
	h.sent(0)
	h.sound()
}

const two = `rules:
- {name: two, tools: [isolate_devices], outcome: approve, count: 2}
`

func TestAQuorumByTwoAccountsOfOneIdentity(t *testing.T) {
	t.Parallel()
	h := open(t, plan{policy: two})
	second := h.user(slacksim.Bob)
	second.ID, second.Name, second.Email = "U0BOB2", "bob2", "BOB@example.com"
	h.AddUser(second)
	h.SetGroup(slacksim.OnCall, slacksim.Bob, second.ID)
	id, card := h.asked(mdesim.NameHost)
	require.Contains(t, h.pressed(slacksim.Bob, card, "Approve"), "1 more of on-call")
	before := h.head()
	require.Contains(t, h.pressed(second.ID, card, "Approve"), "already counted")
	h.refused(before, bob, "already counted")
	require.Len(t, h.state(id).Votes, 1)
	h.sent(0)
	h.sound()
}

func TestTwoGroupsAndOnePerson(t *testing.T) {
	t.Parallel()
	for name, rules := range map[string]string{
		"two of two groups": `rules:
- {name: two, tools: [isolate_devices], outcome: approve, count: 2, from: [on-call, responders], distinct_groups: true}
`,
		"two of a group or another": `rules:
- {name: two, tools: [isolate_devices], outcome: approve, count: 2, from: [on-call, responders]}
`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, plan{policy: rules})
			id, card := h.asked(mdesim.NameHost)
			require.Contains(t, h.pressed(slacksim.Bob, card, "Approve"), "1 more of", "bob is in both groups")
			before := h.head()
			require.Contains(t, h.pressed(slacksim.Bob, card, "Approve"), "already counted")
			h.refused(before, bob, "already counted")
			require.Equal(t, approvals.Pending, h.state(id).State)
			h.sent(0)
			h.sound()
		})
	}
}

func TestTwoPeopleOfOneGroupAreNotTwoGroups(t *testing.T) {
	t.Parallel()
	h := open(t, plan{policy: `rules:
- {name: two, tools: [isolate_devices], outcome: approve, count: 2, from: [on-call, responders], distinct_groups: true}
`})
	h.SetGroup(slacksim.Responders, slacksim.Alice)
	id, card := h.asked(mdesim.NameHost)
	require.Contains(t, h.pressed(slacksim.Bob, card, "Approve"), "1 more of")
	require.Contains(t, h.pressed(slacksim.Carol, card, "Approve"), "1 more of")
	require.Equal(t, approvals.Pending, h.state(id).State)
	h.sent(0)
	h.sound()
}

// foreign makes a click come from another workspace.
func foreign(p slacksim.Payload, team string) {
	p["team"].(slacksim.Payload)["id"] = team
	p["user"].(slacksim.Payload)["team_id"] = team
}

func TestForeignersGuestsAppsAndTheDeactivatedCantVote(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	everybody := []string{slacksim.Bob, slacksim.Carol, slacksim.Dave, slacksim.Eve, slacksim.Mallory, slacksim.Robot}
	h.SetGroup(slacksim.OnCall, everybody...) // as if an administrator had made a mistake
	id, card := h.asked(mdesim.NameHost)
	for user, want := range map[string]string{
		slacksim.Dave: "guest", slacksim.Eve: "another workspace", slacksim.Mallory: "deactivated", slacksim.Robot: "bot",
	} {
		before := h.head()
		require.Contains(t, h.pressed(user, card, "Approve"), want)
		team := slacksim.DefaultTeamID
		if user == slacksim.Eve {
			team = "" // hers and the installation's differ, so that she is of none
		}
		h.refused(before, approvals.SlackAlias(team, user), want)
	}
	for _, spoil := range []func(slacksim.Payload){
		func(p slacksim.Payload) { foreign(p, "T0ELSEWHERE") },
		func(p slacksim.Payload) { p["user"].(slacksim.Payload)["team_id"] = "T0ELSEWHERE" },
		func(p slacksim.Payload) { p["team"].(slacksim.Payload)["id"] = "T0ELSEWHERE" },
	} {
		p, err := h.ClickPayload(slacksim.Bob, card, "Approve") // bob's id, in a workspace where it is somebody else's
		require.NoError(t, err)
		spoil(p)
		before := h.head()
		h.heard(slacksim.Bob, func() error { _, err := h.Send(t.Context(), slacksim.Interactive, p); return err })
		h.recorded(before, approvals.EventRefused, actorOf(h.rows(before)), "another workspace")
	}
	require.Empty(t, h.state(id).Votes)
	h.sent(0)
	h.sound()
}

// actorOf is who the last row is of; nobody who is known to the workspace.
func actorOf(rows []approvals.Event) string {
	if len(rows) == 0 {
		return ""
	}
	a := rows[len(rows)-1].Actor
	if !strings.HasPrefix(a, "slack:") {
		return "somebody known"
	}
	return a
}

// What an approver was when they voted is not enough: they must still be one when it is sent.
func TestAnApproverWhoIsGoneBetweenVoteAndClaim(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]func(*house){
		"deactivated": func(h *house) {
			u := h.user(slacksim.Bob)
			u.Deleted = true
			h.AddUser(u)
		},
		"a guest now": func(h *house) {
			u := h.user(slacksim.Bob)
			u.Restricted = true
			h.AddUser(u)
		},
		"out of the group": func(h *house) { h.SetGroup(slacksim.OnCall, slacksim.Carol) },
		"another person's account": func(h *house) {
			u := h.user(slacksim.Bob)
			u.Email = "zoe@example.com"
			h.AddUser(u)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, plan{})
			id, card := h.asked(mdesim.NameHost)
			require.Contains(t, h.pressed(slacksim.Bob, card, "Approve"), "it is approved")
			c(h)
			before := h.head()
			h.sent(0)
			require.Equal(t, approvals.Cancelled, h.state(id).State)
			h.recorded(before, "cancelled", "worker", "no longer holds")
			h.sound()
		})
	}
}

// Asking for the same makes a person one of those who asked. Nobody can be made one against their will.
func TestADuplicateRequestMakesNobodyBothRequesterAndApprover(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	id, card := h.asked(mdesim.NameHost)

	before := h.head()
	_, err := h.call("isolate_devices", `{"devices":["`+mdesim.NameHost+`"],"reason":"me too"}`, by(approvals.ViaMCP, "carol@example.com", false))
	require.ErrorContains(t, err, "sign in to join it", "a claimed name takes nobody's vote away")
	h.refused(before, "carol@example.com", "sign in to join it")

	before = h.head()
	require.Equal(t, id, requestIn(t, h.typed(slacksim.Bob, "isolate "+mdesim.NameHost+" because me too")))
	h.recorded(before, approvals.EventAttached, bob, "")
	require.Contains(t, h.pressed(slacksim.Bob, card, "Approve"), "you asked for the same")
	h.refused(before, bob, "you asked for the same")
	h.sent(0)

	// and the other way round: whoever voted can't become one who asked, and the vote stays what it was
	id, card = h.asked(mdesim.NameLinux)
	h.pressed(slacksim.Bob, card, "Approve")
	before = h.head()
	require.Contains(t, h.typed(slacksim.Bob, "isolate "+mdesim.NameLinux+" because me too"), "you have voted on it")
	h.refused(before, bob, "you have voted on it")
	h.sent(1)
	require.Equal(t, approvals.Running, h.state(id).State)
	h.sound()
}
