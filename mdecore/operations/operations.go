package operations

import (
	"slices"
	"strings"
	"sync"
)

// Operation is one documented operation. Lists of names are written with spaces between them.
type Operation struct {
	// ID is the operation's snake-case name, e.g. isolate_machine.
	ID string
	// Client is the method of mdecore.Client that performs it, e.g. IsolateMachine.
	Client string
	// Family is the group of the documentation that it belongs to, e.g. machine_actions.
	Family string
	// Graph marks an operation of Microsoft Graph; all others belong to the Defender for Endpoint API.
	Graph bool
	// Method and Path are as documented; parameters of the path stand in braces.
	Method, Path string
	// Doc is the file name of the documentation page.
	Doc string
	// Success is the documented status of a success; 0 when the page names none.
	Success int
	// Required are the body's required fields.
	Required string
	// Query are the query parameters, OData's own left out.
	Query string
	// Filter are the properties that $filter takes, Expand those that $expand takes.
	Filter, Expand string
	// MaxTop is the largest $top, or the largest page where $top is not documented; 0 when none is.
	MaxTop int
	// Roles are the application permissions, Delegated the delegated ones, of which any one suffices. Names that only
	// older revisions of the page list are included.
	Roles, Delegated string
	// PerMinute and PerHour are the documented limits of calls for an application in a tenant; 0 when none is stated.
	PerMinute, PerHour int
	// State is "" for a current page, otherwise prerelease-notice, preview, legacy or deprecated.
	State string
	// Destructive marks what changes a device or takes protection away.
	Destructive bool
}

// Endpoint is "METHOD /path/{template}".
func (o Operation) Endpoint() string { return o.Method + " " + o.Path }

// Limits are the calls a minute and an hour that the operation's endpoint has in all. Where rows of the table share an
// endpoint, whose upper and lower case the service does not tell apart, these are the strictest of any row: nobody says for
// which of the two the service counts a call. 0 means that none is stated.
func (o Operation) Limits() (perMinute, perHour int) {
	found := limits()[strings.ToLower(o.Endpoint())]
	return stricter(o.PerMinute, found.perMinute), stricter(o.PerHour, found.perHour)
}

// limit is how often an endpoint may be called.
type limit struct{ perMinute, perHour int }

// limits is the table's limits by their endpoints, made at its first use.
var limits = sync.OnceValue(func() map[string]limit {
	table := map[string]limit{}
	for _, o := range All() {
		key := strings.ToLower(o.Endpoint())
		table[key] = limit{stricter(table[key].perMinute, o.PerMinute), stricter(table[key].perHour, o.PerHour)}
	}
	return table
})

// stricter is the lower of two limits, of which 0 is none.
func stricter(a, b int) int {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// RoleNames are the application permissions of which any one suffices.
func (o Operation) RoleNames() []string { return strings.Fields(o.Roles) }

// DelegatedNames are the delegated permissions of which any one suffices.
func (o Operation) DelegatedNames() []string { return strings.Fields(o.Delegated) }

// Deprecated reports whether the service has retired the operation or is about to.
func (o Operation) Deprecated() bool { return o.State == "deprecated" || o.State == "legacy" }

// All returns a fresh copy of the table, family by family.
func All() []Operation {
	return slices.Concat(
		alerts(), machines(), machineActions(), liveResponse(), library(), indicators(), hunting(), investigations(),
		vulnerabilities(), software(), recommendations(), remediation(), scores(), files(), ips(), domains(), users(),
		assessments(), baselines(), deviceHealth(), authenticatedScans(), graph(),
	)
}

// of sets the family of its operations.
func of(family string, ops []Operation) []Operation {
	for i := range ops {
		ops[i].Family = family
	}
	return ops
}

// byClient is the table by the client's method, made at its first use.
var byClient = sync.OnceValue(func() map[string]Operation {
	table := map[string]Operation{}
	for _, o := range All() {
		table[o.Client] = o
	}
	return table
})

// ByClient finds the operation that a method of mdecore.Client performs.
func ByClient(method string) (Operation, bool) {
	o, ok := byClient()[method]
	return o, ok
}
