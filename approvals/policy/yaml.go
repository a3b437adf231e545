package policy

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/mde-ops/mde-ops/internal/nearest"
)

// Fault is one thing that is wrong with a policy file, and what to do about it.
type Fault struct {
	// Line and Column count from 1; both are 0 when the fault is the whole file's.
	Line, Column int
	Text         string
}

// Faults is everything that is wrong with a policy file.
type Faults struct {
	// Name is the file's name as it was given.
	Name string
	List []Fault
}

// Error lists every fault on a line of its own, as name:line:column: text.
func (f *Faults) Error() string {
	lines := make([]string, 0, len(f.List))
	for _, x := range f.List {
		if x.Line == 0 {
			lines = append(lines, fmt.Sprintf("%s: %s", f.Name, x.Text))
			continue
		}
		lines = append(lines, fmt.Sprintf("%s:%d:%d: %s", f.Name, x.Line, x.Column, x.Text))
	}
	return strings.Join(lines, "\n")
}

// maxFile bounds a policy file, because the parser is slow on deep nesting and calls itself for every level of it.
const maxFile = 64 << 10

// reader walks the syntax tree of a policy file and gathers faults instead of stopping at the first.
type reader struct {
	faults []Fault
	// lines are those of the file, as letters, because columns count letters.
	lines [][]rune
}

// place is a line and a column, counting from 1.
type place struct{ line, column int }

func (r *reader) fault(n ast.Node, format string, args ...any) {
	f := Fault{Text: fmt.Sprintf(format, args...)}
	if n != nil {
		at := placeOf(n.GetToken())
		f.Line, f.Column = at.line, at.column
	}
	r.faults = append(r.faults, f)
}

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{}
	}
	return place{t.Position.Line, t.Position.Column}
}

// root returns the tree of the file's only document, or nil after a fault.
func (r *reader) root(data []byte) ast.Node {
	if len(data) > maxFile {
		r.fault(nil, "the file has %d bytes, more than %d; shorten it", len(data), maxFile)
		return nil
	}
	for line := range strings.Lines(string(data)) {
		r.lines = append(r.lines, []rune(strings.TrimRight(line, "\r\n")))
	}
	file, err := parse(data)
	if err != nil {
		r.syntax(err)
		return nil
	}
	var body ast.Node
	for _, d := range file.Docs {
		if d == nil || d.Body == nil {
			continue
		}
		if body != nil {
			r.fault(d.Body, "the file has a second document; join the two")
			return nil
		}
		body = d.Body
	}
	if body == nil {
		r.fault(nil, "the file is empty; begin it with `version: 1`")
	}
	return body
}

// parse keeps a fault of the parser from ending the program.
func parse(data []byte) (file *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file can't be read as YAML (%v)", p)
		}
	}()
	return parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
}

func (r *reader) syntax(err error) {
	var at interface {
		GetToken() *token.Token
		GetMessage() string
	}
	f := Fault{Text: "not valid YAML: " + err.Error()}
	if errors.As(err, &at) {
		f.Text = "not valid YAML: " + at.GetMessage()
		found := placeOf(at.GetToken())
		f.Line, f.Column = found.line, found.column
	}
	r.faults = append(r.faults, f)
}

// entry is one key and its value.
type entry struct {
	name  string
	key   ast.Node
	value ast.Node
}

// entries returns the pairs of a mapping in order. what names the mapping in faults.
func (r *reader) entries(n ast.Node, what string) []entry {
	var values []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		values = m.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{m}
	default:
		r.fault(n, "%s must be a mapping (key: value), not %s", what, kind(n))
		return nil
	}
	var out []entry
	for _, v := range values {
		name, ok := scalar(v.Key)
		if !ok || v.Key.IsMergeKey() {
			r.fault(v.Key, "%s has a key that is not plain text; anchors, tags and merges are not used here", what)
			continue
		}
		if slices.ContainsFunc(out, func(e entry) bool { return e.name == name }) {
			r.fault(v.Key, "%s has %q twice; keep one", what, name)
			continue
		}
		out = append(out, entry{name, v.Key, v.Value})
	}
	return out
}

