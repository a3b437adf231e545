package slackbot_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/store/storetest"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// fate is what happens to one call on its way to Slack and back.
type fate string

const (
	fine    fate = "fine"
	refused fate = "connection refused"
	broken  fate = "500"
	busy    fate = "503"
	page    fate = "a page of a proxy"
	cut     fate = "done, then cut off"
	tooLate fate = "done, and timed out"
	lost    fate = "timed out and never done"
)

// wire is the network between a notifier and the simulated workspace. A test says what happens to each call.
type wire struct {
	sim   *slacksim.Workspace
	fate  func(method string) fate
	clock func() time.Time // may be nil
	calls int
	// away is since when no call of this process got through, and trials counts what it posted when it had known that for long.
	away   time.Time
	trials int
	// limited counts the calls that Slack answered with 429.
	limited int
	// spares counts the cards that were posted without the notifier knowing, and unsaid are the thread messages that were not.
	spares int
	unsaid []string
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	method := path.Base(req.URL.Path)
	w.calls++
	f := w.fate(method)
	w.tries(method)
	res, err := w.carry(req, method, f)
	w.knows(res, err)
	if method == "chat.postMessage" && err != nil {
		switch thread := form.Get("thread_ts"); {
		case thread == "" && (f == cut || f == tooLate):
			w.spares++
		case thread != "" && f == lost:
			w.unsaid = append(w.unsaid, thread+essence(form.Get("text")))
		}
	}
	return res, err
}

// tries counts a message that is posted on trial.
func (w *wire) tries(method string) {
	if method == "chat.postMessage" && !w.away.IsZero() && w.clock().Sub(w.away) > 5*time.Minute {
		w.trials++
	}
}

// knows notes what the process has learned of Slack by a call.
func (w *wire) knows(res *http.Response, err error) {
	switch failed := err != nil || res.StatusCode >= http.StatusInternalServerError || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json"); {
	case w.clock == nil:
	case !failed:
		w.away = time.Time{}
	case w.away.IsZero():
		w.away = w.clock()
	}
}

func (w *wire) carry(req *http.Request, method string, f fate) (*http.Response, error) {
	switch f {
	case refused:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("connection refused")}
	case lost:
		return nil, context.DeadlineExceeded
	case broken, busy:
		w.sim.Fail(slacksim.Fault{Method: method, Kind: slacksim.FaultStatus, Status: map[fate]int{broken: 500, busy: 503}[f]})
	case page:
		w.sim.Fail(slacksim.Fault{Method: method, Kind: slacksim.FaultHTML})
	case cut:
		w.sim.Fail(slacksim.Fault{Method: method, Kind: slacksim.FaultEOFAfterEffect})
	case fine, tooLate:
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err == nil && res.StatusCode == http.StatusTooManyRequests {
		w.limited++
		return res, nil
	}
	if err == nil && f == tooLate {
		_ = res.Body.Close()
		return nil, context.DeadlineExceeded
	}
	return res, err
}

// essence is a message's text without the line that names its request and its time.
func essence(text string) string {
	text, _, _ = strings.Cut(text, " (Request ")
	return text
}

// ledger moves requests in the store as gate and worker do, and keeps what their threads must say, in the test's own words.
type ledger struct {
	t     testing.TB
	db    *store.DB
	clock func() time.Time
	says  map[string][]string
	moves int
}

// ask makes a request of so many steps, sent in waves of width.
func (l *ledger) ask(id string, steps, width int) {
	r := storetest.Pending(l.t, id, steps)
	r.CreatedAt = l.clock().Truncate(time.Millisecond)
	r.ExpiresAt, r.StartWithin = r.CreatedAt.Add(24*time.Hour), 24*time.Hour
	r.Origin = approvals.Origin{Channel: slacksim.Security}
	r.Requester = alice()
	r.Terms.Wave = approvals.Wave{Width: width, StopOver: 100}
	var err error
	r.Digest, err = approvals.Digest(r)
	require.NoError(l.t, err)
	storetest.Insert(l.t, l.db, r)
	l.moves++
	l.says[id] = []string{}
}

func (l *ledger) say(id, text string, args ...any) {
	l.says[id] = append(l.says[id], fmt.Sprintf(text, args...))
}

// in changes a request in one transaction.
func (l *ledger) in(id string, change func(tx *store.Tx, r approvals.Request) error) {
	l.t.Helper()
	require.NoError(l.t, l.db.InTx(context.Background(), func(tx *store.Tx) error {
		r, err := tx.Request(context.Background(), id)
		if err != nil {
			return err
		}
		return change(tx, r)
	}))
}

