package chaos

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/failpoint"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// askingAndVoting kills `mde-mcp call` while it submits, and the bot while it counts a click. Nothing of either may be
// visible, and who does the same again gets exactly one request and exactly one vote.
func askingAndVoting(tr *trial) {
	t := tr.T
	h := newHouse(t, tr.bin, tr.store.url(t), &mdesim.Tenant{Devices: 10})
	for range tr.kills {
		device := h.device(t, false)
		before := head(t, h)
		p := h.start(t, failpoint.DuringSubmit, []string{"MDE_USER=alice@example.com"}, "mde-mcp",
			"call", "isolate_devices", device, "--reason", "a crash test")
		<-p.done
		require.True(t, p.killed(t))
		require.Equal(t, before, head(t, h), "a submission that was not committed is in the audit")
		require.Empty(t, h.live(t))
		h.vote(tr, h.isolate(t, []string{device}))
	}
	tr.count(failpoint.DuringSubmit, tr.kills)
	tr.count(failpoint.DuringVote, tr.kills)
	healthy := h.spawn(t, mdesim.DefaultAppID, "")
	rest(t, h, healthy, func() {})
	v := tr.verdict(h, healthy)
	require.Equal(t, tr.kills, v.requests, "one request for each device")
	require.Equal(t, tr.kills, v.once)
}

func head(t *testing.T, h *house) int64 {
	t.Helper()
	seq, err := h.app.Store.Head(t.Context())
	require.NoError(t, err)
	return seq
}

// bot starts the whole bot, with its own worker.
func (h *house) bot(t *testing.T, point string) *process {
	t.Helper()
	environ := append(h.ledger.environ(mdesim.DefaultAppID),
		"MDE_WRITE_CLIENT_ID="+mdesim.DefaultAppID, "MDE_WRITE_CLIENT_SECRET="+mdesim.DefaultAppSecret,
		"MDE_VOTE_SIGNING_KEY="+h.voteKey, "MDE_SLACK_APP_TOKEN="+h.workspace.Tokens().App,
		"MDE_SLACK_RESPONDER_GROUP="+slacksim.Responders, "MDE_SLACK_CHANNELS="+slacksim.Security)
	return h.start(t, point, environ, "mde-slackbot")
}

// vote lets a bot die while it counts bob's click, and another one count his next.
func (h *house) vote(tr *trial, r approvals.Request) {
	t := tr.T
	dying := h.bot(t, failpoint.DuringVote)
	h.click(t, r, dying.done, func() bool { return dying.killed(t) })
	now, err := h.app.Gate.Get(t.Context(), r.ID)
	require.NoError(t, err)
	require.Equal(t, approvals.Pending, now.State)
	require.Empty(t, now.Votes)
	require.False(t, h.audited(t, r.ID, approvals.EventVote), "a vote that was not committed is in the audit")
	healthy := h.bot(t, "")
	h.click(t, r, healthy.done, func() bool {
		require.False(t, healthy.killed(t))
		now, err = h.app.Gate.Get(t.Context(), r.ID)
		require.NoError(t, err)
		return now.State == approvals.Succeeded
	})
	require.Len(t, now.Votes, 1)
	healthy.interrupt(t)
}

// click presses Approve on a request's card as bob until ok, as somebody does who sees that nothing has happened.
func (h *house) click(t *testing.T, r approvals.Request, dead <-chan struct{}, ok func() bool) {
	t.Helper()
	wait(t.Context(), t, 60*time.Second, "bob's click on "+r.ID+" has its effect", func() bool {
		if ok() {
			return true
		}
		now, err := h.app.Gate.Get(t.Context(), r.ID)
		require.NoError(t, err)
		card, found := h.card(r.ID)
		if !found || now.State != approvals.Pending {
			return false
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		go func() {
			select {
			case <-dead:
				cancel()
			case <-ctx.Done():
			}
		}()
		_, _ = h.workspace.Click(ctx, slacksim.Bob, slacksim.Security, card.TS, "mde_approve") // no connection yet, or the bot died
		return false
	})
}

// card finds the card of a request.
func (h *house) card(id string) (slacksim.Message, bool) {
	for _, m := range h.workspace.Messages(slacksim.Security) {
		if m.ThreadTS == "" && strings.Contains(m.Text+string(m.RawBlocks), id) && len(m.Buttons()) > 0 {
			return m, true
		}
	}
	return slacksim.Message{}, false
}

func (h *house) audited(t *testing.T, id, kind string) bool {
	t.Helper()
	rows, err := h.app.Store.Events(t.Context(), store.Query{RequestID: id})
	require.NoError(t, err)
	for _, e := range rows {
		if e.Type == kind {
			return true
		}
	}
	return false
}
