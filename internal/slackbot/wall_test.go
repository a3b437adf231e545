package slackbot

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// wall is a simulated workspace that refuses what Slack would refuse.
type wall struct {
	*slacksim.Workspace
	slack *client
}

func newWall(t *testing.T) wall {
	t.Helper()
	ws := &slacksim.Workspace{TriggerLife: time.Minute} // a busy machine may take long to draw
	ws.Cast()
	srv, err := ws.Start()
	require.NoError(t, err)
	t.Cleanup(srv.Close)
	c, err := newClient(clientOptions{APIURL: srv.APIURL(), BotToken: ws.Tokens().Bot, HTTPClient: &http.Client{Timeout: callTimeout}})
	require.NoError(t, err)
	return wall{ws, c}
}

func TestStopsAndGlassDialogsFireNothing(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	alice, err := w.User(slacksim.Alice)
	require.NoError(t, err)
	hostile := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{
		"<!channel>", "<@UALICE>", "<http://evil|click>", "```", "\u202e\u200b", strings.Repeat("&<", 6000),
	}))
	rapid.Check(t, func(t *rapid.T) {
		name, why := hostile.Draw(t, "name"), hostile.Draw(t, "why")
		at, err := w.slack.post(context.Background(), slacksim.Security, "", renderStop(name, approvals.Person{ID: "a@example.com", Name: name}, why))
		require.NoError(t, err)
		m, _ := w.Message(at.Channel, at.TS)
		for _, e := range m.Fires() {
			require.Equal(t, slacksim.EntityDate, e.Kind, "%v", e)
		}
		p := approvals.Plan{
			Tool: "isolate_devices", Risk: approvals.RiskContain, Preview: name, Reason: why, Warnings: []string{why},
			Targets: []approvals.Target{{ID: strings.Repeat("a1", 20), Kind: "device", Name: name}},
			Steps:   []approvals.Step{{Action: "isolate", Target: strings.Repeat("a1", 20), Summary: name, Args: json.RawMessage(`{}`)}},
		}
		if dialog, whole := glassDialog(glassTicket{ID: "x"}, p, why); whole {
			trigger := w.CommandPayload(alice, slacksim.Channel{ID: slacksim.Security}, "/mde", "x")["trigger_id"].(string)
			_, err = w.slack.api.OpenViewContext(context.Background(), trigger, dialog)
			require.NoError(t, err)
		}
	})
}
