package attacks_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func ballotOf(r approvals.Request, who approvals.Person, v approvals.Verdict) ballot.Ballot {
	return ballot.Ballot{RequestID: r.ID, Digest: r.Digest, Voter: who, Verdict: v}
}

// reseal stores what a digest covers, with a new digest, as an intruder who has read this program would.
func (h *house) reseal(r approvals.Request) {
	h.t.Helper()
	digest, err := approvals.Digest(r)
	require.NoError(h.t, err)
	plan, quorum, requester, terms := encoded(h.t, r.Plan), encoded(h.t, r.Quorum), encoded(h.t, r.Requester), encoded(h.t, r.Terms)
	h.write("UPDATE requests SET plan = $1, quorum = $2, requester = $3, terms = $4, outcome = $5, rule = $6, digest = $7, expires_ms = $8 WHERE id = $9",
		plan, quorum, requester, terms, string(r.Outcome), r.Rule, digest, r.ExpiresAt.UnixMilli(), r.ID)
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

// move moves a request as the store does, with its audit row, as an intruder would who uses our own code.
func (h *house) move(id string, to approvals.State) {
	h.t.Helper()
	r := h.state(id)
	m := store.Move{ID: id, From: r.State, To: to, Version: r.Version, At: h.clock.Now(), Message: "moved", Event: approvals.Event{
		At: h.clock.Now(), RequestID: id, Type: string(to), Actor: bob, Step: -1, From: string(r.State), To: string(to), Detail: "approved by " + bob,
	}}
	require.NoError(h.t, h.db.InTx(context.Background(), func(tx *store.Tx) error { return tx.Move(context.Background(), m) }))
}

// insert writes a vote with its audit row.
func (h *house) insert(v approvals.Vote) {
	h.t.Helper()
	e := approvals.Event{At: v.At, RequestID: v.RequestID, Type: approvals.EventVote, Actor: v.Voter.ID, Step: -1, Detail: string(v.Verdict)}
	require.NoError(h.t, h.db.InTx(context.Background(), func(tx *store.Tx) error { return tx.AddVote(context.Background(), v, e) }))
}

// forgedVote is a vote of bob's as he would have cast it, with whatever an intruder can sign it.
func (h *house) forgedVote(r approvals.Request, s *approvals.Signer) approvals.Vote {
	h.t.Helper()
	v, err := s.Sign(approvals.Vote{
		RequestID: r.ID, Digest: r.Digest, Verdict: approvals.VerdictApprove, At: h.clock.Now().UTC().Truncate(time.Millisecond),
		Voter:  approvals.Person{ID: bob, Aliases: []string{approvals.SlackAlias(slacksim.DefaultTeamID, slacksim.Bob)}},
		Groups: []string{"name:on-call", "slack:" + slacksim.OnCall},
	})
	require.NoError(h.t, err)
	return v
}

func TestAPlanAlteredInTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		h := open(t, plan{url: url})
		vip := h.tenant.Device(mdesim.NameVIP).ID
		for name, alter := range map[string]func(*approvals.Request){
			"another device": func(r *approvals.Request) { r.Plan.Targets[0].ID, r.Plan.Steps[0].Target = vip, vip },
			"another action": func(r *approvals.Request) { r.Plan.Steps[0].Action = "release" },
			"another tool":   func(r *approvals.Request) { r.Plan.Tool, r.Plan.Risk = "release_devices", approvals.RiskExpose },
			"a milder risk":  func(r *approvals.Request) { r.Plan.Risk = approvals.RiskAnnotate },
			"another tenant": func(r *approvals.Request) { r.Plan.Tenant = "11111111-2222-3333-4444-555555555555" },
			"a time-box": func(r *approvals.Request) {
				r.Plan.TimeBox = &approvals.TimeBox{For: time.Hour, Tool: "release_devices", Risk: approvals.RiskExpose}
			},
		} {
			for _, resealed := range []bool{false, true} {
				id, card := h.asked(mdesim.NameHost)
				before := h.state(id)
				alter(&before)
				h.reseal(before)
				if !resealed {
					h.write("UPDATE requests SET digest = $1 WHERE id = $2", card.Buttons()[0].Value[len(id)+1:], id)
				}
				seq := h.head()
				h.pressed(slacksim.Bob, card, "Approve") // altered while its card was shown
				h.refused(seq, bob, "")
				require.Empty(t, h.state(id).Votes, name)
				h.write("UPDATE requests SET state = 'cancelled' WHERE id = $1", id)

				id, card = h.asked(mdesim.NameLinux)
				h.pressed(slacksim.Bob, card, "Approve")
				voted := h.state(id)
				require.Equal(t, approvals.Approved, voted.State, voted.Message)
				digest := voted.Digest
				alter(&voted)
				h.reseal(voted)
				if !resealed {
					h.write("UPDATE requests SET digest = $1 WHERE id = $2", digest, id)
				}
				h.work(id) // altered between vote and claim
				require.Equal(t, approvals.Cancelled, h.state(id).State, name)
				require.Zero(t, h.tenant.Writes(), name)
			}
		}
		h.sent(0)
	})
}

