package approvals_test

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/internal/lab"
	"github.com/mde-ops/mde-ops/approvals/policy"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// What is written straight into the database sends nothing.

func TestWrittenStraightIntoTheDatabase(t *testing.T) {
	attacks := map[string]func(t *testing.T, l *lab.Lab, r approvals.Request){
		"pending becomes approved": func(_ *testing.T, l *lab.Lab, r approvals.Request) {
			l.Write("UPDATE requests SET state = 'approved', decided_ms = $1 WHERE id = $2", l.Clock.Now().UnixMilli(), r.ID)
		},
		"pending becomes running": func(_ *testing.T, l *lab.Lab, r approvals.Request) {
			l.Write("UPDATE requests SET state = 'running', decided_ms = $1 WHERE id = $2", l.Clock.Now().UnixMilli(), r.ID)
		},
		"outcome becomes allow": func(_ *testing.T, l *lab.Lab, r approvals.Request) {
			reseal(l, r, func(r *approvals.Request) { r.Outcome, r.Quorum = approvals.Allow, nil })
			l.Write("UPDATE requests SET state = 'approved', decided_ms = $1 WHERE id = $2", l.Clock.Now().UnixMilli(), r.ID)
		},
		"nobody is needed": func(_ *testing.T, l *lab.Lab, r approvals.Request) {
			reseal(l, r, func(r *approvals.Request) { r.Quorum[0].Count = 0 })
			l.Write("UPDATE requests SET state = 'approved', decided_ms = $1 WHERE id = $2", l.Clock.Now().UnixMilli(), r.ID)
		},
		"an unsigned vote": func(t *testing.T, l *lab.Lab, r approvals.Request) {
			insertVote(t, l, approvals.Vote{RequestID: r.ID, Digest: r.Digest, Voter: lab.Person("bob"), Verdict: yes, At: l.Clock.Now()})
		},
		"a vote signed with a foreign key": func(t *testing.T, l *lab.Lab, r approvals.Request) {
			v, err := lab.NewSigner(t, 9).Sign(approvals.Vote{RequestID: r.ID, Digest: r.Digest, Voter: lab.Person("bob"), Verdict: yes, At: l.Clock.Now()})
			require.NoError(t, err)
			insertVote(t, l, v)
		},
		"a foreign signature under the right key's name": func(t *testing.T, l *lab.Lab, r approvals.Request) {
			v, err := lab.NewSigner(t, 9).Sign(approvals.Vote{RequestID: r.ID, Digest: r.Digest, Voter: lab.Person("bob"), Verdict: yes, At: l.Clock.Now()})
			require.NoError(t, err)
			v.KeyID = approvals.KeyID(l.Signer.Public())
			insertVote(t, l, v)
		},
		"a good vote without its audit row": func(t *testing.T, l *lab.Lab, r approvals.Request) {
			v, err := l.Signer.Sign(approvals.Vote{RequestID: r.ID, Digest: r.Digest, Voter: lab.Person("bob"), Verdict: yes, At: l.Clock.Now()})
			require.NoError(t, err)
			insertVote(t, l, v)
		},
	}
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		known := 0
		for name, attack := range attacks {
			r := l.Submit(lab.Plan("isolate_devices", 2))
			attack(t, l, r)
			l.Work(r.ID)
			_ = l.Cast(r.ID, lab.Person("cat"), yes) // a real vote on top makes it no better
			l.Work(r.ID)
			require.Empty(t, l.Tenant.Sends(), name)
			report, err := l.Gate.VerifyAudit(ctx())
			require.NoError(t, err)
			require.Greater(t, len(report.Faults), known, "%s: the audit's verification finds it", name)
			known = len(report.Faults)
		}
	})
}

// reseal alters what a digest covers and computes the digest again, as an intruder who has read this program would.
func reseal(l *lab.Lab, r approvals.Request, change func(*approvals.Request)) {
	change(&r)
	digest, err := approvals.Digest(r)
	require.NoError(l.T, err)
	plan, err := json.Marshal(r.Plan)
	require.NoError(l.T, err)
	quorum, err := json.Marshal(r.Quorum)
	require.NoError(l.T, err)
	requester, err := json.Marshal(r.Requester)
	require.NoError(l.T, err)
	l.Write("UPDATE requests SET plan = $1, quorum = $2, outcome = $3, digest = $4, requester = $5 WHERE id = $6",
		string(plan), string(quorum), string(r.Outcome), digest, string(requester), r.ID)
}

func insertVote(t *testing.T, l *lab.Lab, v approvals.Vote) {
	body, err := json.Marshal(v)
	require.NoError(t, err)
	l.Write("INSERT INTO votes (request_id, voter_id, verdict, at_ms, body) VALUES ($1, $2, $3, $4, $5)",
		v.RequestID, v.Voter.ID, string(v.Verdict), v.At.UnixMilli(), string(body))
	l.Write("UPDATE requests SET state = 'approved', decided_ms = $1 WHERE id = $2", l.Clock.Now().UnixMilli(), v.RequestID)
}

