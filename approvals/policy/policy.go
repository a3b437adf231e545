// Package policy answers whether a planned call may run, and whose yes it needs: from a table by risk that is always
// there, and from an owner's YAML file whose rules come before it. Rules may have conditions in CEL.
//
// A policy never changes once it is made, and it answers no to whatever it does not know and to whatever it can't work out.
package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// The times and sizes of a policy that names none.
const (
	DefaultExpires     = 30 * time.Minute
	DefaultStartBefore = 15 * time.Minute
	DefaultMaxTargets  = 100
	// defaultExtra is how many more approvers a requester needs whose identity was only configured.
	defaultExtra = 1
)

// Policy implements approvals.Policy. It is safe for concurrent use.
type Policy struct {
	content content
	digest  string
	windows []approvals.Window
	// tools are what Parse was told that exists: the vocabulary of cases.
	tools map[string]approvals.ToolInfo
	// groups are the groups of the file by name: those that are lists say in which groups a requester is.
	groups map[string]approvals.Group
}

var _ approvals.Policy = (*Policy)(nil)

// content is everything that answers depend on; the digest is over its JSON.
type content struct {
	Format    int             `json:"format"`
	Defaults  settings        `json:"defaults"`
	Approvers approvals.Group `json:"approvers"`
	// Or are further groups of defaults.from.
	Or         []approvals.Group `json:"or,omitempty"`
	Extra      int               `json:"unverified_extra"`
	Rules      []rule            `json:"rules"`
	Hours      *calendar         `json:"hours,omitempty"`
	Quiet      []quiet           `json:"quiet_hours,omitempty"`
	Limits     approvals.Limits  `json:"limits,omitzero"`
	Blast      []blast           `json:"blast_radius,omitempty"`
	Protect    []protect         `json:"protect,omitempty"`
	Never      *never            `json:"never_block,omitempty"`
	BreakGlass *breakGlass       `json:"break_glass,omitempty"`
	// Lists are the groups that are lists of people, because conditions ask whether the requester is in them.
	Lists []approvals.Group `json:"lists,omitempty"`
}

// settings may be set for all rules and for one.
type settings struct {
	Expires        time.Duration          `json:"expires"`
	StartBefore    time.Duration          `json:"start_before"`
	ReasonRequired bool                   `json:"reason_required"`
	MaxTargets     int                    `json:"max_targets"`
	RemindAfter    time.Duration          `json:"remind_after,omitempty"`
	Escalate       []approvals.Escalation `json:"escalate,omitempty"`
	Wave           approvals.Wave         `json:"waves,omitzero"`
}

// verdict is what a rule or a section of the file says to a call that it is about.
type verdict struct {
	Outcome  approvals.Outcome `json:"outcome"`
	Count    int               `json:"count,omitempty"`
	From     approvals.Group   `json:"from,omitzero"`
	Or       []approvals.Group `json:"or,omitempty"`
	Distinct bool              `json:"distinct_groups,omitempty"`
	Why      string            `json:"why,omitempty"`
}

// rule answers the calls that it matches.
type rule struct {
	Name string `json:"name"`
	// Tools, Risks, Tags and OnlyTags match when empty; the others must all match, and so must When. A call is matched once
	// for each of its targets, as if that were the only one.
	Tools []string         `json:"tools,omitempty"`
	Risks []approvals.Risk `json:"risks,omitempty"`
	// Tags and OnlyTags match when the target has one of them.
	Tags     []string `json:"tags,omitempty"`
	OnlyTags []string `json:"only_tags,omitempty"`
	When     string   `json:"when,omitempty"`
	verdict
	Settings settings `json:"settings"`

	// cond is When, compiled; nil when there is none. at is where the rule stands in the file.
	cond *condition
	at   place
}

// DefaultOptions is what the default policy can't know by itself.
type DefaultOptions struct {
	// ApproverGroup may approve. Without it everything that needs approval is denied.
	ApproverGroup approvals.Group
	// MaxTargets caps the targets of one call; 100 unless set.
	MaxTargets int
	// Expires is how long votes may take, 30 min unless set; StartBefore how long after that the work may start, 15 min
	// unless set.
	Expires, StartBefore time.Duration
}

// Default makes the policy of docs/approvals.md: reads run, annotations need the requester's own yes, the rest needs
// one or two approvers by risk, and what is switched off is denied.
func Default(o DefaultOptions) (*Policy, error) {
	if o.MaxTargets < 0 || o.Expires < 0 || o.StartBefore < 0 {
		return nil, errors.New("the default policy's cap on targets and its times can't be negative")
	}
	c := content{
		Format: 1, Approvers: o.ApproverGroup, Extra: defaultExtra,
		Defaults: settings{
			Expires: orDefault(o.Expires, DefaultExpires), StartBefore: orDefault(o.StartBefore, DefaultStartBefore),
			ReasonRequired: true, MaxTargets: orDefault(o.MaxTargets, DefaultMaxTargets),
		},
	}
	c.Rules = table(c)
	return seal(&Policy{content: c})
}

func orDefault[T ~int | ~int64](v, usual T) T {
	if v == 0 {
		return usual
	}
	return v
}

// noGroup is what a gated call is told while nobody could approve it.
const noGroup = "nobody may approve: set the approver group (MDE_APPROVER_GROUP, or groups and defaults.from in the policy file)"

