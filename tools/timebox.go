package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

// The bounds of a time-box: shorter than the least would end before people could look, longer than the most is no time-box.
const (
	leastSpan = 15 * time.Minute
	mostSpan  = 7 * 24 * time.Hour
)

// parseSpan reads how long a time-box is: 90m, 4h or 2d.
func parseSpan(s string) (time.Duration, error) {
	if len(s) > 5 {
		return 0, fmt.Errorf("not a time: %s", quoted(s, 40))
	}
	end, err := parseAge(s, time.Unix(0, 0))
	span := time.Unix(0, 0).Sub(end)
	if err != nil || span < leastSpan || span > mostSpan {
		return 0, fmt.Errorf("not a time from %v to %v: %s", leastSpan, mostSpan, quoted(s, 40))
	}
	return span, nil
}

// boxed refuses to put a time on what is isolated already: the release would end an isolation that this call did not make.
func (f *finding) boxed(actions []*mdecore.MachineAction, span string) {
	if span != "" && isolationOf(actions) == isolated {
		f.refuse("is already isolated, so that its release after %s would end an isolation which this call did not make; leave `for` out, or the device", span)
	}
}

// boxed puts a time on a plan: what its steps do is undone after it by another tool.
func (s *session) boxed(p approvals.Plan, text, inverse string) (approvals.Plan, error) {
	span, err := parseSpan(text)
	if err != nil {
		return p, approvals.Refuse(approvals.KindInvalid, err, "Nothing was sent: for: %s", err.Error())
	}
	p.TimeBox = &approvals.TimeBox{For: span, Tool: inverse, Risk: s.riskOf(inverse)}
	p.Preview += " for " + text + ", each released " + text + " after its isolation succeeded"
	return p, nil
}

// boxView is the time-box of one step as callers see it.
type boxView struct {
	Step     int       `json:"step" jsonschema:"index of the step"`
	Target   string    `json:"target" jsonschema:"id of the target"`
	State    string    `json:"state" jsonschema:"armed, releasing or closed"`
	Due      time.Time `json:"due" jsonschema:"when the step is undone"`
	Left     string    `json:"left,omitempty" jsonschema:"time left until then"`
	Trouble  string    `json:"trouble,omitempty" jsonschema:"what keeps a due one from being released: held, denied, clock, asking or failed; it is tried again"`
	Release  string    `json:"release,omitempty" jsonschema:"id of the request that undoes it"`
	Message  string    `json:"message,omitempty" jsonschema:"why the state is what it is"`
	ClosedAt time.Time `json:"closed_at,omitzero" jsonschema:"when nothing was left to undo"`
}

// boxesOf draws the time-boxes of a request.
func (s *session) boxesOf(ctx context.Context, r approvals.Request) ([]boxView, error) {
	if r.Plan.TimeBox == nil {
		return nil, nil
	}
	boxes, err := s.gate.Timeboxes(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	var views []boxView
	for _, b := range boxes {
		v := boxView{
			Step: b.Index, Target: b.Target, State: string(b.State), Due: b.Due, Trouble: clean(b.Trouble, 40), Release: b.ReleaseID,
			Message: clean(b.Message, 300),
		}
		switch left := b.Due.Sub(s.clock()); {
		case !b.Open():
			v.ClosedAt = b.UpdatedAt
		case left > 0:
			v.Left = left.Round(time.Second).String()
		}
		views = append(views, v)
	}
	return views, nil
}

// text is a time-box in one line.
func (v boxView) text() string {
	line := fmt.Sprintf("Time-box of step %d: %s, due %s", v.Step+1, v.State, v.Due.UTC().Format(time.RFC3339))
	if v.Left != "" {
		line += ", " + v.Left + " left"
	}
	if !v.ClosedAt.IsZero() && v.ClosedAt.Before(v.Due) {
		line += ", ended early"
	}
	if v.Trouble != "" {
		line += ", " + v.Trouble
	}
	return strings.TrimSuffix(line+": "+v.Message, ": ")
}

var (
	_ worker.Undoer    = (*Performer)(nil)
	_ worker.Timepiece = (*Performer)(nil)
)

// Inverse is the plan that ends the time-box of some steps of a request. It is made of the request alone.
func (p *Performer) Inverse(r approvals.Request, steps []int) (approvals.Plan, error) {
	v, inverse, err := p.reversal(r)
	if err != nil {
		return approvals.Plan{}, err
	}
	plan := approvals.Plan{Tenant: r.Plan.Tenant, Tool: inverse.tool.Name, Risk: inverse.tool.Risk, Reason: "the time-box of request " + r.ID + " is over"}
	var ids []string
	var devices []*mdecore.Machine
	for _, i := range steps {
		if i < 0 || i >= len(r.Plan.Steps) {
			return approvals.Plan{}, fmt.Errorf("request %s has no step %d", r.ID, i+1)
		}
		target, ok := r.Plan.Target(r.Plan.Steps[i].Target)
		if !ok {
			return approvals.Plan{}, fmt.Errorf("step %d of request %s has no target", i+1, r.ID)
		}
		step, err := v.step(target.ID, nil)
		if err != nil {
			return approvals.Plan{}, err
		}
		m := &mdecore.Machine{ID: target.ID, ComputerDNSName: target.Name}
		step.Summary = step.Action + " " + label(m)
		ids, devices = append(ids, target.ID), append(devices, m)
		plan.Targets, plan.Steps = append(plan.Targets, target), append(plan.Steps, step)
	}
	plan.Preview = fmt.Sprintf(v.preview, naming(devices)) + ", because the time-box of request " + r.ID + " is over"
	plan.Args, err = v.args(ids, asking{Reason: plan.Reason})
	return plan, err
}

// reversal is how the steps of a request with a time-box are taken back, and by which tool.
func (p *Performer) reversal(r approvals.Request) (*reversal, *compiled, error) {
	c, ok := p.tools[r.Plan.Tool]
	if !ok || c.reverse == nil || r.Plan.TimeBox == nil || r.Plan.TimeBox.Tool != c.undo || p.tools[c.undo] == nil {
		return nil, nil, fmt.Errorf("request %s has no time-box that %s could end", r.ID, quoted(r.Plan.Tool, 60))
	}
	if r.Plan.Tenant != p.tenant {
		return nil, nil, fmt.Errorf("request %s is for another tenant than this worker's", r.ID)
	}
	return c.reverse, p.tools[c.undo], nil
}

// InForce looks in the tenant whether what steps of a request did is in force and theirs.
func (p *Performer) InForce(ctx context.Context, r approvals.Request, steps []int) ([]worker.Force, error) {
	v, _, err := p.reversal(r)
	if err != nil {
		return nil, err
	}
	var devices []*mdecore.Machine
	for _, i := range steps {
		if i < 0 || i >= len(r.Plan.Steps) || i >= len(r.Steps) {
			return nil, fmt.Errorf("request %s has no step %d", r.ID, i+1)
		}
		devices = append(devices, &mdecore.Machine{ID: r.Plan.Steps[i].Target})
	}
	h := &house{reader: p.hands.reader, clock: p.clock}
	actions, err := h.actionsOf(acting(ctx), devices, v.types...)
	if err != nil {
		return nil, err
	}
	forces := make([]worker.Force, len(steps))
	for n, i := range steps {
		forces[n], _ = v.standing(deedOf(r, i), actions[strings.ToLower(devices[n].ID)])
	}
	return forces, nil
}

// Clock is the tenant's time, by the Date of an answer.
func (p *Performer) Clock(ctx context.Context) (time.Time, error) {
	var answer *http.Response
	for _, err := range p.hands.reader.ListMachineActions(policy.WithCaptureResponse(acting(ctx), &answer), mdecore.Query{Page: mdecore.Page{Top: 1}}) {
		if err != nil && !mdecore.IsNotFound(err) {
			return time.Time{}, err
		}
		break
	}
	if answer == nil {
		return time.Time{}, fmt.Errorf("the tenant's clock can't be read: there was no answer")
	}
	at, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return time.Time{}, fmt.Errorf("the tenant's clock can't be read: its answer has no date")
	}
	return at, nil
}

