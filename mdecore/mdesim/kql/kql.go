// Package kql runs hunting queries over tables in memory. It understands the
// subset of the Kusto Query Language that hunting tools write, with the types,
// null rules and column names of the language, and refuses everything else with
// an error that names the place: a query that it answered differently from the
// real service would be worse than one that it does not answer.
//
// Operators: where, project, project-away, extend, take, limit, top, sort,
// order, count, distinct, summarize and union, after any number of let
// statements with scalar values.
//
// Expressions: comparisons, the string operators (has, contains, startswith,
// endswith and what negates them or minds the case), in, between, and, or,
// arithmetic on numbers, dates and time spans, members of dynamic values, and
// the functions that the error for an unknown one lists.
//
// Work is bounded: by the query's length, its depth, the number of values that
// are computed, and the caller's context.
package kql

import (
	"context"
	"iter"
	"time"
)

// Type is the type of a column or an expression.
type Type int

// The types of values. A row holds string, int64, float64, bool, time.Time,
// time.Duration, or what encoding/json makes of JSON for Dynamic; nil is null.
const (
	String Type = iota
	Long
	Real
	Bool
	DateTime
	Timespan
	Dynamic
)

// String is the type's name in queries and in error texts.
func (t Type) String() string {
	names := [...]string{"string", "long", "real", "bool", "datetime", "timespan", "dynamic"}
	if t < 0 || int(t) >= len(names) {
		return "unknown"
	}
	return names[t]
}

// Column is a column of a table or an answer.
type Column struct {
	Name string
	Type Type
}

// Table is a table that queries can name. Rows gives its rows, each with one
// value per column; it may be asked several times and is left as soon as enough
// was read.
type Table struct {
	Columns []Column
	Rows    iter.Seq[[]any]
}

// Options say what a query runs over.
type Options struct {
	// Now is the time of now() and ago(); time.Now when zero.
	Now time.Time
	// Tables finds a table by its exact name.
	Tables func(name string) (Table, bool)
	// MaxRows ends the answer after that many rows; 0 for no such limit.
	MaxRows int
	// MaxWork limits how many values may be computed; 50 million when zero.
	MaxWork int
}

// Result is the answer of a query.
type Result struct {
	Columns []Column
	Rows    [][]any
	// Truncated tells that MaxRows left rows out.
	Truncated bool
}

const defaultMaxWork = 50_000_000

// Run parses and runs one query. Its errors are *Error, or the context's.
func Run(ctx context.Context, query string, opts Options) (*Result, error) {
	parsed, err := parse(query)
	if err != nil {
		return nil, err
	}
	if opts.Now.IsZero() {
		opts.Now = time.Now()
	}
	if opts.MaxWork <= 0 {
		opts.MaxWork = defaultMaxWork
	}
	r := &run{ctx: ctx, opts: opts, text: query, work: opts.MaxWork, lets: map[string]expr{}}
	flow, err := r.bind(parsed)
	if err != nil {
		return nil, err
	}
	result := &Result{Columns: flow.columns, Rows: [][]any{}}
	for row := range flow.rows {
		if opts.MaxRows > 0 && len(result.Rows) == opts.MaxRows {
			result.Truncated = true
			break
		}
		result.Rows = append(result.Rows, row)
	}
	if r.err != nil {
		return nil, r.err
	}
	return result, nil
}

// Check parses a query without running it.
func Check(query string) error {
	_, err := parse(query)
	return err
}

// flow is a table on its way through the operators.
type flow struct {
	columns []Column
	rows    iter.Seq[[]any]
}

// run is one query being run.
type run struct {
	ctx   context.Context // kept because iterators and evaluators have no place for it
	opts  Options
	text  string
	lets  map[string]expr
	work  int
	ticks int
	err   error
}

// spend counts work and reports whether the query may go on.
func (r *run) spend(n int) bool {
	if r.err != nil {
		return false
	}
	if r.work -= n; r.work < 0 {
		r.fail("Query execution has exceeded the allowed limits")
		return false
	}
	if r.ticks++; r.ticks%1024 == 0 {
		r.err = r.ctx.Err()
	}
	return r.err == nil
}

// fail ends the query because of a limit.
func (r *run) fail(message string) {
	if r.err == nil {
		r.err = &Error{Kind: Limits, Message: message}
	}
}