// The database is written to, with the audit and without, and the worker believes nothing of it.
func TestWrittenStraightIntoTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		h := open(t, plan{url: url})
		for name, intrude := range map[string]func(r approvals.Request){
			"a state": func(r approvals.Request) {
				h.write("UPDATE requests SET state = 'approved', decided_ms = $1 WHERE id = $2", h.clock.Now().UnixMilli(), r.ID)
			},
			"a state, with its audit row": func(r approvals.Request) { h.move(r.ID, approvals.Approved) },
			"running, with its audit rows": func(r approvals.Request) {
				h.move(r.ID, approvals.Approved)
				h.move(r.ID, approvals.Running)
			},
			"an outcome": func(r approvals.Request) {
				r.Outcome, r.Quorum, r.Rule = approvals.Allow, nil, "allowed"
				h.reseal(r)
				h.move(r.ID, approvals.Approved)
			},
			"the requester's own yes": func(r approvals.Request) {
				r.Outcome, r.Quorum = approvals.Confirm, nil
				h.reseal(r)
				h.move(r.ID, approvals.Approved)
			},
			"a needed count of none": func(r approvals.Request) {
				r.Quorum[0].Count = 0
				h.reseal(r)
				h.move(r.ID, approvals.Approved)
			},
			"no quorum": func(r approvals.Request) {
				r.Quorum = nil
				h.reseal(r)
				h.move(r.ID, approvals.Approved)
			},
			"a vote without a signature": func(r approvals.Request) {
				v := h.forgedVote(r, h.signer)
				v.Signature = nil
				h.insert(v)
				h.move(r.ID, approvals.Approved)
			},
			"a vote signed with another key": func(r approvals.Request) {
				h.insert(h.forgedVote(r, newSigner(t, 9)))
				h.move(r.ID, approvals.Approved)
			},
			"a vote with another key's name": func(r approvals.Request) {
				v := h.forgedVote(r, newSigner(t, 9))
				v.KeyID = approvals.KeyID(h.signer.Public())
				h.insert(v)
				h.move(r.ID, approvals.Approved)
			},
			"a release that ends a time-box which there is not": func(r approvals.Request) {
				r.Outcome, r.Quorum, r.Parent = approvals.Allow, nil, "AAAAAAAA"
				h.write("UPDATE requests SET parent = 'AAAAAAAA' WHERE id = $1", r.ID)
				h.reseal(r)
				h.move(r.ID, approvals.Approved)
			},
		} {
			id, _ := h.asked(mdesim.NameHost)
			intrude(h.state(id))
			h.work(id)
			require.NotEqual(t, approvals.Running, h.state(id).State, name)
			require.Zero(t, h.tenant.Writes(), name)
			h.write("UPDATE requests SET state = 'cancelled', finished_ms = $1 WHERE id = $2", h.clock.Now().UnixMilli(), id)
		}
		h.sent(0)
		report, err := h.gate.VerifyAudit(t.Context())
		require.NoError(t, err)
		require.NotEmpty(t, report.Faults, "the audit's verification finds it")
	})
}

