package attacks_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// forge writes an audit row that continues the chain as it should, as an intruder does who knows how.
func (h *house) forge(kind, request, detail string) {
	h.t.Helper()
	require.NoError(h.t, h.db.InTx(context.Background(), func(tx *store.Tx) error {
		return tx.Note(context.Background(), approvals.Event{At: h.clock.Now(), RequestID: request, Type: kind, Actor: "worker", Step: -1, Detail: detail})
	}))
}

// running is an approved fleet of two.
func (h *house) running() string {
	h.t.Helper()
	id := requestIn(h.t, h.typed(slacksim.Alice, "isolate "+mdesim.NameHost+" "+mdesim.NameVIP+" because C2"))
	h.pressed(slacksim.Bob, h.card(id), "Approve")
	return id
}

// stopped is a house in which a fleet runs, and everything was stopped when its first step had been sent. The press comes
// from a process that died before it could cancel anything.
func stopped(t *testing.T, url string) (*house, string) {
	t.Helper()
	var h *house
	var once sync.Once
	h = open(t, plan{url: url, tenant: func(tn *mdesim.Tenant) {
		tn.OnAccepted = func(mdesim.Effect) { once.Do(func() { h.forge(approvals.EventStopped, "", "all: drill") }) }
	}})
	id := h.running()
	h.sent(1)
	require.Equal(t, approvals.Running, h.state(id).State)
	return h, id
}

func TestAForgedLiftLiftsNothing(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		h := open(t, plan{url: url})
		require.Contains(t, h.typed(slacksim.Bob, "stop because drill"), "Everything is stopped")
		waiting := requestIn(t, h.typed(slacksim.Alice, "lift all because over"))
		h.forge(approvals.EventLifted, "", "all: lifted")
		h.forge(approvals.EventLifted, waiting, "all: lifted")
		h.held()
		h.typedYes(slacksim.Bob, h.card(waiting), "all") // one vote of the two that it takes
		h.move(waiting, approvals.Approved)
		h.forge(approvals.EventLifted, waiting, "all: lifted")
		h.held()
		h.write("UPDATE requests SET state = 'succeeded' WHERE id = $1", waiting)
		h.held()
		h.write("UPDATE requests SET state = 'approved' WHERE id = $1", waiting)
		h.move(waiting, approvals.Running)
		h.held() // all is written as it should be, but for the second vote
		h.sent(0)
	})
}

// held requires that everything is still stopped: for who asks here, and for a worker that starts now.
func (h *house) held() {
	h.t.Helper()
	require.Equal(h.t, approvals.KindHeld, approvals.KindOf(h.board.Held(h.t.Context(), "isolate_devices")))
	tally, err := approvals.NewTally(approvals.TallyOptions{
		Policy: h.policy, Verifier: h.verifier, Directory: h.people, Activity: h.db, Clock: h.clock.Now,
	})
	require.NoError(h.t, err)
	fresh, err := control.New(control.Options{Store: h.db, Tools: facts(h.t), Tally: tally, Clock: h.clock.Now, Logger: h.log})
	require.NoError(h.t, err)
	require.Equal(h.t, approvals.KindHeld, approvals.KindOf(fresh.Held(h.t.Context(), "isolate_devices")))
}

// The row of the press is removed, altered, or written over; whoever has read it remembers, and stops everything because of
// the gap.
func TestARemovedStopStillHolds(t *testing.T) {
	for name, tamper := range map[string]func(h *house, seq int64){
		"removed": func(h *house, seq int64) { h.write("DELETE FROM audit_event WHERE seq = $1", seq) },
		"removed from the end": func(h *house, seq int64) {
			h.write("DELETE FROM audit_event WHERE seq >= $1", seq)
			h.write("UPDATE audit_head SET seq = $1, hash = (SELECT hash FROM audit_event WHERE seq = $2)", seq-1, seq-1)
		},
		"another type":  func(h *house, seq int64) { h.write("UPDATE audit_event SET type = 'noted' WHERE seq = $1", seq) },
		"another scope": func(h *house, seq int64) { h.write("UPDATE audit_event SET detail = 'alerts: x' WHERE seq = $1", seq) },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, url string) {
				h, id := stopped(t, url)
				rows := h.rows(0)
				var seq int64
				for _, e := range rows {
					if e.Type == approvals.EventStopped {
						seq = e.Seq
					}
				}
				h.forge("noted", "", "a row after it") // so that it is not the last one
				require.Equal(t, approvals.KindHeld, approvals.KindOf(h.board.Held(t.Context(), "isolate_devices")))
				tamper(h, seq)
				h.pass(time.Second)
				h.sent(1)
				require.Equal(t, approvals.Running, h.state(id).State)
			})
		})
	}
}

const fleet = `rules:
- {name: in waves, tools: [isolate_devices], outcome: approve, count: 2, waves: {width: 1, stop_over: 20}}
`

