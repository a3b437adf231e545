package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

// reversal is how what a tool did to devices is found in the tenant and taken back by its inverse tool.
type reversal struct {
	// did is the machine action that a step became, and types are those that take each other back, did among them.
	did   mdecore.ActionType
	types []mdecore.ActionType
	// frees says that did took something back itself, which must be known to be put in force again: free says it is not.
	frees bool
	free  string
	// unsure says what is not known of what was in force before, for a warning; nil when nothing can be.
	unsure func(m *mdecore.Machine, before *mdecore.MachineAction) string
	// step is the inverse of one step. before is what was in force on the device until the step changed it; nil when it is
	// not known.
	step func(target string, before *mdecore.MachineAction) (approvals.Step, error)
	// check is the inverse tool's own preflight of one such step.
	check func(f *finding, m *mdecore.Machine, actions []*mdecore.MachineAction, step approvals.Step)
	// preview is a sentence with a place for the devices, and args what a call of the inverse tool would take.
	preview string
	args    func(devices []string, a asking) (json.RawMessage, error)
}

// isolationReversal takes isolations back by releases.
func isolationReversal() *reversal {
	return &reversal{
		did: mdecore.ActionIsolate, types: isolationTypes(), preview: "Release %s from isolation",
		step: func(target string, _ *mdecore.MachineAction) (approvals.Step, error) {
			return approvals.Step{Action: "release", Target: target}, nil
		},
		check: func(f *finding, m *mdecore.Machine, actions []*mdecore.MachineAction, _ approvals.Step) {
			f.release(m, actions)
		},
		args: func(devices []string, a asking) (json.RawMessage, error) {
			return canonical(releaseIn{Devices: devices, asking: a})
		},
	}
}

// releaseReversal takes releases back by isolations of the type that was in force before.
func releaseReversal() *reversal {
	return &reversal{
		did: mdecore.ActionUnisolate, types: isolationTypes(), preview: "Isolate %s again",
		frees: true, free: "no isolation before its release is known",
		unsure: func(m *mdecore.Machine, before *mdecore.MachineAction) string {
			if _, sure := typeBefore(before); sure {
				return ""
			}
			return label(m) + " was isolated in a way that is not known; it will be Full"
		},
		step: func(target string, before *mdecore.MachineAction) (approvals.Step, error) {
			kind, _ := typeBefore(before)
			args, err := canonical(isolateStep{IsolationType: kind})
			return approvals.Step{Action: "isolate", Target: target, Args: args}, err
		},
		check: func(f *finding, m *mdecore.Machine, actions []*mdecore.MachineAction, step approvals.Step) {
			var args isolateStep
			if err := json.Unmarshal(step.Args, &args); err != nil {
				f.refuse("can't be isolated again: its step can't be read")
				return
			}
			f.isolate(m, actions, args.IsolationType)
		},
		args: func(devices []string, a asking) (json.RawMessage, error) {
			return canonical(isolateIn{Devices: devices, IsolationType: string(mdecore.IsolationFull), asking: a})
		},
	}
}

// typeBefore is the type of an isolation, and false when Defender does not say a type that we know; Full stands for it,
// because it holds back more.
func typeBefore(before *mdecore.MachineAction) (mdecore.IsolationType, bool) {
	if before != nil {
		switch kind := mdecore.IsolationType(before.Scope); kind {
		case mdecore.IsolationFull, mdecore.IsolationSelective, mdecore.IsolationUnManagedDevice:
			return kind, true
		}
	}
	return mdecore.IsolationFull, false
}

// deed is one step of a request as it went.
type deed struct {
	tag, actionID, device string
}

func deedOf(r approvals.Request, index int) deed {
	return deed{tag: approvals.Tag(r.ID, index), actionID: r.Steps[index].ActionID, device: r.Plan.Steps[index].Target}
}

