package policy

import (
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/mde-ops/mde-ops/approvals"
)

// form is a condition taken apart: the terms that all have to hold.
type form struct {
	// always says that it holds whatever the call is; never, when not empty, says why it holds for no call.
	always bool
	never  string
	// terms are what must hold, and nots what must not, written in one way.
	terms, nots []string
	// only are the texts that a field is compared with, by the field: it has to be one of them.
	only map[string][]string
}

// take takes the condition of a rule apart.
func (v *review) take(r *rule) form {
	f := form{only: map[string][]string{}}
	if r.cond == nil {
		return f
	}
	f.always, f.never = v.constant(r.cond)
	if f.always || f.never != "" {
		return f
	}
	f.conjuncts(r.cond.ast.NativeRep(), r.cond.ast.NativeRep().Expr(), false)
	for _, t := range f.terms {
		if slices.Contains(f.nots, t) {
			f.never = "it asks for " + t + " and for its opposite"
		}
	}
	for _, path := range keys(f.only) {
		left := slices.DeleteFunc(slices.Clone(f.only[path]), func(s string) bool { return slices.Contains(f.nots, path+" is "+s) })
		if len(left) == 0 {
			f.never = path + " can't be all that it asks for"
		}
	}
	for _, tags := range [][]string{r.Tags, r.OnlyTags} {
		if len(tags) > 0 && !slices.ContainsFunc(tags, func(t string) bool {
			return !slices.Contains(f.nots, `"`+strings.ToLower(t)+`" in target.tags`)
		}) {
			f.never = "its tags are those that its condition rules out"
		}
	}
	return f
}

// constant evaluates a condition while nothing of the call is known.
func (v *review) constant(c *condition) (always bool, never string) {
	program, err := v.cel.env.Program(c.ast, cel.EvalOptions(cel.OptPartialEval), cel.CostLimit(maxCost))
	if err != nil {
		return false, ""
	}
	var unknown []*cel.AttributePatternType
	for _, name := range []string{varTool, varRisk, varArgs, varTarget, varTargets, varRequester, varTime, varRecent} {
		unknown = append(unknown, cel.AttributePattern(name))
	}
	vars, err := cel.PartialVars(map[string]any{}, unknown...)
	if err != nil {
		return false, ""
	}
	out, _, err := program.Eval(vars)
	switch {
	case err != nil:
		return false, "its condition can't be worked out (" + clipped(err.Error(), 120) + "), so that the rule denies what reaches it"
	case out == types.True:
		return true, ""
	case out == types.False:
		return false, "its condition never holds"
	}
	return false, ""
}

// conjuncts walks what is joined by &&, and by || where it is negated.
func (f *form) conjuncts(a *celast.AST, e celast.Expr, negated bool) {
	if e.Kind() == celast.CallKind {
		call := e.AsCall()
		switch name := call.FunctionName(); {
		case name == operators.LogicalNot:
			f.conjuncts(a, call.Args()[0], !negated)
			return
		case name == operators.LogicalAnd && !negated, name == operators.LogicalOr && negated:
			for _, arg := range call.Args() {
				f.conjuncts(a, arg, negated)
			}
			return
		case name == operators.NotEquals:
			f.compared(a, call.Args()[0], call.Args()[1:], !negated)
			f.compared(a, call.Args()[1], call.Args()[:1], !negated)
		case name == operators.Equals:
			f.compared(a, call.Args()[0], call.Args()[1:], negated)
			f.compared(a, call.Args()[1], call.Args()[:1], negated)
		case name == operators.In && call.Args()[1].Kind() == celast.ListKind:
			f.compared(a, call.Args()[0], call.Args()[1].AsList().Elements(), negated)
		}
	}
	text, err := cel.ExprToString(e, a.SourceInfo())
	if err != nil {
		return
	}
	if negated {
		f.nots = append(f.nots, text)
	} else {
		f.terms = append(f.terms, text)
	}
}

// compared remembers that a field has to be, or must not be, one of some texts.
func (f *form) compared(a *celast.AST, field celast.Expr, with []celast.Expr, negated bool) {
	path, err := cel.ExprToString(field, a.SourceInfo())
	if err != nil || field.Kind() != celast.SelectKind && field.Kind() != celast.IdentKind {
		return
	}
	var texts []string
	for _, e := range with {
		s, ok := literal(e)
		if !ok {
			return
		}
		texts = append(texts, s)
	}
	if negated {
		for _, s := range texts {
			f.nots = append(f.nots, path+" is "+s)
		}
		return
	}
	if before, ok := f.only[path]; ok {
		texts = slices.DeleteFunc(texts, func(s string) bool { return !slices.Contains(before, s) })
	}
	f.only[path] = texts
}

// mayBe reports whether the condition leaves room for a call.
func (f *form) mayBe(c approvals.Call) bool {
	tools, byTool := f.only[varTool]
	risks, byRisk := f.only[varRisk]
	return (!byTool || slices.Contains(tools, c.Tool)) && (!byRisk || slices.Contains(risks, string(c.Risk)))
}

// impliedBy reports whether whatever meets o meets f. That it can't be seen is no.
func (f *form) impliedBy(o *form) bool {
	missing := func(have []string) func(string) bool { return func(t string) bool { return !slices.Contains(have, t) } }
	return f.always || f.never == "" && !slices.ContainsFunc(f.terms, missing(o.terms)) && !slices.ContainsFunc(f.nots, missing(o.nots))
}

// listsIn are the texts of a condition that name groups of requesters.
func (v *review) listsIn(c *condition) []string {
	var out []string
	if c == nil {
		return nil
	}
	celast.PostOrderVisit(c.ast.NativeRep().Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if s, ok := literal(e); ok {
			out = append(out, s)
		}
	}))
	return out
}
