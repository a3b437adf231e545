package slackbot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/interop/npm"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/forms"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools"
)

// screens are what people were shown, as it was sent, each once, by the type that Slack has for it.
type screens struct {
	mu   sync.Mutex
	seen map[string]string
	said strings.Builder
}

const (
	typeBlocks = "KnownBlock[]"
	typeModal  = "ModalView"
	typeHome   = "HomeView"
)

func (s *screens) add(kind string, sent any) {
	raw, err := json.Marshal(sent)
	if err != nil || string(raw) == "null" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]string{}
	}
	s.seen[string(raw)] = kind
}

// watch adds what is shown in a house until the test ends. What is shown for a moment only may escape it.
func (s *screens) watch(t *testing.T, h *house) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = h.WaitFor(ctx, func(now slacksim.Snapshot) bool { s.take(now); return false })
	}()
	t.Cleanup(func() { cancel(); <-ended })
}

func (s *screens) take(now slacksim.Snapshot) {
	for _, lists := range []map[string][]slacksim.Message{now.Messages, now.Ephemerals} {
		for _, list := range lists {
			for _, m := range list {
				if len(m.RawBlocks) > 0 {
					s.add(typeBlocks, m.RawBlocks)
				}
				s.note(shown(m))
			}
		}
	}
	for _, open := range now.Views {
		for _, v := range open {
			s.addView(typeModal, v)
		}
	}
	for _, v := range now.Homes {
		s.addView(typeHome, v)
	}
}

func (s *screens) note(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.Contains(s.said.String(), text) {
		s.said.WriteString(text + "\n")
	}
}

func (s *screens) showed(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.said.String(), text)
}

func (s *screens) addView(kind string, v slacksim.View) {
	sent := map[string]any{"type": v.Type, "callback_id": v.CallbackID, "private_metadata": v.PrivateMetadata, "blocks": v.RawBlocks}
	for name, text := range map[string]*slacksim.Text{"title": v.Title, "submit": v.Submit, "close": v.Close} {
		if text != nil {
			sent[name] = text
		}
	}
	s.add(kind, sent)
	s.note(v.CallbackID)
	if v.Title != nil {
		s.note(v.Title.Text)
	}
}

// source is a program in TypeScript that is right if all of them are.
func (s *screens) source() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	b.WriteString("import type { HomeView, KnownBlock, ModalView } from '@slack/types';\n")
	n := 0
	for raw, kind := range s.seen {
		fmt.Fprintf(&b, "export const s%d: %s = %s;\n", n, kind, raw)
		n++
	}
	return b.String()
}

func (s *screens) count(kind string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.seen {
		if k == kind {
			n++
		}
	}
	return n
}

// TestOthersTypesTakeEveryScreen has Slack's own types look at what people see on one day, and at every form.
func TestOthersTypesTakeEveryScreen(t *testing.T) {
	t.Parallel()
	npm.Folder(t)
	seen := new(screens)
	all, err := tools.Catalogue()
	require.NoError(t, err)
	seen.add(typeModal, forms.Menu(all, forms.Origin{Channel: slacksim.Security}))
	for _, tool := range all {
		v := forms.Form{Tool: tool, Notes: []string{"Devices is missing"}}.View()
		require.Equal(t, slack.VTModal, v.Type)
		seen.add(typeModal, v)
	}
	table := blockkit.New()
	table.Table("NODE   STATE", "rack1  done")
	seen.add(typeBlocks, table.Message("a table", "").Blocks)
	h := glassHouse(t, plan{})
	seen.watch(t, h)
	d := day{h, seen}
	d.reading(t)
	d.acting(t)
	d.stopping(t)
	for _, want := range []string{
		"mde_form_view", "mde_form_menu", "MDE: look up", "mde_deny_view", "mde_details_view", "mde_glass_view", "mde_home_stop_view",
		"Approval needed", "Done", "Denied", "STOPPED", "1 of 1 still to be undone", "BREAK-GLASS",
	} {
		require.True(t, seen.showed(want), "nobody was shown %q", want)
	}
	require.Greater(t, seen.count(typeModal), len(all)+6)
	require.GreaterOrEqual(t, seen.count(typeHome), 3)
	source := seen.source()
	require.Empty(t, npm.TypeCheck(t, source))
	for _, change := range [][2]string{
		{`"type":"home"`, `"type":"house"`},
		{`"type":"external_select"`, `"type":"outside_select"`},
		{`"type":"plain_text_input"`, `"type":"mrkdwn_input"`},
		{`"type":"rich_text_preformatted"`, `"type":"rich_text_table"`},
		{`"style":"danger"`, `"style":"terrible"`},
		{`"title":{"type":"plain_text"`, `"title":{"type":"mrkdwn"`},
	} {
		require.NotEmpty(t, npm.TypeCheck(t, strings.Replace(source, change[0], change[1], 1)), "%s: a compiler that takes this checks nothing", change[1])
	}
	t.Logf("%d messages, %d windows and %d Home tabs are of Slack's types", seen.count(typeBlocks), seen.count(typeModal), seen.count(typeHome))
}

