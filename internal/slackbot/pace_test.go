package slackbot

import (
	"errors"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// greedy calls whenever it is let, for ten minutes, and returns when it called.
func greedy(p *Pace, method string, channels ...string) (at []time.Time) {
	for now := noon(); now.Before(noon().Add(10 * time.Minute)); now = now.Add(50 * time.Millisecond) {
		for _, c := range channels {
			if p.turn(method, c, false, now) == 0 {
				at = append(at, now)
			}
		}
	}
	return at
}

// most is the greatest number of calls within any span.
func most(at []time.Time, span time.Duration) (n int) {
	from := 0
	for i := range at {
		for at[i].Sub(at[from]) >= span {
			from++
		}
		n = max(n, i-from+1)
	}
	return n
}

func TestNoMinuteHasMoreThanSlackTakes(t *testing.T) {
	t.Parallel()
	one := greedy(NewPace(SlackRates()), methodPost, "C1")
	require.Equal(t, 1, most(one, time.Second), "one new message a second in a channel")
	require.Greater(t, len(one), 500, "and nearly that many")
	many := greedy(NewPace(SlackRates()), methodPost, "C1", "C2", "C3")
	require.LessOrEqual(t, most(many, time.Minute), 100)
	require.Greater(t, len(many), 800)
	updates := greedy(NewPace(SlackRates()), methodUpdate, "C1")
	require.LessOrEqual(t, most(updates, time.Minute), 50)
	require.Greater(t, len(updates), 350)
}

func TestWhoIsPutOffIsToldATimeOfTheirOwn(t *testing.T) {
	t.Parallel()
	p := NewPace(SlackRates())
	require.Zero(t, p.turn(methodPost, "C1", false, noon()))
	seen := map[time.Duration]bool{}
	for range 30 {
		wait := p.turn(methodPost, "C1", false, noon())
		require.Positive(t, wait)
		require.False(t, seen[wait], "two are told the same time")
		seen[wait] = true
	}
	for i := 1; i <= 30; i++ {
		require.Zero(t, p.turn(methodPost, "C1", false, noon().Add(time.Duration(i)*time.Second)), "and each has the turn at its time")
	}
	require.Zero(t, p.turn(methodPost, "C2", false, noon()), "another channel waits for none of them")
}

func TestCardsGoBeforeThreads(t *testing.T) {
	t.Parallel()
	p := NewPace(SlackRates())
	require.Zero(t, p.turn(methodPost, "C1", false, noon()))
	var thread time.Duration
	for range 5 {
		thread = p.turn(methodPost, "C1", false, noon())
	}
	card := p.turn(methodPost, "C1", true, noon())
	require.Less(t, card, thread, "a card is not behind the messages that wait")
	require.Positive(t, p.turn(methodPost, "C1", false, noon().Add(card)), "nothing takes its turn, though it would be free")
	require.Zero(t, p.turn(methodPost, "C1", true, noon().Add(card)))
}

func TestRetryAfterHoldsOneMethodOfOneChannel(t *testing.T) {
	t.Parallel()
	p := NewPace(Rates{rate.Inf, rate.Inf, rate.Inf})
	p.answered(methodPost, "C1", &slack.RateLimitedError{RetryAfter: 7 * time.Second}, noon())
	require.GreaterOrEqual(t, p.turn(methodPost, "C1", true, noon().Add(time.Second)), 6*time.Second)
	require.Zero(t, p.turn(methodPost, "C2", false, noon()))
	require.Zero(t, p.turn(methodUpdate, "C1", false, noon()))
	require.Zero(t, p.turn(methodPost, "C1", true, noon().Add(8*time.Second)))
	require.False(t, p.shaky(), "an answer of Slack's is no outage")
}

func TestAnOutageIsTriedLessAndLessOften(t *testing.T) {
	t.Parallel()
	p := NewPace(Rates{rate.Inf, rate.Inf, rate.Inf})
	now, tries := noon(), 0
	for now.Before(noon().Add(time.Hour)) {
		wait := p.turn(methodPost, "C1", true, now)
		if wait == 0 {
			tries++
			p.answered(methodPost, "C1", errors.New("EOF"), now)
			require.True(t, p.shaky())
		}
		now = now.Add(max(wait, time.Millisecond))
	}
	require.Less(t, tries, 130, "every 30 s in the end")
	require.Greater(t, tries, 100)
	p.answered(methodPost, "C1", errors.New("EOF"), now)
	require.Positive(t, p.turn(methodUpdate, "C2", true, now), "it is the same Slack for everything")
	p.answered(methodTest, "", nil, now)
	require.False(t, p.shaky())
	require.Zero(t, p.turn(methodUpdate, "C3", true, now))
	p.answered(methodPost, "C1", slack.SlackErrorResponse{Err: "is_archived"}, now)
	require.False(t, p.shaky(), "Slack refused, so it is there")
}

func TestEverythingMakesWayForAnAnnouncement(t *testing.T) {
	t.Parallel()
	p := NewPace(SlackRates())
	p.ahead("C1", noon())
	require.GreaterOrEqual(t, p.turn(methodPost, "C1", true, noon()), aheadFor)
	require.Zero(t, p.turn(methodPost, "C2", true, noon()))
}

func TestOnlyASimulatorOnThisMachineIsNotPaced(t *testing.T) {
	t.Parallel()
	for address, free := range map[string]bool{
		"": false, defaultAPIURL: false, "https://slack.example.com/api/": false, "https://127.0.0.1.example.com/": false,
		"http://127.0.0.1:8080/api/": true, "http://localhost:1/": true,
	} {
		p := PaceFor(address)
		require.Zero(t, p.turn(methodPost, "C1", true, noon()))
		require.Equal(t, free, p.turn(methodPost, "C1", true, noon()) == 0, address)
	}
}

func TestNothingIsRepeatedBut429(t *testing.T) {
	t.Parallel()
	for _, patient := range []bool{false, true} {
		w := newWall(t)
		c, err := newClient(clientOptions{APIURL: w.slack.url, BotToken: w.Tokens().Bot, Patient: patient})
		require.NoError(t, err)
		for _, f := range []slacksim.Fault{
			{Kind: slacksim.FaultStatus, Status: 500},
			{Kind: slacksim.FaultStatus, Status: 503},
			{Kind: slacksim.FaultEOFAfterEffect},
			{Kind: slacksim.FaultHTML},
			{Kind: slacksim.FaultEmpty},
			{Kind: slacksim.FaultError},
		} {
			before := w.Calls(methodPost)
			f.Method = methodPost
			w.Fail(f)
			_, err = c.post(t.Context(), slacksim.Security, "", blockkit.Text("once"))
			require.Error(t, err)
			require.Equal(t, before+1, w.Calls(methodPost), "%v %v", patient, f)
		}
		before := w.Calls(methodPost)
		w.Fail(slacksim.Fault{Method: methodPost, Kind: slacksim.FaultRateLimited})
		_, err = c.post(t.Context(), slacksim.Security, "", blockkit.Text("once"))
		require.Equal(t, patient, err == nil)
		require.Equal(t, map[bool]int{false: 1, true: 2}[patient], w.Calls(methodPost)-before)
	}
}

func TestWhatIsInDoubt(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	for fault, doubt := range map[slacksim.Fault]bool{
		{Kind: slacksim.FaultEOFAfterEffect}:                   true,
		{Kind: slacksim.FaultError}:                            true, // internal_error may come after the deed, says Slack
		{Kind: slacksim.FaultError, Error: "fatal_error"}:      true,
		{Kind: slacksim.FaultError, Error: "channel_archived"}: false,
		{Kind: slacksim.FaultStatus, Status: 500}:              false,
		{Kind: slacksim.FaultStatus, Status: 504}:              false,
		{Kind: slacksim.FaultHTML}:                             false,
		{Kind: slacksim.FaultEmpty}:                            false,
		{Kind: slacksim.FaultRateLimited}:                      false,
	} {
		fault.Method = methodPost
		w.Fail(fault)
		_, err := w.slack.post(t.Context(), slacksim.Security, "", blockkit.Text("x"))
		require.Error(t, err)
		require.Equal(t, doubt, doubtful(err), "%v: %v", fault, err)
	}
}
