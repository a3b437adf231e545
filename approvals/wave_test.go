package approvals_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mde-ops/mde-ops/approvals"
)

// waveSteps makes steps of one letter each: w(aiting), s(ending), a(ccepted), + succeeded, - failed, t(imed out), c(ancelled),
// k (skipped), ? unknown. All were sent, and moved last, at the noon of the laboratory.
func waveSteps(letters string) []approvals.StepStatus {
	states := map[rune]approvals.StepState{
		'w': approvals.StepWaiting, 's': approvals.StepSending, 'a': approvals.StepAccepted, '+': approvals.StepSucceeded,
		'-': approvals.StepFailed, 't': approvals.StepTimedOut, 'c': approvals.StepCancelled, 'k': approvals.StepSkipped,
		'?': approvals.StepUnknown,
	}
	var steps []approvals.StepStatus
	for i, r := range letters {
		s := approvals.StepStatus{Index: i, State: states[r], UpdatedAt: waveNoon()}
		if r != 'w' && r != 'k' {
			s.SentAt = waveNoon()
		}
		steps = append(steps, s)
	}
	return steps
}

func waveNoon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func TestWhichStepsOfAWaveMayBeSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wave  approvals.Wave
		steps string
		after time.Duration // since the last was sent
		send  []int
		again time.Duration // after noon
		pause string
	}{
		"no waves: everything":                   {approvals.Wave{}, "+awkw", 0, []int{2, 4}, 0, ""},
		"no waves: failures stop nothing":        {approvals.Wave{StopOver: 1}, "---w", 0, []int{3}, 0, ""},
		"the first wave":                         {approvals.Wave{Width: 2, StopOver: 20}, "wwwww", 0, []int{0, 1}, 0, ""},
		"the rest of a wave that was begun":      {approvals.Wave{Width: 2, StopOver: 20}, "awwww", 0, []int{1}, 0, ""},
		"the next waits for the end":             {approvals.Wave{Width: 2, StopOver: 20}, "+aww", time.Hour, nil, 0, ""},
		"the next begins at the end":             {approvals.Wave{Width: 2, StopOver: 20}, "++www", 0, []int{2, 3}, 0, ""},
		"one that is being sent has not ended":   {approvals.Wave{Width: 2, StopOver: 20}, "+sww", 0, nil, 0, ""},
		"the wait is not over":                   {approvals.Wave{Width: 2, StopOver: 20, Wait: time.Minute}, "aaww", 59 * time.Second, nil, time.Minute, ""},
		"the wait is over":                       {approvals.Wave{Width: 2, StopOver: 20, Wait: time.Minute}, "aaww", time.Minute, []int{2, 3}, 0, ""},
		"clock back: the wait is not over":       {approvals.Wave{Width: 2, StopOver: 20, Wait: time.Minute}, "aaww", -time.Hour, nil, time.Minute, ""},
		"the end comes before the wait":          {approvals.Wave{Width: 2, StopOver: 20, Wait: time.Hour}, "++ww", 0, []int{2, 3}, 0, ""},
		"a wave behind a turned back step waits": {approvals.Wave{Width: 2, StopOver: 20}, "+waw", 0, []int{1}, 0, ""},
		"skipped steps have ended":               {approvals.Wave{Width: 2, StopOver: 20}, "kkww", 0, []int{2, 3}, 0, ""},
		"the last, smaller wave":                 {approvals.Wave{Width: 2, StopOver: 20}, "++++w", 0, []int{4}, 0, ""},
		"nothing left":                           {approvals.Wave{Width: 2, StopOver: 20}, "+-", 0, nil, 0, ""},
		"exactly so many failed":                 {approvals.Wave{Width: 5, StopOver: 20}, "++++-wwwww", 0, []int{5, 6, 7, 8, 9}, 0, ""},
		"more failed":                            {approvals.Wave{Width: 5, StopOver: 20}, "+++--wwwww", 0, nil, 0, "2 of the 5 steps that ended did not succeed, which is more than 20 %"},
		"more failed in the middle of a wave":    {approvals.Wave{Width: 5, StopOver: 20}, "+aa-wwwwww", 0, nil, 0, "1 of the 2 steps"},
		"a time-out did not succeed":             {approvals.Wave{Width: 5, StopOver: 20}, "tww", 0, nil, 0, "1 of the 1 steps"},
		"a cancelled one did not succeed":        {approvals.Wave{Width: 5, StopOver: 20}, "cww", 0, nil, 0, "1 of the 1 steps"},
		"an unknown one did not succeed":         {approvals.Wave{Width: 5, StopOver: 20}, "?ww", 0, nil, 0, "1 of the 1 steps"},
		"skipped ones did not end":               {approvals.Wave{Width: 5, StopOver: 50}, "kkk+-w", 0, []int{5}, 0, ""},
		"none may fail":                          {approvals.Wave{Width: 9, StopOver: 0}, "+++++++-w", 0, nil, 0, "more than 0 %"},
		"all may fail":                           {approvals.Wave{Width: 9, StopOver: 100}, "-------w", 0, []int{7}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := c.wave.Portion(waveSteps(c.steps), waveNoon().Add(c.after), time.Time{})
			require.Equal(t, c.send, got.Send)
			if c.again == 0 {
				require.Zero(t, got.Again)
			} else {
				require.Equal(t, waveNoon().Add(c.again), got.Again)
			}
			if c.pause == "" {
				require.Empty(t, got.Pause)
			} else {
				require.Contains(t, got.Pause, c.pause)
			}
		})
	}
}

