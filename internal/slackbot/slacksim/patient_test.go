package slacksim_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// answers connects an app that tells whoever presses the next of some texts, and the last of them from then on.
func (d *desk) answers(t *testing.T, texts ...string) *atomic.Int64 {
	t.Helper()
	var presses atomic.Int64
	d.connect(t, func(c *socketmode.Client, ev socketmode.Event) {
		ackEmpty(c, ev)
		cb := ev.Data.(slack.InteractionCallback)
		text := texts[min(int(presses.Add(1)), len(texts))-1]
		_, _ = d.api.PostEphemeralContext(t.Context(), cb.Channel.ID, cb.User.ID, slack.MsgOptionText(text, false))
	})
	return &presses
}

func TestThePatientPressAgainWhenTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		texts []string
		want  int64
	}{
		"counted at once":     {[]string{"Your yes is counted."}, 1},
		"asked twice":         {[]string{"Not saved, press again. (why)", "the card is just being posted; press again", "Your yes is counted."}, 3},
		"asked to look first": {[]string{"Perhaps not saved: look at the card, and press again if your vote does not show there.", "counted"}, 2},
		"asked not to":        {[]string{"Not counted. Don't press again; tell your administrators."}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			presses := d.answers(t, c.texts...)
			m := d.post(t, slack.MsgOptionBlocks(card("please")...))
			require.NoError(t, slacksim.Patient{Workspace: d.Workspace}.Press(ctxFor(t), "bob", "#security", m.TS, "approve"))
			require.Equal(t, c.want, presses.Load())
		})
	}
}

func TestThePatientGiveUpWhenNothingAnswers(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.connect(t, ackEmpty)
	m := d.post(t, slack.MsgOptionBlocks(card("please")...))
	p := slacksim.Patient{Workspace: d.Workspace}
	require.Error(t, p.Press(ctxFor(t), "bob", "#security", m.TS, "no such button"))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := p.Press(ctx, "bob", "#security", m.TS, "approve")
	require.ErrorContains(t, err, `nothing answered bob, who pressed "approve" 1 times`)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, p.Fill(ctx, "bob", nil), "no window opened for bob")
}

func TestThePatientFillInAgainWhenTold(t *testing.T) {
	t.Parallel()
	var submitted atomic.Int64
	d := newDesk(t)
	d.opener(t, func(slack.InteractionCallback) any {
		switch submitted.Add(1) {
		case 1:
			return slack.NewErrorsViewSubmissionResponse(map[string]string{"reason_block": "Not saved, press again. (why)"})
		case 3:
			return slack.NewErrorsViewSubmissionResponse(map[string]string{"reason_block": "this is not the name"})
		}
		return nil
	})
	p := slacksim.Patient{Workspace: d.Workspace}
	m := d.post(t, slack.MsgOptionBlocks(card("please")...))
	press := func() { require.NoError(t, p.Press(ctxFor(t), "bob", "#security", m.TS, "deny")) }
	values := map[string]string{"reason_block": "wrong host", "urgency": "High"}
	press()
	require.NoError(t, p.Fill(ctxFor(t), "bob", values))
	require.EqualValues(t, 2, submitted.Load())
	press()
	require.ErrorContains(t, p.Fill(ctxFor(t), "bob", values), "bob's window was not taken: map[reason_block:this is not the name]")
}
