package tools

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/tools/kql"
)

type runQueryIn struct {
	Query   string `json:"query" jsonschema:"Which" enum:"process_tree,network_connections,persistence,lateral_movement,file_origin,logons,tampering"`
	Device  string `json:"device,omitempty" jsonschema:"Device" form:"device"`
	File    string `json:"file,omitempty" jsonschema:"Hash, name or pid"`
	Remote  string `json:"remote,omitempty" jsonschema:"IP or domain"`
	Account string `json:"account,omitempty" jsonschema:"Account"`
	Since   string `json:"since,omitempty" jsonschema:"Age: 24h; at most 30d" form:"age"`
	listing
}

func runQuery() declaration {
	return spec[runQueryIn, huntOut]{
		name: "run_query", title: "Run a named query", toolset: Hunting, surface: Default, risk: approvals.RiskRead,
		summary:    "Answer a usual hunting question and show its KQL. Narrow it by the arguments.",
		positional: []string{"query", "device"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists: "rows", read: readQuery,
	}
}

func readQuery(ctx context.Context, s *session, in runQueryIn) (huntOut, string, error) {
	q, ok := kql.Named(in.Query)
	if !ok {
		return huntOut{}, "", approvals.Refuse(approvals.KindInvalid, nil, "there is no query %s", quoted(in.Query, 60))
	}
	values, err := in.values(q)
	if err != nil {
		return huntOut{}, "", err
	}
	return s.pageOfHunt(in.listing, func() (hunted, error) {
		if device := values["device"]; device != "" {
			if values["device"], err = s.huntDevice(ctx, device); err != nil {
				return hunted{}, err
			}
		}
		since := s.clock().UTC().Add(-q.Window)
		if in.Since != "" {
			if since, err = s.huntStart(in.Since); err != nil {
				return hunted{}, err
			}
		}
		text, err := q.Build(values, since)
		if err != nil {
			return hunted{}, approvals.Refuse(approvals.KindInvalid, err, "%s", err.Error())
		}
		run, err := s.runHunt(ctx, mdecore.HuntingQuery{Query: text})
		if err != nil {
			return hunted{}, err
		}
		run.kql = text
		if len(run.rows) >= q.Rows {
			run.leaveOut("%s", capOf(q))
		}
		return run, nil
	})
}

func capOf(q kql.Query) string {
	which := "newest"
	if q.OldestFirst {
		which = "oldest"
	}
	return fmt.Sprintf("%s gives the %d %s rows, so there may be more; narrow it by an argument or by since", q.Name, q.Rows, which)
}

// values are the arguments as the library names them. An argument that the query doesn't take is refused, because the answer
// would be about more than was asked.
func (in runQueryIn) values(q kql.Query) (map[string]string, error) {
	values := map[string]string{}
	var problems Problems
	add := func(arg, value string, name string) {
		switch {
		case value == "":
		case !q.Takes(name):
			problems = append(problems, problem(arg, "%s takes no %s", q.Name, strings.ReplaceAll(name, "_", " ")))
		default:
			values[name] = value
		}
	}
	add("device", in.Device, "device")
	add("file", in.File, fileParam(in.File, q))
	add("remote", in.Remote, remoteParam(in.Remote))
	add("account", in.Account, "account")
	for _, p := range q.Params {
		if value, ok := values[p.Name]; ok && p.Type != kql.Device {
			if _, err := kql.Literal(p.Type, value); err != nil {
				problems = append(problems, problem(argOfParam(p.Name), "%s", err.Error()))
			}
		}
	}
	if len(problems) == 0 {
		if missing := in.missing(q, values); missing != "" {
			problems = append(problems, problem("", "%s", missing))
		}
	}
	return values, problems.refusal("run_query")
}

// missing says in the words of the arguments what a query lacks.
func (in runQueryIn) missing(q kql.Query, values map[string]string) string {
	for _, p := range q.Params {
		if p.Required && values[p.Name] == "" {
			return fmt.Sprintf("%s needs %s", q.Name, argOfParam(p.Name))
		}
	}
	var args []string
	seen := map[string]bool{}
	for _, name := range q.AnyOf {
		if values[name] != "" {
			return ""
		}
		if arg := argOfParam(name); !seen[arg] {
			args, seen[arg] = append(args, arg), true
		}
	}
	if len(args) == 0 {
		return ""
	}
	return fmt.Sprintf("%s needs %s", q.Name, strings.Join(args, " or "))
}

// argOfParam is the argument that stands for a parameter of the library.
func argOfParam(name string) string {
	switch name {
	case "hash", "file_name", "pid":
		return "file"
	case "ip", "domain":
		return "remote"
	}
	return name
}

var (
	hashText = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^([0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64})$`)
	})
	pidText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]{1,10}$`) })
)

// fileParam tells a hash, a process id and a file name apart. Only a query that knows process ids reads digits as one.
func fileParam(s string, q kql.Query) string {
	switch {
	case hashText().MatchString(s):
		return "hash"
	case pidText().MatchString(s) && q.Takes("pid"):
		return "pid"
	}
	return "file_name"
}

// remoteParam tells an address from a domain.
func remoteParam(s string) string {
	if _, err := netip.ParseAddr(s); err == nil {
		return "ip"
	}
	return "domain"
}