// standing looks through a device's machine actions, newest first, for whether a deed is what is in force there. before is
// what of its types was in force until then. A deed is known by its action's id and by our tag in the action's
// comment: the id is only stored here, and the tag is only stored there.
func (v *reversal) standing(d deed, actions []*mdecore.MachineAction) (f worker.Force, before *mdecore.MachineAction) {
	unclear := func(format string, args ...any) worker.Force {
		return worker.Force{State: worker.ForceUnclear, Why: fmt.Sprintf(format, args...)}
	}
	over := func(format string, args ...any) worker.Force {
		return worker.Force{State: worker.ForceOver, Why: fmt.Sprintf(format, args...)}
	}
	mine := slices.IndexFunc(actions, func(a *mdecore.MachineAction) bool { return a.ID != "" && strings.EqualFold(a.ID, d.actionID) })
	if mine < 0 {
		return unclear("machine action %s is not among its actions", quoted(d.actionID, 60)), nil
	}
	if a := actions[mine]; a.Type != v.did || !strings.HasPrefix(a.RequestorComment, d.tag) || !strings.EqualFold(a.MachineID, d.device) {
		return unclear("machine action %s is not what this request did there", a.ID), nil
	}
	if open := openOf(actions, v.types...); open != nil {
		return unclear("%s is under way", actionNamed(open)), nil
	}
	before = inForceOf(actions[mine+1:], v.types...)
	switch now := inForceOf(actions, v.types...); {
	case now == nil:
		return unclear("machine action %s is %s", d.actionID, quoted(string(actions[mine].Status), 40)), before
	case now != actions[mine] && now.Type == v.did:
		return over("%s came after it", actionNamed(now)), before
	case now != actions[mine]:
		return over("%s took it back", actionNamed(now)), before
	case before != nil && before.Type == v.did:
		return over("%s had done so before", actionNamed(before)), before
	}
	return worker.Force{State: worker.ForceOurs}, before
}

// actionNamed names a machine action and whose it is.
func actionNamed(a *mdecore.MachineAction) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", clean(string(a.Type), 40), clean(a.ID, 60), by(a.Requestor)))
}

type undoIn struct {
	ID string `json:"id" jsonschema:"Id of the request to take back" form:"request"`
	asking
}

func undoRequest() declaration {
	return spec[undoIn, requestView]{
		name: "undo_request", title: "Undo a request", toolset: Response, surface: Default, risk: approvals.RiskExpose,
		summary: "Ask to take back what a request did and what still is in force by it: an isolation, a restriction of apps, or the end of one. " +
			"Other people approve it in Slack.",
		positional: []string{"id"}, untrusted: true,
		hints: Annotations{Destructive: true, OpenWorld: true},
		plan:  planUndo, borrows: true,
	}
}

// planUndo makes the inverse of what a request did and what is still in force, whatever its plan said.
func planUndo(ctx context.Context, s *session, in undoIn) (approvals.Plan, error) {
	r, err := s.gate.Get(ctx, strings.ToUpper(in.ID))
	if err != nil {
		return approvals.Plan{}, err
	}
	inverse, v := s.inverses[r.Plan.Tool], s.reversals[r.Plan.Tool]
	if inverse == "" || v == nil {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: request %s is one of %s, which no tool takes back", r.ID, r.Plan.Tool)
	}
	u := &undoing{session: s, r: r, reversal: v}
	if err := u.look(ctx); err != nil {
		return approvals.Plan{}, err
	}
	if len(u.plan.Steps) == 0 {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: nothing of request %s is left to take back: %s",
			r.ID, strings.Join(u.left, "; "))
	}
	return u.finish(inverse, in.asking)
}

// undoing collects the inverse plan of one request.
type undoing struct {
	*session
	r approvals.Request
	*reversal
	plan    approvals.Plan
	devices []*mdecore.Machine
	// left says of every device that is left out why.
	left []string
}

