package slackbot_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/forms"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools"
)

// fieldOf is the block of an argument's field.
func fieldOf(arg string) string { return "mde_form:" + arg }

// form waits for the window in front of alice whose title begins so.
func (h *house) form(t testing.TB, title string) slacksim.View {
	t.Helper()
	var v slacksim.View
	h.wait(t, func(s slacksim.Snapshot) bool {
		open := s.Views[slacksim.Alice]
		if len(open) == 0 || !strings.HasPrefix(open[len(open)-1].Title.Text, title) {
			return false
		}
		v = open[len(open)-1]
		return true
	})
	return v
}

func (h *house) fillIn(t testing.TB, v slacksim.View, values map[string]string) slacksim.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := h.Submit(ctx, slacksim.Alice, v.ID, values)
	require.NoError(t, err)
	return out
}

// suggested types into a menu of devices and returns what is offered.
func (h *house) suggested(t testing.TB, v slacksim.View, arg, typed string) []slacksim.Option {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	options, err := h.Suggest(ctx, slacksim.Alice, v.ID, fieldOf(arg), typed)
	require.NoError(t, err)
	return options
}

func TestAMissingArgumentOpensAForm(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	out := h.typed(t, slacksim.Alice, "isolate --type selective because beaconing to a known C2")
	require.Contains(t, out.Reply, "Devices is missing")
	v := h.form(t, "Isolate devices")
	drawn := slacksim.RenderView(v, slacksim.RenderOptions{Width: 100})
	require.Contains(t, drawn, "Selective")
	require.Contains(t, drawn, "beaconing to a known C2", "what was typed is filled in")

	offered := h.suggested(t, v, "devices", mdesim.NameHost)
	require.NotEmpty(t, offered)
	require.Contains(t, offered[0].Text.Text, mdesim.NameHost)
	require.Equal(t, h.tenant.Device(mdesim.NameHost).ID, offered[0].Value, "the id decides, not the name")
	require.Equal(t, mdesim.NameHost, offered[len(offered)-1].Value, "what was typed can be taken as it is")

	h.fillIn(t, v, map[string]string{fieldOf("devices"): offered[0].Value})
	require.Empty(t, h.Views(slacksim.Alice))
	card := h.card(t, "Approval needed: isolate devices")
	require.Contains(t, shown(card), "beaconing to a known C2")
	require.Contains(t, string(h.state(t, requestOn(t, card)).Plan.Args), "Selective")
	h.told(t, slacksim.Alice, "The card is in")
}

// A form asks for the same as typed words do: the same plan, to the last argument.
func TestAFormIsTheSameAsWords(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	host := h.tenant.Device(mdesim.NameHost).ID
	for _, c := range []struct {
		words  string
		fields map[string]string
	}{
		{"isolate " + host + " --type selective --for 4h because a reason", map[string]string{"isolation_type": "Selective", "for": "4h", "reason": "a reason"}},
		{"scan " + host + " --type full because a reason", map[string]string{"scan_type": "Full", "reason": "a reason"}},
		{"offboard " + host + " because a reason", map[string]string{"reason": "a reason"}},
	} {
		word, _, _ := strings.Cut(c.words, " ")
		h.typed(t, slacksim.Alice, strings.Replace(c.words, " because", " --dry-run because", 1))
		byWords := h.lastTold(t, slacksim.Alice)
		h.typed(t, slacksim.Alice, word)
		v := h.Views(slacksim.Alice)[0]
		h.suggested(t, v, "devices", host)
		values := map[string]string{fieldOf("devices"): host, fieldOf("dry_run"): "true"}
		for name, value := range c.fields {
			values[fieldOf(name)] = value
		}
		before := len(h.Ephemerals(slacksim.Alice))
		out := h.fillIn(t, v, values)
		require.Empty(t, out.Errors)
		require.Empty(t, h.Views(slacksim.Alice), "%s", slacksim.RenderView(v, slacksim.RenderOptions{}))
		h.wait(t, func(s slacksim.Snapshot) bool { return len(s.Ephemerals[slacksim.Alice]) > before })
		require.Equal(t, byWords, h.lastTold(t, slacksim.Alice), c.words)
	}
}

// lastTold is the newest thing that only this person sees.
func (h *house) lastTold(t testing.TB, user string) string {
	t.Helper()
	list := h.Ephemerals(user)
	require.NotEmpty(t, list)
	return shown(list[len(list)-1])
}

func TestWhatIsWrongIsShownBesideItsField(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	h.typed(t, slacksim.Alice, "isolate")
	v := h.form(t, "Isolate devices")
	h.suggested(t, v, "devices", "nosuchhost")
	values := map[string]string{fieldOf("devices"): "nosuchhost", fieldOf("for"): "4 fortnights", fieldOf("reason"): "x"}
	out := h.fillIn(t, v, values)
	require.Contains(t, out.Errors[fieldOf("for")], "is not a time from 15m to 168h")

	values[fieldOf("for")] = "4h"
	out = h.fillIn(t, v, values)
	require.Empty(t, out.Errors)
	open := h.form(t, "Isolate devices")
	drawn := slacksim.RenderView(open, slacksim.RenderOptions{Width: 200})
	require.Contains(t, drawn, "nosuchhost", "what was chosen is still there")
	require.Contains(t, drawn, "no device", "and above it why it was refused")
	require.Empty(t, h.Messages(slacksim.Security))
}

