package approvals_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// annInClient is ann, who proved who she is, through an assistant.
func annInClient() approvals.Requester {
	return approvals.Requester{Person: lab.Person("ann"), Verified: true, Via: approvals.ViaMCP, Agent: "assistant"}
}

func consented(plan approvals.Plan) gate.Submission {
	return gate.Submission{Plan: plan, Requester: annInClient(), Consent: true}
}

func TestConsentRunsAnAnnotationAndIsWrittenDownAsTheClientsWord(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		plan := lab.Plan("tag_devices", 2)
		asks, err := l.Gate.AsksClient(ctx(), gate.Submission{Plan: plan, Requester: annInClient()})
		require.NoError(t, err)
		require.True(t, asks)
		r, err := l.Gate.Submit(ctx(), consented(plan))
		require.NoError(t, err)
		require.Equal(t, approvals.Approved, r.State)
		require.Equal(t, approvals.Confirm, r.Outcome)
		require.True(t, r.Terms.ClientConsent)
		require.Empty(t, r.Votes)
		trail, err := l.DB.Trail(ctx(), r.ID)
		require.NoError(t, err)
		require.Equal(t, "confirmed by ann@example.com: consent by the client's word", trail[0].Detail)
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
		require.Len(t, l.Tenant.Sends(), 2)
		l.Verified()

		again, err := l.Gate.Submit(ctx(), gate.Submission{Plan: lab.Plan("tag_devices", 1), Requester: annInClient()})
		require.NoError(t, err)
		require.Equal(t, approvals.Pending, again.State, "without it she confirms in Slack, as ever")
		require.False(t, again.Terms.ClientConsent)
	})
}

func TestConsentServesNothingAboveAnnotations(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		confirming := newAsking(t, "confirming")
		confirming.outcome = approvals.Confirm
		l.Use(confirming) // would have everything confirmed
		for name, spoil := range map[string]func(*gate.Submission){
			"contain": func(s *gate.Submission) { s.Plan = lab.Plan("isolate_devices", 1) },
			"expose":  func(s *gate.Submission) { s.Plan = lab.Plan("release_devices", 1) },
			"its own risk": func(s *gate.Submission) {
				s.Plan = lab.Plan("isolate_devices", 1)
				s.Plan.Risk = approvals.RiskAnnotate
			},
			"a time-box": func(s *gate.Submission) {
				s.Plan.TimeBox = &approvals.TimeBox{For: time.Hour, Tool: "release_devices", Risk: approvals.RiskExpose}
			},
			"goes on": func(s *gate.Submission) {
				s.Plan.Resumes = &approvals.Resumed{Tool: "isolate_devices", Risk: approvals.RiskContain}
			},
			"in Slack":      func(s *gate.Submission) { s.Requester.Via = approvals.ViaSlack },
			"in a shell":    func(s *gate.Submission) { s.Requester.Via = approvals.ViaShell },
			"of anybody":    func(s *gate.Submission) { s.Requester.Verified = false },
			"of no face":    func(s *gate.Submission) { s.Requester.Via = "" },
			"of an unknown": func(s *gate.Submission) { s.Plan.Risk = "harmless" },
		} {
			s := consented(lab.Plan("tag_devices", 1))
			spoil(&s)
			_, err := l.Gate.Submit(ctx(), s)
			switch name {
			case "its own risk", "of no face", "of an unknown":
				lab.Kind(t, approvals.KindInvalid, err)
			default:
				require.ErrorContains(t, err, "only its word", name)
				lab.Kind(t, approvals.KindDenied, err)
			}
			s.Consent = false
			asks, err := l.Gate.AsksClient(ctx(), s)
			require.False(t, asks, "%s: %v", name, err)
		}
		list, err := l.Gate.List(ctx(), store.Filter{})
		require.NoError(t, err)
		require.Empty(t, list, "nothing was made")
		l.Verified()
	})
}

