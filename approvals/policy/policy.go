// Package policy answers whether a planned call may run, and whose yes it needs: from a table by risk that is always
// there, and from an owner's YAML file whose rules come before it.
//
// A policy never changes once it is made, and it answers no to whatever it does not know.
package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// Policy implements approvals.Policy.
type Policy struct {
	content content
	digest  string
}

var _ approvals.Policy = (*Policy)(nil)

// content is everything that answers depend on; the digest is over its JSON.
type content struct {
	Format      int             `json:"format"`
	Defaults    settings        `json:"defaults"`
	Approvers   approvals.Group `json:"approvers"`
	Extra       int             `json:"unverified_extra"`
	StartBefore time.Duration   `json:"start_before"`
	Rules       []rule          `json:"rules"`
}

// settings may be set for all rules and for one.
type settings struct {
	Expires        time.Duration `json:"expires"`
	ReasonRequired bool          `json:"reason_required"`
	MaxTargets     int           `json:"max_targets"`
}

// rule answers the calls that it matches.
type rule struct {
	Name string `json:"name"`
	// Tools, Risks, Tags and OnlyTags match when empty; the others must all match. A call is matched once for each of its
	// targets, as if that were the only one.
	Tools []string         `json:"tools,omitempty"`
	Risks []approvals.Risk `json:"risks,omitempty"`
	// Tags and OnlyTags match when the target has one of them.
	Tags     []string          `json:"tags,omitempty"`
	OnlyTags []string          `json:"only_tags,omitempty"`
	Outcome  approvals.Outcome `json:"outcome"`
	Count    int               `json:"count,omitempty"`
	From     approvals.Group   `json:"from"`
	Why      string            `json:"why,omitempty"`
	Settings settings          `json:"settings"`
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
		Format: 1, Approvers: o.ApproverGroup, Extra: defaultExtra, StartBefore: orDefault(o.StartBefore, DefaultStartBefore),
		Defaults: settings{
			Expires: orDefault(o.Expires, DefaultExpires), ReasonRequired: true, MaxTargets: orDefault(o.MaxTargets, DefaultMaxTargets),
		},
	}
	c.Rules = table(c.Approvers, c.Defaults)
	return seal(c)
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
func table(approvers approvals.Group, s settings) []rule {
	rules := []rule{
		{Name: "default-read", Risks: []approvals.Risk{approvals.RiskRead}, Outcome: approvals.Allow, Settings: s},
		{Name: "default-annotate", Risks: []approvals.Risk{approvals.RiskAnnotate}, Outcome: approvals.Confirm, Settings: s},
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
		r := rule{Name: "default-" + string(gated.risk), Risks: []approvals.Risk{gated.risk}, Settings: s}
		if approvers.Empty() {
			r.Outcome, r.Why = approvals.Deny, noGroup
		} else {
			r.Outcome, r.Count, r.From = approvals.Approve, gated.count, approvers
		}
		rules = append(rules, r)
	}
	return append(rules, rule{
		Name: "default-off", Risks: []approvals.Risk{approvals.RiskOff}, Outcome: approvals.Deny, Settings: s,
		Why: "this tool is switched off; a policy rule that names it can switch it on",
	})
}

// seal fixes the content and its digest.
func seal(c content) (*Policy, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("the policy can't be digested: %w", err)
	}
	sum := sha256.Sum256(b)
	return &Policy{content: c, digest: hex.EncodeToString(sum[:])}, nil
}

// Digest is the SHA-256 (lower-case hex) of everything that answers depend on. How a file is laid out is not part of it.
func (p *Policy) Digest() string { return p.digest }

// Windows lists the counts of recent activity that answers depend on.
func (p *Policy) Windows() []approvals.Window { return nil }

// Limits bound what one requester may keep waiting.
func (p *Policy) Limits() approvals.Limits { return approvals.Limits{} }

// Decide answers a call. Each target is answered by the first rule that matches it, as if it were the only one; the call
// gets the strictest of these answers, so that one target can't bring the others under a milder rule.
func (p *Policy) Decide(c approvals.Call) approvals.Decision {
	if !c.Risk.Valid() {
		return deny("unknown-risk", fmt.Sprintf("risk %q of tool %s is not known", c.Risk, c.Tool))
	}
	if len(c.Targets) == 0 {
		return p.first(c)
	}
	answers := make([]approvals.Decision, len(c.Targets))
	for i := range c.Targets {
		one := c
		one.Targets = c.Targets[i : i+1]
		answers[i] = p.first(one)
	}
	return strictest(c.Targets, answers)
}

// first is the answer of the first rule that matches, or no.
func (p *Policy) first(c approvals.Call) approvals.Decision {
	for _, r := range p.content.Rules {
		if r.matches(c) {
			return p.answer(r, c)
		}
	}
	return deny("no-rule", "no rule answers this call")
}

func deny(name, why string) approvals.Decision {
	return approvals.Decision{Outcome: approvals.Deny, Rule: name, Why: why}
}

func (r rule) matches(c approvals.Call) bool {
	tagged := func(tags []string) bool {
		return len(c.Targets) > 0 && !slices.ContainsFunc(c.Targets, func(t approvals.Target) bool { return !hasAny(t.Tags, tags) })
	}
	switch {
	case len(r.Tools) > 0 && !slices.Contains(r.Tools, c.Tool):
		return false
	case len(r.Risks) > 0 && !slices.Contains(r.Risks, c.Risk):
		return false
	case len(r.Tags) > 0 && !tagged(r.Tags):
		return false
	case len(r.OnlyTags) > 0 && !tagged(r.OnlyTags):
		return false
	}
	return true
}

// hasAny compares tags without case, because people who write "Tier-0" and "tier-0" mean the same devices.
func hasAny(have, want []string) bool {
	return slices.ContainsFunc(have, func(h string) bool {
		return slices.ContainsFunc(want, func(w string) bool { return strings.EqualFold(h, w) })
	})
}

// answer is what a rule says to a call that it matches. Only known outcomes lead anywhere.
func (p *Policy) answer(r rule, c approvals.Call) approvals.Decision {
	d := approvals.Decision{
		Outcome: r.Outcome, Rule: r.Name, Expires: r.Settings.Expires, StartBefore: p.content.StartBefore,
		ReasonRequired: r.Settings.ReasonRequired && c.Risk != approvals.RiskRead,
		MaxTargets:     r.Settings.MaxTargets,
	}
	switch r.Outcome {
	case approvals.Allow:
		return d
	case approvals.Confirm:
		if why := cannotConfirm(c); why != "" {
			return deny(r.Name, why)
		}
		return d
	case approvals.Approve:
		if r.Count < 1 || r.From.Empty() {
			return deny(r.Name, noGroup)
		}
		d.Quorum = approvals.Quorum{Count: r.Count, From: r.From}
		if !c.Requester.Verified {
			d.Quorum.Count += p.content.Extra
		}
		return d
	case approvals.Deny:
		return deny(r.Name, r.why())
	}
	return deny(r.Name, fmt.Sprintf("outcome %q is not known", r.Outcome))
}

func (r rule) why() string {
	if r.Why == "" {
		return "this rule denies it"
	}
	return r.Why
}

// cannotConfirm says why a requester's own yes would prove nothing: outside Slack it is only their client's word, and
// an identity that was only configured is nobody's yes at all.
func cannotConfirm(c approvals.Call) string {
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
