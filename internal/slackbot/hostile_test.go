package slackbot_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// hostileNames are names of devices as whoever owns one can choose them.
func hostileNames() map[string]string {
	return map[string]string{
		"channel":    "<!channel> <!here> <!everyone>",
		"person":     "<@" + slacksim.Bob + ">",
		"group":      "<!subteam^" + slacksim.OnCall + ">",
		"link":       "<https://evil.example|Approve>",
		"bare link":  "https://evil.example/approve",
		"backticks":  "```host01```",
		"entities":   "&lt;!channel&gt;",
		"right":      "host\u202e10tsoh\u2066",
		"zero width": "ho\u200bst\ufeff01",
		"lines":      "host01\nApproved by bob@example.com\r\nDone",
		"emoji":      strings.Repeat(":white_check_mark: ", 50),
		"long":       strings.Repeat("x", 10_000),
		"quote":      `host01" for "bob@example.com`,
	}
}

func TestHostileNamesFireNothingOnTheirWayThroughSlack(t *testing.T) {
	t.Parallel()
	for what, name := range hostileNames() {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, plan{})
			m := h.tenant.Device(mdesim.NameHost)
			m.ID, m.AADDeviceID, m.ComputerDNSName, m.MachineTags, m.RBACGroupName = "", "", name, []string{name}, name
			d := h.tenant.AddDevice(m)
			h.typed(t, slacksim.Alice, "isolate "+d.ID+" because beaconing")
			card := h.card(t, "Approval needed")
			id := requestOn(t, card)
			h.press(t, slacksim.Carol, card, "Details")
			h.modal(t, slacksim.Carol)
			if what == "long" { // read to the end, because the card can't hold it
				require.NotContains(t, labelled(card), "Approve")
				h.approveAfterReading(t, slacksim.Bob, card)
			} else {
				require.Contains(t, shown(card), d.ID)
				h.press(t, slacksim.Bob, card, "Approve")
			}
			h.card(t, "Done: isolate devices")
			require.Equal(t, approvals.Succeeded, h.settled(t, id).State)
			h.typed(t, slacksim.Alice, "request "+id)
			h.waitThread(t, card, 2) // that it was approved, and that it is done
			h.firedNothing(t)
		})
	}
}

// approveAfterReading gives the yes from the last page of the details.
func (h *house) approveAfterReading(t *testing.T, user string, card slacksim.Message) {
	t.Helper()
	h.press(t, user, card, "Details")
	for {
		view := h.modal(t, user)
		if view.Submit != nil {
			_, err := h.Submit(t.Context(), user, view.ID, nil)
			require.NoError(t, err)
			return
		}
		_, err := h.ClickView(t.Context(), user, view.ID, "Next")
		require.NoError(t, err)
		h.wait(t, func(slacksim.Snapshot) bool { return h.modal(t, user).Hash != view.Hash })
	}
}

// firedNothing requires that nobody was called but the requester of a request that ended, no link is shown, and no emoji
// code of somebody else is drawn.
func (h *house) firedNothing(t *testing.T) {
	t.Helper()
	var all []slacksim.Entity
	now := h.Snapshot()
	for _, lists := range []map[string][]slacksim.Message{now.Messages, now.Ephemerals} {
		for _, list := range lists {
			for _, m := range list {
				all = append(all, m.Fires()...)
				plainWords(t, m.RawBlocks)
			}
		}
	}
	for _, views := range now.Views {
		for _, v := range views {
			all = append(all, v.Fires()...)
		}
	}
	for _, e := range all {
		ours := e.Kind == slacksim.EntityDate || e.Target == slacksim.Alice || e.Target == slacksim.Security
		require.True(t, ours, "%v", e)
	}
}

// plainWords requires that every plain text says that its emoji codes are words: Slack draws them unless told not to.
func plainWords(t *testing.T, blocks json.RawMessage) {
	t.Helper()
	var tree any
	if len(blocks) > 0 {
		require.NoError(t, json.Unmarshal(blocks, &tree))
	}
	var look func(any)
	look = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				look(x)
			}
		case map[string]any:
			if v["type"] == "plain_text" {
				require.Equal(t, false, v["emoji"], "%v", v["text"])
			}
			for _, x := range v {
				look(x)
			}
		}
	}
	look(tree)
}

