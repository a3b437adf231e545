package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

// spec is the declaration of one tool. In is what it takes, Out what it gives; both are structs whose tags make the
// schemas. A reading tool has read, an acting tool has plan and performs.
type spec[In, Out any] struct {
	name, title, summary string
	toolset              Toolset
	surface              Surface
	risk                 approvals.Risk
	// raised is a higher risk that plan may state for what it would do, by setting Plan.Risk; empty when there is none.
	raised     approvals.Risk
	positional []string
	hints      Annotations
	untrusted  bool
	// lists names the output's list, when the tool gives one in pages: In embeds listing then, and Out paged.
	lists string
	// read answers a call, with a short text beside the structure.
	read func(context.Context, *session, In) (Out, string, error)
	// plan resolves and checks everything now and freezes it; it writes nothing.
	plan func(context.Context, *session, In) (approvals.Plan, error)
	// performs sees one approved step through.
	performs performs
	// undo names the tool whose devices argument takes the same targets back; empty when there is none.
	undo string
	// reverse is how what this tool did is found and taken back by undo; needed with undo.
	reverse *reversal
	// borrows says that plan makes a plan of another tool, with that tool's name, risk, arguments and steps: policy is asked
	// about that one, and that one performs it.
	borrows bool
}

// performs is how one frozen step of an acting tool is sent, found again and followed.
type performs struct {
	apply  func(context.Context, hands, worker.Task) (worker.Receipt, error)
	find   func(ctx context.Context, with hands, t worker.Task, since time.Time) (worker.Receipt, bool, error)
	follow func(ctx context.Context, with hands, t worker.Task, actionID string) (worker.Progress, error)
	// collect brings what a succeeded action gave into the evidence store; nil when it gives nothing. It may take minutes, and
	// doing it again stores nothing twice.
	collect func(ctx context.Context, with hands, t worker.Task, actionID string) (worker.Progress, error)
}

func (p performs) complete() bool { return p.apply != nil && p.find != nil && p.follow != nil }

func (p performs) empty() bool { return p.apply == nil && p.find == nil && p.follow == nil }

// declaration is a spec of any types, as the catalogue lists it.
type declaration interface {
	compile() (*compiled, error)
	// types are the tool's name, its input and its output.
	types() (name string, in, out reflect.Type)
}

// compiled is a checked declaration whose types are gone.
type compiled struct {
	tool     Tool
	read     func(context.Context, *session, json.RawMessage) (any, string, error)
	plan     func(context.Context, *session, json.RawMessage) (approvals.Plan, bool, error)
	performs performs
	undo     string
	reverse  *reversal
	borrows  bool
}

// asking is what the input of every acting tool embeds.
type asking struct {
	Reason string `json:"reason,omitempty" jsonschema:"Why; approvers read it" range:"0,400"`
	DryRun bool   `json:"dry_run,omitempty" jsonschema:"Plan only"`
}

func (a asking) asked() asking { return a }

var toolName = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)

func (s spec[In, Out]) types() (name string, in, out reflect.Type) {
	return s.name, reflect.TypeFor[In](), reflect.TypeFor[Out]()
}

// compile refuses a declaration that lacks a part, so that nobody can forget one.
func (s spec[In, Out]) compile() (*compiled, error) {
	args, err := argsOf(reflect.TypeFor[In](), s.positional)
	if err != nil {
		return nil, fmt.Errorf("tool %q: %w", s.name, err)
	}
	schemas, err := schemasOf(s.name, reflect.TypeFor[In](), reflect.TypeFor[Out]())
	if err != nil {
		return nil, fmt.Errorf("tool %q: %w", s.name, err)
	}
	if err := s.whole(); err != nil {
		return nil, fmt.Errorf("tool %q: %w", s.name, err)
	}
	c := &compiled{
		tool: Tool{
			Name: s.name, Title: s.title, Summary: s.summary, Toolset: s.toolset, Risk: s.risk, Raised: s.raised, Args: args,
			InputSchema: schemas.Input, OutputSchema: schemas.Output, Annotations: s.hints, Untrusted: s.untrusted, Surface: s.surface,
		},
		performs: s.performs, undo: s.undo, reverse: s.reverse, borrows: s.borrows,
	}
	if s.read != nil {
		c.read = s.runRead
	} else {
		c.plan = s.runPlan
	}
	return c, nil
}

