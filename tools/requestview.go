package tools

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// requestView is a request as callers see it: the output of every acting tool and of get_request.
type requestView struct {
	RequestID   string        `json:"request_id,omitempty" jsonschema:"8 letters and digits; absent for a dry run"`
	Status      string        `json:"status" jsonschema:"planned, pending_approval, pending_confirmation, approved, running, succeeded, partial, failed, unknown, denied, expired or cancelled"`
	Tool        string        `json:"tool" jsonschema:"the tool that was called"`
	Risk        string        `json:"risk" jsonschema:"what the tool could do if it ran wrongly"`
	Preview     string        `json:"preview" jsonschema:"untrusted text: the plan in one sentence, with device names"`
	Reason      string        `json:"reason,omitempty" jsonschema:"untrusted text: the requester's words"`
	Requester   string        `json:"requester" jsonschema:"who asked"`
	Policy      string        `json:"policy" jsonschema:"what policy answered, in words"`
	Approvers   []quorumView  `json:"approvers,omitempty" jsonschema:"who can approve; the requester never can"`
	Votes       []voteView    `json:"votes,omitempty" jsonschema:"verdicts so far"`
	Targets     []targetView  `json:"targets" jsonschema:"what is acted on"`
	Warnings    []string      `json:"warnings,omitempty" jsonschema:"what an approver should know first"`
	Steps       []stepView    `json:"steps" jsonschema:"one write each, in order"`
	Message     string        `json:"message,omitempty" jsonschema:"why the status is what it is"`
	CreatedAt   time.Time     `json:"created_at,omitzero" jsonschema:"when the request was made"`
	ExpiresAt   time.Time     `json:"expires_at,omitzero" jsonschema:"when the voting ends"`
	StartBefore time.Time     `json:"start_before,omitzero" jsonschema:"the last moment at which an approved request may start"`
	FinishedAt  time.Time     `json:"finished_at,omitzero" jsonschema:"when the status became final"`
	Digest      string        `json:"digest,omitempty" jsonschema:"start of the SHA-256 that approvals are for; the card shows it too"`
	For         string        `json:"for,omitempty" jsonschema:"how long after its success each step is undone, as part of the same approval"`
	Timeboxes   []boxView     `json:"timeboxes,omitempty" jsonschema:"when each step that succeeded is undone, and what became of that"`
	Parent      string        `json:"parent,omitempty" jsonschema:"the request whose time-box this one ends; it was approved with that one"`
	Progress    *progressView `json:"progress,omitempty" jsonschema:"how many steps have come how far, and what holds the rest; absent while it waits for a yes"`
	Calls       []callView    `json:"calls,omitempty" jsonschema:"while it waits: when its approvers are reminded, and which groups may approve as well later"`
	EndedBy     string        `json:"ended_by,omitempty" jsonschema:"when it was not done: denied (a person said no), timed_out_undecided (nobody decided), timed_out_unstarted, nobody_can_approve, stopped, withdrawn or cancelled"`
	Undo        *inverse      `json:"undo,omitempty" jsonschema:"the call that would undo it, as a new request"`
	Next        string        `json:"next" jsonschema:"what to do next"`
}

type quorumView struct {
	Count    int      `json:"count" jsonschema:"distinct people"`
	Group    string   `json:"group" jsonschema:"group they belong to"`
	Or       []string `json:"or,omitempty" jsonschema:"further groups whose people count as well"`
	Distinct bool     `json:"distinct,omitempty" jsonschema:"whether each of them must come from another of the groups"`
	Later    []string `json:"later,omitempty" jsonschema:"groups that count only after some time without a decision, and after how long"`
}

type voteView struct {
	Voter   string    `json:"voter" jsonschema:"who voted"`
	Verdict string    `json:"verdict" jsonschema:"approve, confirm or deny"`
	Reason  string    `json:"reason,omitempty" jsonschema:"untrusted text: the voter's words"`
	At      time.Time `json:"at" jsonschema:"when"`
}

