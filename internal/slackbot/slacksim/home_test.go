package slacksim_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

func homeView(text string) slack.HomeTabViewRequest {
	return slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{
		slack.NewSectionBlock(plain(text), nil, nil),
		slack.NewActionBlock("a", slack.NewButtonBlockElement("refresh", "v", plain("Refresh"))),
	}}}
}

func TestHomeIsPublishedWhenItIsOpenedAndPressed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	late := make(chan error, 1)
	_, err := d.OpenHome(ctxFor(t), slacksim.Alice)
	require.ErrorIs(t, err, slacksim.ErrNotConnected)
	d.connect(t, func(c *socketmode.Client, ev socketmode.Event) {
		ackEmpty(c, ev)
		switch data := ev.Data.(type) {
		case slackevents.EventsAPIEvent:
			opened := data.InnerEvent.Data.(*slackevents.AppHomeOpenedEvent)
			_, err := d.api.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: opened.User, View: homeView("for " + opened.User)})
			require.NoError(t, err)
		case slack.InteractionCallback:
			hash := data.View.Hash
			_, err := d.api.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: data.User.ID, View: homeView("again"), Hash: &hash})
			require.NoError(t, err)
			_, err = d.api.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: data.User.ID, View: homeView("late"), Hash: &hash})
			late <- err
		}
	})
	_, err = d.OpenHome(ctxFor(t), slacksim.Alice)
	require.NoError(t, err)
	shows := func(text string) func(slacksim.Snapshot) bool {
		return func(s slacksim.Snapshot) bool {
			return strings.Contains(slacksim.RenderHome(s.Homes[slacksim.Alice], slacksim.RenderOptions{}), text)
		}
	}
	d.wait(t, shows("for "+slacksim.Alice))
	_, published := d.Home(slacksim.Bob)
	require.False(t, published)
	_, err = d.ClickHome(ctxFor(t), slacksim.Bob, "Refresh")
	require.Error(t, err)
	_, err = d.ClickHome(ctxFor(t), slacksim.Alice, "Refresh")
	require.NoError(t, err)
	require.ErrorContains(t, <-late, "hash_conflict")
	require.True(t, shows("again")(d.Snapshot()))
}

func TestHomeRefusesWhatSlackRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	_, err := d.api.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: "U0NOBODY", View: homeView("x")})
	require.ErrorContains(t, err, "user_not_found")
	bad := homeView("x")
	bad.Type = slack.VTModal
	_, err = d.api.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: slacksim.Alice, View: bad})
	require.ErrorContains(t, err, "invalid_arguments")
	many := homeView("x")
	for range 100 {
		many.Blocks.BlockSet = append(many.Blocks.BlockSet, slack.NewDividerBlock())
	}
	_, err = d.api.PublishViewContext(t.Context(), slack.PublishViewContextRequest{UserID: slacksim.Alice, View: many})
	require.ErrorContains(t, err, "invalid_arguments")
}

func TestShortcutsCarryWhatSlackPutsIn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.connect(t, ackEmpty)
	_, err := d.Shortcut(ctxFor(t), slacksim.Alice, "ask")
	require.NoError(t, err)
	said, err := d.Say(slacksim.Bob, slacksim.Security, "look at host01")
	require.NoError(t, err)
	_, err = d.MessageShortcut(ctxFor(t), slacksim.Alice, slacksim.Security, said.TS, "look")
	require.NoError(t, err)
	_, err = d.MessageShortcut(ctxFor(t), slacksim.Alice, slacksim.Security, "1.1", "look")
	require.Error(t, err)
	a.waitEvents(t, 2)
	global, message := a.events()[0].Data.(slack.InteractionCallback), a.events()[1].Data.(slack.InteractionCallback)
	require.Equal(t, slack.InteractionTypeShortcut, global.Type)
	require.Equal(t, "ask", global.CallbackID)
	require.NotEmpty(t, global.TriggerID)
	require.Equal(t, slack.InteractionTypeMessageAction, message.Type)
	require.Equal(t, "look at host01", message.Message.Text)
	require.Equal(t, slacksim.Security, message.Channel.ID)
	require.NotEmpty(t, message.ResponseURL)
}

func TestOptionsOfAMenuComeFromTheApp(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var chosen []slack.OptionBlockObject
	a := d.connect(t, func(c *socketmode.Client, ev socketmode.Event) {
		ic, ok := ev.Data.(slack.InteractionCallback)
		switch {
		case !ok:
			ackEmpty(c, ev)
		case ic.Type == slack.InteractionTypeBlockSuggestion:
			_ = c.Ack(*ev.Request, slack.OptionsResponse{Options: []*slack.OptionBlockObject{slack.NewOptionBlockObject("id-of-"+ic.Value, plain(ic.Value+".example.com"), nil)}})
		default:
			chosen = ic.View.State.Values["devices"]["pick"].SelectedOptions
			ackEmpty(c, ev)
		}
	})
	_ = a
	menu := slack.NewOptionsMultiSelectBlockElement(slack.MultiOptTypeExternal, plain("device"), "pick")
	least := 2
	menu.MinQueryLength = &least
	v := slack.ModalViewRequest{Type: slack.VTModal, Title: plain("Form"), Submit: plain("Go"), Blocks: slack.Blocks{BlockSet: []slack.Block{
		slack.NewInputBlock("devices", plain("Devices"), nil, menu),
	}}}
	alice, err := d.User(slacksim.Alice)
	require.NoError(t, err)
	trigger := d.CommandPayload(alice, slacksim.Channel{ID: slacksim.Security}, "/mde", "")["trigger_id"].(string)
	_, err = d.api.OpenViewContext(t.Context(), trigger, v)
	require.NoError(t, err)
	id := d.Views(slacksim.Alice)[0].ID
	none, err := d.Suggest(ctxFor(t), slacksim.Alice, id, "pick", "h")
	require.NoError(t, err)
	require.Empty(t, none, "too few letters ask nobody")
	_, err = d.Submit(ctxFor(t), slacksim.Alice, id, map[string]string{"devices": "id-of-host01"})
	require.ErrorContains(t, err, "no choice", "what the app did not offer can't be chosen")
	found, err := d.Suggest(ctxFor(t), slacksim.Alice, id, "pick", "host01")
	require.NoError(t, err)
	require.Equal(t, "id-of-host01", found[0].Value)
	_, err = d.Submit(ctxFor(t), slacksim.Alice, id, map[string]string{"devices": "host01.example.com"})
	require.NoError(t, err)
	require.Len(t, chosen, 1)
	require.Equal(t, "id-of-host01", chosen[0].Value)
}

func TestEventsNameTheInstallation(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.connect(t, ackEmpty)
	_, err := d.Event(ctxFor(t), slacksim.Payload{"type": "tokens_revoked", "tokens": slacksim.Payload{"bot": []string{"U0BOT"}}})
	require.NoError(t, err)
	a.waitEvents(t, 1)
	var outer struct {
		TeamID  string `json:"team_id"`
		EventID string `json:"event_id"`
	}
	require.NoError(t, json.Unmarshal(a.events()[0].Request.Payload, &outer))
	require.Equal(t, slacksim.DefaultTeamID, outer.TeamID)
	require.NotEmpty(t, outer.EventID)
}
