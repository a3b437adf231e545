package slackbot_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// openHome opens somebody's Home tab and waits until it shows all of want.
func (h *house) openHome(t testing.TB, user string, want ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := h.OpenHome(ctx, user)
	require.NoError(t, err)
	return h.homeShows(t, user, want...)
}

func (h *house) homeShows(t testing.TB, user string, want ...string) string {
	t.Helper()
	var drawn string
	h.wait(t, func(s slacksim.Snapshot) bool {
		v, published := s.Homes[user]
		drawn = slacksim.RenderHome(v, slacksim.RenderOptions{Width: 300})
		for _, w := range want {
			if !strings.Contains(drawn, w) {
				return false
			}
		}
		return published
	})
	return drawn
}

func (h *house) pressHome(t testing.TB, user, button string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := h.ClickHome(ctx, user, button)
	require.NoError(t, err)
}

func TestHomeShowsWhatWaitsForWhom(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	card, id := h.isolate(t)
	bobs := h.openHome(t, slacksim.Bob, "Waits for you (1)", "Approval needed: isolate devices", mdesim.NameHost, "asked by alice@")
	require.Contains(t, bobs, id)
	alices := h.openHome(t, slacksim.Alice, "You asked for (1)", id)
	require.Contains(t, alices, "Nothing waits for you", "her own yes does not count")
	carols := h.openHome(t, slacksim.Carol, "Waits for you (1)")
	require.NotContains(t, carols, "Under way", "an approver who is no responder sees what waits for her")
	require.NotContains(t, carols, "STOP")
	home, _ := h.Home(slacksim.Bob)
	var link string
	for _, b := range home.Buttons() {
		if b.Label == "Card" {
			link = b.URL
		}
	}
	require.Equal(t, "https://"+slacksim.DefaultTeamDomain+".slack.com/archives/"+slacksim.Security+"/p"+strings.ReplaceAll(card.TS, ".", ""), link)

	h.press(t, slacksim.Bob, card, "Approve")
	h.card(t, "Done: isolate devices")
	h.homeShows(t, slacksim.Bob, "Nothing waits for you", "Ended lately (1)", "Done: isolate devices") // by itself
	h.pressHome(t, slacksim.Bob, "Details")
	require.Contains(t, slacksim.RenderView(h.modal(t, slacksim.Bob), slacksim.RenderOptions{Width: 200}), "Arguments as they were given")
	require.Nil(t, h.modal(t, slacksim.Bob).Submit, "nobody votes from here")
}

func TestHomeIsForRespondersAndApprovers(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	_, id := h.isolate(t)
	for user, want := range map[string]string{slacksim.Dave: "guest", slacksim.Eve: "another workspace", slacksim.Mallory: "deactivated"} {
		drawn := h.openHome(t, user, want)
		require.NotContains(t, drawn, id)
		require.NotContains(t, drawn, mdesim.NameHost)
	}
	require.Contains(t, h.openHome(t, slacksim.Bob, "Waits for you"), id)
	h.SetGroup(slacksim.Responders, slacksim.Alice)
	h.SetGroup(slacksim.OnCall, slacksim.Carol)
	h.pressHome(t, slacksim.Bob, "Refresh")
	require.NotContains(t, h.homeShows(t, slacksim.Bob, "Nothing here is for you"), id, "who was removed sees nothing any more")
	h.Fail(slacksim.Fault{Method: "users.info", Kind: slacksim.FaultError, Error: "internal_error", Times: 1})
	require.NotContains(t, h.openHome(t, slacksim.Carol, "could not be asked"), id, "what can't be found out is not shown")
}

func TestStopFromHome(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	h.openHome(t, slacksim.Alice, "STOP everything")
	h.pressHome(t, slacksim.Alice, "STOP everything")
	h.fillIn(t, h.form(t, "STOP"), map[string]string{"mde_home_why": "wrong devices <!channel>"})
	announced := h.card(t, "STOPPED: nothing is done any more")
	require.Empty(t, announced.Fires())
	require.Contains(t, shown(announced), "wrong devices")
	h.homeShows(t, slacksim.Alice, "HELD: everything is stopped", "Ask to lift")
	stops, err := h.board.InForce(t.Context())
	require.NoError(t, err)
	require.Len(t, stops, 1)
	h.pressHome(t, slacksim.Alice, "Ask to lift")
	h.fillIn(t, h.form(t, "Lift"), map[string]string{fieldOf("reason"): "all is well"})
	h.card(t, "Approval needed: lift stop")

	h.openHome(t, slacksim.Bob, "STOP everything")
	h.SetGroup(slacksim.Responders, slacksim.Alice)
	h.pressHome(t, slacksim.Bob, "STOP everything")
	require.Contains(t, slacksim.RenderView(h.modal(t, slacksim.Bob), slacksim.RenderOptions{Width: 200}), "nly members of the responder group")
}

func TestHomeFiresNothingAndFits(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	id := h.tenant.Device(mdesim.NameHost).ID
	h.tenant.UpdateDevice(id, func(m *mdesim.Machine) {
		m.ComputerDNSName = "<!channel>`<@U0BOB>`\u202e" + strings.Repeat("&<x>", 400)
	})
	h.typed(t, slacksim.Alice, "isolate "+id+" because <!here> <http://evil|click>")
	h.fill(t, 300)
	h.openHome(t, slacksim.Bob, "and 190 more")
	home, _ := h.Home(slacksim.Bob)
	require.Empty(t, home.Fires())
	require.LessOrEqual(t, len(home.Blocks), 100)
}

func TestHomeShowsTimeBoxesThatEndNext(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	h.typed(t, slacksim.Alice, "isolate "+mdesim.NameHost+" --for 4h because beaconing")
	card := h.card(t, "Approval needed")
	id := requestOn(t, card)
	h.press(t, slacksim.Bob, card, "Approve")
	if h.state(t, id).State == approvals.Pending {
		h.press(t, slacksim.Carol, card, "Approve")
	}
	h.card(t, "1 of 1 still to be undone")
	drawn := h.openHome(t, slacksim.Alice, "Time-boxes that end next", "1 of 1 still to be undone", id)
	require.Contains(t, drawn, time.Now().Add(4*time.Hour).UTC().Format("15:"))
}
