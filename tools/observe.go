package tools

import (
	"context"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

// kindDevice is the kind of a target that is a device.
const kindDevice = "device"

var _ worker.Observer = (*Performer)(nil)

// Observe looks up what a plan acts on, and what it lets go on: devices by their ids, and machine actions with the devices
// that they are on. Our own requests and switches are compared where they count.
func (p *Performer) Observe(ctx context.Context, plan approvals.Plan) (approvals.Plan, error) {
	c, ok := p.tools[plan.Tool]
	if !ok {
		return plan, approvals.Refuse(approvals.KindDenied, nil, "%s is not an acting tool of this version", quoted(plan.Tool, 60))
	}
	for _, t := range plan.Targets {
		if !c.actsOn(t.Kind) {
			return plan, approvals.Refuse(approvals.KindDenied, nil, "%s does not act on what is called %s", plan.Tool, quoted(t.Kind, 60))
		}
	}
	var err error
	var behind []approvals.Target
	if plan.Targets, behind, err = p.observed(acting(ctx), plan.Targets); err != nil {
		return plan, err
	}
	switch on := plan.Resumes; {
	case len(behind) > 0:
		plan.Resumes = aboutDevices(plan.Tool, plan.Risk, behind)
	case on != nil:
		seen := *on
		seen.Targets, _, err = p.observed(acting(ctx), on.Targets)
		plan.Resumes = &seen
	}
	return plan, err
}

// aboutDevices has policy asked about the devices behind what a tool acts on, by their own ids and names.
func aboutDevices(tool string, risk approvals.Risk, devices []approvals.Target) *approvals.Resumed {
	return &approvals.Resumed{Tool: tool, Risk: risk, Targets: devices}
}

// actsOn reports whether the tool's targets can be of a kind, so that nobody calls a device something that is not looked up.
func (c *compiled) actsOn(kind string) bool {
	takes := func(f form) bool { return slices.ContainsFunc(c.tool.Args, func(a Arg) bool { return a.form == f }) }
	switch {
	case takes(formDevice):
		return kind == kindDevice
	case takes(formGUID):
		return kind == kindAction || kind == kindForeignAction
	case takes(formAzure):
		return kind == kindCluster || kind == kindNode
	}
	return true
}

// observed is targets with the facts that the tenant has of them now, and the devices that machine actions among them are on.
func (p *Performer) observed(ctx context.Context, targets []approvals.Target) (now, behind []approvals.Target, err error) {
	at := make([]string, len(targets))
	for i, t := range targets {
		if at[i], err = p.deviceOf(ctx, t); err != nil {
			return nil, nil, err
		}
	}
	found, err := p.devices(ctx, at)
	if err != nil {
		return nil, nil, err
	}
	now = slices.Clone(targets)
	for i, t := range targets {
		if at[i] == "" {
			continue
		}
		if len(found[at[i]]) != 1 {
			return nil, nil, gone(t)
		}
		device := targetOf(found[at[i]][0])
		if t.Kind != kindDevice {
			behind = append(behind, device)
		} else if device.Name != t.Name {
			return nil, nil, approvals.Refuse(approvals.KindDenied, nil, "target %s is called %s, and the plan that people read says %s; ask again",
				t.ID, quoted(device.Name, 120), quoted(t.Name, 120))
		}
		device.ID, device.Kind, device.Name = t.ID, t.Kind, t.Name
		now[i] = device
	}
	return now, behind, nil
}

// deviceOf is the id, in lower case, of the device that a target is or is on; empty for what is ours.
func (p *Performer) deviceOf(ctx context.Context, t approvals.Target) (string, error) {
	switch t.Kind {
	case kindDevice:
		return strings.ToLower(t.ID), nil
	case kindAction, kindForeignAction:
		a, err := p.hands.reader.GetMachineAction(ctx, t.ID)
		if mdecore.IsNotFound(err) {
			return "", gone(t)
		}
		if err != nil {
			return "", err
		}
		return strings.ToLower(a.MachineID), nil
	case kindCluster, kindNode:
		return "", namedByItsID(t)
	}
	return "", nil
}

// devices looks devices up, each once, by their ids.
func (p *Performer) devices(ctx context.Context, ids []string) (map[string][]*mdecore.Machine, error) {
	var refs []ref
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if id != "" {
			refs = append(refs, ref{kind: refID, text: id})
		}
	}
	s := &session{house: &house{reader: p.hands.reader, clock: p.clock, maxDevices: len(refs)}}
	lists, err := s.findAll(ctx, refs)
	found := make(map[string][]*mdecore.Machine, len(refs))
	for i := range lists {
		found[refs[i].text] = lists[i]
	}
	return found, err
}

func gone(t approvals.Target) error {
	return approvals.Refuse(approvals.KindDenied, nil, "target %s of the plan is not in the tenant", quoted(t.ID, 60))
}