func TestAnAlteredPlanIsNotWhatWasApproved(t *testing.T) {
	alterations := map[string]func(*approvals.Request){
		"another device":    func(r *approvals.Request) { r.Plan.Steps[0].Target, r.Plan.Targets[0].ID = "other", "other" },
		"another tool":      func(r *approvals.Request) { r.Plan.Tool = "run_script" },
		"a milder risk":     func(r *approvals.Request) { r.Plan.Risk = approvals.RiskRead },
		"an annotation":     func(r *approvals.Request) { r.Plan.Risk = approvals.RiskAnnotate },
		"other arguments":   func(r *approvals.Request) { r.Plan.Args = json.RawMessage(`{"devices":["dc01"]}`) },
		"another tenant":    func(r *approvals.Request) { r.Plan.Tenant = "other" },
		"another requester": func(r *approvals.Request) { r.Requester.Person = lab.Person("dan") },
		"a longer start":    func(r *approvals.Request) { r.StartWithin = 1000 * time.Hour },
	}
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		for name, alter := range alterations {
			for _, resealed := range []bool{true, false} {
				r := l.Submit(lab.Plan("isolate_devices", 2))
				l.Approve(r.ID, "bob")
				stored := l.Get(r.ID)
				reseal(l, stored, alter)
				l.Write("UPDATE requests SET start_within_ms = $1 WHERE id = $2", altered(stored, alter).StartWithin.Milliseconds(), r.ID)
				if !resealed {
					l.Write("UPDATE requests SET digest = $1 WHERE id = $2", stored.Digest, r.ID)
				}
				l.Work(r.ID)
				require.True(t, l.Get(r.ID).State.Terminal(), name)
				require.Empty(t, l.Tenant.Sends(), name)
			}
		}
	})
}

func altered(r approvals.Request, alter func(*approvals.Request)) approvals.Request {
	alter(&r)
	return r
}

func TestAMilderRiskIsNotAllowedByItself(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		l.Use(lab.ParsePolicy(t, "rules:\n- {name: tags are free, risks: [annotate], outcome: allow}\n"))
		r := l.Submit(lab.Plan("tag_devices", 1)) // really approved by rule
		reseal(l, l.Get(r.ID), func(r *approvals.Request) { r.Plan.Tool = "isolate_devices" })
		l.Work(r.ID)
		require.Equal(t, approvals.Cancelled, l.Get(r.ID).State)
		require.Contains(t, l.Get(r.ID).Message, "not what the tool states")
		require.Empty(t, l.Tenant.Sends())
	})
}

func TestATerminalRequestWrittenBackSendsNothing(t *testing.T) {
	end := map[string]func(t *testing.T, l *lab.Lab, id string){
		"withdrawn": func(t *testing.T, l *lab.Lab, id string) {
			_, err := l.Gate.Withdraw(ctx(), id, lab.Ann())
			require.NoError(t, err)
		},
		"succeeded": func(_ *testing.T, l *lab.Lab, id string) { l.Settle(id) },
		"denied later": func(t *testing.T, l *lab.Lab, id string) {
			l.Use(lab.ParsePolicy(t, "rules:\n- {name: stop, tools: [isolate_devices], outcome: deny}\n"))
			l.Work(id)
			l.Use(lab.DefaultPolicy(t))
		},
	}
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		for name, finish := range end {
			r := l.Submit(lab.Plan("isolate_devices", 1))
			l.Approve(r.ID, "bob")
			finish(t, l, r.ID)
			sent := len(l.Tenant.Sends())
			for _, state := range []string{"approved", "running"} {
				l.Write("UPDATE requests SET state = $1, finished_ms = 0 WHERE id = $2", state, r.ID)
				l.Write("UPDATE steps SET state = 'waiting', attempt = 0 WHERE request_id = $1", r.ID)
				l.Work(r.ID)
				require.Len(t, l.Tenant.Sends(), sent, "%s, written back to %s", name, state)
			}
		}
	})
}

func TestAStepWrittenBackIsNotSentAgain(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 2))
		l.Approve(r.ID, "bob")
		l.Work(r.ID)
		require.Len(t, l.Tenant.Sends(), 2)
		l.Write("UPDATE steps SET state = 'waiting', attempt = 0, action_id = '' WHERE request_id = $1 AND idx = 0", r.ID)
		l.Work(r.ID)
		require.Len(t, l.Tenant.Sends(), 2)
		require.Equal(t, approvals.StepSkipped, l.Get(r.ID).Steps[0].State)
	})
}

