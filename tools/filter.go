package tools

import (
	"strings"
	"time"
)

// filter builds an OData expression whose parts must all hold.
type filter struct{ parts []string }

// add adds a part that is already safe.
func (f *filter) add(part string) { f.parts = append(f.parts, part) }

// eq adds "name eq 'value'" unless value is empty.
func (f *filter) eq(name, value string) {
	if value != "" {
		f.add(name + " eq " + literal(value))
	}
}

// since adds "name ge time" unless at is zero.
func (f *filter) since(name string, at time.Time) {
	if !at.IsZero() {
		f.add(name + " ge " + at.UTC().Format(time.RFC3339))
	}
}

// String is the expression.
func (f *filter) String() string { return strings.Join(f.parts, " and ") }

// literal is an OData string literal: single quotes are doubled, so that text can't leave it.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
