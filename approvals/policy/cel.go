package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"github.com/mde-ops/mde-ops/approvals"
)

// Bounds of conditions. A unit of cost is about the reading of one field.
const (
	maxCondition = 4096
	// maxCost bounds one condition, by estimate when the file is read and by count when it is evaluated.
	maxCost = 400_000
	// maxCallCost bounds all conditions of a call together.
	maxCallCost = 5_000_000
)

// condition is the `when` of a rule, ready to be asked.
type condition struct {
	program cel.Program
	ast     *cel.Ast
	// perTarget says that the answer depends on the target.
	perTarget bool
	usesTime  bool
	windows   []approvals.Window
}

// celFault is a fault at a place in a condition: line from 1, column from 0.
type celFault struct {
	line, column int
	text         string
}

// compiler makes conditions. It is built for a file that has one, because that takes longer than everything else there.
type compiler struct {
	env   *cel.Env
	vocab *vocabulary
	file  *file
	// windows are those that conditions asked for so far; their indexes stand in the conditions.
	windows []approvals.Window
	// said are the faults that macros found, which need no further words.
	said []string
}

func newCompiler(f *file) (*compiler, error) {
	c := &compiler{file: f}
	base, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	c.vocab = newVocabulary(base)
	target := types.NewObjectType(typeTarget)
	c.env, err = cel.NewCustomEnv(
		cel.StdLib(), cel.Macros(append(cel.StandardMacros, cel.GlobalVarArgMacro("recent", c.recent))...),
		ext.Strings(), cel.CustomTypeProvider(c.vocab), cel.EnableMacroCallTracking(), cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true), cel.ParserExpressionSizeLimit(maxCondition), cel.ParserRecursionLimit(50),
		cel.Variable(varTool, types.StringType), cel.Variable(varRisk, types.StringType),
		cel.Variable(varArgs, types.NewMapType(types.StringType, types.DynType)),
		cel.Variable(varTarget, target), cel.Variable(varTargets, types.NewListType(target)),
		cel.Variable(varRequester, types.NewObjectType(typeRequester)), cel.Variable(varTime, types.NewObjectType(typeTime)),
		cel.Variable(varRecent, types.NewListType(types.IntType)),
	)
	return c, err
}

// compile reads a condition and checks everything that can be known before a call is there.
func (c *compiler) compile(text string) (cond *condition, faults []celFault) {
	defer func() {
		if p := recover(); p != nil { // a fault of the library must not end the program
			cond, faults = nil, []celFault{{1, 0, fmt.Sprintf("the condition can't be read (%v)", p)}}
		}
	}()
	parsed, issues := c.env.Parse(text)
	if issues.Err() != nil {
		return nil, c.faults(text, nil, issues)
	}
	ast, issues := c.env.Check(parsed)
	if issues.Err() != nil {
		return nil, c.faults(text, parsed, issues)
	}
	if ast.OutputType() != types.BoolType {
		return nil, []celFault{{1, 0, fmt.Sprintf("the condition is a %s; it must be true or false", ast.OutputType())}}
	}
	lint := &lint{c: c, ast: ast.NativeRep()}
	cond = lint.look()
	if len(lint.faults) > 0 {
		return nil, lint.faults
	}
	estimate, err := c.env.EstimateCost(ast, sizes{})
	if err != nil {
		return nil, []celFault{{1, 0, "what the condition costs can't be estimated: " + err.Error()}}
	}
	if estimate.Max > maxCost {
		return nil, []celFault{{1, 0, fmt.Sprintf(
			"the condition may cost %d, more than %d; make it simpler: lists within lists cost most", estimate.Max, maxCost)}}
	}
	cond.ast = ast
	if cond.program, err = c.env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost)); err != nil {
		return nil, []celFault{{1, 0, err.Error()}}
	}
	return cond, nil
}

// recent is the macro behind recent("1h"), recent("1h", "isolate_devices"), recent("1h", "contain") and
// recent("1h", "any", "mine"): its arguments have to be constants, because the counts are made before anything is decided.
func (c *compiler) recent(m cel.MacroExprFactory, _ celast.Expr, args []celast.Expr) (celast.Expr, *cel.Error) {
	if len(args) < 1 || len(args) > 3 {
		return nil, c.refuse(m, 0, `recent takes a time, and perhaps a tool or a risk, and perhaps "mine": recent("1h", "contain", "mine")`)
	}
	words := make([]string, 3)
	for i, a := range args {
		s, ok := literal(a)
		if !ok {
			return nil, c.refuse(m, a.ID(), "recent takes texts in quotation marks only, because its counts are made beforehand")
		}
		words[i] = s
	}
	w := approvals.Window{}
	var err error
	if w.Length, err = time.ParseDuration(words[0]); err != nil || w.Length < time.Second || w.Length > maxDuration {
		return nil, c.refuse(m, args[0].ID(), fmt.Sprintf("%q must be a time between 1s and %s such as 1h", clip(words[0]), short(maxDuration)))
	}
	if err := c.file.windowOf(&w, words[1]); err != "" {
		return nil, c.refuse(m, args[1].ID(), err)
	}
	switch words[2] {
	case "mine":
		w.Mine = true
	case "", "all":
	default:
		return nil, c.refuse(m, args[2].ID(), fmt.Sprintf(`whose it is must be "mine" or "all", not %q`, clip(words[2])))
	}
	return m.NewCall(operators.Index, m.NewIdent(varRecent), m.NewLiteral(types.Int(c.window(w)))), nil
}

