package policy

import (
	"fmt"
	"slices"
	"strings"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/mde-ops/mde-ops/approvals"
)

// lint looks through a checked condition for what its types can't tell: words that nothing ever is, and names that this
// file doesn't define.
type lint struct {
	c      *compiler
	ast    *celast.AST
	cond   condition
	faults []celFault
}

func (l *lint) look() *condition {
	celast.PostOrderVisit(l.ast.Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		switch e.Kind() {
		case celast.IdentKind:
			l.ident(e)
		case celast.SelectKind:
			l.selects(e)
		case celast.CallKind:
			l.call(e)
		default: // the rest holds nothing of its own
		}
	}))
	return &l.cond
}

func (l *lint) fault(e celast.Expr, format string, args ...any) {
	at := l.ast.SourceInfo().GetStartLocation(e.ID())
	l.faults = append(l.faults, celFault{max(1, at.Line()), max(0, at.Column()), fmt.Sprintf(format, args...)})
}

func (l *lint) ident(e celast.Expr) {
	switch e.AsIdent() {
	case varTarget:
		l.cond.perTarget = true
	case varTime:
		l.cond.usesTime = true
	}
}

func (l *lint) selects(e celast.Expr) {
	if a := l.attribute(e); a != nil && a.name == "business" && l.c.file.content.Hours == nil {
		l.fault(e, "time.business needs `hours` in the file, which say when business is open")
	}
}

func (l *lint) call(e celast.Expr) {
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.Equals, operators.NotEquals:
		l.compare(args[0], args[1])
		l.compare(args[1], args[0])
	case operators.In:
		if args[1].Kind() == celast.ListKind {
			for _, e := range args[1].AsList().Elements() {
				l.compare(args[0], e)
			}
			return
		}
		l.compare(args[1], args[0])
	case operators.Index:
		if i, ok := args[1].AsLiteral().(types.Int); ok && args[0].AsIdent() == varRecent {
			l.cond.windows = append(l.cond.windows, l.c.windows[i])
		}
	case "startsWith", "endsWith", "contains":
		if s, ok := literal(args[0]); ok {
			l.spelling(l.attribute(call.Target()), args[0], s)
		}
	}
}

// compare checks a constant against what is compared with it.
func (l *lint) compare(what, constant celast.Expr) {
	s, ok := literal(constant)
	if !ok {
		return
	}
	if what.Kind() == celast.IdentKind && (what.AsIdent() == varTool || what.AsIdent() == varRisk) {
		known := riskNames()
		if what.AsIdent() == varTool {
			known = keys(l.c.file.known.Tools)
		}
		if !slices.Contains(known, s) {
			l.fault(constant, "there is no %s %q%s", what.AsIdent(), clip(s), suggestion(s, known))
		}
		return
	}
	a := l.attribute(what)
	switch {
	case a == nil:
	case a.name == "groups":
		l.group(constant, s)
	case a.words != nil && s != "" && !slices.Contains(a.words, s):
		l.fault(constant, "%s is never %q%s", a.name, clip(s), suggestion(s, a.words))
	default:
		l.spelling(a, constant, s)
	}
}

func (l *lint) spelling(a *attribute, at celast.Expr, s string) {
	if a != nil && a.lower && s != strings.ToLower(s) {
		l.fault(at, "%s is in lower case here, whatever the tenant's spelling; write %q", a.name, clip(strings.ToLower(s)))
	}
}

func (l *lint) group(at celast.Expr, name string) {
	g, ok := l.c.file.groups[name]
	lists := listNames(l.c.file.groups)
	switch {
	case !ok:
		l.fault(at, "group %q is not defined%s", clip(name), suggestion(name, lists))
	case len(g.People) == 0:
		l.fault(at, "who is in group %q is not known when a rule is asked; requester.groups are the groups with `people`", clip(name))
	}
}

// attribute is the field of an object that e reads; nil when e is something else.
func (l *lint) attribute(e celast.Expr) *attribute {
	if e.Kind() != celast.SelectKind {
		return nil
	}
	s := e.AsSelect()
	return l.c.vocab.attribute(l.ast.GetType(s.Operand().ID()).TypeName(), s.FieldName())
}

func listNames(groups map[string]approvals.Group) []string {
	var out []string
	for _, name := range keys(groups) {
		if len(groups[name].People) > 0 {
			out = append(out, name)
		}
	}
	return out
}