func TestConsentIsNoVoteAndNoAllowance(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		approving, denying, allowing := newAsking(t, "approving", approvals.Quorum{Count: 1, From: lab.Oncall()}), newAsking(t, "denying"), newAsking(t, "allowing")
		denying.outcome, allowing.outcome = approvals.Deny, approvals.Allow
		l.Use(approving)
		r, err := l.Gate.Submit(ctx(), consented(lab.Plan("tag_devices", 1)))
		require.NoError(t, err)
		require.Equal(t, approvals.Pending, r.State, "other people's yes is asked for")
		require.False(t, r.Terms.ClientConsent)
		l.Use(denying)
		_, err = l.Gate.Submit(ctx(), consented(lab.Plan("tag_devices", 1)))
		lab.Kind(t, approvals.KindDenied, err)
		l.Use(allowing)
		r, err = l.Gate.Submit(ctx(), consented(lab.Plan("tag_devices", 1)))
		require.NoError(t, err)
		require.False(t, r.Terms.ClientConsent, "nobody's yes was needed")
		require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)

		// The policy of the worker decides when the request is claimed.
		for _, now := range []asking{approving, denying, allowing} {
			l.Use(lab.DefaultPolicy(t))
			r, err := l.Gate.Submit(ctx(), consented(lab.Plan("tag_devices", 1)))
			require.NoError(t, err)
			l.Use(now)
			sent := len(l.Tenant.Sends())
			if now.outcome == approvals.Allow {
				require.Equal(t, approvals.Succeeded, l.Settle(r.ID).State)
				continue
			}
			require.Equal(t, approvals.Cancelled, l.Settle(r.ID).State, now.name)
			require.Len(t, l.Tenant.Sends(), sent, now.name)
		}
		l.Verified()
	})
}

// What claims to be confirmed by a client and can't be counts for nothing, whoever wrote it into the database with whatever
// digest.
func TestConsentIsForgedInVain(t *testing.T) {
	p := newAsking(t, "confirming")
	p.outcome = approvals.Confirm
	word := func() *counting {
		c := newCounting(t)
		c.under(p)
		c.request.Plan, c.request.Requester = lab.Plan("tag_devices", 1), annInClient()
		c.request.Outcome, c.request.Quorum, c.request.Terms.ClientConsent = approvals.Confirm, nil, true
		c.seal()
		return c
	}
	c := word()
	require.Equal(t, 1, c.have())
	require.NoError(t, c.tally.Stood(ctx(), c.request))
	for name, spoil := range map[string]func(*approvals.Request){
		"contain":    func(r *approvals.Request) { r.Plan = lab.Plan("isolate_devices", 1) },
		"in Slack":   func(r *approvals.Request) { r.Requester.Via = approvals.ViaSlack },
		"unverified": func(r *approvals.Request) { r.Requester.Verified = false },
		"a time-box": func(r *approvals.Request) {
			r.Plan.TimeBox = &approvals.TimeBox{For: time.Hour, Tool: "release_devices", Risk: approvals.RiskExpose}
		},
		"goes on": func(r *approvals.Request) {
			r.Plan.Resumes = &approvals.Resumed{Tool: "isolate_devices", Risk: approvals.RiskContain}
		},
		"allowed": func(r *approvals.Request) { r.Outcome = approvals.Allow },
		"approve": func(r *approvals.Request) {
			r.Outcome, r.Quorum = approvals.Approve, []approvals.Quorum{{Count: 1, From: lab.Oncall()}}
		},
		"break-glass": func(r *approvals.Request) { r.Terms.BreakGlass = true },
	} {
		c := word()
		spoil(&c.request)
		c.seal()
		_, err := c.tally.Count(ctx(), c.request)
		require.Equal(t, approvals.KindDenied, approvals.KindOf(err), "%s: %v", name, err)
	}
	c = word()
	c.directory.Forget(lab.Person("ann"))
	_, err := c.tally.Count(ctx(), c.request)
	lab.Kind(t, approvals.KindDenied, err)
	c = word()
	c.request.Terms.ClientConsent = false
	_, err = c.tally.Count(ctx(), c.request)
	lab.Kind(t, approvals.KindTampering, err)
	c.seal()
	require.Zero(t, c.have(), "it needs the vote then")
}