// A real vote is moved to another request, or kept for a second time.
func TestARealVoteIsOnlyForItsOwnRequest(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		h := open(t, plan{url: url})
		third, _ := h.asked(mdesim.NameLinux) // older than the vote
		id, card := h.asked(mdesim.NameHost)
		h.pressed(slacksim.Bob, card, "Approve")
		require.Equal(t, approvals.Succeeded, h.settle(id).State)
		vote := h.state(id).Votes[0]
		other, _ := h.asked(mdesim.NameVIP)
		h.write("INSERT INTO votes (request_id, voter_id, verdict, at_ms, body) VALUES ($1, $2, 'approve', $3, $4)",
			other, bob, vote.At.UnixMilli(), encoded(t, vote))
		h.write("UPDATE requests SET state = 'approved', decided_ms = $1 WHERE id = $2", h.clock.Now().UnixMilli(), other)
		h.work(other)
		_, err := h.db.Request(t.Context(), other)
		require.Equal(t, approvals.KindTampering, approvals.KindOf(err), "it is not even read")

		moved := vote
		moved.RequestID, moved.Digest = third, h.state(third).Digest
		h.insert(moved)
		h.move(third, approvals.Approved)
		h.work(third)
		require.NotEqual(t, approvals.Running, h.state(third).State)

		h.write("UPDATE requests SET state = 'approved', finished_ms = 0 WHERE id = $1", id) // done once, and once more
		h.write("UPDATE steps SET state = 'waiting', attempt = 0 WHERE request_id = $1", id)
		h.sent(1)
	})
}

// The rows of what was done are removed from the middle of the audit: it was never done, it seems. Who has read them remembers,
// also when the chain was mended, and who starts after that finds the gap.
func TestAUsedApprovalWhoseRowsAreRemovedIsNotUsedAgain(t *testing.T) {
	each(t, func(t *testing.T, url string) {
		h := open(t, plan{url: url})
		h.forgotten()
		h.again(plan{})
		h.sent(2)
		h.recorded(0, approvals.EventStopped, "gate", "a row was removed or altered")
		h.sent(2)
	})
	t.Run("while it is remembered", func(t *testing.T) {
		t.Parallel()
		h := open(t, plan{})
		id := h.forgotten()
		h.sent(2)
		require.Equal(t, approvals.Cancelled, h.state(id).State)
		require.Contains(t, h.state(id).Message, "was sent 1 times, and what is stored says 0")
	})
}

// forgotten is a request that was done and taken back by hand, and of which the database knows only that it was approved.
func (h *house) forgotten() string {
	h.t.Helper()
	id, card := h.asked(mdesim.NameHost)
	h.pressed(slacksim.Bob, card, "Approve")
	require.Equal(h.t, approvals.Succeeded, h.settle(id).State)
	h.asked(mdesim.NameVIP) // rows behind it
	require.NoError(h.t, h.board.Held(h.t.Context(), "isolate_devices"))
	_, err := h.writer.UnisolateMachine(h.t.Context(), h.tenant.Device(mdesim.NameHost).ID, mdecore.UnisolateRequest{Comment: "by hand"})
	require.NoError(h.t, err)
	require.Equal(h.t, 2, h.tenant.Writes())
	h.write("DELETE FROM audit_event WHERE request_id = $1 AND (to_state = 'running' OR to_state = 'succeeded' OR step >= 0)", id)
	h.write("UPDATE requests SET state = 'approved', finished_ms = 0 WHERE id = $1", id)
	h.write("UPDATE steps SET state = 'waiting', attempt = 0, sent_ms = 0, action_id = '' WHERE request_id = $1", id)
	return id
}
