package slackbot_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// glassy lets alice break the glass, by her Slack name, to isolate.
type glassy struct{ approvals.Policy }

func (p glassy) Decide(c approvals.Call) approvals.Decision {
	emergency := c.BreakGlass
	c.BreakGlass = false
	d := p.Policy.Decide(c)
	if !emergency {
		return d
	}
	listed := slices.Contains(c.Requester.Aliases, approvals.SlackAlias(slacksim.DefaultTeamID, slacksim.Alice))
	if !listed || c.Tool != "isolate_devices" {
		return approvals.Decision{Outcome: approvals.Deny, Rule: "break-glass", Why: "you are not named there"}
	}
	d.Outcome, d.Rule, d.Quorum, d.Also, d.Terms = approvals.Confirm, "break-glass", approvals.Quorum{}, nil, approvals.Terms{BreakGlass: true}
	return d
}

const (
	fieldDevice = "mde_glass_device"
	fieldWhy    = "mde_reason"
)

func glassHouse(t *testing.T, p plan) *house {
	t.Helper()
	p.policy = glassy{defaultPolicy(t)}
	return newHouse(t, p)
}

// glass has user open the dialog for a device, and returns it.
func (h *house) glass(t *testing.T, user, device string) slacksim.View {
	t.Helper()
	h.typed(t, user, "break-glass "+device+" because the C2 is live")
	h.told(t, user, "Nothing is done before you submit it")
	v := h.modal(t, user)
	require.NotNil(t, v.Submit)
	return v
}

func (h *house) submit(t *testing.T, user string, v slacksim.View, device, why string) slacksim.Outcome {
	t.Helper()
	out, err := h.Submit(t.Context(), user, v.ID, map[string]string{fieldDevice: device, fieldWhy: why})
	require.NoError(t, err)
	return out
}

func (h *house) events(t *testing.T, kind string) (found []approvals.Event) {
	t.Helper()
	rows, err := h.db.Events(t.Context(), store.Query{})
	require.NoError(t, err)
	for _, e := range rows {
		if e.Type == kind {
			found = append(found, e)
		}
	}
	return found
}

func TestBreakGlassIsDoneAtOnceAndEverybodyIsTold(t *testing.T) {
	t.Parallel()
	const elsewhere = "C0IRONE"
	h := glassHouse(t, plan{bot: func(o *slackbot.Options) { o.Channels = append(o.Channels, elsewhere) }})
	h.AddChannel(elsewhere, "ir-one", slacksim.Alice)
	_, err := h.Command(t.Context(), slacksim.Alice, elsewhere, "/mde", "break-glass "+mdesim.NameHost)
	require.NoError(t, err)
	h.told(t, slacksim.Alice, "Nothing is done before you submit it")
	v := h.modal(t, slacksim.Alice)
	require.Empty(t, h.requests(t), "opening does nothing")

	out := h.submit(t, slacksim.Alice, v, strings.ToUpper(mdesim.NameHost), "C2 is live")
	require.Empty(t, out.Errors)
	h.told(t, slacksim.Alice, "without anybody else's yes")
	card := h.card(t, "BREAK-GLASS · Done")
	require.Equal(t, []string{slacksim.OnCall}, called(card))
	require.Contains(t, shown(card), `"C2 is live"`)
	require.Contains(t, shown(card), "nobody else was asked")
	require.Equal(t, 1, h.tenant.Writes())
	require.Len(t, h.events(t, approvals.EventBreakGlass), 1)

	_, err = h.Replay(t.Context(), out.EnvelopeID)
	require.NoError(t, err)
	require.Equal(t, 1, h.tenant.Writes(), "a submission acts once")
	require.Len(t, h.requests(t), 1)
}

func TestBreakGlassRefusesWhoIsNotNamed(t *testing.T) {
	t.Parallel()
	h := glassHouse(t, plan{})
	v := h.glass(t, slacksim.Bob, mdesim.NameHost)
	out := h.submit(t, slacksim.Bob, v, mdesim.NameHost, "me too")
	require.Contains(t, out.Errors[fieldWhy], "no break-glass for bob@example.com")
	require.Equal(t, v.ID, h.modal(t, slacksim.Bob).ID, "the window stays")
	require.Empty(t, h.requests(t))
	require.Zero(t, h.tenant.Writes())
	for _, user := range []string{slacksim.Carol, slacksim.Dave, slacksim.Eve} {
		h.typed(t, user, "break-glass "+mdesim.NameHost)
		require.Empty(t, h.Views(user))
	}
}

