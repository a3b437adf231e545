package slackbot_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// next is one change of a request, drawn from those that are possible now; false when it has ended.
func (l *ledger) next(t *rapid.T, id string) bool {
	r := l.request(id)
	switch r.State {
	case approvals.Pending:
		l.approve(id)
	case approvals.Approved:
		l.move(id, approvals.Running, "started")
	case approvals.Running:
		first := slices.IndexFunc(r.Steps, func(s approvals.StepStatus) bool { return s.State == approvals.StepWaiting })
		serial := l.moves
		switch rapid.SampledFrom([]string{"step", "step", "step", "pause", "resume", "extend"}).Draw(t, "what") {
		case "pause":
			l.note(id, approvals.EventPaused, fmt.Sprintf("%d went wrong", serial))
			l.say(id, "Paused by its stop rule: %d went wrong", serial)
		case "resume":
			l.note(id, approvals.EventResumed, fmt.Sprintf("RES%05d: goes on", serial))
			l.say(id, "It goes on: request RES%05d was approved.", serial)
		case "extend":
			l.note(id, approvals.EventExtended, fmt.Sprintf("EXT%05d: until noon", serial))
			l.say(id, "Its time-box was extended by request EXT%05d: until noon", serial)
		case "step":
			if first < 0 {
				l.finish(id)
				return false
			}
			l.step(id, first, rapid.SampledFrom([]approvals.StepState{approvals.StepSucceeded, approvals.StepFailed}).Draw(t, "end"))
		}
		l.moves++
	case approvals.Succeeded, approvals.Partial, approvals.Failed, approvals.Unknown, approvals.Denied, approvals.Expired, approvals.Cancelled:
		return false
	}
	return true
}

func TestThreadsSayWhatHappenedInOrderWhateverTheNetworkDoes(t *testing.T) {
	t.Parallel()
	var weather []fate
	h, w, l, wires := sceneOf(t, 2, func(method string) fate {
		if len(weather) == 0 || method == "auth.test" || method == "chat.update" && weather[0] == lost {
			return fine
		}
		f := weather[0]
		weather = weather[1:]
		return f
	})
	serial, lostOnes, checks := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		if checks++; checks > stories {
			return
		}
		weather = rapid.SliceOfN(rapid.SampledFrom([]fate{fine, fine, fine, refused, broken, page, tooLate, lost}), 0, 30).Draw(rt, "weather")
		var ids []string
		for range rapid.IntRange(1, liveAtOnce).Draw(rt, "requests") {
			serial++
			id := fmt.Sprintf("RND%05d", serial)
			ids = append(ids, id)
			steps, width := rapid.IntRange(1, 5).Draw(rt, "steps"), rapid.IntRange(1, 3).Draw(rt, "width")
			w.at(w.now(), id, func() { l.ask(id, steps, width) })
		}
		open := slices.Clone(ids)
		w.run()
		for len(open) > 0 {
			i := rapid.IntRange(0, len(open)-1).Draw(rt, "which")
			id := open[i]
			w.at(w.now().Add(time.Duration(rapid.IntRange(0, 40_000).Draw(rt, "ms"))*time.Millisecond), id, func() {
				if !l.next(rt, id) {
					open = slices.Delete(open, i, i+1)
				}
			})
			w.run()
		}
		var unsaid []string
		for _, line := range wires {
			unsaid = append(unsaid, line.unsaid...)
			line.unsaid = nil
		}
		lostOnes += len(unsaid)
		for _, id := range ids {
			require.Equal(rt, l.without(h, id, &unsaid), told(t, h, id), "%v", unsaid)
		}
		require.Empty(rt, unsaid, "what was lost belongs to a thread")
	})
	t.Logf("%d requests, %d messages lost on the way and not said again", serial, lostOnes)
}

// without is what a thread says but for what was lost, of which the message after it says so.
func (l *ledger) without(h *house, id string, unsaid *[]string) []string {
	card, _, err := h.db.Message(l.t.Context(), id, "card")
	require.NoError(l.t, err)
	thread := h.Thread(card.Channel, card.TS)[1:]
	said := []string{}
	missing := ""
	for _, text := range l.says[id] {
		i := slices.Index(*unsaid, card.TS+text)
		if i >= 0 {
			*unsaid = slices.Delete(*unsaid, i, i+1)
			missing = text
			continue
		}
		if missing != "" && len(said) < len(thread) {
			require.Contains(l.t, shown(thread[len(said)]), "Perhaps missing above, because Slack did not confirm it: "+missing)
		}
		missing = ""
		said = append(said, text)
	}
	return said
}

