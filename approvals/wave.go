package approvals

import (
	"fmt"
	"time"
)

// Portion is what a wave lets a worker do now.
type Portion struct {
	// Send are the indexes of the steps that may be marked as sending now, in order.
	Send []int
	// Again is when a wait ends without which the next portion would have to wait for the end of the one before it. Zero
	// when there is nothing to send, something may be sent now, or only an end helps.
	Again time.Time
	// Pause says why nothing may be sent until people say so; empty when nothing is in the way.
	Pause string
}

// Portion says which of the steps may be sent at now. The stop rule counts only steps that ended after since, which is
// when people last let the request go on, and zero when they never had to. Without a Width every waiting step may be sent.
// A Wait of zero waits for the end of the portion before, however long that takes.
func (w Wave) Portion(steps []StepStatus, now, since time.Time) Portion {
	first := firstWaiting(steps)
	if first < 0 {
		return Portion{}
	}
	if w.Width <= 0 {
		return Portion{Send: waiting(steps, 0, len(steps))}
	}
	if why := w.stop(steps, since); why != "" {
		return Portion{Pause: why}
	}
	begin := first - first%w.Width
	running, lastSent := before(steps[:begin])
	if due := lastSent.Add(w.Wait); running && (w.Wait <= 0 || now.Before(due)) {
		if w.Wait <= 0 {
			return Portion{}
		}
		return Portion{Again: due}
	}
	return Portion{Send: waiting(steps, begin, min(begin+w.Width, len(steps)))}
}

// stop is the stop rule: why nothing more may be sent, or nothing.
func (w Wave) stop(steps []StepStatus, since time.Time) string {
	ended, bad := 0, 0
	for _, s := range steps {
		if !s.State.Terminal() || s.State == StepSkipped || (!since.IsZero() && !s.UpdatedAt.After(since)) {
			continue
		}
		ended++
		if s.State != StepSucceeded {
			bad++
		}
	}
	if bad*100 <= w.StopOver*ended {
		return ""
	}
	return fmt.Sprintf("%d of the %d steps that ended did not succeed, which is more than %d %%", bad, ended, w.StopOver)
}

// before says whether something of the earlier portions still runs, and when the last of them was sent.
func before(steps []StepStatus) (running bool, lastSent time.Time) {
	for _, s := range steps {
		running = running || !s.State.Terminal()
		if s.SentAt.After(lastSent) {
			lastSent = s.SentAt
		}
	}
	return running, lastSent
}

func firstWaiting(steps []StepStatus) int {
	for i, s := range steps {
		if s.State == StepWaiting {
			return i
		}
	}
	return -1
}

func waiting(steps []StepStatus, from, to int) (all []int) {
	for i := from; i < to; i++ {
		if steps[i].State == StepWaiting {
			all = append(all, i)
		}
	}
	return all
}

// Span is how long the waits of a plan of so many steps may take altogether.
func (w Wave) Span(steps int) time.Duration {
	if w.Width <= 0 || steps <= w.Width {
		return 0
	}
	return time.Duration((steps-1)/w.Width) * w.Wait
}