func (c *compiler) refuse(m cel.MacroExprFactory, id int64, text string) *cel.Error {
	c.said = append(c.said, text)
	return m.NewError(id, text)
}

func (c *compiler) window(w approvals.Window) int {
	i := slices.Index(c.windows, w)
	if i < 0 {
		i = len(c.windows)
		c.windows = append(c.windows, w)
	}
	return i
}

// windowOf says what a window counts: the calls of a tool or of a risk, or all that act.
func (f *file) windowOf(w *approvals.Window, what string) string {
	_, isTool := f.known.Tools[what]
	switch risk := approvals.Risk(what); {
	case what == "" || what == "any":
	case isTool:
		w.Tool = what
	case risk.Valid():
		w.Risk = risk
	default:
		return fmt.Sprintf("there is no tool or risk %q%s", clip(what), suggestion(what, append(keys(f.known.Tools), riskNames()...)))
	}
	return ""
}

func literal(e celast.Expr) (string, bool) {
	if e.Kind() != celast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// faults turns the issues of CEL into ours. ast helps to find what was meant; it is nil when there is none.
func (c *compiler) faults(text string, ast *cel.Ast, issues *cel.Issues) []celFault {
	var out []celFault
	for _, e := range issues.Errors() {
		f := celFault{line: 1, text: "the condition can't be read: " + e.Message}
		if e.Location != nil && e.Location != common.NoLocation {
			f.line, f.column = max(1, e.Location.Line()), max(0, e.Location.Column())
		}
		if slices.Contains(c.said, e.Message) {
			f.text = e.Message
		} else if name, ok := between(e.Message, "undefined field '", "'"); ok {
			f.text = fmt.Sprintf("there is no field %q%s", clip(name), suggestion(name, c.fieldsNear(ast, e.ExprID)))
			f.column = afterDot(text, f, name)
		} else if name, ok := between(e.Message, "undeclared reference to '", "'"); ok {
			f.text = fmt.Sprintf("there is no name or function %q%s", clip(name), suggestion(name, celNames()))
		}
		out = append(out, f)
	}
	return out
}

func celNames() []string {
	return []string{varArgs, varRequester, varRisk, varTarget, varTargets, varTime, varTool, "recent"}
}

// afterDot is the column of a field's name: CEL points at what it was read from, or at the dot.
func afterDot(text string, f celFault, name string) int {
	lines := strings.Split(text, "\n")
	if f.line > len(lines) {
		return f.column
	}
	line := []rune(lines[f.line-1])
	if f.column > len(line) {
		return f.column
	}
	before, _, ok := strings.Cut(string(line[f.column:]), "."+name)
	if !ok {
		return f.column
	}
	return f.column + len([]rune(before)) + 1
}

func between(s, before, after string) (string, bool) {
	_, rest, ok := strings.Cut(s, before)
	if !ok {
		return "", false
	}
	found, _, ok := strings.Cut(rest, after)
	return found, ok
}

// fieldsNear are the fields of the object whose field was not found.
func (c *compiler) fieldsNear(ast *cel.Ast, id int64) []string {
	objects := keys(c.vocab.objects)
	if ast != nil {
		celast.PostOrderVisit(ast.NativeRep().Expr(), celast.NewExprVisitor(func(e celast.Expr) {
			if e.ID() != id || e.Kind() != celast.SelectKind || e.AsSelect().Operand().Kind() != celast.IdentKind {
				return
			}
			switch e.AsSelect().Operand().AsIdent() {
			case varRequester:
				objects = []string{typeRequester}
			case varTime:
				objects = []string{typeTime}
			default:
				objects = []string{typeTarget} // a target, or a name that a loop over targets gave to one
			}
		}))
	}
	var out []string
	for _, o := range objects {
		names, _ := c.vocab.FindStructFieldNames(o)
		out = append(out, names...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// sizes bounds what conditions work on: at most a thousand targets, and texts and lists as long as a tenant's may be.
type sizes struct{}

// EstimateSize is part of cost.Estimator.
func (sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	path := n.Path()
	last := ""
	if len(path) > 0 {
		last = path[len(path)-1]
	}
	limit := uint64(100)
	switch {
	case n.ComputedSize() != nil:
		return nil
	case last == varTargets || last == varArgs:
		limit = 1000
	case last == "tags" || last == "groups":
		limit = 50
	}
	return &cost.SizeEstimate{Max: limit}
}

// EstimateCallCost is part of cost.Estimator.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}

var _ ref.Val = object{}
