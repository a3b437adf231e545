package main

import (
	"fmt"
	"strings"

	"github.com/mde-ops/mde-ops/internal/opdoc"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/mdecore/operations"
)

// coverage is docs/coverage.md. An operation is covered when the client has its method and the simulated tenant its route.
func coverage(clientDir string) (string, error) {
	methods, err := opdoc.Read(clientDir)
	if err != nil {
		return "", err
	}
	routes := map[string]bool{}
	for _, r := range new(mdesim.Tenant).Routes() {
		routes[same(r.Method+" "+r.Path)] = true
	}
	covers := func(o operations.Operation) bool {
		m, ok := methods[o.Client]
		return ok && m.Endpoint() == o.Endpoint() && routes[same(o.Endpoint())]
	}
	var mde, graph tally
	for _, o := range operations.All() {
		if o.Graph {
			graph.add(o, covers(o))
		} else {
			mde.add(o, covers(o))
		}
	}
	var b strings.Builder
	b.WriteString("# Coverage\n\n<!-- Written by `make generate` from mdecore/operations and the client's methods. Don't edit. -->\n\n")
	fmt.Fprintf(&b, "Defender for Endpoint API: **%d of %d** documented method and path pairs (%d operations: one path serves two documented\n"+
		"exports). Microsoft Graph: **%d of %d**. Covered means that the client has a method and the simulated tenant a route, and\n"+
		"that both agree with the table in `mdecore/operations`. Limits are calls a minute / an hour for an application in a tenant;\n"+
		"where a page states none the client keeps the usual 100 / 1500. Any one of the roles is enough.\n",
		mde.covered(), len(mde.pairs), mde.operations, graph.covered(), len(graph.pairs))
	family := ""
	for _, o := range operations.All() {
		if o.Family != family {
			family = o.Family
			fmt.Fprintf(&b, "\n## %s\n\n| operation | client | roles | limits | |\n| --- | --- | --- | --- | --- |\n", strings.ReplaceAll(family, "_", " "))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", o.Endpoint(), client(o, covers(o)), strings.Join(o.RoleNames(), ", "), limits(o), o.State)
	}
	return b.String(), nil
}

// tally counts method and path pairs.
type tally struct {
	operations int
	pairs      map[string]bool
}

func (t *tally) add(o operations.Operation, covered bool) {
	if t.pairs == nil {
		t.pairs = map[string]bool{}
	}
	t.operations++
	before, seen := t.pairs[same(o.Endpoint())]
	t.pairs[same(o.Endpoint())] = covered && (before || !seen)
}

func (t *tally) covered() int {
	n := 0
	for _, ok := range t.pairs {
		if ok {
			n++
		}
	}
	return n
}

// same is an endpoint without its case: the pages write one path in two ways.
func same(endpoint string) string { return strings.ToLower(endpoint) }

func client(o operations.Operation, covered bool) string {
	if !covered {
		return "missing"
	}
	return "`" + o.Client + "`"
}

func limits(o operations.Operation) string {
	if o.PerMinute == 0 && o.PerHour == 0 {
		return "not stated"
	}
	number := func(n int) string {
		if n == 0 {
			return "-"
		}
		return fmt.Sprint(n)
	}
	return number(o.PerMinute) + " / " + number(o.PerHour)
}
