package cards

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// tape writes audit rows with the numbers that the store would give them.
type tape struct {
	seq  int64
	rows []approvals.Event
}

func (l *tape) add(e approvals.Event) approvals.Event {
	l.seq++
	e.Seq, e.At = l.seq, time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC).Add(time.Duration(l.seq)*time.Second)
	l.rows = append(l.rows, e)
	return e
}

func (l *tape) moved(from, to approvals.State) {
	l.add(approvals.Event{Type: string(to), Step: -1, From: string(from), To: string(to)})
}

func (l *tape) step(i int, to approvals.StepState) {
	l.add(approvals.Event{Type: string(to), Step: i, From: string(approvals.StepAccepted), To: string(to)})
}

func (l *tape) note(kind string, step int, detail string) approvals.Event {
	return l.add(approvals.Event{Type: kind, Step: step, Detail: detail})
}

// trail splits the rows as the store does.
func (l *tape) trail() (t Trail) {
	for _, e := range l.rows {
		if e.Type == approvals.EventStopped || e.Type == approvals.EventLifted {
			t.Switches = append(t.Switches, e)
		} else {
			t.Own = append(t.Own, e)
		}
	}
	return t
}

func texts(list []News) (all []string) {
	for _, n := range list {
		all = append(all, n.Text)
	}
	return all
}

// fleetOf is a request of so many devices in waves of two.
func fleetOf(t tester, steps int, state approvals.State) approvals.Request {
	t.Helper()
	return seal(t, waved(steps, state))
}

func waved(steps int, state approvals.State) approvals.Request {
	r := sample()
	r.State, r.Message = state, "approved"
	r.Terms.Wave = approvals.Wave{Width: 2, StopOver: 50}
	r.Votes = []approvals.Vote{{Voter: approvals.Person{ID: "bob@example.com"}, Verdict: approvals.VerdictApprove}}
	r.Plan.Targets, r.Plan.Steps, r.Steps = nil, nil, nil
	for i := range steps {
		id := fmt.Sprintf("%040d", i)
		r.Plan.Targets = append(r.Plan.Targets, approvals.Target{ID: id, Kind: "device", Name: fmt.Sprintf("host%02d", i)})
		r.Plan.Steps = append(r.Plan.Steps, approvals.Step{Action: "isolate", Target: id, Summary: "isolate"})
		r.Steps = append(r.Steps, approvals.StepStatus{Index: i, State: approvals.StepSucceeded})
	}
	return r
}

func TestThreadTellsAFleetInTheOrderOfItsAudit(t *testing.T) {
	t.Parallel()
	r := fleetOf(t, 5, approvals.Partial)
	r.Steps[1].State, r.Steps[1].Message = approvals.StepFailed, "the device refused"
	l := &tape{}
	l.note(approvals.EventStopped, -1, "all: before it ran")
	l.add(approvals.Event{Type: approvals.EventSubmitted, Step: -1, To: string(approvals.Pending)})
	l.moved(approvals.Pending, approvals.Approved)
	l.moved(approvals.Approved, approvals.Running)
	l.step(1, approvals.StepFailed)
	l.step(0, approvals.StepSucceeded)
	l.note(approvals.EventPaused, -1, "1 of 2 did not succeed")
	l.note(approvals.EventEscalated, -1, approvals.Asked("RES00001"))
	press := l.note(approvals.EventStopped, -1, "response: drill")
	l.note(approvals.EventResumed, -1, "RES00001: goes on")
	l.note(approvals.EventResumed, -1, "RES00001: goes on")
	lift := l.note(approvals.EventLifted, -1, "response: lifted")
	l.step(2, approvals.StepSucceeded)
	l.step(4, approvals.StepSucceeded)
	l.step(3, approvals.StepSucceeded)
	l.moved(approvals.Running, approvals.Partial)
	want := []string{
		"Approved by bob@example.com. It starts.",
		"Wave 1 of 3 has ended: 1 of 2 succeeded, 1 failed.",
		"Paused by its stop rule: 1 of 2 did not succeed",
		`HELD: the toolset "response" is frozen since 2026-03-01 09:00 UTC by "", saying "drill"`,
		"It goes on: request RES00001 was approved.",
		"It goes on: the stop was lifted by request .",
		"Wave 2 of 3 has ended: 2 of 2 succeeded.",
		"Partly done: isolate devices",
	}
	list := Thread(r, Around{}, l.trail())
	require.Equal(t, want, texts(list))
	w := newWall(t)
	wave := text(w.show(t, list[1].Message()))
	require.Contains(t, wave, `✘ isolate "host01": failed, the device refused`)
	require.NotContains(t, wave, "host00", "what succeeded is counted, not listed")
	require.Contains(t, wave, "2026-03-01 09:00 UTC", "when it happened, which is not when it was posted")
	require.Contains(t, text(w.show(t, list[2].Message())), "request RES00001 asks them")
	require.Contains(t, text(w.show(t, list[7].Message("something"))), "Perhaps missing above, because Slack did not confirm it: something")

	lifted := Thread(r, Around{Stops: []approvals.Stop{{Scope: "response", Event: press, Lift: &lift, Doubt: "nobody approved it"}}}, l.trail())
	require.Equal(t, slices.Delete(slices.Clone(want), 5, 6), texts(lifted), "a lift that does not count lifts nothing")
}

