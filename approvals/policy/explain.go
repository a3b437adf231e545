package policy

import (
	"fmt"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

// Explanation says how an answer came about.
type Explanation struct {
	// Decision is the answer to the call.
	Decision approvals.Decision
	// Targets are the answers to its targets, in order; one without a target when the call has none. It is empty when the
	// call was refused before its rules were asked.
	Targets []TargetExplanation
	// Extras are what other sections of the file asked besides the rules, in order.
	Extras []Extra
}

// TargetExplanation says which rule answered a target, and why those before it did not.
type TargetExplanation struct {
	// Target is nil for a call without targets.
	Target *approvals.Target
	// Passed are the rules before the one that answered, in order.
	Passed   []Passed
	Decision approvals.Decision
}

// Passed is a rule that did not answer, and why.
type Passed struct{ Rule, Why string }

// Extra is what a section of the file asked besides the rules, and the decision with it.
type Extra struct {
	// Section is its name; Because says in words why it asked.
	Section, Because string
	Decision         approvals.Decision
}

// Explain answers a call as Decide does, and says why.
func (p *Policy) Explain(c approvals.Call) Explanation {
	e := Explanation{}
	s := &session{p: p, call: &c}
	e.Decision = s.decide(&e)
	return e
}

func (e *Explanation) target(t *approvals.Target) *TargetExplanation {
	if e == nil {
		return nil
	}
	e.Targets = append(e.Targets, TargetExplanation{Target: t})
	return &e.Targets[len(e.Targets)-1]
}

func (e *Explanation) add(x extra, joined approvals.Decision) {
	if e != nil {
		e.Extras = append(e.Extras, Extra{Section: x.name, Because: x.because, Decision: joined})
	}
}

func (x *TargetExplanation) rule(r *rule, how mismatch, err error) {
	if x != nil && err == nil && how != matched {
		x.Passed = append(x.Passed, Passed{r.Name, r.because(how)})
	}
}

func (x *TargetExplanation) answer(d approvals.Decision) approvals.Decision {
	if x != nil {
		x.Decision = d
	}
	return d
}

// because says in words why the rule did not match.
func (r *rule) because(how mismatch) string {
	switch how {
	case otherTool:
		return "it is for " + strings.Join(r.Tools, ", ")
	case otherRisk:
		risks := make([]string, 0, len(r.Risks))
		for _, risk := range r.Risks {
			risks = append(risks, string(risk))
		}
		return "it is for tools of risk " + strings.Join(risks, ", ")
	case noTarget:
		return "it is about devices, and the call has none"
	case noTag:
		tags := r.Tags
		if len(tags) == 0 {
			tags = r.OnlyTags
		}
		return "the target has no tag " + strings.Join(tags, ", ")
	case notSo:
		return "it is not so that " + strings.Join(strings.Fields(r.When), " ")
	case matched:
	}
	return "it matches"
}

// String explains the answer to people: the decision first, then target by target. Targets that were answered alike are
// told together. Text of the tenant is quoted.
func (e Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", Describe(e.Decision))
	for i := 0; i < len(e.Targets); {
		n := i + 1
		for n < len(e.Targets) && e.Targets[n].alike(e.Targets[i]) {
			n++
		}
		e.Targets[i].write(&b, n-i)
		i = n
	}
	for _, x := range e.Extras {
		fmt.Fprintf(&b, "%s: %s\n", x.Section, x.Because)
	}
	return b.String()
}

func (x TargetExplanation) alike(o TargetExplanation) bool {
	if len(x.Passed) != len(o.Passed) || x.Decision.Rule != o.Decision.Rule || x.Decision.Why != o.Decision.Why {
		return false
	}
	for i := range x.Passed {
		if x.Passed[i] != o.Passed[i] {
			return false
		}
	}
	return true
}

func (x TargetExplanation) write(b *strings.Builder, n int) {
	switch {
	case x.Target == nil:
		b.WriteString("the call")
	case n == 1:
		fmt.Fprintf(b, "target %q (%q)", clip(x.Target.ID), clip(x.Target.Name))
	default:
		fmt.Fprintf(b, "target %q (%q) and %d more", clip(x.Target.ID), clip(x.Target.Name), n-1)
	}
	fmt.Fprintf(b, ": rule %q says %s\n", x.Decision.Rule, x.Decision.Outcome)
	for _, p := range x.Passed {
		fmt.Fprintf(b, "  passed %q: %s\n", p.Rule, p.Why)
	}
}

// Describe is a decision in one sentence for people.
func Describe(d approvals.Decision) string {
	switch d.Outcome {
	case approvals.Approve:
		var parts []string
		for _, q := range d.Quorums() {
			parts = append(parts, describeQuorum(q))
		}
		return fmt.Sprintf("approve by %s (rule %q)", strings.Join(parts, " and "), d.Rule)
	case approvals.Deny:
		return fmt.Sprintf("deny (rule %q): %s", d.Rule, d.Why)
	case approvals.Allow, approvals.Confirm:
	}
	return fmt.Sprintf("%s (rule %q)", d.Outcome, d.Rule)
}

func describeQuorum(q approvals.Quorum) string {
	names := []string{q.From.Name}
	for _, g := range q.Or {
		names = append(names, g.Name)
	}
	text := fmt.Sprintf("%d of %s", q.Count, strings.Join(names, " or "))
	if q.Distinct {
		text += ", each of another group"
	}
	for _, e := range q.Then {
		text += fmt.Sprintf(", after %s also %s", short(e.After), e.To.Name)
	}
	return text
}
