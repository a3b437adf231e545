package slackbot_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
	"github.com/mde-ops/mde-ops/internal/slackbot/home"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

var update = flag.Bool("update", false, "draw the pictures in testdata anew")

// TestPicturesOfWindows draws the windows and the Home tab as on a desktop and compares them with testdata; package cards does
// so for its cards. After a change that is meant, draw them anew with -update, and look at each.
func TestPicturesOfWindows(t *testing.T) {
	t.Parallel()
	for name, draw := range map[string]func(*testing.T, *house, slacksim.RenderOptions) string{
		"menu": func(t *testing.T, h *house, o slacksim.RenderOptions) string {
			_, err := h.Shortcut(t.Context(), slacksim.Alice, "mde_ask")
			require.NoError(t, err)
			return slacksim.RenderView(h.form(t, "MDE"), o)
		},
		"form": func(t *testing.T, h *house, o slacksim.RenderOptions) string {
			h.typed(t, slacksim.Alice, "isolate --type selective because beaconing to a known C2")
			return slacksim.RenderView(h.form(t, "Isolate devices"), o)
		},
		"look_up": func(t *testing.T, h *house, o slacksim.RenderOptions) string {
			return slacksim.RenderView(h.lookAt(t, "is "+mdesim.NameHost+" infected? It talks to 198[.]51[.]100[.]23"), o)
		},
		"home": func(t *testing.T, h *house, o slacksim.RenderOptions) string {
			api := slack.New(h.Tokens().Bot, slack.OptionAPIURL(h.slack.APIURL()))
			_, err := api.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: slacksim.Alice, View: home.View(fullPage(t))})
			require.NoError(t, err)
			v, _ := h.Home(slacksim.Alice)
			return slacksim.RenderHome(v, o)
		},
		"stop": func(t *testing.T, h *house, o slacksim.RenderOptions) string {
			h.openHome(t, slacksim.Alice, "STOP everything")
			h.pressHome(t, slacksim.Alice, "STOP everything")
			return slacksim.RenderView(h.form(t, "STOP"), o)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, plan{})
			got := draw(t, h, slacksim.RenderOptions{Width: 100, Names: h.DisplayName})
			file := filepath.Join("testdata", "pictures", name+".txt")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err, "draw it with -update")
			require.Equal(t, string(want), got)
		})
	}
}

// asked is a request about one device, as it is stored.
func asked(t *testing.T, id, what, tool, verb, host, who string, state approvals.State) approvals.Request {
	t.Helper()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const device = "1a4442b210e8b47043d94252f17d9c0951b48726"
	r := approvals.Request{
		ID: id, State: state, Outcome: approvals.Approve, CreatedAt: at, ExpiresAt: at.Add(30 * time.Minute),
		Requester: approvals.Requester{Person: approvals.Person{ID: who}},
		Plan: approvals.Plan{
			Tenant: "5a1f6c1e-0d7b-4c0e-9f52-3b6d3f7a1c00", Tool: tool, Risk: approvals.RiskContain, Preview: what, Targets: []approvals.Target{{ID: device, Kind: "device", Name: host}},
			Steps: []approvals.Step{{Target: device, Action: verb, Summary: verb + " " + host}},
		},
	}
	var err error
	r.Digest, err = approvals.Digest(r)
	require.NoError(t, err)
	require.NoError(t, approvals.Genuine(r))
	return r
}

// fullPage is a Home tab with something in every list.
func fullPage(t *testing.T) home.Page {
	t.Helper()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	one := func(r approvals.Request) home.List {
		return home.List{Rows: []home.Row{{Card: "https://example.slack.com/archives/C0SECURITY/p1", Request: r}}}
	}
	ended := asked(t, "PQRS6789", "Isolate host04.contoso.com (Full)", "isolate_devices", "isolate", "host04.contoso.com", "alice@example.com", approvals.Succeeded)
	ended.FinishedAt = at
	box, open := cards.BoxRow(ended, []cards.Box{{Due: at.Add(4 * time.Hour), Open: true, State: "its time runs"}})
	require.True(t, open)
	return home.Page{
		Responder: true, At: at, Boxes: []string{box}, Ended: one(ended),
		Stops:   []approvals.Stop{{Scope: "nexus", Why: "scanner maintenance", Event: approvals.Event{At: at, Actor: "bob@example.com"}}},
		Waiting: one(asked(t, "ABCD1234", "Isolate host01.contoso.com (Full)", "isolate_devices", "isolate", "host01.contoso.com", "bob@example.com", approvals.Pending)),
		Mine:    one(asked(t, "EFGH5678", "Quarantine on host02.contoso.com", "stop_and_quarantine", "quarantine", "host02.contoso.com", "alice@example.com", approvals.Pending)),
		Running: one(asked(t, "JKMN2345", "Scan host03.contoso.com", "scan_devices", "scan", "host03.contoso.com", "carol@example.com", approvals.Running)),
	}
}

// TestThePageShowsTheScreensAsTheyAre keeps the pictures of docs/slack.md equal to those that the tests draw; -update puts them
// there.
func TestThePageShowsTheScreensAsTheyAre(t *testing.T) {
	t.Parallel()
	const path = "../../docs/slack.md"
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	shown := 0
	want := regexp.MustCompile("(?m)^<!-- picture: (.*) -->\n(?:\n?```text\n(?s:.*?)```\n)?").ReplaceAllFunc(page, func(mark []byte) []byte {
		line, _, _ := bytes.Cut(mark, []byte("\n"))
		file := strings.TrimSuffix(strings.TrimPrefix(string(line), "<!-- picture: "), " -->")
		drawn, err := os.ReadFile(filepath.Join("../..", filepath.FromSlash(file)))
		require.NoError(t, err, "docs/slack.md shows what no test draws")
		require.NotContains(t, string(drawn), "```")
		shown++
		return fmt.Appendf(nil, "%s\n\n```text\n%s```\n", line, drawn)
	})
	require.GreaterOrEqual(t, shown, 6)
	if *update {
		require.NoError(t, os.WriteFile(path, want, 0o600))
		return
	}
	require.Equal(t, string(want), string(page), "draw them anew: go test ./internal/slackbot -run Page -update")
}