func TestWhatIsNotApprovedByOthersSaysNothingAtItsStart(t *testing.T) {
	t.Parallel()
	r := fleetOf(t, 1, approvals.Succeeded)
	r.Votes = []approvals.Vote{{Voter: r.Requester.Person, Verdict: approvals.VerdictConfirm}}
	l := &tape{}
	l.moved(approvals.Pending, approvals.Approved)
	l.moved(approvals.Approved, approvals.Running)
	l.step(0, approvals.StepSucceeded)
	l.moved(approvals.Running, approvals.Succeeded)
	require.Equal(t, []string{"Done: isolate devices"}, texts(Thread(r, Around{}, l.trail())))
}

func TestTimeBoxIsToldWhenItIsExtendedAndOver(t *testing.T) {
	t.Parallel()
	r := fleetOf(t, 2, approvals.Succeeded)
	l := &tape{}
	box := func(step int, detail string) { l.note(store.EventTimebox, step, detail) }
	l.moved(approvals.Approved, approvals.Running)
	l.step(0, approvals.StepSucceeded)
	box(0, "armed: until noon")
	l.step(1, approvals.StepSucceeded)
	box(1, "armed: until noon")
	l.moved(approvals.Running, approvals.Succeeded)
	l.note(approvals.EventExtended, -1, "EXT00001: until the evening")
	box(0, "releasing: by request REL00001")
	box(0, "closed: released by request REL00001")
	require.Len(t, Thread(r, Around{}, l.trail()), 2, "one of them is still to be undone")
	box(1, "releasing: by request REL00001")
	box(1, "armed: its release failed")
	box(1, "closed: nothing is left to release: it was released by hand")
	list := Thread(r, Around{}, l.trail())
	require.Equal(t, []string{
		"Done: isolate devices", "Its time-box was extended by request EXT00001: until the evening",
		"Its time-box is over: nothing is left to be undone.",
	}, texts(list))
	shown := text(newWall(t).show(t, list[2].Message()))
	require.Contains(t, shown, `"host00": released by request REL00001`)
	require.Contains(t, shown, `"host01": nothing is left to release: it was released by hand`)
}

func TestWithdrawnFleetSaysSoOnceAndNoWaveThatWasNotSent(t *testing.T) {
	t.Parallel()
	r := fleetOf(t, 6, approvals.Partial)
	l := &tape{}
	l.moved(approvals.Approved, approvals.Running)
	l.step(0, approvals.StepSucceeded)
	l.step(1, approvals.StepSucceeded)
	l.note(approvals.EventWithdrawn, -1, "withdrawn by alice@example.com")
	for i := 2; i < 6; i++ {
		l.step(i, approvals.StepSkipped)
	}
	l.moved(approvals.Running, approvals.Partial)
	require.Equal(t, []string{
		"Wave 1 of 3 has ended: 2 of 2 succeeded.", "Withdrawn while it ran: withdrawn by alice@example.com", "Partly done: isolate devices",
	}, texts(Thread(r, Around{}, l.trail())))
}

func TestResultsSayHowTheyAreRead(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	r := fleetOf(t, 1, approvals.Succeeded)
	require.NotContains(t, text(w.show(t, FollowUp(r, Around{}))), "/mde evidence")
	r.Steps[0].Message = `the package is evidence 7zzzzzzzzz0123456789 ("a.zip", 5 bytes, SHA-256 00)`
	require.Contains(t, text(w.show(t, FollowUp(r, Around{}))), "/mde evidence --request-id "+r.ID)
}