func (u *undoing) skip(index int, format string, args ...any) {
	name := u.r.Plan.Steps[index].Target
	if t, ok := u.r.Plan.Target(name); ok && t.Name != "" {
		name = t.Name
	}
	u.left = append(u.left, clean(name, 120)+" is left out: "+fmt.Sprintf(format, args...))
}

// look asks the tenant about every device that a step of the request changed.
func (u *undoing) look(ctx context.Context) error {
	var done []int
	var ids []string
	for i, s := range u.r.Steps {
		if s.State != approvals.StepSucceeded || s.ActionID == "" {
			u.skip(i, "its step is %s", s.State)
			continue
		}
		done, ids = append(done, i), append(ids, u.r.Plan.Steps[i].Target)
	}
	if len(done) == 0 {
		return nil
	}
	devices, err := u.resolve(ctx, ids)
	if approvals.KindOf(err) == approvals.KindNotFound {
		devices, err = u.present(ctx, ids) // one that is gone keeps nobody from undoing the others
	}
	if err != nil {
		return err
	}
	actions, err := u.actionsOf(ctx, devices, u.types...)
	if err != nil {
		return err
	}
	for _, i := range done {
		if err := u.add(i, devices, actions); err != nil {
			return err
		}
	}
	return nil
}

// present is those of the devices that the tenant still has.
func (u *undoing) present(ctx context.Context, ids []string) ([]*mdecore.Machine, error) {
	var devices []*mdecore.Machine
	for _, id := range ids {
		found, err := u.find(ctx, ref{kind: refID, text: id})
		if err != nil {
			return nil, err
		}
		devices = append(devices, found...)
	}
	return devices, nil
}

// add takes one step back, or says why not.
func (u *undoing) add(i int, devices []*mdecore.Machine, actions map[string][]*mdecore.MachineAction) error {
	d := deedOf(u.r, i)
	at := slices.IndexFunc(devices, func(m *mdecore.Machine) bool { return strings.EqualFold(m.ID, d.device) })
	if at < 0 {
		u.skip(i, "Defender does not have it any more")
		return nil
	}
	m := devices[at]
	of := actions[strings.ToLower(m.ID)]
	force, before := u.standing(d, of)
	if force.State == worker.ForceOurs && u.frees && before == nil {
		force = worker.Force{State: worker.ForceOver, Why: u.free}
	}
	if force.State != worker.ForceOurs {
		u.skip(i, "%s", force.Why)
		return nil
	}
	step, err := u.step(m.ID, before)
	if err != nil {
		return err
	}
	var f finding
	u.check(&f, m, of, step)
	if len(f.refused) > 0 {
		u.skip(i, "it %s", strings.Join(f.refused, "; "))
		return nil
	}
	if u.unsure != nil {
		if text := u.unsure(m, before); text != "" {
			f.warn("%s", text)
		}
	}
	step.Summary = step.Action + " " + label(m)
	u.plan.Warnings = append(u.plan.Warnings, f.warnings...)
	u.plan.Targets, u.plan.Steps = append(u.plan.Targets, targetOf(m)), append(u.plan.Steps, step)
	u.devices = append(u.devices, m)
	return nil
}

// finish makes the plan one of the inverse tool.
func (u *undoing) finish(inverse string, a asking) (approvals.Plan, error) {
	ids := make([]string, len(u.devices))
	for i, m := range u.devices {
		ids[i] = m.ID
	}
	var err error
	u.plan.Tool, u.plan.Risk = inverse, u.riskOf(inverse)
	u.plan.Preview = fmt.Sprintf(u.preview, naming(u.devices)) + ", to take back request " + u.r.ID
	u.plan.Warnings = append(u.plan.Warnings, u.left...)
	u.plan.Args, err = u.args(ids, asking{Reason: a.Reason})
	return u.plan, err
}

// riskOf is what a tool of the catalogue states; a tool that is not there has none, and its plan is let in nowhere.
func (h *house) riskOf(tool string) approvals.Risk {
	for _, t := range h.tools {
		if t.Name == tool {
			return t.Risk
		}
	}
	return ""
}