// day is a house whose screens are kept.
type day struct {
	*house
	seen *screens
}

// look keeps what is shown now.
func (d day) look() { d.seen.take(d.Snapshot()) }

// reading is what changes nothing.
func (d day) reading(t *testing.T) {
	t.Helper()
	for _, words := range []string{
		"help", "help isolate", "isolat host01", "device " + mdesim.NameHost, "alerts --severity high", "requests", `"unended`, "hunt DeviceInfo | take 3",
	} {
		told := len(d.Snapshot().Ephemerals[slacksim.Alice])
		d.typed(t, slacksim.Alice, words)
		d.wait(t, func(s slacksim.Snapshot) bool { return len(s.Ephemerals[slacksim.Alice]) > told })
	}
	d.lookAt(t, "is "+mdesim.NameHost+" infected? It talks to 198[.]51[.]100[.]23")
	d.look()
	_, err := d.Shortcut(t.Context(), slacksim.Alice, "mde_ask")
	require.NoError(t, err)
	d.form(t, "MDE: ask")
	d.look()
	d.typed(t, slacksim.Alice, "isolate because beaconing")
	d.form(t, "Isolate devices")
	d.look()
	d.openHome(t, slacksim.Dave, "guest")
	d.look()
}

// acting is asked for, decided and done.
func (d day) acting(t *testing.T) {
	t.Helper()
	card, _ := d.isolate(t)
	d.press(t, slacksim.Bob, card, "Details")
	d.modal(t, slacksim.Bob)
	d.look()
	d.press(t, slacksim.Bob, card, "Deny")
	d.wait(t, func(s slacksim.Snapshot) bool {
		open := s.Views[slacksim.Bob]
		return len(open) > 0 && open[len(open)-1].CallbackID == "mde_deny_view"
	})
	d.look()
	_, err := d.Submit(t.Context(), slacksim.Bob, d.modal(t, slacksim.Bob).ID, map[string]string{"mde_reason": "the wrong host"})
	require.NoError(t, err)
	d.card(t, "Denied")
	d.look()

	d.typed(t, slacksim.Alice, "isolate "+mdesim.NameVIP+" --for 4h because beaconing")
	card = d.card(t, "Approval needed")
	id := requestOn(t, card)
	d.openHome(t, slacksim.Bob, "Waits for you (1)")
	d.look()
	d.press(t, slacksim.Alice, card, "Approve") // which is not counted
	d.press(t, slacksim.Bob, card, "Approve")
	if d.told(t, slacksim.Bob, "ounted"); d.state(t, id).State == approvals.Pending {
		d.press(t, slacksim.Carol, card, "Approve")
	}
	d.card(t, "1 of 1 still to be undone")
	d.look()
	d.openHome(t, slacksim.Alice, "Time-boxes that end next")
	d.look()
	dialog := d.glass(t, slacksim.Alice, mdesim.NameHost)
	d.look()
	d.submit(t, slacksim.Alice, dialog, mdesim.NameHost, "the C2 is live")
	d.card(t, "BREAK-GLASS · Done")
	d.look()
}

// stopping is the kill switch, and its way back.
func (d day) stopping(t *testing.T) {
	t.Helper()
	d.pressHome(t, slacksim.Alice, "STOP everything")
	why := d.form(t, "STOP")
	d.look()
	d.fillIn(t, why, map[string]string{"mde_home_why": "a drill"})
	d.card(t, "STOPPED: nothing is done any more")
	d.homeShows(t, slacksim.Alice, "HELD: everything is stopped", "Ask to lift")
	d.look()
	d.pressHome(t, slacksim.Alice, "Ask to lift")
	lift := d.form(t, "Lift")
	d.look()
	d.fillIn(t, lift, map[string]string{fieldOf("reason"): "all is well"})
	d.card(t, "Approval needed: lift stop")
	d.look()
}