func TestManyProcessesKeepOneThreadInOrder(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	l := &ledger{t: t, db: h.db, clock: time.Now, says: map[string][]string{}}
	l.ask("MANY0001", 12, 1)
	l.approve("MANY0001")
	l.move("MANY0001", approvals.Running, "started")
	for i := range 12 {
		l.step("MANY0001", i, approvals.StepSucceeded)
	}
	l.finish("MANY0001")
	var wg sync.WaitGroup
	for range 6 {
		n := h.notifier(t)
		wg.Go(func() { _, _ = n.Notify(t.Context(), "MANY0001") })
	}
	wg.Wait()
	_, err := h.notifier(t).Notify(t.Context(), "MANY0001")
	require.NoError(t, err)
	require.Len(t, l.says["MANY0001"], 13, "who approved, eleven waves, and the end")
	require.Equal(t, l.says["MANY0001"], told(t, h, "MANY0001"))
}

func TestMessageWhoseAnswerWasLostIsNotSaidAgain(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	now := begun()
	l := &ledger{t: t, db: h.db, clock: func() time.Time { return now }, says: map[string][]string{}}
	n := process(t, h, l.clock)
	l.ask("LOST0001", 2, 1)
	_, err := n.Notify(t.Context(), "LOST0001")
	require.NoError(t, err)
	l.approve("LOST0001")
	h.Fail(slacksim.Fault{Method: "chat.postMessage", Kind: slacksim.FaultEOFAfterEffect})
	for range 3 {
		_, err = n.Notify(t.Context(), "LOST0001")
		require.NoError(t, err)
		now = now.Add(time.Minute)
	}
	require.Equal(t, l.says["LOST0001"], told(t, h, "LOST0001"))
	require.Contains(t, h.log.String(), "Slack did not say whether a message was posted; it is not posted again")

	l.move("LOST0001", approvals.Running, "started")
	l.step("LOST0001", 0, approvals.StepSucceeded)
	_, err = n.Notify(t.Context(), "LOST0001")
	require.NoError(t, err)
	require.Equal(t, l.says["LOST0001"], told(t, h, "LOST0001"))
	card := posts(h)[0]
	require.Contains(t, shown(h.Thread(card.Channel, card.TS)[2]), "Perhaps missing above, because Slack did not confirm it: Approved by")
}

func TestMessageOfAProcessThatDiedIsNotSaidAgain(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	now := begun()
	l := &ledger{t: t, db: h.db, clock: func() time.Time { return now }, says: map[string][]string{}}
	n := process(t, h, l.clock)
	l.ask("DEAD0001", 2, 1)
	l.approve("DEAD0001")
	_, mine, err := h.db.ReserveMessage(t.Context(), "DEAD0001", "approved", now, time.Minute)
	require.NoError(t, err)
	require.True(t, mine)

	again, err := n.Notify(t.Context(), "DEAD0001")
	require.NoError(t, err)
	require.Positive(t, again, "it may be posting just now")
	l.move("DEAD0001", approvals.Running, "started")
	l.step("DEAD0001", 0, approvals.StepSucceeded)
	_, err = n.Notify(t.Context(), "DEAD0001")
	require.NoError(t, err)
	require.Empty(t, told(t, h, "DEAD0001"), "nothing goes before it")

	now = now.Add(time.Minute)
	_, err = n.Notify(t.Context(), "DEAD0001")
	require.NoError(t, err)
	require.Equal(t, l.says["DEAD0001"][1:], told(t, h, "DEAD0001"))
	card := posts(h)[0]
	require.Contains(t, shown(h.Thread(card.Channel, card.TS)[1]), "Perhaps missing above, because Slack did not confirm it: Approved by bob@example.com")
}

func TestNothingFollowsAMessageThatCameAfterIt(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	l := &ledger{t: t, db: h.db, clock: time.Now, says: map[string][]string{}}
	l.ask("LATE0001", 1, 1)
	l.approve("LATE0001")
	l.move("LATE0001", approvals.Running, "started")
	l.step("LATE0001", 0, approvals.StepSucceeded)
	l.finish("LATE0001")
	require.NoError(t, h.db.PostedMessage(t.Context(), store.Message{RequestID: "LATE0001", Key: "thread:succeeded", Channel: slacksim.Security, TS: "1.1"}))
	_, err := h.notifier(t).Notify(t.Context(), "LATE0001")
	require.NoError(t, err)
	require.Empty(t, told(t, h, "LATE0001"), "an older version of this program told only the end")
}