// fields hands each value of a mapping to the function of its key, and refuses keys that have none.
func (r *reader) fields(n ast.Node, what string, known map[string]func(ast.Node)) {
	for _, e := range r.entries(n, what) {
		read, ok := known[e.name]
		if !ok {
			r.fault(e.key, "%s has no key %q%s", what, e.name, suggestion(e.name, keys(known)))
			continue
		}
		read(e.value)
	}
}

// list returns the values of a sequence.
func (r *reader) list(n ast.Node, what string) []ast.Node {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		r.fault(n, "%s must be a list, not %s", what, kind(n))
		return nil
	}
	return s.Values
}

// texts returns the texts of a list, each with its place.
func (r *reader) texts(n ast.Node, what string) []entry {
	var out []entry
	for _, v := range r.list(n, what) {
		if s := r.text(v, what); s != "" {
			out = append(out, entry{name: s, value: v})
		}
	}
	if len(out) == 0 {
		r.fault(n, "%s is empty; name something, or leave the key out", what)
	}
	return out
}

// listed returns the plain values of a list without judging them.
func (r *reader) listed(n ast.Node) []entry {
	var out []entry
	if s, ok := n.(*ast.SequenceNode); ok {
		for _, v := range s.Values {
			if text, ok := scalar(v); ok {
				out = append(out, entry{name: strings.TrimSpace(text), value: v})
			}
		}
	}
	return out
}

// text returns a value that must be text, and "" after a fault.
func (r *reader) text(n ast.Node, what string) string {
	s, ok := scalar(n)
	s = strings.TrimSpace(s)
	if !ok || s == "" {
		r.fault(n, "%s must be text, not %s", what, kind(n))
		return ""
	}
	if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f || c == 0xfffd }) {
		r.fault(n, "%s holds characters that can't be shown; remove them", what)
		return ""
	}
	return s
}

// yes returns a value that must be true or false.
func (r *reader) yes(n ast.Node, what string) bool {
	s, _ := scalar(n)
	if s != "true" && s != "false" {
		r.fault(n, "%s must be true or false, not %s", what, kind(n))
	}
	return s == "true"
}

// number returns a whole number of at least low, and low after a fault.
func (r *reader) number(n ast.Node, what string, low int) int {
	s, _ := scalar(n)
	i, err := strconv.Atoi(s)
	if err != nil || i < low || i > 1_000_000 {
		r.fault(n, "%s must be a whole number of at least %d, not %s", what, low, kind(n))
		return low
	}
	return i
}

// duration returns a time such as 30m, and 0 after a fault.
func (r *reader) duration(n ast.Node, what string) time.Duration {
	s, _ := scalar(n)
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Second || d > maxDuration {
		r.fault(n, "%s must be a time between 1s and %s such as 30m, not %s", what, maxDuration, kind(n))
		return 0
	}
	return d
}

// maxDuration is the longest that votes or a start may take: a week.
const maxDuration = 7 * 24 * time.Hour

// scalar is the text of a plain value; nulls, anchors and tags are none.
func scalar(n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// kind describes a node in a fault.
func kind(n ast.Node) string {
	switch v := n.(type) {
	case nil:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	default:
		if s, ok := scalar(v); ok {
			return strconv.Quote(clip(s))
		}
		return "an anchor, an alias or a tag"
	}
}

func clip(s string) string { return clipped(s, 60) }

func clipped(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// short writes a duration as people do: 1h, not 1h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// suggestion offers what was probably meant, or everything when little is known.
func suggestion(got string, known []string) string {
	best, near := nearest.Word(got, known)
	switch {
	case near:
		return fmt.Sprintf("; did you mean %q?", best)
	case len(known) == 0:
		return "; none is defined"
	case len(known) <= 16:
		return "; there are " + strings.Join(known, ", ")
	}
	return ""
}