// A fleet that its stop rule paused goes on only when people said so; a row that says they did is not enough.
func TestAForgedResumptionSendsNothing(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		h := open(t, plan{url: url, policy: fleet, tenant: func(tn *mdesim.Tenant) { tn.FailingDevices = []string{mdesim.NameHost} }})
		id := h.running()
		h.pressed(slacksim.Carol, h.card(id), "Approve")
		for range 5 {
			h.pass(max(h.work(id), 0) + 1)
		}
		require.Equal(t, 1, h.tenant.Writes(), "the first failed, and the second waits for people")
		var asks string
		all, err := h.db.Requests(t.Context(), store.Filter{})
		require.NoError(t, err)
		for _, r := range all {
			if r.Plan.Tool == approvals.ToolResume {
				asks = r.ID
			}
		}
		require.NotEmpty(t, asks, "%+v", h.state(id))
		h.forge(approvals.EventResumed, id, asks+": goes on")
		h.sent(1)
		h.forge(approvals.EventResumed, id, id+": goes on") // by its own approval
		h.sent(1)
		require.Contains(t, h.pressed(slacksim.Bob, h.card(asks), "Approve"), "1 more of on-call")
		h.pass(time.Second)
		h.move(asks, approvals.Approved)
		h.move(asks, approvals.Running)
		h.forge(approvals.EventResumed, id, asks+": goes on")
		h.pass(time.Second)
		h.work(id)
		h.sent(1) // all is written as it should be, but for the vote
	})
}

// More time for a time-box is people's to give; a row that says they did moves nothing, and neither does one that ends it.
func TestAForgedExtensionMovesNoTimeBox(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		h := open(t, plan{url: url})
		id := h.boxed()
		asks := requestIn(t, h.typed(slacksim.Alice, "extend "+id+" 100h because forensics"))
		h.forge(approvals.EventExtended, id, asks+": 100h0m0s")
		h.forge(approvals.EventExtended, id, id+": 100h0m0s")
		h.write("UPDATE timeboxes SET due_ms = $1 WHERE request_id = $2", h.clock.Now().UnixMilli(), id)
		h.lookAtBoxes(id, 1)
		h.write("UPDATE timeboxes SET due_ms = $1, state = 'armed' WHERE request_id = $2", h.clock.Now().Add(100*time.Hour).UnixMilli(), id)
		h.pass(4*time.Hour + time.Minute)
		h.move(asks, approvals.Approved)
		h.move(asks, approvals.Running) // all is written as it should be, but for the vote
		h.lookAtBoxes(id, 2)            // released when it was to be
	})
}

// lifted has people lift what is stopped under some names, and requires it to be so.
func (h *house) lifted(scopes ...string) {
	h.t.Helper()
	for _, scope := range scopes {
		h.pass(time.Second)
		id := requestIn(h.t, h.typed(slacksim.Alice, "lift "+scope+" because over"))
		h.typedYes(slacksim.Bob, h.card(id), scope)
		h.typedYes(slacksim.Carol, h.card(id), scope)
		require.Equal(h.t, approvals.Succeeded, h.settle(id).State, h.state(id).Message)
		require.NotContains(h.t, h.inForce(), scope)
	}
}

// inForce are the names of what is stopped.
func (h *house) inForce() (scopes []string) {
	h.t.Helper()
	stops, err := h.board.InForce(h.t.Context())
	require.NoError(h.t, err)
	for _, s := range stops {
		scopes = append(scopes, s.Scope)
	}
	return scopes
}

// A press that was lifted once, and whose rows are removed, does not lend its number to the program's own alarm.
func TestAVerifiedLiftIsOfOnePressOnly(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		h := open(t, plan{url: url})
		_, card := h.asked(mdesim.NameVIP)
		h.pressed(slacksim.Bob, card, "Approve")

		h.typed(slacksim.Bob, "stop because drill")
		var press int64
		for _, e := range h.rows(0) {
			if e.Type == approvals.EventStopped {
				press = e.Seq
			}
		}
		h.lifted("all")
		h.write("DELETE FROM audit_event WHERE seq >= $1", press)
		h.write("UPDATE audit_head SET seq = $1, hash = (SELECT hash FROM audit_event WHERE seq = $2)", press-1, press-1)
		require.Contains(t, h.inForce(), "all", "the alarm")
		h.forge(approvals.EventLifted, "", "all: lifted")
		require.Contains(t, h.inForce(), "all", "nobody voted for this")
	})
}

// A freeze that is removed from the audit holds when the alarm, which that sets off, is lifted.
func TestTheAlarmForgetsNoFreeze(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		h := open(t, plan{url: url})
		h.typed(slacksim.Bob, "stop response because forensics")
		require.Equal(t, approvals.KindHeld, approvals.KindOf(h.board.Held(t.Context(), "isolate_devices")))
		h.write("DELETE FROM audit_event WHERE type = 'stopped' AND detail LIKE 'response: %'")
		h.write("UPDATE audit_head SET hash = 'x' WHERE seq >= 0")
		h.forge("noted", "", "the next row")
		require.Equal(t, approvals.KindHeld, approvals.KindOf(h.board.Held(t.Context(), "isolate_devices")), "the alarm")
		h.lifted("all")
		require.Contains(t, h.inForce(), "response", "nobody lifted the freeze")
	})
}