type extendIn struct {
	ID  string `json:"id" jsonschema:"Id of the request with the time-box" form:"request"`
	For string `json:"for" jsonschema:"How much later to release, from 15m to 168h, such as 2h" form:"span"`
	asking
}

func extendTimebox() declaration {
	return spec[extendIn, requestView]{
		name: approvals.ToolExtend, title: "Extend a time-box", toolset: Requests, surface: InToolset, risk: approvals.RiskContain,
		summary: "Ask to release later what a request isolated for a time. Makes a request that other people approve in Slack; until then the old time counts. " +
			"To release earlier, use undo_request.",
		positional: []string{"id", "for"}, untrusted: true,
		hints:    Annotations{Destructive: true, OpenWorld: true},
		plan:     planExtend,
		performs: onBoard(extend),
	}
}

func planExtend(ctx context.Context, s *session, in extendIn) (approvals.Plan, error) {
	span, err := parseSpan(in.For)
	if err != nil {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, err, "Nothing was sent: for: %s", err.Error())
	}
	r, err := s.gate.Get(ctx, strings.ToUpper(in.ID))
	if err != nil {
		return approvals.Plan{}, err
	}
	boxes, err := s.gate.Timeboxes(ctx, r.ID)
	if err != nil {
		return approvals.Plan{}, err
	}
	armed, until := 0, time.Time{}
	for _, b := range boxes {
		if b.State == store.TimeboxArmed {
			armed++
			if b.Due.After(until) {
				until = b.Due
			}
		}
	}
	if armed == 0 {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: request %s has no time-box that still runs", r.ID)
	}
	args, err := canonical(worker.Extension{For: span})
	preview := fmt.Sprintf("Release what request %s isolated %s later: %s at the latest %s instead of %s", r.ID, in.For,
		counted(armed, "device", false), until.Add(span).UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339))
	return approvals.Plan{
		Preview: preview, Resumes: control.Resumes(r.Plan),
		Targets: []approvals.Target{{ID: r.ID, Kind: "request", Name: clean(r.Plan.Preview, 200)}},
		Steps:   []approvals.Step{{Action: "extend", Target: r.ID, Args: args, Summary: "extend the time-box of request " + r.ID + " by " + in.For}},
	}, err
}

// extend writes down that people approved it; the worker reckons with that from then on.
func extend(ctx context.Context, b *control.Board, a control.Act) error {
	var more worker.Extension
	if err := json.Unmarshal(a.Step.Args, &more); err != nil || more.For <= 0 {
		return approvals.Refuse(approvals.KindInvalid, err, "the step of request %s can't be read; nothing was extended", a.RequestID)
	}
	return b.Extend(ctx, a, "later by "+more.For.String())
}
