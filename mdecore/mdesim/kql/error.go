package kql

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Kind is what sort of fault an [Error] reports.
type Kind string

// The kinds of faults.
const (
	// Syntax is a query that cannot be parsed, or uses what the package leaves out.
	Syntax Kind = "recognition"
	// Semantic is a query with an unknown name or with types that do not go together.
	Semantic Kind = "semantic"
	// Limits is a query that takes too much work or makes too large a value.
	Limits Kind = "limits"
)

// Error is a fault of a query.
type Error struct {
	Kind    Kind
	Message string
	// Line and Column count from 1; 0 when the fault has no place.
	Line, Column int
}

// Error is worded as the service words it.
func (e *Error) Error() string {
	switch e.Kind {
	case Syntax:
		return fmt.Sprintf("A recognition error occurred. %s on line [%d,%d]", e.Message, e.Line, e.Column)
	case Semantic:
		return fmt.Sprintf("A semantic error occurred. %s on line [%d,%d]", e.Message, e.Line, e.Column)
	default:
		return e.Message
	}
}

// fault makes an error with the place of a byte offset.
func fault(kind Kind, text string, at int, format string, args ...any) *Error {
	at = min(max(at, 0), len(text))
	before := text[:at]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), Line: line, Column: column}
}

// semantic is a fault of names or types.
func (r *run) semantic(at int, format string, args ...any) error {
	return fault(Semantic, r.text, at, format, args...)
}