type targetView struct {
	ID         string    `json:"id" jsonschema:"remote id"`
	Kind       string    `json:"kind" jsonschema:"device or machine action"`
	Name       string    `json:"name" jsonschema:"untrusted text: name"`
	OS         string    `json:"os,omitempty" jsonschema:"osPlatform"`
	Health     string    `json:"health,omitempty" jsonschema:"healthStatus"`
	Risk       string    `json:"risk,omitempty" jsonschema:"riskScore"`
	Value      string    `json:"value,omitempty" jsonschema:"deviceValue"`
	Onboarding string    `json:"onboarding,omitempty" jsonschema:"onboardingStatus"`
	Tags       []string  `json:"tags,omitempty" jsonschema:"untrusted text: tags"`
	LastSeen   time.Time `json:"last_seen,omitzero" jsonschema:"last full report"`
}

type stepView struct {
	Index        int    `json:"index" jsonschema:"place in the plan, from 0"`
	Summary      string `json:"summary" jsonschema:"the write in one line"`
	Target       string `json:"target" jsonschema:"id of the target"`
	Status       string `json:"status" jsonschema:"waiting, sending, accepted, succeeded, failed, timed_out, cancelled, skipped or unknown"`
	ActionID     string `json:"action_id,omitempty" jsonschema:"the machine action in Defender"`
	RemoteStatus string `json:"remote_status,omitempty" jsonschema:"Defender's word for it"`
	Message      string `json:"message,omitempty" jsonschema:"what happened"`
}

// inverse is the call that would undo a request.
type inverse struct {
	Tool    string   `json:"tool" jsonschema:"tool to call"`
	Devices []string `json:"devices" jsonschema:"its devices argument"`
}

// viewOf draws a request that the gate keeps.
func (h *house) viewOf(r approvals.Request) requestView {
	v := viewOfPlan(r.Plan, r.Requester)
	v.RequestID, v.Status, v.Message = r.ID, statusOf(r), clean(r.Message, 500)
	v.Policy = inWords(r.Outcome, r.Quorum, r.Rule, "")
	if r.Terms.ClientConsent {
		v.Policy = "confirmed by the requester in their client, which is only its word (rule " + quoted(r.Rule, 60) + ")"
	}
	v.CreatedAt, v.ExpiresAt, v.StartBefore, v.FinishedAt = r.CreatedAt, r.ExpiresAt, r.StartBefore(), r.FinishedAt
	v.Digest, v.Parent = approvals.ShortDigest(r.Digest), r.Parent
	v.Approvers = viewOfQuorums(r.Quorum)
	for _, w := range r.Votes {
		v.Votes = append(v.Votes, voteView{Voter: w.Voter.ID, Verdict: string(w.Verdict), Reason: clean(w.Reason, 300), At: w.At})
	}
	for _, s := range r.Steps {
		if s.Index < 0 || s.Index >= len(v.Steps) {
			continue // the audit finds such a row; a view must not fall over it
		}
		at := &v.Steps[s.Index]
		at.Status, at.ActionID = string(s.State), s.ActionID
		at.RemoteStatus, at.Message = clean(s.RemoteStatus, 60), clean(s.Message, 300)
	}
	if r.State == approvals.Succeeded || r.State == approvals.Partial {
		v.Undo = h.undo(r.Plan)
	}
	v.Progress, v.Calls, v.EndedBy = progressOf(r), callsOf(r, h.clock()), endedBy(r)
	v.Next = v.next(r)
	return v
}

// viewOfPlan draws a plan that nobody has submitted.
func viewOfPlan(p approvals.Plan, by approvals.Requester) requestView {
	v := requestView{
		Status: "planned", Tool: p.Tool, Risk: string(p.Risk), Preview: clean(p.Preview, 500), Reason: clean(p.Reason, 500),
		Requester: by.ID, Targets: []targetView{}, Steps: []stepView{}, Warnings: p.Warnings,
	}
	if p.TimeBox != nil {
		v.For = p.TimeBox.For.String()
	}
	for _, t := range p.Targets {
		v.Targets = append(v.Targets, viewOfTarget(t))
	}
	for i, s := range p.Steps {
		v.Steps = append(v.Steps, stepView{Index: i, Summary: clean(s.Summary, 200), Target: s.Target, Status: string(approvals.StepWaiting)})
	}
	return v
}

func viewOfTarget(t approvals.Target) targetView {
	return targetView{
		ID: t.ID, Kind: t.Kind, Name: clean(t.Name, 120), OS: clean(t.OS, 60), Health: clean(t.Health, 60), Risk: clean(t.Risk, 60),
		Value: clean(t.Value, 60), Onboarding: clean(t.Onboarding, 60), Tags: cleanAll(t.Tags), LastSeen: t.LastSeen,
	}
}