func (l *ledger) move(id string, to approvals.State, message string) {
	l.in(id, func(tx *store.Tx, r approvals.Request) error {
		return tx.Move(context.Background(), store.Move{ID: id, From: r.State, To: to, Version: r.Version, At: l.clock(), Message: message})
	})
	l.moves++
}

func (l *ledger) approve(id string) {
	l.in(id, func(tx *store.Tx, r approvals.Request) error {
		return tx.AddVote(context.Background(), storetest.Vote(r, "bob@example.com"), approvals.Event{Detail: "yes"})
	})
	l.move(id, approvals.Approved, "approved")
	l.say(id, "Approved by bob@example.com. It starts.")
}

// step sends one step and ends it.
func (l *ledger) step(id string, i int, end approvals.StepState) {
	l.in(id, func(tx *store.Tx, r approvals.Request) error {
		s := r.Steps[i]
		for _, to := range []approvals.StepState{approvals.StepSending, approvals.StepAccepted, end} {
			err := tx.MoveStep(context.Background(), store.StepMove{ID: id, Index: i, From: s.State, To: to, Version: s.Version, At: l.clock(), ActionID: "a", Message: "m"})
			if err != nil {
				return err
			}
			s.State, s.Version = to, s.Version+1
		}
		return nil
	})
	r := l.request(id)
	w := r.Terms.Wave.Width
	if k := i / w; (i+1)%w == 0 && i+1 < len(r.Steps) {
		good := 0
		for _, s := range r.Steps[k*w : i+1] {
			if s.State == approvals.StepSucceeded {
				good++
			}
		}
		words := fmt.Sprintf("%d of %d succeeded", good, w)
		if good < w {
			words += fmt.Sprintf(", %d failed", w-good)
		}
		l.say(id, "Wave %d of %d has ended: %s.", k+1, (len(r.Steps)+w-1)/w, words)
	}
}

func (l *ledger) request(id string) approvals.Request {
	l.t.Helper()
	r, err := l.db.Request(context.Background(), id)
	require.NoError(l.t, err)
	return r
}

// finish ends a request as its steps say.
func (l *ledger) finish(id string) {
	final, ended := approvals.Overall(l.request(id).Steps)
	require.True(l.t, ended)
	l.move(id, final, "ended")
	words := map[approvals.State]string{approvals.Succeeded: "Done", approvals.Partial: "Partly done", approvals.Failed: "Failed"}
	l.say(id, "%s: isolate devices", words[final])
}

func (l *ledger) note(id, kind, detail string) {
	require.NoError(l.t, l.db.InTx(context.Background(), func(tx *store.Tx) error {
		return tx.Note(context.Background(), approvals.Event{RequestID: id, Type: kind, Actor: "worker", Step: -1, Detail: detail})
	}))
}

// due is a job of the queue, or a change that asks for one.
type due struct {
	at     time.Time
	id     string
	repeat bool
	do     func()
}

// world is a queue in simulated time. Like the real one it does every job at least once, and keeps one repeat of each request.
type world struct {
	t       testing.TB
	clock   atomic.Pointer[time.Time] // the workspace's server reads it as well
	agenda  []due
	repeats map[string]bool
	notify  func(id string) (time.Duration, error)
	jobs    int
}

func (w *world) now() time.Time { return *w.clock.Load() }

func (w *world) at(t time.Time, id string, do func()) { w.insert(due{at: t, id: id, do: do}) }

func (w *world) insert(d due) {
	i, _ := slices.BinarySearchFunc(w.agenda, d.at, func(x due, at time.Time) int { return cmp.Or(x.at.Compare(at), -1) })
	w.agenda = slices.Insert(w.agenda, i, d)
}

// run goes on until there is nothing to do any more.
func (w *world) run() {
	for len(w.agenda) > 0 {
		d := w.agenda[0]
		w.agenda = w.agenda[1:]
		if d.at.After(w.now()) {
			w.clock.Store(&d.at)
		}
		if d.do != nil {
			d.do()
		}
		if d.repeat {
			delete(w.repeats, d.id)
		}
		if d.id == "" {
			continue
		}
		w.jobs++
		again, err := w.notify(d.id)
		require.NoError(w.t, err)
		if again > 0 && !w.repeats[d.id] {
			w.repeats[d.id] = true
			w.insert(due{at: w.now().Add(again), id: d.id, repeat: true})
		}
	}
}

// told are the texts in the thread of a request's card.
func told(t testing.TB, h *house, id string) []string {
	t.Helper()
	card, _, err := h.db.Message(context.Background(), id, "card")
	require.NoError(t, err)
	texts := []string{}
	for _, m := range h.Thread(card.Channel, card.TS)[1:] {
		texts = append(texts, essence(m.Text))
	}
	return texts
}

// begun is where a test's time begins.
func begun() time.Time { return time.Date(2026, 11, 2, 22, 0, 0, 0, time.UTC) }

