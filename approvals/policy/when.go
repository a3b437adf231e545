package policy

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// when compiles the condition of a rule. Its faults are put where they stand in the file.
func (f *file) when(n ast.Node) (string, *condition) {
	text, ok := scalar(n)
	text = strings.TrimSpace(text)
	switch {
	case !ok || text == "":
		f.fault(n, "when must be a condition such as target.value == \"High\", not %s", kind(n))
		return "", nil
	case len(text) > maxCondition:
		f.fault(n, "when has %d bytes, more than %d; use several rules", len(text), maxCondition)
		return "", nil
	}
	if f.cel == nil {
		c, err := newCompiler(f)
		if err != nil {
			f.fault(n, "conditions can't be read by this program: %v", err)
			return "", nil
		}
		f.cel = c
	}
	cond, faults := f.cel.compile(text)
	for _, x := range faults {
		at := f.inside(n, text, x.line, x.column)
		f.faults = append(f.faults, Fault{Line: at.line, Column: at.column, Text: x.text})
	}
	return text, cond
}

// inside finds the place in the file of a place in the text of a scalar. What YAML folds, indents and escapes is stepped
// over by matching the text with the file letter by letter.
func (f *file) inside(n ast.Node, text string, line, column int) place {
	at := placeOf(n.GetToken())
	if literal, ok := n.(*ast.LiteralNode); ok {
		at = place{placeOf(literal.Start).line + 1, 1}
	}
	runes, here := []rune(text), offset(text, line, column)
	found := at
	for i, r := range runes {
		next, ok := f.seek(at, r)
		if !ok {
			break
		}
		found = next
		if i == here {
			break
		}
		at = place{next.line, next.column + 1}
	}
	if here >= len(runes) {
		found.column++
	}
	return found
}

// seek finds a letter at a place or soon after it. Where the text has white space the file has some, perhaps other.
func (f *file) seek(at place, r rune) (place, bool) {
	for ; at.line <= len(f.lines); at = (place{at.line + 1, 1}) {
		line := f.lines[at.line-1]
		if isSpace(r) && at.column > len(line) {
			return at, true
		}
		for ; at.column <= len(line); at.column++ {
			if c := line[at.column-1]; c == r || isSpace(r) && isSpace(c) {
				return at, true
			}
		}
	}
	return at, false
}

func isSpace(r rune) bool { return r == ' ' || r == '\n' || r == '\t' }

// offset turns a line from 1 and a column from 0 into an index of runes.
func offset(text string, line, column int) int {
	at := 0
	for i, l := range strings.Split(text, "\n") {
		if i+1 == line {
			break
		}
		at += len([]rune(l)) + 1
	}
	return at + column
}