// statusOf is the state in words that say who is waited for.
func statusOf(r approvals.Request) string {
	if r.State == approvals.Pending {
		if r.Outcome == approvals.Confirm {
			return "pending_confirmation"
		}
		return "pending_approval"
	}
	return string(r.State)
}

// inWords is policy's answer for people.
func inWords(o approvals.Outcome, quorum []approvals.Quorum, rule, why string) string {
	by := ""
	if rule != "" {
		by = " (rule " + quoted(rule, 60) + ")"
	}
	switch o {
	case approvals.Allow:
		return "allowed" + by
	case approvals.Confirm:
		return "the requester must confirm in Slack" + by
	case approvals.Approve:
		return whoApproves(quorum) + by
	case approvals.Deny:
		return strings.TrimSuffix("denied"+by+": "+clean(why, 300), ": ")
	}
	return "denied: policy gave an answer that is not known"
}

func whoApproves(quorum []approvals.Quorum) string {
	parts := make([]string, len(quorum))
	for i, q := range quorum {
		parts[i] = quorumWords(q)
	}
	return "needs approval by " + strings.Join(parts, " and ") + ", never the requester"
}

// quorumWords is one demand: how many people, of which groups, and who else counts after which time.
func quorumWords(q approvals.Quorum) string {
	v := viewOfQuorums([]approvals.Quorum{q})[0]
	text := fmt.Sprintf("%d of group %s", v.Count, quoted(v.Group, 60))
	for _, name := range v.Or {
		text += " or " + quoted(name, 60)
	}
	if v.Distinct && v.Count > 1 {
		text += " (each of a different group)"
	}
	for _, later := range v.Later {
		text += ", or " + later
	}
	return text
}

func viewOfQuorums(quorum []approvals.Quorum) []quorumView {
	var views []quorumView
	for _, q := range quorum {
		v := quorumView{Count: q.Count, Group: clean(q.From.Name, 60), Distinct: q.Distinct}
		for _, g := range q.Or {
			v.Or = append(v.Or, clean(g.Name, 60))
		}
		for _, e := range q.Then {
			v.Later = append(v.Later, fmt.Sprintf("%s after %s without a decision", quoted(e.To.Name, 60), e.After))
		}
		views = append(views, v)
	}
	return views
}

// text is the view in a few lines, for clients that show no structure.
func (v requestView) text() string {
	var b strings.Builder
	switch v.RequestID {
	case "":
		fmt.Fprintf(&b, "Dry run, nothing was submitted. %s. Policy: %s.", v.Preview, v.Policy)
	default:
		fmt.Fprintf(&b, "Request %s is %s: %s. Policy: %s.", v.RequestID, v.Status, v.Preview, v.Policy)
	}
	if v.Message != "" {
		b.WriteString("\n" + v.Message)
	}
	for _, w := range v.Warnings {
		b.WriteString("\nWarning: " + w)
	}
	if p := v.Progress; p != nil && p.Of > 1 {
		b.WriteString("\nProgress: " + p.words() + ".")
	}
	for i, s := range v.Steps {
		if v.RequestID == "" || i >= 20 {
			break
		}
		fmt.Fprintf(&b, "\n%d. %s: %s", s.Index+1, s.Summary, strings.TrimSpace(s.Status+" "+s.Message))
	}
	for i, x := range v.Timeboxes {
		if i >= 20 {
			break
		}
		b.WriteString("\n" + x.text())
	}
	b.WriteString("\n" + v.Next)
	return b.String()
}

// undo is the inverse call of a plan; nil when its tool has none.
func (h *house) undo(p approvals.Plan) *inverse {
	name, ok := h.inverses[p.Tool]
	if !ok {
		return nil
	}
	ids := make([]string, len(p.Targets))
	for i, t := range p.Targets {
		ids[i] = t.ID
	}
	return &inverse{Tool: name, Devices: ids}
}

func cleanAll(texts []string) []string {
	out := make([]string, 0, len(texts))
	for _, t := range texts {
		out = append(out, clean(t, 80))
	}
	return out
}

// canonical is v as JSON whose bytes depend on v alone: struct fields in order, map keys sorted.
func canonical(v any) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("can't be written as JSON: %w", err)
	}
	return b, nil
}
