package slacksim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// modal asks for a reason, how urgent it is, and where.
func modal(callback string) slack.ModalViewRequest {
	reason := slack.NewPlainTextInputBlockElement(plain("Why not?"), "reason")
	reason.MaxLength, reason.Multiline = 100, true
	urgency := slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, plain("Choose"), "urgency",
		slack.NewOptionBlockObject("low", plain("Low"), nil), slack.NewOptionBlockObject("high", plain("High"), nil))
	optional := slack.NewInputBlock("urgency_block", plain("Urgency"), nil, urgency)
	optional.Optional = true
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: callback, Title: plain("Deny request"), Submit: plain("Deny"), Close: plain("Back"),
		PrivateMetadata: "req-1", NotifyOnClose: true,
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			slack.NewSectionBlock(mrkdwn("Denying *isolate host01*"), nil, nil),
			slack.NewActionBlock("more", slack.NewButtonBlockElement("details", "req-1", plain("Details"))),
			slack.NewInputBlock("reason_block", plain("Reason"), plain("Shown to the requester"), reason),
			optional,
		}},
	}
}

// opener opens the modal for each button pressed in a message and answers submissions with answer's result.
func (d *desk) opener(t *testing.T, answer func(slack.InteractionCallback) any) *app {
	t.Helper()
	return d.connect(t, func(c *socketmode.Client, ev socketmode.Event) {
		cb := ev.Data.(slack.InteractionCallback)
		switch cb.Type {
		case slack.InteractionTypeBlockActions:
			if cb.View.ID != "" {
				_, _ = d.api.PushViewContext(t.Context(), cb.TriggerID, modal("second"))
			} else {
				_, _ = d.api.OpenViewContext(t.Context(), cb.TriggerID, modal("first"))
			}
		case slack.InteractionTypeViewSubmission:
			if payload := answer(cb); payload != nil {
				_ = c.Ack(*ev.Request, payload)
				return
			}
		default:
		}
		_ = c.Ack(*ev.Request)
	})
}

func nothing(slack.InteractionCallback) any { return nil }

func (d *desk) openModal(t *testing.T) slacksim.View {
	t.Helper()
	m := d.post(t, slack.MsgOptionBlocks(card("please")...))
	out, err := d.Click(ctxFor(t), "bob", "#security", m.TS, "deny")
	require.NoError(t, err)
	require.Len(t, out.Views, 1)
	return out.Views[0]
}

func TestModalSubmitted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.opener(t, nothing)
	v := d.openModal(t)
	require.Equal(t, []string{"first", "req-1", slacksim.Bob}, []string{v.CallbackID, v.PrivateMetadata, v.User})
	out, err := d.Submit(ctxFor(t), "bob", v.ID, map[string]string{"reason_block": "wrong host", "urgency": "High"})
	require.NoError(t, err)
	require.Empty(t, out.Views, "an empty answer closes the modal")
	ev := a.events()[1]
	require.True(t, ev.Request.AcceptsResponsePayload)
	cb := ev.Data.(slack.InteractionCallback)
	require.Equal(t, "wrong host", cb.View.State.Values["reason_block"]["reason"].Value)
	require.Equal(t, "high", cb.View.State.Values["urgency_block"]["urgency"].SelectedOption.Value)
	require.Equal(t, slacksim.Bob, cb.User.ID)
	_, err = d.Submit(ctxFor(t), "bob", v.ID, map[string]string{"reason": "again"})
	require.ErrorContains(t, err, "view_not_found")
}

