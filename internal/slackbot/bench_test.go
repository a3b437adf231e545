package slackbot_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

const (
	// commandRate is how many commands a second the workspace types, for commandTime.
	commandRate = 50
	commandTime = 5 * time.Second
	// manyPending is how many requests wait meanwhile.
	manyPending = 5000
)

// BenchmarkCommandsWhileManyWait is how long people wait for the acknowledgement of their commands, at fifty a second: with an
// empty store, and with five thousand requests that wait.
func BenchmarkCommandsWhileManyWait(b *testing.B) {
	for range b.N {
		empty := acknowledged(b, 0)
		full := acknowledged(b, manyPending)
		b.ReportMetric(percentile(empty, 99), "empty-p99-ms")
		b.ReportMetric(percentile(full, 50), "p50-ms")
		b.ReportMetric(percentile(full, 99), "ack-p99-ms")
		b.ReportMetric(percentile(full, 99)/percentile(empty, 99), "full/empty")
	}
}

// acknowledged types commands for a while and returns how long each took, in ms.
func acknowledged(b *testing.B, pending int) []float64 {
	h := newHouse(b, plan{deaf: true, workspace: func(w *slacksim.Workspace) { w.RedeliverAfter, w.TriggerLife = time.Second, time.Minute }})
	h.fill(b, pending)
	var wg sync.WaitGroup
	took := make([]float64, int(commandTime.Seconds())*commandRate)
	tick := time.NewTicker(time.Second / commandRate)
	defer tick.Stop()
	for i := range took {
		text := typedUnderLoad(i)
		wg.Go(func() {
			start := time.Now()
			_, err := h.Command(context.Background(), slacksim.Alice, slacksim.Security, "/mde", text)
			took[i] = float64(time.Since(start).Microseconds()) / 1000
			if err != nil {
				b.Error(err)
			}
		})
		<-tick.C
	}
	wg.Wait()
	return took
}

// typedUnderLoad is the i-th command: once a second one that reads the tenant and one that asks for an action, as many as
// Defender's limits let through; the others are answered by the store and the grammar.
func typedUnderLoad(i int) string {
	switch i % commandRate {
	case 0:
		return fmt.Sprintf("device host%02d", i/commandRate%12+1)
	case commandRate / 2:
		return fmt.Sprintf("isolate host%02d because load %d", i/commandRate%12+1, i)
	}
	return []string{"requests", "help isolate", "requests --state pending --limit 5", "contain host01"}[i%4]
}

// fill stores requests that wait for an approver.
func (h *house) fill(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		id := fmt.Sprintf("%040x", i+1)
		_, err := h.gate.Submit(context.Background(), gate.Submission{
			Plan: approvals.Plan{
				Tenant: mdesim.DefaultTenantID, Tool: "isolate_devices", Risk: approvals.RiskContain, Args: []byte(`{}`), Reason: "load", Preview: "Isolate " + id,
				Targets: []approvals.Target{{ID: id, Kind: "device", Name: "load-" + id[30:]}},
				Steps:   []approvals.Step{{Action: "isolate", Target: id, Args: []byte(`{}`), Summary: "isolate"}},
			},
			Requester: approvals.Requester{Person: approvals.Person{ID: fmt.Sprintf("person%d@example.com", i)}, Verified: true, Via: approvals.ViaSlack},
		})
		require.NoError(t, err)
	}
}

func percentile(of []float64, p int) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}

// BenchmarkClickToCard is how long it takes from a press of Approve to its vote in the store and from there to the card that
// shows it, beside a bare message that is posted and changed over the same API.
func BenchmarkClickToCard(b *testing.B) {
	h := newHouse(b, plan{approvers: 2, workspace: func(w *slacksim.Workspace) { w.RedeliverAfter = 3 * time.Second }})
	var clicks, cards, bare []float64
	since := func(start time.Time) float64 { return float64(time.Since(start).Microseconds()) / 1000 }
	for i := range b.N {
		h.typed(b, slacksim.Alice, fmt.Sprintf("isolate host%02d because round %d", i%12+1, i))
		card := h.card(b, fmt.Sprintf("round %d", i))
		id := requestOn(b, card)
		start := time.Now()
		h.press(b, slacksim.Bob, card, "Approve")
		clicks = append(clicks, since(start))
		require.Len(b, h.state(b, id).Votes, 1)
		h.wait(b, func(s slacksim.Snapshot) bool {
			return slices.ContainsFunc(s.Messages[slacksim.Security], func(m slacksim.Message) bool {
				return m.TS == card.TS && strings.Contains(string(m.RawBlocks), "bob@")
			})
		})
		cards = append(cards, since(start))
		start = time.Now()
		h.bareUpdate(b)
		bare = append(bare, since(start))
		h.typed(b, slacksim.Alice, "cancel-request "+id)
	}
	b.ReportMetric(percentile(clicks, 50), "click-to-vote-p50-ms")
	b.ReportMetric(percentile(cards, 50), "click-to-card-p50-ms")
	b.ReportMetric(percentile(bare, 50), "bare-p50-ms")
}

// bareUpdate posts a message of the size of a card and changes it, with nothing of ours between.
func (h *house) bareUpdate(t testing.TB) {
	t.Helper()
	api := slack.New(h.Tokens().Bot, slack.OptionAPIURL(h.slack.APIURL()))
	h.AddChannel("C0BARE", "bare")
	text := slack.MsgOptionText(strings.Repeat("x", 2000), false)
	channel, ts, err := api.PostMessage("C0BARE", text)
	require.NoError(t, err)
	_, _, _, err = api.UpdateMessage(channel, ts, text)
	require.NoError(t, err)
}