// whole says which part of the declaration is missing or contradicts another.
func (s spec[In, Out]) whole() error {
	var zero In
	_, asks := any(zero).(interface{ asked() asking })
	var faults []error
	fault := func(wrong bool, text string) {
		if wrong {
			faults = append(faults, errors.New(text))
		}
	}
	fault(!toolName.MatchString(s.name), "its name must be lower-case words joined by '_'")
	fault(s.title == "" || s.summary == "" || s.toolset == "", "title, summary and toolset must be stated")
	fault(s.surface != Default && s.surface != InToolset && s.surface != ByName, fmt.Sprintf("surface %q is none: it is offered by default, in its toolset or by name", s.surface))
	_, pages := any(zero).(interface{ listed() listing })
	fault(pages != (s.lists != ""), "a tool that lists embeds listing in its input and names its list")
	if s.lists != "" {
		var out Out
		_, listsOut := any(out).(interface{ page() paged })
		fault(!listsOut, "the output of a tool that lists embeds paged")
	}
	fault(s.raised != "" && (!s.raised.Valid() || s.raised == s.risk || s.risk == approvals.RiskRead || s.borrows), fmt.Sprintf("risk %q can't be raised to %q", s.risk, s.raised))
	fault(!s.risk.Valid(), fmt.Sprintf("risk %q is not one of %v", s.risk, approvals.Risks()))
	if s.risk == approvals.RiskRead {
		fault(s.read == nil, "a reading tool needs read")
		fault(s.plan != nil || !s.performs.empty() || s.undo != "" || s.borrows, "a reading tool must not act")
		fault(s.hints.Destructive, "a reading tool is not destructive")
	} else {
		fault(s.read != nil, "an acting tool must not act at the call: it needs plan, not read")
		fault(s.plan == nil || s.performs.complete() == s.borrows, "an acting tool needs plan, apply, find and follow")
		fault(s.borrows && (!s.performs.empty() || s.undo != ""), "a tool that makes another tool's plan performs nothing itself")
		fault((s.undo != "") != (s.reverse != nil), "an inverse needs both its tool and how it takes back")
		fault(s.hints.ReadOnly, "an acting tool is not read-only")
		fault(!asks, "an acting tool's input must embed asking (reason, dry_run)")
		fault(reflect.TypeFor[Out]() != reflect.TypeFor[requestView](), "an acting tool's output is a request")
	}
	return errors.Join(faults...)
}

func (s spec[In, Out]) runRead(ctx context.Context, on *session, raw json.RawMessage) (any, string, error) {
	in, err := decode[In](raw)
	if err != nil {
		return nil, "", err
	}
	if s.lists == "" {
		out, text, err := s.read(ctx, on, in)
		if err == nil {
			err = fits(out)
		}
		if err != nil {
			return nil, "", err
		}
		return out, text, nil
	}
	return s.runList(ctx, on, raw, in)
}

// runList is runRead for a tool that gives its list in pages.
func (s spec[In, Out]) runList(ctx context.Context, on *session, raw json.RawMessage, in In) (any, string, error) {
	var err error
	if on.pager, err = pagerOf(s.name, raw); err != nil {
		return nil, "", err
	}
	out, text, err := s.read(ctx, on, in)
	if err != nil {
		return nil, "", err
	}
	asked, isListing := any(in).(interface{ listed() listing })
	page, isListed := any(out).(interface{ page() paged })
	if !isListing || !isListed {
		return nil, "", fmt.Errorf("tool %q: its types don't embed listing and paged", s.name)
	}
	answer, err := on.bounded(s.lists, asked.listed(), page)
	return answer, text, err
}

// runPlan makes the plan and fills in what every plan holds. The second answer says that it is only a dry run.
func (s spec[In, Out]) runPlan(ctx context.Context, on *session, raw json.RawMessage) (approvals.Plan, bool, error) {
	in, err := decode[In](raw)
	if err != nil {
		return approvals.Plan{}, false, err
	}
	asks, ok := any(in).(interface{ asked() asking })
	if !ok {
		return approvals.Plan{}, false, fmt.Errorf("tool %q: its input does not embed asking", s.name)
	}
	args, err := canonical(in)
	if err != nil {
		return approvals.Plan{}, false, err
	}
	// What a plan has to look up goes before what others only want to see.
	plan, err := s.plan(mdecore.WithPriority(ctx, mdecore.Containment), on, in)
	if err != nil {
		return approvals.Plan{}, false, err
	}
	plan.Tenant, plan.Reason = on.tenant, asks.asked().Reason
	if !s.borrows {
		if plan.Risk == "" {
			plan.Risk = s.risk
		}
		if plan.Risk != s.risk && plan.Risk != s.raised {
			return approvals.Plan{}, false, fmt.Errorf("tool %q: its plan states risk %q, which the tool does not", s.name, plan.Risk)
		}
		plan.Tool, plan.Args = s.name, args
	}
	if dry := asks.asked().DryRun; dry {
		return plan, true, nil
	}
	on.weigh(ctx, &plan)
	return plan, false, nil
}

// decode reads checked arguments. It can only fail when the checks and the type disagree, which must lead to no action.
func decode[In any](raw json.RawMessage) (In, error) {
	var in In
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, approvals.Refuse(approvals.KindInvalid, err, "the arguments could not be read")
	}
	return in, nil
}
