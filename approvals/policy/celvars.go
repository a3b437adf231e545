package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/mde-ops/mde-ops/approvals"
)

// The names that conditions may use. varRecent can't be written in a file: the macro recent puts it there.
const (
	varTool      = "tool"
	varRisk      = "risk"
	varArgs      = "args"
	varTarget    = "target"
	varTargets   = "targets"
	varRequester = "requester"
	varTime      = "time"
	varRecent    = "@recent"
)

// variables answers the names of conditions for one call. What is costly is made when a condition asks for it.
type variables struct {
	s         *session
	tool      ref.Val
	risk      ref.Val
	args      ref.Val
	target    ref.Val
	targets   ref.Val
	requester ref.Val
	time      ref.Val
	recent    ref.Val
}

var _ cel.Activation = (*variables)(nil)

func newVariables(s *session) *variables {
	return &variables{s: s, tool: types.String(s.call.Tool), risk: types.String(s.call.Risk)}
}

// aim sets the target that is being answered.
func (v *variables) aim(t *approvals.Target) {
	if o, ok := v.target.(object); ok {
		if f, ok := o.data.(*facts); ok && f.t == t {
			return
		}
	}
	v.target = object{types.NewObjectType(typeTarget), &facts{t: t}}
}

// Parent is part of cel.Activation.
func (v *variables) Parent() cel.Activation { return nil }

// ResolveName is part of cel.Activation.
func (v *variables) ResolveName(name string) (any, bool) {
	switch name {
	case varTool:
		return v.tool, true
	case varRisk:
		return v.risk, true
	case varArgs:
		return made(&v.args, v.arguments), true
	case varTarget:
		return v.target, v.target != nil
	case varTargets:
		return made(&v.targets, v.allTargets), true
	case varRequester:
		return made(&v.requester, v.asker), true
	case varTime:
		return made(&v.time, v.moment), true
	case varRecent:
		return made(&v.recent, v.counts), true
	}
	return nil, false
}

func made(kept *ref.Val, build func() ref.Val) ref.Val {
	if *kept == nil {
		*kept = build()
	}
	return *kept
}

func (v *variables) arguments() ref.Val {
	args := map[string]any{}
	if raw := bytes.TrimSpace(v.s.call.Args); len(raw) > 0 {
		if err := json.Unmarshal(raw, &args); err != nil || args == nil {
			return types.NewErr("the arguments of the call are not a JSON object")
		}
	}
	return types.DefaultTypeAdapter.NativeToValue(args)
}

func (v *variables) allTargets() ref.Val {
	list := make([]ref.Val, len(v.s.call.Targets))
	for i := range v.s.call.Targets {
		list[i] = object{types.NewObjectType(typeTarget), &facts{t: &v.s.call.Targets[i]}}
	}
	return types.NewRefValList(types.DefaultTypeAdapter, list)
}

func (v *variables) asker() ref.Val {
	return object{types.NewObjectType(typeRequester), &asker{
		r: &v.s.call.Requester, groups: types.NewStringList(types.DefaultTypeAdapter, v.s.groups()),
	}}
}

func (v *variables) moment() ref.Val {
	if v.s.call.At.IsZero() {
		return types.NewErr("%s", errNoMoment.Error())
	}
	return object{types.NewObjectType(typeTime), &moment{at: v.s.call.At, hours: v.s.p.content.Hours}}
}

// counts are the answers to the policy's windows, in their order. Those that are missing were refused before.
func (v *variables) counts() ref.Val {
	list := make([]ref.Val, len(v.s.p.windows))
	for i, w := range v.s.p.windows {
		list[i] = types.Int(v.s.call.Recent[w])
	}
	return types.NewRefValList(types.DefaultTypeAdapter, list)
}

// groups are the file's lists that hold the requester. Whoever is not verified is in none, because they could be anybody.
func (s *session) groups() []string {
	out := append([]string{}, s.lists...)
	if !s.call.Requester.Verified {
		return nil
	}
	for _, g := range s.p.content.Lists {
		for _, id := range g.People {
			if s.call.Requester.Same(approvals.Person{ID: id}) {
				out = append(out, g.Name)
				break
			}
		}
	}
	return out
}

var (
	errNoMoment = errors.New("it asks about the time, and the call brings none")
	errTooMuch  = errors.New("the conditions of the policy cost too much for this call; make them simpler, or name fewer targets")
)

// evaluate answers a condition for the call and the target that is aimed at.
func (s *session) evaluate(c *condition) (bool, error) {
	if c.usesTime && s.call.At.IsZero() {
		return false, errNoMoment
	}
	for _, w := range c.windows {
		if n, ok := s.call.Recent[w]; !ok || n < 0 {
			return false, fmt.Errorf("it asks what was done in the last %s, and the call brings no count of it", short(w.Length))
		}
	}
	if s.spent > maxCallCost {
		return false, errTooMuch
	}
	out, details, err := c.program.Eval(s.vars)
	if cost := details.ActualCost(); cost != nil {
		s.spent += *cost
	}
	if err != nil {
		return false, err
	}
	if s.spent > maxCallCost {
		return false, errTooMuch
	}
	yes, ok := out.(types.Bool)
	if !ok {
		return false, fmt.Errorf("it answered with a %s, not with true or false", out.Type().TypeName())
	}
	return bool(yes), nil
}
