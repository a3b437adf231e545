package slackbot

import (
	"net/url"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The methods that are paced.
const (
	methodPost   = "chat.postMessage"
	methodUpdate = "chat.update"
	methodTest   = "auth.test" // asks whether Slack is there, and does nothing
)

const (
	// methodBurst is how many calls of a method may come at once. It is taken off the rate, so that Slack never counts more
	// than its limit in any minute.
	methodBurst = 10
	// aheadFor is how long a channel is left to an announcement.
	aheadFor = 3 * time.Second
	// firstPause and longestPause are how long nothing is sent after Slack could not be reached: longer each time.
	firstPause   = soon
	longestPause = 30 * time.Second
)

// Rates are how often messages are sent.
type Rates struct {
	// Channel is for new messages in one channel, Post for all new messages, and Update for changes of old ones.
	Channel, Post, Update rate.Limit
}

// SlackRates are within what Slack allows: one new message a second in a channel, 100 new messages and 50 changes a minute.
func SlackRates() Rates {
	return Rates{Channel: 1, Post: rate.Limit((100 - methodBurst) / 60.0), Update: rate.Limit((50 - methodBurst) / 60.0)}
}

// Pace keeps what one process sends within Slack's limits. It never waits: it says how long to wait, so that a job is put
// off instead of keeping a worker. Cards go before threads, and announcements before both.
type Pace struct {
	rates Rates

	mu      sync.Mutex
	outlets map[outlet]*turns
	methods map[string]*rate.Limiter
	// downUntil is set while Slack can't be reached, and pause is how long it was set for; zero when the last call succeeded.
	downUntil time.Time
	pause     time.Duration
}

// outlet is what a limit and a Retry-After are about.
type outlet struct{ method, channel string }

// turns are those of an outlet.
type turns struct {
	limit *rate.Limiter
	// until is when Slack, or an announcement, lets it go on.
	until time.Time
	// cards and others are the last turns that were promised to cards, and to everything else.
	cards, others time.Time
}

// PaceFor is a pace for that API address: at Slack's rates for Slack itself. A simulator on this machine has limits only when
// it says so, with 429.
func PaceFor(apiURL string) *Pace {
	if u, err := url.Parse(apiURL); err == nil && loopback(u.Hostname()) {
		return NewPace(Rates{Channel: rate.Inf, Post: rate.Inf, Update: rate.Inf})
	}
	return NewPace(SlackRates())
}

// NewPace makes a pace. Everything of a process that posts should share one.
func NewPace(r Rates) *Pace {
	return &Pace{rates: r, outlets: map[outlet]*turns{}, methods: map[string]*rate.Limiter{
		methodPost:   rate.NewLimiter(r.Post, methodBurst),
		methodUpdate: rate.NewLimiter(r.Update, methodBurst),
		methodTest:   rate.NewLimiter(rate.Inf, methodBurst),
	}}
}

// turn takes the turn to call method for a channel now, or says after which time to ask again. Everybody who is put off is
// told another time, so that they don't all come back at once.
func (p *Pace) turn(method, channel string, card bool, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	q, all := p.outlet(method, channel), p.methods[method]
	from := now
	for _, t := range []time.Time{p.downUntil, q.until} {
		if t.After(from) {
			from = t
		}
	}
	behind := !card && !q.cards.Before(now)
	if from.Equal(now) && !behind && q.limit.TokensAt(now) >= 1 && all.TokensAt(now) >= 1 {
		q.limit.AllowN(now, 1)
		all.AllowN(now, 1)
		return 0
	}
	return q.promise(card, from, interval(q.limit, all)).Sub(now)
}

// promise gives the next turn that nobody was promised, not before from.
func (q *turns) promise(card bool, from time.Time, every time.Duration) time.Time {
	last := &q.cards
	if !card {
		last = &q.others
		if q.cards.After(*last) {
			*last = q.cards
		}
	}
	next := last.Add(every)
	if first := from.Add(every); next.Before(first) {
		next = first
	}
	*last = next
	return next
}

// interval is the time between two turns; a little, when there is no limit.
func interval(limits ...*rate.Limiter) time.Duration {
	every := time.Millisecond
	for _, l := range limits {
		if l.Limit() != rate.Inf {
			every = max(every, time.Duration(float64(time.Second)/float64(l.Limit())))
		}
	}
	return every
}

func (p *Pace) outlet(method, channel string) *turns {
	at := outlet{method, channel}
	q, ok := p.outlets[at]
	if !ok {
		limit := rate.Inf // a channel has a limit of its own for new messages only
		if method == methodPost {
			limit = p.rates.Channel
		}
		q = &turns{limit: rate.NewLimiter(limit, 1)}
		p.outlets[at] = q
	}
	return q
}

// answered learns from what a call of method for channel came back with.
func (p *Pace) answered(method, channel string, err error, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	after, limited := retryAfter(err)
	switch {
	case limited:
		p.outlet(method, channel).hold(now.Add(after))
	case err == nil || errorCode(err) != "":
		p.downUntil, p.pause = time.Time{}, 0
	default:
		p.pause = min(max(2*p.pause, firstPause), longestPause)
		p.downUntil = now.Add(p.pause)
	}
}

func (q *turns) hold(until time.Time) {
	if until.After(q.until) {
		q.until = until
	}
}

// ahead leaves a channel to an announcement, which is sent at once.
func (p *Pace) ahead(channel string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outlet(methodPost, channel).hold(now.Add(aheadFor))
}

// shaky reports that the last call did not reach Slack, as far as is known.
func (p *Pace) shaky() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pause > 0
}