// A thread is posted as far as it is known. Were a message to come into the list before one that was posted already, it
// would be lost, and were one to change its key, it would be posted twice.
func TestThreadsOnlyGrowAtTheirEnd(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	rapid.Check(t, func(t *rapid.T) {
		words := anyText()
		r := fleetOf(t, rapid.IntRange(1, 7).Draw(t, "steps"), approvals.Running)
		l := &tape{}
		l.moved(approvals.Pending, approvals.Approved)
		l.moved(approvals.Approved, approvals.Running)
		left := len(r.Steps)
		notes := []string{
			approvals.EventPaused, approvals.EventResumed, approvals.EventExtended, approvals.EventEscalated, approvals.EventWithdrawn,
			approvals.EventStopped, approvals.EventLifted, store.EventTimebox,
		}
		seen := map[string]bool{}
		var known []string
		for range rapid.IntRange(0, 25).Draw(t, "rows") {
			if left > 0 && rapid.Bool().Draw(t, "step") {
				left--
				i := left
				r.Steps[i].State = rapid.SampledFrom([]approvals.StepState{approvals.StepSucceeded, approvals.StepFailed, approvals.StepSkipped, approvals.StepUnknown}).Draw(t, "end")
				r.Steps[i].Message = words.Draw(t, "message")
				l.step(i, r.Steps[i].State)
			} else {
				l.note(rapid.SampledFrom(notes).Draw(t, "kind"), rapid.IntRange(-1, 9).Draw(t, "of"), words.Draw(t, "detail"))
			}
			if left == 0 && !r.State.Terminal() && rapid.Bool().Draw(t, "ends") {
				r.State, _ = approvals.Overall(r.Steps)
				l.moved(approvals.Running, r.State)
			}
			list := Thread(r, Around{}, l.trail())
			require.GreaterOrEqual(t, len(list), len(known))
			for i, n := range list {
				if i < len(known) {
					require.Equal(t, known[i], n.Key)
					continue
				}
				require.False(t, seen[n.Key], "%s comes twice", n.Key)
				seen[n.Key], known = true, append(known, n.Key)
				firesOnlyDates(t, w.show(t, n.Message(words.Draw(t, "missed"))), "UALICE")
				firesOnlyDates(t, w.show(t, Repeated(n.Message())), "UALICE")
			}
		}
	})
}

func TestPagesLoseNothing(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	rapid.Check(t, func(t *rapid.T) {
		r := fleetOf(t, rapid.IntRange(1, 200).Draw(t, "steps"), approvals.Partial)
		long := strings.Repeat("&<>", rapid.IntRange(0, 210).Draw(t, "long"))
		for i := range r.Steps {
			r.Steps[i].Message = fmt.Sprintf("m%d %s", i, long)
		}
		all := ""
		for _, page := range Final(r, Around{}, true) {
			m := page.Message()
			require.False(t, m.Cut)
			w.show(t, m)
			for _, b := range m.Blocks {
				if section, ok := b.(*slack.SectionBlock); ok {
					all += section.Text.Text + "\n"
				}
			}
		}
		for i := range r.Steps {
			require.Contains(t, all, blockkit.Escape(fmt.Sprintf("m%d %s\n", i, long)))
		}
	})
}

// tellings are the pictures of a thread's messages.
func tellings() map[string]picture {
	fleet := func(r *approvals.Request) {
		*r = waved(5, approvals.Partial)
		r.Steps[1].State, r.Steps[1].Message = approvals.StepFailed, "the device refused: it is offline"
		r.Steps[3].State, r.Steps[3].Message = approvals.StepTimedOut, "Defender gave up"
		r.Message = "5 steps, 3 succeeded, 1 failed, 1 timed_out"
	}
	l := &tape{}
	l.moved(approvals.Pending, approvals.Approved)
	l.moved(approvals.Approved, approvals.Running)
	l.step(0, approvals.StepSucceeded)
	l.step(1, approvals.StepFailed)
	l.note(approvals.EventPaused, -1, "1 of the 2 steps that ended did not succeed, which is more than 20 %")
	l.note(approvals.EventEscalated, -1, approvals.Asked("WXYZ5678"))
	l.note(approvals.EventResumed, -1, "WXYZ5678: goes on")
	l.add(approvals.Event{Type: approvals.EventStopped, Actor: "carol@example.com", Step: -1, Detail: "all: ransomware drill <!channel>"})
	for i := range 2 {
		l.note(store.EventTimebox, i, "armed: until noon")
		l.note(store.EventTimebox, i, "closed: released by request QRST1234")
	}
	l.note(approvals.EventExtended, -1, "EFGH5678: 2h more, until 2026-03-01T15:00:00Z")
	l.moved(approvals.Running, approvals.Partial)
	names := []string{"approved", "wave", "paused", "goes on", "held", "time-box extended", "fleet ended", "time-box over"}
	out := map[string]picture{}
	for i, name := range names {
		out["thread "+name] = picture{change: fleet, draw: func(r approvals.Request, a Around) blockkit.Message {
			list := Thread(r, a, l.trail())
			return list[i].Message()
		}}
	}
	out["thread said again"] = picture{change: fleet, draw: func(r approvals.Request, a Around) blockkit.Message {
		return Repeated(Thread(r, a, l.trail())[6].Message("Wave 1 of 3 has ended: 1 of 2 succeeded, 1 failed."))
	}}
	return out
}