func TestTheStopRuleCountsOnlyWhatEndedAfterPeopleLetItGoOn(t *testing.T) {
	t.Parallel()
	steps := waveSteps("---+w")
	w := approvals.Wave{Width: 2, StopOver: 20}
	require.NotEmpty(t, w.Portion(steps, waveNoon(), time.Time{}).Pause)
	require.Equal(t, []int{4}, w.Portion(steps, waveNoon(), waveNoon()).Send)
	steps[2].UpdatedAt = waveNoon().Add(time.Second)
	require.NotEmpty(t, w.Portion(steps, waveNoon(), waveNoon()).Pause)
}

func TestTheSpanOfWavesIsTheirWaits(t *testing.T) {
	t.Parallel()
	w := approvals.Wave{Width: 10, Wait: time.Minute}
	require.Zero(t, w.Span(10))
	require.Equal(t, time.Minute, w.Span(11))
	require.Equal(t, 9*time.Minute, w.Span(100))
	require.Zero(t, approvals.Wave{Wait: time.Hour}.Span(100))
}

// A fleet that is driven by the rule alone: at no time do more than one portion's steps run unless the wait is over, what
// ended badly stops it, and when nothing fails everything is sent once, in order of the portions.
func TestRandomFleetsKeepToTheirWaves(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := approvals.Wave{
			Width: rapid.IntRange(1, 7).Draw(t, "width"), StopOver: rapid.SampledFrom([]int{0, 20, 50, 100}).Draw(t, "over"),
			Wait: rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "wait"),
		}
		steps := make([]approvals.StepStatus, rapid.IntRange(1, 25).Draw(t, "steps"))
		for i := range steps {
			steps[i] = approvals.StepStatus{Index: i, State: approvals.StepWaiting}
		}
		now := waveNoon()
		ends := rapid.SampledFrom([]approvals.StepState{
			approvals.StepSucceeded, approvals.StepSucceeded, approvals.StepSucceeded, approvals.StepFailed, approvals.StepUnknown,
		})
		for range 120 {
			p := w.Portion(steps, now, time.Time{})
			checkPortion(t, w, steps, now, p)
			if p.Pause != "" {
				return
			}
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0, 1:
				if len(p.Send) > 0 {
					steps[p.Send[0]].State, steps[p.Send[0]].SentAt = approvals.StepAccepted, now
				}
			case 2:
				for i := range steps {
					if steps[i].State == approvals.StepAccepted {
						steps[i].State, steps[i].UpdatedAt = ends.Draw(t, "end"), now
						break
					}
				}
			case 3:
				now = now.Add(rapid.SampledFrom([]time.Duration{time.Second, time.Minute}).Draw(t, "time"))
			}
		}
	})
}

// checkPortion holds an answer against the rule in other words.
func checkPortion(t *rapid.T, w approvals.Wave, steps []approvals.StepStatus, now time.Time, p approvals.Portion) {
	ended, bad, left := 0, 0, 0
	for _, s := range steps {
		if s.State == approvals.StepWaiting {
			left++
		}
		if s.State.Terminal() {
			ended++
			if s.State != approvals.StepSucceeded {
				bad++
			}
		}
	}
	if left == 0 {
		require.Empty(t, p)
		return
	}
	if ended > 0 && float64(bad)/float64(ended) > float64(w.StopOver)/100 {
		require.NotEmpty(t, p.Pause)
		require.Empty(t, p.Send)
		return
	}
	require.Empty(t, p.Pause)
	require.LessOrEqual(t, len(p.Send), w.Width)
	for _, i := range p.Send {
		require.Equal(t, approvals.StepWaiting, steps[i].State)
		for j := range i / w.Width * w.Width {
			calm := steps[j].State.Terminal() || (w.Wait > 0 && steps[j].State != approvals.StepWaiting && !now.Before(steps[j].SentAt.Add(w.Wait)))
			require.True(t, calm, "step %d may be sent while step %d of an earlier portion runs", i, j)
		}
	}
	if len(p.Send) == 0 && p.Again.IsZero() {
		require.True(t, w.Wait <= 0, "it would wait for ever")
	}
}
