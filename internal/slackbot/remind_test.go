package slackbot_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// patient reminds after ten minutes and asks two further groups after twenty and thirty.
type patient struct{ approvals.Policy }

func (p patient) Decide(c approvals.Call) approvals.Decision {
	d := p.Policy.Decide(c)
	if d.Outcome == approvals.Approve {
		d.Expires = time.Hour
		d.Terms.RemindAfter = 10 * time.Minute
		d.Quorum.Then = []approvals.Escalation{
			{After: 20 * time.Minute, To: approvals.Group{Name: "leads", Slack: slacksim.Responders}},
			{After: 30 * time.Minute, To: approvals.Group{Name: "owners <!channel>", People: []string{"olga@example.com"}}},
		}
	}
	return d
}

// waiting is a house whose clock a test moves by hand, with one pending request.
type waiting struct {
	*house
	r   approvals.Request
	now time.Time
}

func newWaiting(t *testing.T) *waiting {
	t.Helper()
	w := &waiting{house: newHouse(t, plan{idle: true, deaf: true, policy: patient{defaultPolicy(t)}})}
	w.r = submitted(t, w.house, "")
	w.now = w.r.CreatedAt
	return w
}

// process is a notifier with the test's clock.
func (w *waiting) process(t *testing.T) *slackbot.Notifier {
	t.Helper()
	n, err := slackbot.NewNotifier(slackbot.NotifierOptions{
		APIURL: w.slack.APIURL(), BotToken: w.Tokens().Bot, Store: w.db, ApprovalChannel: slacksim.Security, Gate: w.gate,
		Clock: func() time.Time { return w.now }, Logger: w.logger(),
	})
	require.NoError(t, err)
	return n
}

// at has a new process do the Notify job that comes so long after the request was made, and returns when it wants to be
// called again and what is in the thread by then.
func (w *waiting) at(t *testing.T, after time.Duration) (time.Duration, []slacksim.Message) {
	t.Helper()
	w.now = w.r.CreatedAt.Add(after)
	again, err := w.process(t).Notify(t.Context(), w.r.ID)
	require.NoError(t, err)
	return again, w.Thread(slacksim.Security, posts(w.house)[0].TS)[1:]
}

// called are the groups that a message calls.
func called(m slacksim.Message) (groups []string) {
	for _, e := range m.Fires() {
		if e.Kind == slacksim.EntityGroup {
			groups = append(groups, e.Target)
		}
	}
	return groups
}

func TestRemindersAndEscalationsComeOnceEach(t *testing.T) {
	t.Parallel()
	w := newWaiting(t)
	again, thread := w.at(t, 0)
	require.Empty(t, thread)
	require.Zero(t, again)
	again, thread = w.at(t, 10*time.Minute-time.Millisecond)
	require.Empty(t, thread)
	require.Equal(t, time.Millisecond, again, "a job that comes too early, by another machine's clock, comes again")
	for range 3 {
		_, thread = w.at(t, 10*time.Minute)
		require.Len(t, thread, 1)
	}
	require.Contains(t, shown(thread[0]), "Reminder")
	require.Equal(t, []string{slacksim.OnCall}, called(thread[0]), "who may vote now, and nobody else")

	for range 3 {
		_, thread = w.at(t, 25*time.Minute)
		require.Len(t, thread, 2)
	}
	require.Contains(t, shown(thread[1]), `Nobody has decided for 20 min. From now on members of group "leads" may approve as well`)
	require.Equal(t, []string{slacksim.Responders}, called(thread[1]))

	_, thread = w.at(t, 40*time.Minute)
	require.Len(t, thread, 3)
	require.Contains(t, shown(thread[2]), "owners <!channel>", "a list of people is named")
	require.Empty(t, called(thread[2]))
	for _, e := range thread[2].Fires() {
		require.Equal(t, slacksim.EntityDate, e.Kind)
	}
	_, thread = w.at(t, 59*time.Minute)
	require.Len(t, thread, 3)
}

