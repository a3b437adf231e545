package slacksim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// fills opens a modal with one input and returns what the app gets when it is filled in.
func fills(t *testing.T, element obj) func(typed string) (*slack.BlockAction, error) {
	t.Helper()
	d := newDesk(t)
	a := d.connect(t, func(c *socketmode.Client, ev socketmode.Event) {
		if cmd, ok := ev.Data.(slack.SlashCommand); ok {
			view := rawModal(and(rawInput(and(element, obj{"action_id": "field"})), obj{"block_id": "block", "optional": true}))
			_, err := d.rawCall("views.open", obj{"trigger_id": cmd.TriggerID, "view": view})
			assert.NoError(t, err)
		}
		_ = c.Ack(*ev.Request)
	})
	return func(typed string) (*slack.BlockAction, error) {
		out, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "open")
		require.NoError(t, err)
		require.Len(t, out.Views, 1)
		if _, err := d.Submit(ctxFor(t), "alice", out.Views[0].ID, map[string]string{"field": typed}); err != nil {
			return nil, err
		}
		all := a.events()
		got := all[len(all)-1].Data.(slack.InteractionCallback).View.State.Values["block"]["field"]
		return &got, nil
	}
}

func TestNumbersAreWithinTheirBounds(t *testing.T) {
	t.Parallel()
	fill := fills(t, obj{"type": "number_input", "is_decimal_allowed": false, "min_value": "2", "max_value": "10"})
	for typed, refusal := range map[string]string{
		"1": "less than 2", "11": "more than 10", "2.5": "not a whole number", "3/4": "not a number", "many": "not a number",
	} {
		_, err := fill(typed)
		require.ErrorContains(t, err, refusal, typed)
	}
	for _, typed := range []string{"2", "10", ""} {
		got, err := fill(typed)
		require.NoError(t, err)
		require.Equal(t, typed, got.Value)
	}
	got, err := fills(t, obj{"type": "number_input", "is_decimal_allowed": true})("2.5")
	require.NoError(t, err)
	require.Equal(t, "2.5", got.Value)
}

func TestMenusForSeveralHaveTheirMost(t *testing.T) {
	t.Parallel()
	fill := fills(t, obj{"type": "multi_static_select", "options": times(3, rawOption), "max_selected_items": 2})
	got, err := fill("v0, o2")
	require.NoError(t, err)
	require.Len(t, got.SelectedOptions, 2)
	require.Equal(t, "v2", got.SelectedOptions[1].Value)
	_, err = fill("v0,v1,v2")
	require.ErrorContains(t, err, "no more than 2")
	_, err = fill("v7")
	require.ErrorContains(t, err, `no choice "v7"`)
	_, err = fills(t, obj{"type": "static_select", "options": times(3, rawOption)})("v0,v1")
	require.Error(t, err, "one choice only")
}

func TestPickersTakeTimesAndPeople(t *testing.T) {
	t.Parallel()
	for kind, c := range map[string]struct {
		good, bad string
		of        func(*slack.BlockAction) any
		want      any
	}{
		"datepicker":            {"2026-03-01", "1 March", func(a *slack.BlockAction) any { return a.SelectedDate }, "2026-03-01"},
		"timepicker":            {"09:41", "9.41 am", func(a *slack.BlockAction) any { return a.SelectedTime }, "09:41"},
		"datetimepicker":        {"1772358060", "now", func(a *slack.BlockAction) any { return a.SelectedDateTime }, int64(1772358060)},
		"email_text_input":      {"a@example.com", "a at b", func(a *slack.BlockAction) any { return a.Value }, "a@example.com"},
		"url_text_input":        {"https://example.com/x", "example", func(a *slack.BlockAction) any { return a.Value }, "https://example.com/x"},
		"multi_users_select":    {"U1, U2", "", func(a *slack.BlockAction) any { return a.SelectedUsers }, []string{"U1", "U2"}},
		"multi_channels_select": {"C1", "", func(a *slack.BlockAction) any { return a.SelectedChannels }, []string{"C1"}},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			fill := fills(t, obj{"type": kind})
			got, err := fill(c.good)
			require.NoError(t, err)
			require.Equal(t, c.want, c.of(got))
			if c.bad != "" {
				_, err = fill(c.bad)
				require.Error(t, err)
			}
		})
	}
}

func TestPickersShowWhatTheyBeginWith(t *testing.T) {
	t.Parallel()
	v, err := new(slacksim.Workspace).DraftView(asJSON(t, rawModal(
		rawInput(obj{"type": "datetimepicker", "initial_date_time": 1772358060}), rawInput(obj{"type": "datepicker", "initial_date": "2026-03-02"}),
	)))
	require.NoError(t, err)
	drawn := slacksim.RenderView(v, slacksim.RenderOptions{})
	require.Contains(t, drawn, "(2026-03-01 09:41 UTC ▾)")
	require.Contains(t, drawn, "(2026-03-02 ▾)")
}

// rawCall calls a method with JSON of the test's own making.
func (d *desk) rawCall(method string, body obj) (obj, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, d.srv.APIURL()+method, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+d.Tokens().Bot)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	var out obj
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		return nil, err
	}
	if out["ok"] != true {
		return out, fmt.Errorf("%v: %v", out["error"], out["response_metadata"])
	}
	return out, nil
}