func TestAFormIsForRespondersAtEveryStep(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	h.typed(t, slacksim.Alice, "isolate")
	v := h.form(t, "Isolate devices")
	require.NotEmpty(t, h.suggested(t, v, "devices", "host01"))
	h.SetGroup(slacksim.Responders, slacksim.Bob)
	require.Empty(t, h.suggested(t, v, "devices", "host02"), "nothing of the tenant is shown")
	h.fillIn(t, v, map[string]string{fieldOf("devices"): "host01", fieldOf("reason"): "x"})
	require.Contains(t, slacksim.RenderView(h.form(t, "Isolate"), slacksim.RenderOptions{Width: 200}), "nly members of the responder group")
	require.Empty(t, h.Messages(slacksim.Security))

	_, err := h.Shortcut(t.Context(), slacksim.Alice, "mde_ask")
	require.NoError(t, err)
	require.Contains(t, slacksim.RenderView(h.form(t, "MDE"), slacksim.RenderOptions{Width: 200}), "nly members of the responder group")
}

func TestAFormThatIsSubmittedTwiceActsOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{workspace: func(w *slacksim.Workspace) { w.FreshEnvelopeIDs = true }})
	h.typed(t, slacksim.Alice, "isolate")
	v := h.form(t, "Isolate devices")
	h.suggested(t, v, "devices", "host01")
	h.CutBeforeAck(1)
	h.fillIn(t, v, map[string]string{fieldOf("devices"): "host01", fieldOf("reason"): "x"})
	card := h.card(t, "Approval needed")
	sent := h.Snapshot().Envelopes
	_, err := h.Replay(t.Context(), sent[len(sent)-1].ID)
	require.NoError(t, err)
	list, err := h.db.Requests(t.Context(), everything())
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, requestOn(t, card), list[0].ID)
}

func TestTheShortcutLeadsFromTheMenuToAForm(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	_, err := h.Shortcut(t.Context(), slacksim.Alice, "mde_ask")
	require.NoError(t, err)
	menu := h.form(t, "MDE: ask")
	h.fillIn(t, menu, map[string]string{fieldOf("tool"): "get_device"})
	v := h.form(t, "Get a device")
	h.suggested(t, v, "device", mdesim.NameHost)
	h.fillIn(t, v, map[string]string{fieldOf("device"): mdesim.NameHost})
	dm, err := h.DirectMessages(slacksim.Alice)
	require.NoError(t, err)
	h.wait(t, func(s slacksim.Snapshot) bool { return len(s.Messages[dm]) == 1 })
	require.Contains(t, shown(h.Messages(dm)[0]), mdesim.NameHost, "what began in no channel is answered to the person alone")
}

func TestAMenuWorksWhileDefenderDoesNot(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{})
	h.typed(t, slacksim.Alice, "isolate")
	v := h.form(t, "Isolate devices")
	h.tenant.Fail(mdesim.Fault{Path: "/api/machines", Status: http.StatusInternalServerError, Times: -1})
	offered := h.suggested(t, v, "devices", "host01")
	require.Len(t, offered, 1)
	require.Equal(t, "host01", offered[0].Value)
}

// Every tool has a form that Slack takes, empty and with every field filled in, with names that attackers chose.
func TestEveryToolHasAFormThatSlackTakes(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{idle: true, deaf: true})
	api := slack.New(h.Tokens().Bot, slack.OptionAPIURL(h.slack.APIURL()))
	alice, err := h.User(slacksim.Alice)
	require.NoError(t, err)
	open := func(name string, v slack.ModalViewRequest) slacksim.View {
		trigger := h.CommandPayload(alice, slacksim.Channel{ID: slacksim.Security}, "/mde", "")["trigger_id"].(string)
		_, err := api.OpenViewContext(t.Context(), trigger, v)
		require.NoError(t, err, name)
		shown := h.Views(slacksim.Alice)
		require.Empty(t, shown[len(shown)-1].Fires(), name)
		return shown[len(shown)-1]
	}
	all, err := tools.Catalogue()
	require.NoError(t, err)
	open("menu", forms.Menu(all, forms.Origin{}))
	for _, tool := range all {
		v := open(tool.Name, forms.Form{Tool: tool}.View())
		inputs := 0
		for _, b := range v.Blocks {
			if b.Type == "input" {
				inputs++
			}
		}
		require.Equal(t, len(tool.Args), inputs, "%s: a field for each argument", tool.Name)
		filled := map[string]any{}
		for _, a := range tool.Args {
			filled[a.Name] = hostileValue(a)
		}
		raw, err := json.Marshal(filled)
		require.NoError(t, err)
		open(tool.Name, forms.Form{Tool: tool, Args: raw, Notes: []string{"<!channel> " + strings.Repeat("x", 5000)}}.View())
	}
}

func hostileValue(a tools.Arg) any {
	text := "<!channel> <@U0BOB> \u202e`x` " + strings.Repeat("y", 100)
	switch {
	case a.Type == tools.TypeBoolean:
		return true
	case a.Type == tools.TypeInteger:
		return max(a.Min, 1)
	case a.Type == tools.TypeStrings && len(a.Enum) > 0:
		return a.Enum
	case len(a.Enum) > 0:
		return a.Enum[0]
	case a.Type == tools.TypeStrings:
		return []string{text, "z"}
	}
	return text
}

// everything is no filter.
func everything() store.Filter { return store.Filter{Limit: 100} }
