package slackbot_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// lookAt starts the shortcut on what bob wrote, and returns the window that alice sees.
func (h *house) lookAt(t testing.TB, text string) slacksim.View {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	said, err := h.Say(slacksim.Bob, slacksim.Security, text)
	require.NoError(t, err)
	_, err = h.MessageShortcut(ctx, slacksim.Alice, slacksim.Security, said.TS, "mde_look_up")
	require.NoError(t, err)
	return h.form(t, "MDE: look up")
}

func drawnView(v slacksim.View) string {
	return slacksim.RenderView(v, slacksim.RenderOptions{Width: 300})
}

func TestLookUpOnAMessage(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	v := h.lookAt(t, "is "+mdesim.NameHost+" infected? It talks to 198[.]51[.]100[.]23 <!channel>")
	drawn := drawnView(v)
	require.Contains(t, drawn, "2 found")
	require.Empty(t, v.Fires())
	before := len(h.tenant.Requests())

	_, err := h.ClickView(t.Context(), slacksim.Alice, v.ID, "4") // after the three of the device
	require.NoError(t, err)
	h.wait(t, func(s slacksim.Snapshot) bool {
		open := s.Views[slacksim.Alice]
		return len(open) == 2 && strings.Contains(drawnView(open[1]), "198.51.100.23") && !strings.Contains(drawnView(open[1]), "Asking")
	})
	require.Greater(t, len(h.tenant.Requests()), before)
	require.Len(t, h.Messages(slacksim.Security), 1, "nothing is said in the channel")
}

func TestLookUpLeadsToAnIsolation(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	v := h.lookAt(t, mdesim.NameHost)
	_, err := h.ClickView(t.Context(), slacksim.Alice, v.ID, "Isolate…")
	require.NoError(t, err)
	f := h.form(t, "Isolate devices")
	require.Contains(t, drawnView(f), mdesim.NameHost)
	h.fillIn(t, f, map[string]string{fieldOf("reason"): "seen in the channel"})
	require.Contains(t, shown(h.card(t, "Approval needed: isolate devices")), "seen in the channel")
}

func TestLookUpIsForResponders(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	said, err := h.Say(slacksim.Bob, slacksim.Security, mdesim.NameHost)
	require.NoError(t, err)
	_, err = h.MessageShortcut(t.Context(), slacksim.Carol, slacksim.Security, said.TS, "mde_look_up")
	require.NoError(t, err)
	require.Contains(t, drawnView(h.modal(t, slacksim.Carol)), "nly members of the responder group")
	require.Empty(t, h.modal(t, slacksim.Carol).Buttons())

	v := h.lookAt(t, mdesim.NameHost)
	h.SetGroup(slacksim.Responders, slacksim.Bob)
	before := len(h.tenant.Requests())
	_, err = h.ClickView(t.Context(), slacksim.Alice, v.ID, "Look up")
	require.NoError(t, err)
	h.wait(t, func(s slacksim.Snapshot) bool { return len(s.Views[slacksim.Alice]) == 2 })
	require.Contains(t, drawnView(h.form(t, "MDE")), "nly members of the responder group", "asked again at every press")
	require.Len(t, h.tenant.Requests(), before)
}

func TestNothingToLookUpSaysSo(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	require.Contains(t, drawnView(h.lookAt(t, "good morning everybody")), "There is no hash")
}