// table is the default answer to every risk; it ends every list of rules.
func table(c content) []rule {
	one := func(risk approvals.Risk, v verdict) rule {
		return rule{Name: "default-" + string(risk), Risks: []approvals.Risk{risk}, verdict: v, Settings: c.Defaults}
	}
	rules := []rule{
		one(approvals.RiskRead, verdict{Outcome: approvals.Allow}),
		one(approvals.RiskAnnotate, verdict{Outcome: approvals.Confirm}),
	}
	for _, gated := range []struct {
		risk  approvals.Risk
		count int
	}{
		{approvals.RiskCollect, 1},
		{approvals.RiskContain, 1},
		{approvals.RiskExpose, 1},
		{approvals.RiskExecute, 2},
		{approvals.RiskDestroy, 2},
	} {
		v := verdict{Outcome: approvals.Approve, Count: gated.count, From: c.Approvers, Or: c.Or}
		if c.Approvers.Empty() {
			v = verdict{Outcome: approvals.Deny, Why: noGroup}
		}
		rules = append(rules, one(gated.risk, v))
	}
	return append(rules, one(approvals.RiskOff, verdict{
		Outcome: approvals.Deny, Why: "this tool is switched off; a policy rule that names it can switch it on",
	}))
}

// seal fixes the content and its digest.
func seal(p *Policy) (*Policy, error) {
	b, err := json.Marshal(p.content)
	if err != nil {
		return nil, fmt.Errorf("the policy can't be digested: %w", err)
	}
	sum := sha256.Sum256(b)
	p.digest = hex.EncodeToString(sum[:])
	return p, nil
}

// Digest is the SHA-256 (lower-case hex) of everything that answers depend on. How a file is laid out is not part of it.
func (p *Policy) Digest() string { return p.digest }

// Windows lists the counts of recent activity that answers depend on, each once: those of the blast radius and those that
// conditions ask for.
func (p *Policy) Windows() []approvals.Window { return slices.Clone(p.windows) }

// Limits bound what one requester may keep waiting.
func (p *Policy) Limits() approvals.Limits { return p.content.Limits }

// Decide answers a call. Each target is answered by the first rule that matches it, as if it were the only one; the call
// gets the strictest of these answers, so that one target can't bring the others under a milder rule. What protects
// targets, hours and the blast radius ask for is joined to that, never taken from it. Whatever can't be worked out, such as
// a condition that fails, a count that is missing or a moment that is not there, is a no.
func (p *Policy) Decide(c approvals.Call) approvals.Decision {
	s := &session{p: p, call: &c}
	return s.decide(nil)
}

// byRules is the strictest of the targets' own answers.
func (s *session) byRules(e *Explanation) approvals.Decision {
	c := s.call
	rules := s.candidates(e != nil)
	if len(c.Targets) == 0 {
		return s.first(rules, nil, e)
	}
	answers := make([]approvals.Decision, len(c.Targets))
	for i := range c.Targets {
		answers[i] = s.first(rules, &c.Targets[i], e)
	}
	return strictest(c.Targets, answers)
}

func deny(name, why string) approvals.Decision {
	return approvals.Decision{Outcome: approvals.Deny, Rule: name, Why: why}
}

// answer is what a verdict means for a call. Only known outcomes lead anywhere.
func (p *Policy) answer(name string, v verdict, s settings, c *approvals.Call) approvals.Decision {
	d := approvals.Decision{
		Outcome: v.Outcome, Rule: name, Expires: s.Expires, StartBefore: s.StartBefore,
		ReasonRequired: s.ReasonRequired && c.Risk != approvals.RiskRead, MaxTargets: s.MaxTargets,
		Terms: approvals.Terms{RemindAfter: s.RemindAfter, Wave: s.Wave},
	}
	switch v.Outcome {
	case approvals.Allow:
		return d
	case approvals.Confirm:
		if why := cannotConfirm(c); why != "" {
			return deny(name, why)
		}
		return d
	case approvals.Approve:
		if v.Count < 1 || v.From.Empty() {
			return deny(name, noGroup)
		}
		d.Quorum, d.Also = p.quorums(v, s, c.Requester.Verified)
		return d
	case approvals.Deny:
		return deny(name, v.why())
	}
	return deny(name, fmt.Sprintf("outcome %q is not known", v.Outcome))
}

// quorums adds the approvers that an unverified requester needs more. When people have to be of distinct groups and there
// are not enough groups for these, they may be of any of the groups: a demand that nobody can meet is not a stricter one.
func (p *Policy) quorums(v verdict, s settings, verified bool) (approvals.Quorum, []approvals.Quorum) {
	q := approvals.Quorum{Count: v.Count, From: v.From, Or: v.Or, Distinct: v.Distinct, Then: s.Escalate}
	if verified {
		return q, nil
	}
	more := q
	more.Count += p.content.Extra
	if !q.Distinct || more.Count <= 1+len(q.Or) {
		return more, nil
	}
	more.Distinct = false
	return q, []approvals.Quorum{more}
}

func (v verdict) why() string {
	if v.Why == "" {
		return "this rule denies it"
	}
	return v.Why
}

// cannotConfirm says why a requester's own yes would prove nothing: outside Slack it is only their client's word, and
// an identity that was only configured is nobody's yes at all.
func cannotConfirm(c *approvals.Call) string {
	switch {
	case c.Risk == approvals.RiskAnnotate || c.Risk == approvals.RiskRead:
		return ""
	case c.Requester.Via != approvals.ViaSlack:
		return "only a request typed in Slack can be confirmed by its requester, because elsewhere the yes is only the client's word; ask in Slack"
	case !c.Requester.Verified:
		return "a requester whose identity is not verified can't confirm"
	}
	return ""
}
