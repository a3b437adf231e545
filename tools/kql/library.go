package kql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kept is how far back the service keeps events. No query reaches further.
const Kept = 30 * 24 * time.Hour

// Query is a named query of the library.
type Query struct {
	// Name is what callers choose it by; Summary says what it finds.
	Name, Summary string
	// Params are the parameters that it takes.
	Params []Accepts
	// AnyOf are parameters of which at least one must be given, besides those that are required.
	AnyOf []string
	// Window is how far back it looks unless a caller says otherwise.
	Window time.Duration
	// Rows is the most that it returns; which rows those are says OldestFirst.
	Rows int
	// OldestFirst says that rows are in order of time, so that the cap leaves out the latest; otherwise it is the reverse.
	OldestFirst bool

	lines []line
}

// Accepts is a parameter that a named query takes.
type Accepts struct {
	Name     string
	Type     Type
	Required bool
}

// line is a line of a query that is there always, or only when a parameter is given.
type line struct{ when, text string }

// Takes reports whether the query has a parameter of that name.
func (q Query) Takes(name string) bool {
	return slices.ContainsFunc(q.Params, func(p Accepts) bool { return p.Name == name })
}

// Build writes the query with values for its parameters, over what happened since a point in time. Parameters that are not
// given leave no trace in the text. Errors are for the caller.
func (q Query) Build(values map[string]string, since time.Time) (string, error) {
	if err := q.fits(values); err != nil {
		return "", err
	}
	params := []Param{{Name: "since", Type: DateTime, Value: since.UTC().Format(time.RFC3339)}}
	for _, p := range q.Params {
		if value, ok := values[p.Name]; ok {
			params = append(params, Param{Name: p.Name, Type: p.Type, Value: value})
		}
	}
	return Bind(q.text(values), params)
}

// fits refuses values that the query doesn't take, and a query without what it needs.
func (q Query) fits(values map[string]string) error {
	given := 0
	for name := range values {
		if !q.Takes(name) {
			return fmt.Errorf("%s takes no %s", q.Name, shown(name))
		}
		if slices.Contains(q.AnyOf, name) {
			given++
		}
	}
	for _, p := range q.Params {
		if _, ok := values[p.Name]; p.Required && !ok {
			return fmt.Errorf("%s needs %s", q.Name, p.Name)
		}
	}
	if len(q.AnyOf) > 0 && given == 0 {
		return fmt.Errorf("%s needs at least one of %s", q.Name, strings.Join(q.AnyOf, ", "))
	}
	return nil
}

// text joins the lines that the given parameters call for. What is filled in here is ours: the column of the kind of hash
// that was given, the row cap and the order. Values come by name.
func (q Query) text(values map[string]string) string {
	order := "desc"
	if q.OldestFirst {
		order = "asc"
	}
	fill := strings.NewReplacer("{hash}", hashColumn(values["hash"]), "{rows}", strconv.Itoa(q.Rows), "{order}", order)
	var out []string
	for _, l := range q.lines {
		if _, ok := values[l.when]; l.when == "" || ok {
			out = append(out, fill.Replace(l.text))
		}
	}
	return strings.Join(out, "\n")
}

// hashColumn names the kind of a hash as the tables name their columns.
func hashColumn(hash string) string {
	switch len(strings.TrimSpace(hash)) {
	case 32:
		return "MD5"
	case 64:
		return "SHA256"
	}
	return "SHA1"
}

// always are lines that don't depend on parameters.
func always(text string) []line {
	var out []line
	for l := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		out = append(out, line{text: l})
	}
	return out
}

// when is a line that is there only with its parameter.
func when(param, text string) []line { return []line{{when: param, text: text}} }

// last puts the row cap behind a query.
func last() []line { return always("| top {rows} by Timestamp {order}") }

// Named finds a query of the library.
func Named(name string) (Query, bool) {
	all := Library()
	i := slices.IndexFunc(all, func(q Query) bool { return q.Name == name })
	if i < 0 {
		return Query{}, false
	}
	return all[i], true
}

// Library lists the named queries. Tables and columns are those of the documented schema of advanced hunting.
func Library() []Query {
	return []Query{processTree(), networkConnections(), persistence(), lateralMovement(), fileOrigin(), logons(), tampering()}
}