func TestModalRefusedByTheClient(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.opener(t, nothing)
	v := d.openModal(t)
	for name, c := range map[string]struct {
		values map[string]string
		want   string
	}{
		"required":  {map[string]string{"urgency": "low"}, "please complete this required field: Reason"},
		"too long":  {map[string]string{"reason": strings.Repeat("x", 101)}, "101 characters"},
		"no choice": {map[string]string{"reason": "x", "urgency": "medium"}, `no choice "medium"`},
		"no input":  {map[string]string{"reason": "x", "colour": "red"}, `"colour"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := d.Submit(ctxFor(t), "bob", v.ID, c.values)
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := d.Submit(ctxFor(t), "alice", v.ID, map[string]string{"reason": "x"})
	require.ErrorContains(t, err, "view_not_found", "alice has no such modal")
	require.Len(t, a.events(), 1)
}

func TestModalAnswers(t *testing.T) {
	t.Parallel()
	second := modal("second")
	broken := slack.ModalViewRequest{Type: slack.VTModal}
	for name, c := range map[string]struct {
		answer any
		want   []string // callback IDs of the open modals afterwards
		err    string
	}{
		"errors":          {slack.NewErrorsViewSubmissionResponse(map[string]string{"reason_block": "say more"}), []string{"first"}, ""},
		"errors, unknown": {slack.NewErrorsViewSubmissionResponse(map[string]string{"other": "say more"}), []string{"first"}, "trouble connecting"},
		"update":          {slack.NewUpdateViewSubmissionResponse(&second), []string{"second"}, ""},
		"push":            {slack.NewPushViewSubmissionResponse(&second), []string{"first", "second"}, ""},
		"push, broken":    {slack.NewPushViewSubmissionResponse(&broken), []string{"first"}, "trouble connecting"},
		"clear":           {slack.NewClearViewSubmissionResponse(), nil, ""},
		"unknown":         {map[string]string{"response_action": "explode"}, []string{"first"}, "trouble connecting"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.opener(t, func(slack.InteractionCallback) any { return c.answer })
			v := d.openModal(t)
			out, err := d.Submit(ctxFor(t), "bob", v.ID, map[string]string{"reason": "x"})
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
			} else {
				require.NoError(t, err)
			}
			var open []string
			for _, v := range d.Views("bob") {
				open = append(open, v.CallbackID)
			}
			require.Equal(t, c.want, open)
			if name == "errors" {
				require.Equal(t, map[string]string{"reason_block": "say more"}, out.Errors)
				require.Contains(t, slacksim.RenderView(d.Views("bob")[0], slacksim.RenderOptions{}), "! say more")
			}
		})
	}
}

func TestModalStackAndClose(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.opener(t, nothing)
	v := d.openModal(t)
	for range 3 { // The third push is over the limit.
		open := d.Views("bob")
		_, err := d.ClickView(ctxFor(t), "bob", open[len(open)-1].ID, "Details")
		require.NoError(t, err)
	}
	open := d.Views("bob")
	require.Len(t, open, 3)
	require.Equal(t, []string{v.ID, open[1].ID}, []string{open[2].RootID, open[2].PreviousID})
	_, err := d.Close(ctxFor(t), "bob", v.ID)
	require.ErrorContains(t, err, "view_not_found", "only the modal in front can be closed")
	out, err := d.Close(ctxFor(t), "bob", open[2].ID)
	require.NoError(t, err)
	require.Len(t, out.Views, 2)
	all := a.events()
	require.Equal(t, slack.InteractionTypeViewClosed, all[len(all)-1].Data.(slack.InteractionCallback).Type)
}

func TestTriggersWorkOnceAndBriefly(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	a := d.connect(t, ackEmpty)
	trigger := func() string {
		_, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "help")
		require.NoError(t, err)
		all := a.events()
		return all[len(all)-1].Data.(slack.SlashCommand).TriggerID
	}
	id := trigger()
	first, err := d.api.OpenViewContext(ctxFor(t), id, modal("x"))
	require.NoError(t, err)
	_, err = d.api.OpenViewContext(ctxFor(t), id, modal("x"))
	require.Equal(t, "exchanged_trigger_id", slackCode(err))
	_, err = d.api.PushViewContext(ctxFor(t), trigger(), modal("x"))
	require.Equal(t, "not_found", slackCode(err), "a push needs a trigger from the modal")
	id = trigger()
	d.clock.Add(3*time.Second + time.Millisecond)
	_, err = d.api.OpenViewContext(ctxFor(t), id, modal("x"))
	require.Equal(t, "expired_trigger_id", slackCode(err))

	next, err := d.api.UpdateViewContext(ctxFor(t), modal("y"), "", first.Hash, first.ID)
	require.NoError(t, err)
	require.NotEqual(t, first.Hash, next.Hash)
	_, err = d.api.UpdateViewContext(ctxFor(t), modal("z"), "", first.Hash, first.ID)
	require.Equal(t, "hash_conflict", slackCode(err))
	_, err = d.api.UpdateViewContext(ctxFor(t), modal("z"), "", "", "V0NONE")
	require.Equal(t, "not_found", slackCode(err))
	require.Equal(t, "y", d.Views("alice")[0].CallbackID)

	long := modal("x")
	long.Title = plain(strings.Repeat("x", 25))
	_, err = d.api.OpenViewContext(ctxFor(t), trigger(), long)
	require.Equal(t, "invalid_arguments", slackCode(err))
	noSubmit := modal("x")
	noSubmit.Submit = nil
	_, err = d.api.OpenViewContext(ctxFor(t), trigger(), noSubmit)
	require.Equal(t, "invalid_arguments", slackCode(err))
}

func TestSubmissionWithoutAckKeepsTheModal(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(w *slacksim.Workspace) { w.AckDeadline, w.Redeliveries = 20*time.Millisecond, -1 })
	d.connect(t, func(c *socketmode.Client, ev socketmode.Event) {
		cb := ev.Data.(slack.InteractionCallback)
		if cb.Type == slack.InteractionTypeBlockActions {
			// The acknowledgement may come after the deadline on a busy machine; opening the modal is what counts.
			_, _ = d.api.OpenViewContext(t.Context(), cb.TriggerID, modal("first"))
			_ = c.Ack(*ev.Request)
		}
	})
	m := d.post(t, slack.MsgOptionBlocks(card("please")...))
	_, _ = d.Click(ctxFor(t), "bob", "#security", m.TS, "deny")
	d.wait(t, func(s slacksim.Snapshot) bool { return len(s.Views[slacksim.Bob]) == 1 })
	_, err := d.Submit(ctxFor(t), "bob", d.Views("bob")[0].ID, map[string]string{"reason": "x"})
	require.ErrorIs(t, err, slacksim.ErrNotAcknowledged)
	require.Len(t, d.Views("bob"), 1)
}

func TestEveryKindOfInput(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	opts := []*slack.OptionBlockObject{slack.NewOptionBlockObject("a", plain("First"), nil), slack.NewOptionBlockObject("b", plain("Second"), nil)}
	radio := slack.NewRadioButtonsBlockElement("radio", opts...)
	radio.InitialOption = opts[1]
	boxes := slack.NewCheckboxGroupsBlockElement("boxes", opts...)
	boxes.InitialOptions = opts
	text := slack.NewPlainTextInputBlockElement(nil, "text")
	text.InitialValue, text.MinLength = strings.Repeat("given ", 20), 3
	menu := func(kind, id string) slack.BlockElement { return slack.NewOptionsSelectBlockElement(kind, nil, id) }
	view := slack.ModalViewRequest{Type: slack.VTModal, Title: plain("All"), Submit: plain("Go"), ExternalID: "mine"}
	for id, el := range map[string]slack.BlockElement{
		"radio": radio, "boxes": boxes, "text": text, "user": menu(slack.OptTypeUser, "user"),
		"conv": menu(slack.OptTypeConversations, "conv"), "chan": menu(slack.OptTypeChannels, "chan"),
		"date": slack.NewDatePickerBlockElement("date"), "time": slack.NewTimePickerBlockElement("time"),
	} {
		view.Blocks.BlockSet = append(view.Blocks.BlockSet, slack.NewInputBlock(id, plain(id), nil, el).WithOptional(id == "time"))
	}
	a := d.connect(t, func(c *socketmode.Client, ev socketmode.Event) {
		if cmd, ok := ev.Data.(slack.SlashCommand); ok {
			_, _ = d.api.OpenViewContext(t.Context(), cmd.TriggerID, view)
		}
		_ = c.Ack(*ev.Request)
	})
	out, err := d.Command(ctxFor(t), "alice", "#security", "/mde", "help")
	require.NoError(t, err)
	require.Len(t, out.Views, 1)
	drawn := slacksim.RenderView(out.Views[0], slacksim.RenderOptions{})
	require.Contains(t, drawn, "(•) Second")
	require.Contains(t, drawn, "[x] First")
	require.Contains(t, drawn, "[given given given given given given…____]")
	_, err = d.api.UpdateViewContext(ctxFor(t), view, "mine", "", "")
	require.NoError(t, err, "found by its external_id")

	_, err = d.Submit(ctxFor(t), "alice", out.Views[0].ID, map[string]string{"text": "ab"})
	require.Error(t, err)
	_, err = d.Submit(ctxFor(t), "alice", out.Views[0].ID, map[string]string{
		"user": slacksim.Bob, "conv": slacksim.Security, "chan": slacksim.Security, "date": "2026-03-01",
	})
	require.NoError(t, err)
	got := a.events()[1].Data.(slack.InteractionCallback).View.State.Values
	require.Equal(t, "b", got["radio"]["radio"].SelectedOption.Value)
	require.Len(t, got["boxes"]["boxes"].SelectedOptions, 2)
	require.Equal(t, text.InitialValue, got["text"]["text"].Value)
	require.Equal(t, []string{slacksim.Bob, slacksim.Security, slacksim.Security, "2026-03-01", ""}, []string{
		got["user"]["user"].SelectedUser, got["conv"]["conv"].SelectedConversation, got["chan"]["chan"].SelectedChannel,
		got["date"]["date"].SelectedDate, got["time"]["time"].SelectedTime,
	})
}

func TestBrokenCommandAnswers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	cases := map[string]struct {
		payload any
		err     string
	}{
		"not a message":  {[]string{"x"}, "not a message"},
		"invalid blocks": {map[string]any{"blocks": []any{map[string]any{"type": "section"}}}, "invalid_blocks"},
		"nothing":        {map[string]any{}, ""},
	}
	d.connect(t, func(c *socketmode.Client, ev socketmode.Event) {
		_ = c.Ack(*ev.Request, cases[ev.Data.(slack.SlashCommand).Text].payload)
	})
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			out, err := d.Command(ctxFor(t), "alice", "#security", "/mde", name)
			if c.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.err)
			}
			require.Empty(t, out.Reply)
			require.Empty(t, out.Ephemerals)
		})
	}
}
