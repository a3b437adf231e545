package tools

import (
	"encoding/json"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

// Toolset groups tools of one family, so that a face can offer some and not others.
type Toolset string

// The toolsets.
const (
	Devices      Toolset = "devices"
	Alerts       Toolset = "alerts" // and incidents
	Response     Toolset = "response"
	LiveResponse Toolset = "live_response"
	Hunting      Toolset = "hunting"
	Indicators   Toolset = "indicators"
	Entities     Toolset = "entities"
	Exposure     Toolset = "exposure"
	Evidence     Toolset = "evidence"
	Requests     Toolset = "requests"
	Session      Toolset = "session"
	Nexus        Toolset = "nexus" // runtime protection of Azure Operator Nexus clusters
)

// Surface says when a server offers a tool.
type Surface string

// The surfaces. The zero value is none, so that nobody forgets to decide.
const (
	// Default tools are offered unless others are asked for.
	Default Surface = "default"
	// InToolset tools are offered with their toolset, or by name.
	InToolset Surface = "toolset"
	// ByName tools are offered only when they are named: they are off by default.
	ByName Surface = "by name"
)

// Annotations are hints for MCP clients. They describe a tool and enforce nothing: the gate does.
type Annotations struct {
	// ReadOnly says that the tool changes nothing, neither in the tenant nor in our store.
	ReadOnly bool
	// Destructive says that what the tool changes hurts when it is wrong.
	Destructive bool
	// Idempotent says that calling it again with the same arguments changes nothing further.
	Idempotent bool
	// OpenWorld says that its output holds text from outside: device names, alert titles, comments.
	OpenWorld bool
}

// Tool is what faces may know about a tool: everything but its functions.
type Tool struct {
	// Name is the catalogue name, such as "isolate_devices".
	Name string
	// Title is the name for people, and Summary says in a few sentences what it does and when to use it.
	Title, Summary string
	Toolset        Toolset
	Surface        Surface
	Risk           approvals.Risk
	// Raised is a higher risk that some plans of the tool have, by what they would do; empty when there is none.
	Raised approvals.Risk
	// Args are the arguments in the order of the declaration.
	Args []Arg
	// InputSchema and OutputSchema are JSON Schema 2020-12 objects; neither is ever empty.
	InputSchema, OutputSchema json.RawMessage
	Annotations               Annotations
	// Untrusted says that the output holds text that attackers can write.
	Untrusted bool
}

// Acts reports whether the tool changes the tenant, so that a call makes a request at the gate.
func (t Tool) Acts() bool { return t.Risk != approvals.RiskRead }

// info is what the gate knows of the tool.
func (t Tool) info() approvals.ToolInfo {
	return approvals.ToolInfo{Risk: t.Risk, Raised: t.Raised, Toolset: string(t.Toolset)}
}

// Brief is the first sentence of Summary.
func (t Tool) Brief() string {
	first, _, _ := strings.Cut(t.Summary, ". ")
	return strings.TrimSuffix(first, ".") + "."
}

// Positional lists the names of the arguments that a command line may give without their flag, in order.
func (t Tool) Positional() []string {
	var names []string
	for _, a := range t.Args {
		if a.Positional {
			names = append(names, a.Name)
		}
	}
	return names
}

// Arg returns the argument of that name, and false when the tool has none.
func (t Tool) Arg(name string) (Arg, bool) {
	for _, a := range t.Args {
		if a.Name == name {
			return a, true
		}
	}
	return Arg{}, false
}

// ArgType is the type of an argument.
type ArgType string

// The types of arguments. A tool's arguments are flat on purpose: a person can type them.
const (
	TypeString  ArgType = "string"
	TypeStrings ArgType = "array" // one or many strings; a single string is taken as a list of one
	TypeInteger ArgType = "integer"
	TypeBoolean ArgType = "boolean"
)

// Arg is one argument of a tool.
type Arg struct {
	Name        string
	Type        ArgType
	Description string
	Required    bool
	Positional  bool
	// Enum lists the values that are taken; empty when any is.
	Enum []string
	// Default is the value that a missing argument stands for, as text; empty when there is none.
	Default string
	// Min and Max bound an integer, or the length of a string in characters; both zero when there is no bound.
	Min, Max int

	form form
}

// Device reports whether the argument names devices, so that a form can offer those that there are.
func (a Arg) Device() bool { return a.form == formDevice }

// Request reports whether the argument is the id of one of our requests.
func (a Arg) Request() bool { return a.form == formRequest }

// Long reports whether the argument is a text of many lines, such as a query.
func (a Arg) Long() bool { return a.form == formText || a.form == formCSV || a.form == formBase64 }