func TestCallsToPeopleAreSaidAgainWhenNotConfirmed(t *testing.T) {
	t.Parallel()
	w := newWaiting(t)
	w.at(t, 0)
	w.Fail(slacksim.Fault{Method: "chat.postMessage", Kind: slacksim.FaultEOFAfterEffect})
	again, thread := w.at(t, 10*time.Minute)
	require.Equal(t, 30*time.Second, again)
	require.Len(t, thread, 1)
	_, thread = w.at(t, 10*time.Minute+10*time.Second)
	require.Len(t, thread, 1)
	_, thread = w.at(t, 11*time.Minute)
	require.Len(t, thread, 2)
	require.Contains(t, shown(thread[1]), "Said again, because Slack did not confirm it the first time.")
	require.NotContains(t, shown(thread[0]), "Said again")
	_, thread = w.at(t, 12*time.Minute)
	require.Len(t, thread, 2)
}

func TestStopsAndGoingOnAreToldInTheThread(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	l := &ledger{t: t, db: h.db, clock: time.Now, says: map[string][]string{}}
	n := h.notifier(t)
	see := func() []string {
		_, err := n.Notify(t.Context(), "STOP0001")
		require.NoError(t, err)
		return told(t, h, "STOP0001")
	}
	l.ask("STOP0001", 2, 0)
	l.approve("STOP0001")
	require.NoError(t, h.board.Stop(t.Context(), control.Order{Scope: "evidence", By: alice(), Why: "something else"}))
	l.move("STOP0001", approvals.Running, "started")
	require.Len(t, see(), 1)
	require.NoError(t, h.board.Stop(t.Context(), control.Order{By: alice(), Why: "drill <!channel>"}))
	require.Len(t, see(), 2)
	require.Contains(t, see()[1], "HELD: everything is stopped since")
	require.NoError(t, h.board.Stop(t.Context(), control.Order{By: alice(), Why: "again"}))
	require.NoError(t, h.db.InTx(t.Context(), func(tx *store.Tx) error {
		return tx.Note(t.Context(), approvals.Event{RequestID: "NOSUCH00", Type: approvals.EventLifted, Actor: "worker", Step: -1, Detail: "all: lifted"})
	}))
	require.Len(t, see(), 2, "a second press is no news, and a lift that nobody approved is none")
}

func TestEndOfAFleetNamesEveryDevice(t *testing.T) {
	t.Parallel()
	h := quiet(t)
	l := &ledger{t: t, db: h.db, clock: time.Now, says: map[string][]string{}}
	const steps = 160
	l.ask("WIDE0001", steps, steps)
	l.approve("WIDE0001")
	l.move("WIDE0001", approvals.Running, "started")
	for i := range steps {
		end := approvals.StepSucceeded
		if i == steps-1 {
			end = approvals.StepFailed
		}
		l.step("WIDE0001", i, end)
	}
	l.finish("WIDE0001")
	n := h.notifier(t)
	for range 2 {
		_, err := n.Notify(t.Context(), "WIDE0001")
		require.NoError(t, err)
	}
	card := posts(h)[0]
	pages := h.Thread(card.Channel, card.TS)[2:]
	require.Greater(t, len(pages), 1)
	all := ""
	for i, p := range pages {
		require.Contains(t, shown(p), fmt.Sprintf("page %d of %d", i+1, len(pages)))
		require.NotContains(t, shown(p), "More than fits here")
		all += strings.Join(strings.Fields(shown(p)), " ")
	}
	for i := range steps {
		require.Contains(t, all, fmt.Sprintf(`device%d"`, i))
	}
	require.Contains(t, shown(pages[0]), fmt.Sprintf(`device%d"`, steps-1), "what failed comes first")
	for i, p := range pages {
		var called []string
		for _, e := range p.Fires() {
			called = append(called, e.Target)
		}
		if i == 0 {
			require.Equal(t, []string{slacksim.Alice}, called, "who asked is called once, and nobody else")
		} else {
			require.Empty(t, called)
		}
	}
}