func TestConsentIsAloneInTheDigestAndOldDigestsStay(t *testing.T) {
	c := newCounting(t)
	without := c.request.Digest
	b, err := json.Marshal(c.request.Terms)
	require.NoError(t, err)
	require.NotContains(t, string(b), "client_consent")
	c.request.Terms.ClientConsent = true
	c.seal()
	require.NotEqual(t, without, c.request.Digest)
}

// The store takes in what is approved from its beginning only where it may be so.
func TestConsentBeginsApprovedOnlyWhereItCounts(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		insert := func(change func(*approvals.Request)) error {
			now := l.Clock.Now().UTC().Truncate(time.Millisecond)
			r := approvals.Request{
				ID: "FORGED00", Plan: lab.Plan("tag_devices", 1), Requester: annInClient(), Outcome: approvals.Confirm, Rule: "x",
				CreatedAt: now, ExpiresAt: now.Add(time.Hour), StartWithin: time.Hour, State: approvals.Approved,
				Terms: approvals.Terms{ClientConsent: true},
			}
			change(&r)
			r.Steps = []approvals.StepStatus{{State: approvals.StepWaiting, UpdatedAt: now}}
			return l.DB.InTx(ctx(), func(tx *store.Tx) error {
				return tx.Insert(ctx(), r, approvals.Event{RequestID: r.ID, Type: approvals.EventSubmitted, Step: -1, At: now})
			})
		}
		for name, change := range map[string]func(*approvals.Request){
			"no consent":  func(r *approvals.Request) { r.Terms.ClientConsent = false },
			"contain":     func(r *approvals.Request) { r.Plan = lab.Plan("isolate_devices", 1) },
			"in Slack":    func(r *approvals.Request) { r.Requester = lab.Ann() },
			"of approval": func(r *approvals.Request) { r.Outcome = approvals.Approve },
		} {
			require.Error(t, insert(change), name)
		}
		require.NoError(t, insert(func(*approvals.Request) {}))
	})
}

// A yes in the client does not get round the rest after a no.
func TestConsentRestsAfterANo(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(resting{l.Policy})
		plan := lab.Plan("tag_devices", 1)
		r, err := l.Gate.Submit(ctx(), gate.Submission{Plan: plan, Requester: annInClient()})
		require.NoError(t, err)
		require.NoError(t, l.Cast(r.ID, lab.Person("ann"), no))
		_, err = l.Gate.Submit(ctx(), consented(plan))
		lab.Kind(t, approvals.KindDenied, err)
		l.Clock.Advance(time.Hour)
		_, err = l.Gate.Submit(ctx(), consented(plan))
		require.NoError(t, err)
	})
}

type resting struct{ approvals.Policy }

func (resting) Limits() approvals.Limits { return approvals.Limits{CoolDown: 10 * time.Minute} }

// wordy is a policy that says for itself that a client has consented.
type wordy struct{ asking }

func (p wordy) Decide(c approvals.Call) approvals.Decision {
	d := p.asking.Decide(c)
	d.Terms.ClientConsent = true
	return d
}

func TestConsentIsNotPolicysToSay(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		for _, outcome := range []approvals.Outcome{approvals.Confirm, approvals.Approve, approvals.Allow} {
			p := newAsking(t, "wordy", approvals.Quorum{Count: 1, From: lab.Oncall()})
			p.outcome = outcome
			l.Use(wordy{p})
			r, err := l.Gate.Submit(ctx(), gate.Submission{Plan: lab.Plan("tag_devices", 1), Requester: annInClient()})
			require.NoError(t, err)
			require.False(t, r.Terms.ClientConsent, outcome)
			asks, err := l.Gate.AsksClient(ctx(), gate.Submission{Plan: lab.Plan("tag_devices", 1), Requester: annInClient()})
			require.NoError(t, err)
			require.Equal(t, outcome == approvals.Confirm, asks)
		}
	})
	yes, no := approvals.Decision{Outcome: approvals.Confirm, Terms: approvals.Terms{ClientConsent: true}}, approvals.Decision{Outcome: approvals.Confirm}
	require.False(t, approvals.Stricter(yes, no).Terms.ClientConsent)
	require.False(t, approvals.Stricter(no, yes).Terms.ClientConsent)
}
