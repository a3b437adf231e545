package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

const requestColumns = `id, plan, requester, origin, outcome, rule, quorum, policy_digest, digest, created_ms, expires_ms,
	start_within_ms, state, version, decided_ms, finished_ms, message, terms, parent, plan_key, attached`

func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMS(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}

// plain makes outside text storable in both databases: PostgreSQL refuses NUL and broken UTF-8.
func plain(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "�"), "�")
}

// personKey is the form of a person's id that decides who has voted: e-mail addresses are compared without case.
func personKey(id string) string { return strings.ToLower(strings.TrimSpace(plain(id))) }

// encode returns v as JSON text; the same value always gives the same text. Nothing is escaped for HTML, so that raw
// JSON inside v comes back as it was.
func encode(what string, v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", approvals.Refuse(approvals.KindInvalid, err, "the %s can't be stored: it is not valid JSON", what)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// tampered reports a row that this program can't have written.
func tampered(cause error, format string, args ...any) error {
	return approvals.Refuse(approvals.KindTampering, cause, format+"; nothing is done with it: verify the audit", args...)
}

func scanRequest(row scanner) (r approvals.Request, err error) {
	var plan, requester, origin, quorum, terms, attached string
	var created, expires, within, decided, finished int64
	err = row.Scan(&r.ID, &plan, &requester, &origin, &r.Outcome, &r.Rule, &quorum, &r.PolicyDigest, &r.Digest,
		&created, &expires, &within, &r.State, &r.Version, &decided, &finished, &r.Message, &terms, &r.Parent, &r.Key, &attached)
	if err != nil {
		return r, err
	}
	for _, part := range []struct {
		name, text string
		into       any
	}{
		{"plan", plan, &r.Plan},
		{"requester", requester, &r.Requester},
		{"origin", origin, &r.Origin},
		{"quorum", quorum, &r.Quorum},
		{"terms", terms, &r.Terms},
		{"list of attached people", attached, &r.Attached},
	} {
		if err := json.Unmarshal([]byte(part.text), part.into); err != nil {
			return r, tampered(err, "the %s of request %s can't be read", part.name, clip(r.ID))
		}
	}
	r.CreatedAt, r.ExpiresAt, r.DecidedAt, r.FinishedAt = fromMS(created), fromMS(expires), fromMS(decided), fromMS(finished)
	r.StartWithin = time.Duration(within) * time.Millisecond
	return r, checkRequest(r)
}

func checkRequest(r approvals.Request) error {
	switch {
	case !slices.Contains(approvals.States(), r.State):
		return tampered(nil, "request %s has the unknown state %q", clip(r.ID), clip(string(r.State)))
	case r.Outcome != approvals.Allow && r.Outcome != approvals.Confirm && r.Outcome != approvals.Approve:
		return tampered(nil, "request %s has the unknown outcome %q", clip(r.ID), clip(string(r.Outcome)))
	case r.Version < 1:
		return tampered(nil, "request %s has the impossible version %d", clip(r.ID), r.Version)
	}
	return nil
}

// ownedStep and ownedVote carry the request that a row belongs to, so that many requests are read by one statement.
type ownedStep struct {
	request string
	step    approvals.StepStatus
}

type ownedVote struct {
	request string
	vote    approvals.Vote
}

func scanStep(row scanner) (o ownedStep, err error) {
	s := &o.step
	var sent, notBefore, updated int64
	err = row.Scan(&o.request, &s.Index, &s.State, &s.Version, &s.Attempt, &sent, &notBefore, &s.ActionID, &s.RemoteStatus, &s.Message, &updated)
	if err != nil {
		return o, err
	}
	s.SentAt, s.NotBefore, s.UpdatedAt = fromMS(sent), fromMS(notBefore), fromMS(updated)
	if !slices.Contains(approvals.StepStates(), s.State) {
		return o, tampered(nil, "step %d of request %s has the unknown state %q", s.Index, clip(o.request), clip(string(s.State)))
	}
	return o, nil
}

func scanVote(row scanner) (o ownedVote, err error) {
	var voter, body string
	var verdict approvals.Verdict
	if err = row.Scan(&o.request, &voter, &verdict, &body); err != nil {
		return o, err
	}
	if err := json.Unmarshal([]byte(body), &o.vote); err != nil {
		return o, tampered(err, "a vote on request %s can't be read", clip(o.request))
	}
	v := o.vote
	if !v.Verdict.Valid() || v.Verdict != verdict || personKey(v.Voter.ID) != voter || v.RequestID != o.request {
		return o, tampered(nil, "the vote of %s on request %s does not agree with its row", clip(voter), clip(o.request))
	}
	return o, nil
}

// checkSteps says whether the steps of r are those of its plan, in order and complete.
func checkSteps(r approvals.Request) error {
	if len(r.Steps) != len(r.Plan.Steps) {
		return tampered(nil, "request %s has %d step rows for %d planned steps", clip(r.ID), len(r.Steps), len(r.Plan.Steps))
	}
	for i, s := range r.Steps {
		if s.Index != i {
			return tampered(nil, "request %s has no row for step %d", clip(r.ID), i)
		}
	}
	return nil
}

// placeholders is "$1, $2, … $n" counted from first.
func placeholders(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", first+i)
	}
	return b.String()
}
