package slackbot

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
)

// nearly is how much too early a job for a reminder may come, from a machine with another clock, and still be the one that
// leads to it: it is then called again at the right time.
const nearly = time.Minute

// remind posts what is due of the reminder and the escalations of a request that waits, each once, in its card's thread. due
// is when the next of them comes, if that is very soon; again when one must be tried again.
func (n *Notifier) remind(ctx context.Context, s scene, thread cards.Place) (due, again time.Duration, err error) {
	now := n.clock()
	if !cards.Waits(s.Request, now) {
		return 0, 0, nil
	}
	for _, c := range cards.Calls(s.Request) {
		if wait := c.At.Sub(now); wait > 0 {
			if wait <= nearly {
				due = sooner(due, wait)
			}
			continue
		}
		what := saying{key: c.Key, at: thread, call: true, what: cards.Calling(s.Request, c)}
		if again, err = n.once(ctx, s, what); again > 0 || err != nil {
			return 0, again, err
		}
	}
	return due, 0, nil
}

// sooner is the smaller of two waiting times of which zero means none.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// escalate calls people into the thread when something that is due can't be undone: once for each kind of trouble, because
// it is tried again for as long as it takes.
func (n *Notifier) escalate(ctx context.Context, s scene, thread cards.Place) (time.Duration, error) {
	byTrouble := map[string][]cards.Box{}
	for _, b := range s.around.Boxes {
		if cards.Troubled(b) > 0 {
			byTrouble[b.Trouble] = append(byTrouble[b.Trouble], b)
		}
	}
	for _, word := range slices.Sorted(maps.Keys(byTrouble)) {
		what := saying{key: "timebox:" + word, at: thread, call: true, what: cards.TroubleCall(s.Request, byTrouble[word])}
		if again, err := n.once(ctx, s, what); again > 0 || err != nil {
			return again, err
		}
	}
	return 0, nil
}