func TestBreakGlassWantsTheNameLetterByLetter(t *testing.T) {
	t.Parallel()
	h := glassHouse(t, plan{})
	v := h.glass(t, slacksim.Alice, mdesim.NameHost)
	for _, typed := range []string{
		strings.Replace(mdesim.NameHost, "o", "о", 1),      // Cyrillic
		strings.Replace(mdesim.NameHost, "s", "\u017f", 1), // folds into s
		"host", mdesim.NameVIP, mdesim.NameHost + ".", mdesim.NameHost + "\u200b", "yes",
	} {
		require.NotEqual(t, mdesim.NameHost, typed)
		out := h.submit(t, slacksim.Alice, v, typed, "C2")
		require.Contains(t, out.Errors[fieldDevice], "not the name of the device", "%q", typed)
	}
	require.Contains(t, h.submit(t, slacksim.Alice, v, mdesim.NameHost, " \t").Errors[fieldWhy], "few words")
	require.Empty(t, h.requests(t))
	require.Zero(t, h.tenant.Writes())
	refused := h.events(t, approvals.EventRefused)
	require.Len(t, refused, 8, "each attempt is in the audit")
	require.Equal(t, "alice@example.com", refused[0].Actor)
	require.Contains(t, refused[0].Detail, "break-glass with isolate_devices: ")
	require.Empty(t, h.submit(t, slacksim.Alice, v, mdesim.NameHost, "C2").Errors, "a mistyped name can be mended")
}

func TestBreakGlassLooksAgainWhenItIsSubmitted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*testing.T, *house)
		want   string
	}{
		"stopped":               {func(t *testing.T, h *house) { require.NoError(t, h.pressed(t, "all: drill")) }, "stopped since"},
		"no responder any more": {func(_ *testing.T, h *house) { h.SetGroup(slacksim.Responders, slacksim.Bob) }, "responder group"},
		"deactivated": {func(t *testing.T, h *house) {
			u, err := h.User(slacksim.Alice)
			require.NoError(t, err)
			u.Deleted = true
			h.AddUser(u)
		}, "deactivated"},
		"Slack does not answer": {func(_ *testing.T, h *house) {
			h.Fail(slacksim.Fault{Method: "users.info", Kind: slacksim.FaultStatus})
		}, "could not be asked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := glassHouse(t, plan{deaf: true})
			v := h.glass(t, slacksim.Alice, mdesim.NameHost)
			c.change(t, h)
			out := h.submit(t, slacksim.Alice, v, mdesim.NameHost, "C2")
			require.Contains(t, out.Errors[fieldWhy], c.want)
			require.Empty(t, h.requests(t))
			require.Len(t, h.events(t, approvals.EventRefused), 1)
		})
	}
}

// TestBreakGlassForgedSubmissions sends what Slack would only send for somebody who opened the window.
func TestBreakGlassForgedSubmissions(t *testing.T) {
	t.Parallel()
	h := glassHouse(t, plan{deaf: true})
	v := h.glass(t, slacksim.Bob, mdesim.NameHost)
	own, other := h.closed(t, mdesim.NameHost), h.closed(t, mdesim.NameVIP)
	values := map[string]any{
		fieldDevice: map[string]any{"mde_glass_device_text": map[string]any{"type": "plain_text_input", "value": mdesim.NameHost}},
		fieldWhy:    map[string]any{"mde_reason_text": map[string]any{"type": "plain_text_input", "value": "C2"}},
	}
	for name, metadata := range map[string]string{
		"bob's window": v.PrivateMetadata, "nothing": "", "no JSON": "{", "empty": "{}",
		"another device under this name": swapped(t, own, other, "id"), "another plan": swapped(t, own, other, "key"),
	} {
		_, err := h.Send(t.Context(), slacksim.Interactive, map[string]any{
			"type": "view_submission", "trigger_id": "9.9." + name, "team": map[string]any{"id": slacksim.DefaultTeamID},
			"user": map[string]any{"id": slacksim.Alice, "team_id": slacksim.DefaultTeamID},
			"view": map[string]any{
				"id": "V0FORGED", "type": "modal", "callback_id": "mde_glass_view", "private_metadata": metadata, "state": map[string]any{"values": values},
			},
		})
		require.NoError(t, err, name)
	}
	require.Empty(t, h.requests(t))
	require.Contains(t, h.log.String(), "opened by somebody else")
	require.Len(t, h.events(t, approvals.EventRefused), 3, "each that was a submission of this dialog is in the audit")
	require.Equal(t, 2, strings.Count(h.log.String(), "the device changed since this window was opened"), h.log.String())
}

