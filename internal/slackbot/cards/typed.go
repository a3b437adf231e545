package cards

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// The window that asks for a typed confirmation, and its field.
const (
	ViewTyped  = "mde_typed_view"
	BlockTyped = "mde_typed"
	InputTyped = "mde_typed_text"

	// LargePlan is the most targets to which a yes is a press alone, unless an administrator chose another number.
	LargePlan = 5

	maxTyped = 253
	idTyped  = 8
)

// Typing is what a person types with a yes, so that a thumb alone gives none to what destroys or is large. Its zero value
// asks for nothing.
type Typing struct {
	// Label says what to type. It does not repeat it, because who copies it has not looked.
	Label string
	want  string
}

// TypingFor is what a yes to p asks to be typed when more than large targets are many.
func TypingFor(p approvals.Plan, large int) Typing {
	on := p.Targets
	if p.Resumes != nil && len(p.Resumes.Targets) > 0 {
		on = p.Resumes.Targets
	}
	if !Destructive(p) && max(len(p.Targets), len(on)) <= large {
		return Typing{}
	}
	if len(on) == 1 {
		return typingOf(on[0])
	}
	return Typing{Label: "how many " + plural(on) + " this acts on, as a number", want: strconv.Itoa(len(on))}
}

// typingOf asks for a target's name or, where that can't be typed as it is read, for the beginning of its id.
func typingOf(t approvals.Target) Typing {
	if typeable(t.Name) {
		return Typing{Label: fmt.Sprintf("the name of the %s, as it stands above", kindWord(t.Kind)), want: t.Name}
	}
	id := []rune(t.ID)
	id = id[:min(len(id), idTyped)]
	return Typing{Label: fmt.Sprintf("the first %d characters of the id of the %s", len(id), kindWord(t.Kind)), want: string(id)}
}

// typeable reports whether a name is drawn as it is and can be typed on any keyboard.
func typeable(name string) bool {
	if name == "" || len(name) > maxTyped || strings.TrimSpace(name) != name {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' || r == '"' })
}

// kindWord is a kind of target in a label of our own; a kind that this version does not know is not shown there.
func kindWord(kind string) string {
	if slices.Contains([]string{kindDevice, kindRequest, kindSwitch}, kind) {
		return kind
	}
	return "target"
}

func plural(list []approvals.Target) string {
	if slices.ContainsFunc(list, func(t approvals.Target) bool { return t.Kind != kindDevice }) {
		return "targets"
	}
	return "devices"
}

// Destructive reports whether a plan, or what it lets go on, can't simply be taken back. A risk that is not known is taken
// for one.
func Destructive(p approvals.Plan) bool {
	mild := []approvals.Risk{approvals.RiskAnnotate, approvals.RiskCollect, approvals.RiskContain, approvals.RiskExpose}
	return !slices.Contains(mild, p.Risk) || (p.Resumes != nil && !slices.Contains(mild, p.Resumes.Risk))
}

// Needed reports whether anything must be typed.
func (t Typing) Needed() bool { return t.Label != "" }

// Met reports whether what was typed is what was asked for. Only A to Z may differ in case: other letters fold into these,
// and look-alikes must not pass.
func (t Typing) Met(typed string) bool {
	return !t.Needed() || (t.want != "" && lowerASCII(strings.TrimSpace(typed)) == lowerASCII(t.want))
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// field is where it is typed.
func (t Typing) field(y Yes) slack.Block {
	label, _ := blockkit.Plain(fmt.Sprintf("%s: type %s", y.Label, t.Label), 200)
	return slack.NewInputBlock(BlockTyped, label, nil, slack.NewPlainTextInputBlockElement(nil, InputTyped).WithMaxLength(maxTyped))
}

// TypedView repeats what a yes would do and asks to type something of it. It reports false when it can't hold everything;
// then it must not be shown, and the details are read instead.
func TypedView(r approvals.Request, card Place, y Yes) (slack.ModalViewRequest, bool) {
	c := blockkit.New()
	c.Lines(headline(r, Around{}), r.Plan.Preview)
	asked(c, r)
	acts(c, r.Plan, true)
	yesIncludes(c, r)
	c.Small("Request " + r.ID + " · risk " + string(r.Plan.Risk) + " · digest " + approvals.ShortDigest(r.Digest))
	t := Ticket{Stamp: Stamp{r.ID, r.Digest}.String(), Card: card, Verdict: y.Verdict}
	v := modal(y.Label+" "+r.ID, ViewTyped, t, append(c.Blocks, y.Typing.field(y))...)
	v.Submit, _ = blockkit.Plain(y.Label, 24)
	return v, !c.Cut && approvals.Genuine(r) == nil
}