// forge inserts a row that the gate would not have let in, as its database role could.
func forge(l *lab.Lab, id string, change func(*approvals.Request)) {
	now := l.Clock.Now()
	r := approvals.Request{
		ID: id, Plan: lab.Plan("isolate_devices", 1), Requester: lab.Ann(), Outcome: approvals.Approve, Rule: "default-contain",
		Quorum: []approvals.Quorum{{Count: 1, From: lab.Oncall()}}, PolicyDigest: l.Policy.Digest(),
		CreatedAt: now, ExpiresAt: now.Add(30 * time.Minute), StartWithin: 15 * time.Minute, State: approvals.Pending,
	}
	change(&r)
	for i := range r.Plan.Steps {
		r.Steps = append(r.Steps, approvals.StepStatus{Index: i, State: approvals.StepWaiting})
	}
	var err error
	r.Digest, err = approvals.Digest(r)
	require.NoError(l.T, err)
	require.NoError(l.T, l.DB.InTx(ctx(), func(tx *store.Tx) error {
		return tx.Insert(ctx(), r, approvals.Event{Type: approvals.EventSubmitted, Actor: r.Requester.ID})
	}))
}

func TestARowThatTheGateWouldRefuseIsNeverVotedOnOrSent(t *testing.T) {
	hidden := approvals.Step{Action: "isolate", Target: "domain-controller", Summary: "isolate device-0"}
	plans := map[string]func(*approvals.Plan){
		"a step elsewhere":      func(p *approvals.Plan) { p.Steps = append(p.Steps, hidden) },
		"only steps elsewhere":  func(p *approvals.Plan) { p.Steps[0].Target = hidden.Target },
		"one step twice":        func(p *approvals.Plan) { p.Steps = append(p.Steps, p.Steps[0]) },
		"one target twice":      func(p *approvals.Plan) { p.Targets = append(p.Targets, p.Targets[0]) },
		"no targets":            func(p *approvals.Plan) { p.Targets = nil },
		"a nameless action":     func(p *approvals.Plan) { p.Steps[0].Action = "" },
		"the risk of a reading": func(p *approvals.Plan) { p.Risk = approvals.RiskRead },
	}
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		n := 0
		for name, spoil := range plans {
			n++
			voted, allowed := fmt.Sprintf("VOTED%03d", n), fmt.Sprintf("ALLOW%03d", n)
			forge(l, voted, func(r *approvals.Request) { spoil(&r.Plan) })
			require.Equal(t, approvals.KindTampering, approvals.KindOf(l.Cast(voted, lab.Person("bob"), yes)), name)
			require.Error(t, approvals.Genuine(l.Get(voted)), name)
			l.Use(lab.ParsePolicy(t, "rules:\n- {name: free, tools: [isolate_devices], outcome: allow}\n"))
			forge(l, allowed, func(r *approvals.Request) {
				spoil(&r.Plan)
				r.Outcome, r.Quorum, r.State, r.DecidedAt = approvals.Allow, nil, approvals.Approved, r.CreatedAt
			})
			l.Work(allowed)
			require.Equal(t, approvals.Cancelled, l.Get(allowed).State, name)
			l.Use(lab.DefaultPolicy(t))
		}
		require.Empty(t, l.Tenant.Sends())
	})
}

// What a row says of its own times counts only as far as the policy of whoever verifies it.
func TestARowsOwnWindowsAreBoundedByPolicy(t *testing.T) {
	const years = 10 * 365 * 24 * time.Hour
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		forge(l, "LONGVOTE", func(r *approvals.Request) { r.ExpiresAt = r.CreatedAt.Add(years) })
		forge(l, "LONGWAIT", func(r *approvals.Request) { r.StartWithin = years })
		l.Approve("LONGWAIT", "bob")
		l.Clock.Advance(30 * time.Minute)
		err := l.Cast("LONGVOTE", lab.Person("bob"), yes)
		lab.Kind(t, approvals.KindDenied, err)
		require.ErrorContains(t, err, "policy now gives 30m0s")
		l.Work("LONGVOTE")
		l.Work("LONGWAIT")
		require.Equal(t, approvals.Expired, l.Get("LONGWAIT").State)
		require.Empty(t, l.Tenant.Sends())
		require.NoError(t, l.Cast("LONGVOTE", lab.Person("bob"), no), "a no is always heard")
	})
}

func TestALoosenedPolicyDoesNotLengthenAWindow(t *testing.T) {
	lab.Each(t, func(t *testing.T, l *lab.Lab) {
		r := l.Submit(lab.Plan("isolate_devices", 1))
		p, err := policy.Default(policy.DefaultOptions{ApproverGroup: lab.Oncall(), Expires: 10 * time.Hour, StartBefore: 10 * time.Hour})
		require.NoError(t, err)
		l.Use(p)
		l.Approve(r.ID, "bob")
		l.Clock.Advance(15 * time.Minute)
		l.Work(r.ID)
		require.Equal(t, approvals.Expired, l.Get(r.ID).State)
		require.Empty(t, l.Tenant.Sends())
	})
}

func TestTheWorkerNeedsThePublicKeyOnly(t *testing.T) {
	_, err := approvals.NewVerifier()
	require.ErrorContains(t, err, "no vote verification key")
	_, err = approvals.NewVerifier(ed25519.PublicKey("short"))
	require.ErrorContains(t, err, "has 5 bytes")
	_, err = approvals.NewTally(approvals.TallyOptions{})
	require.ErrorContains(t, err, "no policy")
}
