package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// extra is what a section of the file asks besides the rules.
type extra struct {
	// name is shown as the rule, and because says why it asks.
	name, because string
	verdict       verdict
}

// quiet asks for more, or says no, while its hours last.
type quiet struct {
	calendar
	scope
	Then verdict `json:"then"`
}

// blast asks for more, or says no, when a call would bring the targets of a window above a number.
type blast struct {
	scope
	Window  time.Duration `json:"window"`
	Targets int           `json:"targets"`
	Then    verdict       `json:"then"`
}

// protect asks for more, or says no, when a call acts on one of some devices.
type protect struct {
	Name string `json:"name"`
	scope
	Tags    []string `json:"tags,omitempty"`
	Devices []string `json:"devices,omitempty"`
	Then    verdict  `json:"then"`
}

// breakGlass says who may contain devices without other people's yes, in an emergency.
type breakGlass struct {
	// People are Slack ids: U… or TEAM/U….
	People []string `json:"people"`
	Tools  []string `json:"tools"`
	// Tell are groups that are told.
	Tell []approvals.Group `json:"tell,omitempty"`
}

// extras lists what the sections ask of the call. A section that can't be worked out asks for a no.
func (s *session) extras() []extra {
	c, content := s.call, &s.p.content
	var out []extra
	for i := range content.Protect {
		if e, ok := content.Protect[i].asks(c); ok {
			out = append(out, e)
		}
	}
	for i := range content.Quiet {
		// Emergencies don't wait for the morning: what break-glass does without is other people's yes.
		if e, ok := content.Quiet[i].asks(c); ok && !c.BreakGlass {
			out = append(out, e)
		}
	}
	for i := range content.Blast {
		if e, ok := content.Blast[i].asks(c); ok {
			out = append(out, e)
		}
	}
	return out
}

// join adds what e asks to d. It takes the times and the cap of d, so that it can only add people or say no. It is not
// escalated: what a section asks for is the least, also when nobody answers.
func (s *session) join(d approvals.Decision, e extra) approvals.Decision {
	asked := d
	more := s.p.answer(e.name, e.verdict, settings{}, s.call)
	if more.Outcome == approvals.Deny {
		return deny(e.name, e.because+": "+more.Why)
	}
	asked.Outcome, asked.Rule, asked.Quorum, asked.Also = more.Outcome, e.name, more.Quorum, more.Also
	return approvals.Stricter(d, asked)
}

func (q *quiet) asks(c *approvals.Call) (extra, bool) {
	if !q.covers(c) {
		return extra{}, false
	}
	if c.At.IsZero() {
		return extra{
			"quiet_hours", "whether these are quiet hours is not known",
			verdict{Outcome: approvals.Deny, Why: "the call brings no time"},
		}, true
	}
	return extra{"quiet_hours", "these are quiet hours (" + q.String() + ")", q.Then}, q.open(c.At)
}

// String is the span as files write it.
func (c *calendar) String() string {
	names := make([]string, 0, len(c.Days))
	for _, d := range c.Days {
		names = append(names, days()[d])
	}
	return fmt.Sprintf("%s %02d:%02d to %02d:%02d %s", strings.Join(names, ","), c.From/60, c.From%60, c.To/60, c.To%60, c.Zone)
}

func (b *blast) asks(c *approvals.Call) (extra, bool) {
	if !b.covers(c) {
		return extra{}, false
	}
	sum := len(c.Targets)
	for _, w := range b.windows() {
		n, ok := c.Recent[w]
		if !ok || n < 0 {
			return extra{
				"blast_radius", fmt.Sprintf("what was done in the last %s is not known", b.Window),
				verdict{Outcome: approvals.Deny, Why: "the call brings no count of it"},
			}, true
		}
		sum += n
	}
	because := fmt.Sprintf("with this call %d targets in %s, more than %d", sum, short(b.Window), b.Targets)
	return extra{"blast_radius", because, b.Then}, sum > b.Targets
}

// windows are the counts that the section adds up. No action is in two of them, because it has one tool and one risk.
func (b *blast) windows() []approvals.Window {
	var out []approvals.Window
	add := func(w approvals.Window) {
		if w.Length = b.Window; !slices.Contains(out, w) { // a tool that is named twice acted once
			out = append(out, w)
		}
	}
	for _, tool := range b.Tools {
		add(approvals.Window{Tool: tool})
	}
	for _, risk := range b.Risks {
		add(approvals.Window{Risk: risk})
	}
	if len(out) == 0 {
		out = append(out, approvals.Window{Length: b.Window})
	}
	return out
}

func (p *protect) asks(c *approvals.Call) (extra, bool) {
	if !p.covers(c) {
		return extra{}, false
	}
	for i := range c.Targets {
		if t := &c.Targets[i]; p.holds(t) {
			return extra{p.Name, fmt.Sprintf("target %s is protected", t.ID), p.Then}, true
		}
	}
	return extra{}, false
}

func (p *protect) holds(t *approvals.Target) bool {
	return hasAny(t.Tags, p.Tags) || hasAny([]string{t.ID, t.Name}, p.Devices)
}

// BreakGlass says with which tools the emergency way may be used, and which groups are told; ok is false when it is off.
func (p *Policy) BreakGlass() (tools []string, tell []approvals.Group, ok bool) {
	b := p.content.BreakGlass
	if b == nil {
		return nil, nil, false
	}
	return slices.Clone(b.Tools), slices.Clone(b.Tell), true
}

// refuses says why the call may not use the emergency way, and "" when it may or does not ask to.
func (b *breakGlass) refuses(c *approvals.Call) string {
	r := c.Requester
	switch {
	case !c.BreakGlass:
		return ""
	case b == nil:
		return "the policy has no break_glass"
	case r.Via != approvals.ViaSlack || !r.Verified:
		return "break-glass is for people whom Slack has verified, in its dialog"
	case c.Risk != approvals.RiskContain || !slices.Contains(b.Tools, c.Tool):
		return fmt.Sprintf("break-glass is not for tool %s", c.Tool)
	case !b.names(r.Person):
		return "break_glass does not name the requester"
	case len(c.Targets) == 0:
		return "break-glass acts on named targets, and the call has none"
	}
	return ""
}

func (b *breakGlass) names(p approvals.Person) bool {
	team, user, ok := p.Slack()
	return ok && user != "" && (slices.Contains(b.People, user) || slices.Contains(b.People, team+"/"+user))
}

// emergency replaces other people's yes by the requester's own. A no stays one.
func emergency(d approvals.Decision) approvals.Decision {
	if d.Outcome.Strictness() == approvals.Deny.Strictness() {
		return d
	}
	d.Outcome, d.Rule, d.Quorum, d.Also = approvals.Confirm, "break-glass", approvals.Quorum{}, nil
	d.ReasonRequired, d.Terms.BreakGlass = true, true
	return d
}