// sceneOf are a house whose workspace keeps Slack's limits in simulated time, a queue, and a wire for each process.
func sceneOf(t testing.TB, processes int, fate func(method string) fate) (*house, *world, *ledger, []*wire) {
	t.Helper()
	w := &world{t: t, repeats: map[string]bool{}}
	start := begun()
	w.clock.Store(&start)
	h := newHouse(t, plan{idle: true, deaf: true, workspace: func(ws *slacksim.Workspace) { ws.RateLimits, ws.Clock = true, w.now }})
	var notifiers []*slackbot.Notifier
	var wires []*wire
	for range processes {
		line := &wire{sim: h.Workspace, fate: fate, clock: w.now}
		n, err := slackbot.NewNotifier(slackbot.NotifierOptions{
			APIURL: h.slack.APIURL(), BotToken: h.Tokens().Bot, Store: h.db, ApprovalChannel: slacksim.Security, Board: h.board, Clock: w.now,
			Logger: h.logger(), HTTPClient: &http.Client{Transport: line}, Pace: slackbot.NewPace(slackbot.SlackRates()),
		})
		require.NoError(t, err)
		wires, notifiers = append(wires, line), append(notifiers, n)
	}
	w.notify = func(id string) (time.Duration, error) {
		return notifiers[w.jobs%processes].Notify(context.Background(), id)
	}
	return h, w, &ledger{t: t, db: h.db, clock: w.now, says: map[string][]string{}}, wires
}

// life is everything that happens to a request, each a while after the one before it.
func (l *ledger) life(w *world, rnd *rand.Rand, id string, at time.Time) {
	end := func() approvals.StepState {
		return []approvals.StepState{approvals.StepSucceeded, approvals.StepSucceeded, approvals.StepFailed}[rnd.IntN(3)]
	}
	for _, do := range []func(){
		func() { l.ask(id, 2, 1) },
		func() { l.approve(id) },
		func() { l.move(id, approvals.Running, "started") },
		func() { l.step(id, 0, end()) },
		func() { l.step(id, 1, end()) },
		func() { l.finish(id) },
	} {
		w.at(at, id, do)
		at = at.Add(time.Second + time.Duration(rnd.IntN(240))*time.Second)
	}
}

// check compares every thread, and the last state on every card, with what happened.
func (l *ledger) check(h *house) {
	l.t.Helper()
	for id, want := range l.says {
		require.Equal(l.t, want, told(l.t, h, id), id)
		card, _, err := l.db.Message(l.t.Context(), id, "card")
		require.NoError(l.t, err)
		m, _ := h.Message(card.Channel, card.TS)
		require.Contains(l.t, m.Text, want[len(want)-1], "the card shows the last state")
	}
}

func TestFourHoursWithoutSlackLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	for _, processes := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d processes", processes), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(6, uint64(processes)))
			down, up := begun().Add(10*time.Minute), begun().Add(10*time.Minute+4*time.Hour)
			var w *world
			worst := []fate{refused, broken, busy, page, tooLate, cut}
			worst = worst[:len(worst)-processes+1] // what is cut off may be a 429, which two processes get from each other
			h, w, l, wires := sceneOf(t, processes, func(string) fate {
				shaky := w.now().After(up) && w.now().Before(up.Add(5*time.Minute)) && rnd.IntN(3) == 0
				if (w.now().After(down) && w.now().Before(up)) || shaky {
					return worst[rnd.IntN(len(worst))]
				}
				return fine
			})
			for i := range outageRequests {
				l.life(w, rnd, fmt.Sprintf("OUT%05d", i), down.Add(-5*time.Minute+time.Duration(rnd.IntN(230*60))*time.Second))
			}
			before, after := 0, 0
			w.at(down, "", func() { before = l.moves })
			w.at(up, "", func() { after = l.moves })
			w.run()

			require.GreaterOrEqual(t, after-before, outageTransitions, "transitions while Slack was away")
			spares, limited := 0, 0
			for _, line := range wires {
				require.Zero(t, line.trials, "nothing is posted on trial while Slack is known to be away")
				spares, limited = spares+line.spares, limited+line.limited
			}
			cards := 0
			for _, m := range posts(h) {
				if m.ThreadTS == "" {
					cards++
				}
			}
			require.Equal(t, outageRequests+spares, cards, "a second card is there only for one whose answer was lost")
			l.check(h)
			if processes == 1 {
				require.Zero(t, limited, "one process keeps within Slack's limits by itself")
			}
			require.Less(t, w.now(), up.Add(time.Hour), "and it is all there soon after")
			t.Logf("%d transitions, %d jobs, %d spare cards, %d times 429, all told %v after the outage", l.moves, w.jobs, spares, limited, w.now().Sub(up))
		})
	}
}