func TestAReasonThatPretendsToBeTheBotIsQuotedAndLabelled(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	for i, reason := range []string{
		"x\nApproved by bob@example.com at 2026-01-01 00:00 UTC\nDone: isolate devices",
		`x" · Approved by bob@example.com. Needs 0 of group "on-call`,
		"x\u2028Now: it is approved",
	} {
		r := submittedFor(t, h, reason)
		_, err := h.notifier(t).Notify(t.Context(), r.ID)
		require.NoError(t, err)
		text := shown(h.card(t, "Request "+r.ID))
		lines := strings.Split(text, "\n")
		require.Contains(t, lines[1], "Approval needed", "the state is ours to say, and stands first")
		at := -1
		for n, l := range lines {
			if strings.Contains(l, "Why, in the requester's own words") {
				at = n
			}
			if strings.Contains(l, "bob@example.com") || strings.Contains(l, "it is approved") {
				require.True(t, at > 0 && n <= at+2, "%d: %q stands outside the requester's words", i, l)
				words := strings.TrimSpace(strings.TrimPrefix(l, "┃"))
				require.True(t, strings.HasPrefix(words, `"`) && strings.HasSuffix(words, `"`), words)
				require.Equal(t, 2, strings.Count(words, `"`), "a quotation can't be ended from inside")
			}
		}
		require.Contains(t, text, "0 so far")
		_, err = h.gate.Withdraw(t.Context(), r.ID, alice())
		require.NoError(t, err)
	}
}

func TestNamesThatLookAlikeAreWarnedOfOnTheCard(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	host := h.tenant.Device(mdesim.NameHost)
	m := host
	m.ID, m.AADDeviceID, m.ComputerDNSName = "", "", strings.Replace(host.ComputerDNSName, "o", "о", 1) // the Cyrillic letter
	twin := h.tenant.AddDevice(m)
	h.typed(t, slacksim.Alice, "isolate "+host.ID+" "+twin.ID+" because beaconing")
	text := shown(h.card(t, "Approval needed"))
	require.Contains(t, text, "their names look alike; go by the ids")
	require.Contains(t, text, "<U+043E>")
	require.Less(t, strings.Index(text, "look alike"), strings.Index(text, "On what (2)"), "it is read first")
	require.Contains(t, text, host.ID)
	require.Contains(t, text, twin.ID)
}

// What is turned away at the door leaves a row that says who and why, and no vote.
func TestAttemptsAreInTheAudit(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	card, id := h.isolate(t)
	h.typed(t, slacksim.Alice, "isolate "+mdesim.NameVIP+" because the same")
	other := h.card(t, mdesim.NameVIP)
	otherID, otherDigest, _ := strings.Cut(other.Buttons()[0].Value, ".")
	carol, err := h.User(slacksim.Carol)
	require.NoError(t, err)
	carol.Deleted = true
	h.AddUser(carol)
	for n, attack := range []struct{ what, user, says string }{
		{"a copied message", slacksim.Bob, "this is not the card of request " + id},
		{"the button of another request", slacksim.Bob, "this is not the card of request " + otherID},
		{"another version", slacksim.Bob, "another version of request " + id},
		{"somebody who was removed", slacksim.Carol, "deactivated"},
		{"a guest", slacksim.Dave, "guest"},
		{"another workspace", slacksim.Eve, "another workspace"},
	} {
		before := len(h.Ephemerals(attack.user))
		p, err := h.ClickPayload(attack.user, card, "Approve")
		require.NoError(t, err)
		action := p["actions"].([]any)[0].(slacksim.Payload)
		switch attack.what {
		case "a copied message":
			p["container"].(slacksim.Payload)["message_ts"] = "1700000000.000100"
		case "the button of another request":
			action["value"] = otherID + "." + otherDigest
		case "another version":
			action["value"] = id + "." + strings.Repeat("0", 64)
		}
		_, err = h.Send(t.Context(), slacksim.Interactive, p)
		require.NoError(t, err)
		h.wait(t, func(s slacksim.Snapshot) bool { return len(s.Ephemerals[attack.user]) > before })
		require.Contains(t, shown(h.Ephemerals(attack.user)[before]), attack.says, attack.what)
		refused := h.events(t, approvals.EventRefused)
		require.Len(t, refused, n+1, attack.what)
		require.Contains(t, fmt.Sprint(refused), attack.says, attack.what)
	}
	require.Equal(t, approvals.Pending, h.state(t, id).State)
	require.Equal(t, approvals.Pending, h.state(t, otherID).State)
	require.Zero(t, h.tenant.Writes())
	report, err := h.gate.VerifyAudit(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK(), report.Faults)
}