func TestManyProcessesRemindOnce(t *testing.T) {
	t.Parallel()
	w := newWaiting(t)
	w.at(t, 0)
	w.now = w.r.CreatedAt.Add(11 * time.Minute)
	var wg sync.WaitGroup
	for range 6 {
		n := w.process(t)
		wg.Go(func() { _, _ = n.Notify(t.Context(), w.r.ID) })
	}
	wg.Wait()
	require.Len(t, posts(w.house), 2, "the card and one reminder")
}

func TestWhatIsDecidedOrOverdueIsNotRemindedOf(t *testing.T) {
	t.Parallel()
	w := newWaiting(t)
	_, thread := w.at(t, 2*time.Hour)
	require.Empty(t, thread, "nobody can vote any more, although nobody has written that down yet")
	_, err := w.gate.Withdraw(t.Context(), w.r.ID, alice())
	require.NoError(t, err)
	_, thread = w.at(t, 15*time.Minute)
	require.Len(t, thread, 1)
	require.Contains(t, shown(thread[0]), "Cancelled")
}

func TestRemindersOfAnAlteredRequestAreNotPosted(t *testing.T) {
	t.Parallel()
	w := newWaiting(t)
	w.at(t, 0)
	w.rewrite(t, w.r.ID, func(p string) string { return strings.Replace(p, "host01", "host02", 1) })
	_, thread := w.at(t, 15*time.Minute)
	require.Empty(t, thread, "who wrote the groups is not known")
}

func TestReminderThatSlackRefusesComesLater(t *testing.T) {
	t.Parallel()
	w := newWaiting(t)
	w.at(t, 0)
	w.Fail(slacksim.Fault{Method: "chat.postMessage", Kind: slacksim.FaultRateLimited, RetryAfter: 7 * time.Second})
	again, thread := w.at(t, 10*time.Minute)
	require.Empty(t, thread)
	require.Equal(t, 7*time.Second, again)
	_, thread = w.at(t, 10*time.Minute+7*time.Second)
	require.Len(t, thread, 1)
}

// changed answers as another policy would by now.
type changed struct {
	approvals.Policy
	to *approvals.Outcome
}

func (p changed) Decide(c approvals.Call) approvals.Decision {
	d := p.Policy.Decide(c)
	if *p.to != "" && c.Risk == approvals.RiskContain {
		d.Outcome = *p.to
	}
	return d
}

func TestCardFollowsWhatPolicyAsksForNow(t *testing.T) {
	t.Parallel()
	var now approvals.Outcome
	w := &waiting{house: newHouse(t, plan{idle: true, deaf: true, policy: changed{defaultPolicy(t), &now}})}
	w.r = submitted(t, w.house, "")
	w.at(t, 0)
	require.NotContains(t, shown(posts(w.house)[0]), "Confirm")
	now = approvals.Confirm
	for range 2 {
		w.at(t, time.Minute)
	}
	require.Contains(t, shown(posts(w.house)[0]), "Approve")
	require.Contains(t, shown(posts(w.house)[0]), "Confirm")
	require.Equal(t, 1, w.Calls("chat.update"), "drawn once, although the request itself has not moved")
	now = ""
	for range 2 {
		w.at(t, 2*time.Minute)
	}
	require.NotContains(t, shown(posts(w.house)[0]), "Confirm")
	require.Equal(t, 2, w.Calls("chat.update"))
}

func TestApproversHearOfACardThatIsElsewhere(t *testing.T) {
	t.Parallel()
	now := approvals.Confirm
	w := &waiting{house: newHouse(t, plan{idle: true, deaf: true, policy: changed{defaultPolicy(t), &now}})}
	w.AddChannel("C0IRONE", "ir-one", slacksim.Alice)
	w.r = submitted(t, w.house, "C0IRONE")
	w.now = w.r.CreatedAt
	for _, now = range []approvals.Outcome{approvals.Confirm, approvals.Approve, approvals.Approve} {
		_, err := w.process(t).Notify(t.Context(), w.r.ID)
		require.NoError(t, err)
	}
	require.Len(t, w.Messages("C0IRONE"), 1)
	require.Len(t, posts(w.house), 1)
	require.Contains(t, shown(posts(w.house)[0]), "waits for approvers now")
	require.Empty(t, posts(w.house)[0].Buttons())
}
