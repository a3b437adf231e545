package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

// session is the answering of one call.
type session struct {
	p    *Policy
	call *approvals.Call
	// lists replaces what the file's lists say of the requester's groups; only cases set it.
	lists []string
	vars  *variables
	// held remembers by rule the conditions that do not depend on the target, because they are the same for all of them.
	held map[int]held
	// spent is what conditions have cost so far.
	spent uint64
}

type held struct {
	ok  bool
	err error
}

func (s *session) decide(e *Explanation) approvals.Decision {
	c, content := s.call, &s.p.content
	if !c.Risk.Valid() {
		return deny("unknown-risk", fmt.Sprintf("risk %q of tool %s is not known", c.Risk, c.Tool))
	}
	if why := content.Never.refuses(c); why != "" {
		return deny("never_block", why)
	}
	if why := content.BreakGlass.refuses(c); why != "" {
		return deny("break-glass", why)
	}
	d := s.byRules(e)
	for _, extra := range s.extras() {
		if d.Outcome.Strictness() == approvals.Deny.Strictness() {
			return d
		}
		joined := s.join(d, extra)
		e.add(extra, joined)
		d = joined
	}
	if c.BreakGlass {
		d = emergency(d)
	}
	return d
}

// candidates are the indexes of the rules that are about the tool and its risk, because these are the same for all targets.
func (s *session) candidates(all bool) []int {
	rules := s.p.content.Rules
	out := make([]int, 0, len(rules))
	for i := range rules {
		if all || rules[i].covers(s.call) == matched {
			out = append(out, i)
		}
	}
	return out
}

// first is the answer of the first rule that matches the target, or no. A rule that can't be worked out answers no,
// because what comes after it might be milder than what it would have said.
func (s *session) first(rules []int, t *approvals.Target, e *Explanation) approvals.Decision {
	x := e.target(t)
	for _, i := range rules {
		r := &s.p.content.Rules[i]
		how, err := s.match(i, r, t)
		x.rule(r, how, err)
		if err != nil {
			return x.answer(deny(r.Name, "the rule can't be worked out: "+clipped(err.Error(), 300)))
		}
		if how == matched {
			return x.answer(s.p.answer(r.Name, r.verdict, r.Settings, s.call))
		}
	}
	return x.answer(deny("no-rule", "no rule answers this call"))
}

// mismatch says by which of its conditions a rule did not match.
type mismatch int

const (
	matched mismatch = iota
	otherTool
	otherRisk
	noTarget
	noTag
	notSo
)

func (r *rule) covers(c *approvals.Call) mismatch {
	switch {
	case len(r.Tools) > 0 && !slices.Contains(r.Tools, c.Tool):
		return otherTool
	case len(r.Risks) > 0 && !slices.Contains(r.Risks, c.Risk):
		return otherRisk
	}
	return matched
}

func (s *session) match(i int, r *rule, t *approvals.Target) (mismatch, error) {
	if how := r.covers(s.call); how != matched {
		return how, nil
	}
	for _, tags := range [][]string{r.Tags, r.OnlyTags} {
		switch {
		case len(tags) == 0:
		case t == nil:
			return noTarget, nil
		case !hasAny(t.Tags, tags):
			return noTag, nil
		}
	}
	if r.cond == nil {
		return matched, nil
	}
	if r.cond.perTarget && t == nil {
		return noTarget, nil
	}
	ok, err := s.holds(i, r.cond, t)
	if err != nil || ok {
		return matched, err
	}
	return notSo, nil
}

// hasAny compares tags without case, because people who write "Tier-0" and "tier-0" mean the same devices.
func hasAny(have, want []string) bool {
	return slices.ContainsFunc(have, func(h string) bool {
		return slices.ContainsFunc(want, func(w string) bool { return strings.EqualFold(h, w) })
	})
}

func (s *session) holds(i int, c *condition, t *approvals.Target) (bool, error) {
	if s.vars == nil {
		s.vars = newVariables(s)
	}
	if c.perTarget {
		s.vars.aim(t)
		return s.evaluate(c)
	}
	if known, ok := s.held[i]; ok {
		return known.ok, known.err
	}
	ok, err := s.evaluate(c)
	if s.held == nil {
		s.held = map[int]held{}
	}
	s.held[i] = held{ok, err}
	return ok, err
}