func TestBreakGlassOfWhatCantBePlannedSaysSoInTheWindow(t *testing.T) {
	t.Parallel()
	h := glassHouse(t, plan{deaf: true})
	h.typed(t, slacksim.Alice, "break-glass nosuchhost")
	h.told(t, slacksim.Alice, "no device")
	v := h.modal(t, slacksim.Alice)
	require.Nil(t, v.Submit)
	require.Contains(t, slacksim.RenderView(v, slacksim.RenderOptions{Width: 200}), "Nothing was done")
}

func TestBreakGlassThatTakesLongShowsItsOutcomeAfterwards(t *testing.T) {
	t.Parallel()
	h := glassHouse(t, plan{deaf: true, bot: func(o *slackbot.Options) { o.AckDeadline = 200 * time.Millisecond }})
	v := h.glass(t, slacksim.Alice, mdesim.NameHost)
	h.Fail(slacksim.Fault{Method: "users.info", Kind: slacksim.FaultSlow, Delay: 600 * time.Millisecond})
	out := h.submit(t, slacksim.Alice, v, mdesim.NameHost, "C2")
	require.Empty(t, out.Errors)
	h.told(t, slacksim.Alice, "without anybody else's yes")
	require.Len(t, h.requests(t), 1)
	h.wait(t, func(s slacksim.Snapshot) bool {
		open := s.Views[slacksim.Alice]
		return len(open) == 1 && open[0].Submit == nil && strings.Contains(slacksim.RenderView(open[0], slacksim.RenderOptions{Width: 200}), h.requests(t)[0].ID)
	})
}

func TestNoCardLeadsToBreakGlass(t *testing.T) {
	t.Parallel()
	h := glassHouse(t, plan{})
	card, id := h.isolate(t)
	for _, action := range []string{"mde_glass_view", "mde_glass", "break-glass"} {
		_, err := h.Send(t.Context(), slacksim.Interactive, map[string]any{
			"type": "block_actions", "trigger_id": "8.8." + action, "team": map[string]any{"id": slacksim.DefaultTeamID},
			"user":      map[string]any{"id": slacksim.Alice, "team_id": slacksim.DefaultTeamID},
			"container": map[string]any{"type": "message", "channel_id": card.Channel, "message_ts": card.TS},
			"actions":   []any{map[string]any{"type": "button", "action_id": action, "block_id": "mde_actions", "value": card.Buttons()[0].Value}},
		})
		require.NoError(t, err)
	}
	require.Empty(t, h.Views(slacksim.Alice))
	require.Equal(t, approvals.Pending, h.state(t, id).State)
}

// closed is the metadata of alice's window for a device, which she closed.
func (h *house) closed(t *testing.T, device string) string {
	t.Helper()
	v := h.glass(t, slacksim.Alice, device)
	_, err := h.Close(t.Context(), slacksim.Alice, v.ID)
	require.NoError(t, err)
	return v.PrivateMetadata
}

// swapped is one window's metadata with a field of another's.
func swapped(t *testing.T, own, other, field string) string {
	t.Helper()
	var a, b map[string]string
	require.NoError(t, json.Unmarshal([]byte(own), &a))
	require.NoError(t, json.Unmarshal([]byte(other), &b))
	require.NotEqual(t, a[field], b[field])
	a[field] = b[field]
	out, err := json.Marshal(a)
	require.NoError(t, err)
	return string(out)
}
