package mdecore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore/operations"
)

// RawGet is a documented reading call that was named by its path. It was checked and not sent; NewRawGet makes one.
type RawGet struct {
	// Operation is the documented operation that the path means.
	Operation operations.Operation
	// Paged says that the answer is one page of a list, of at most Top items from Skip on.
	Paged     bool
	Top, Skip int

	what call
}

const (
	// rawTop is how many items a page has unless the caller says so, rawMaxTop how many it may have: an answer that nobody has
	// a type for is held whole, and read by somebody.
	rawTop, rawMaxTop = 100, 1000
)

// NewRawGet checks a path such as /api/machines/{id}/logonusers, and its query, against the table of operations. It takes only
// documented operations that read and whose answer holds no link to a download, and only the parameters that their pages name;
// anything else is an *InvalidError.
func NewRawGet(path string, query url.Values) (RawGet, error) {
	o, values, err := documented(path)
	if err != nil {
		return RawGet{}, err
	}
	r := RawGet{Operation: o, what: call{op: "GetOperation", via: o.Client}}
	names := parameters(o.Path)
	if len(names) != len(values) || len(names) > len(r.what.args) {
		return RawGet{}, invalid("path", path, "it does not fit "+o.Path)
	}
	for i, name := range names {
		r.what.args[i] = rawArg(name, values[i])
		if err := r.what.args[i].invalid; err != nil {
			return RawGet{}, err
		}
	}
	return r, r.ask(query)
}

// GetOperation sends a checked reading call and returns the answer, one JSON value, with signatures and tokens taken out of it.
// It follows no link to a next page, because Top and Skip say which part is wanted.
func (c *Client) GetOperation(ctx context.Context, r RawGet) (json.RawMessage, error) {
	if r.what.via == "" {
		return nil, refuse("GetOperation", invalid("path", "", "there is none: make the call with NewRawGet"))
	}
	var body json.RawMessage
	if err := c.get(ctx, r.what, &body); err != nil {
		return nil, err
	}
	body = []byte(azpipe.Redact(string(bytes.TrimSpace(body))))
	if !json.Valid(body) {
		return nil, &Error{Op: r.what.op, Message: "the answer can't be shown: without the secrets in it, it is no JSON"}
	}
	return body, nil
}

// Skippable reports whether the next page begins where $skip says.
func (r RawGet) Skippable() bool { return pageSizeName(r.Operation) == "$top" }

// documented finds the operation that a path means, and the values of its parameters. Of several templates that fit, the one
// with more letters of its own is meant, as on the service.
func documented(path string) (operations.Operation, []string, error) {
	var best operations.Operation
	var values []string
	most := -1
	for _, o := range operations.All() {
		if o.Method != http.MethodGet {
			continue
		}
		if got, literal, ok := fits(o.Path, path); ok && literal > most {
			best, values, most = o, got, literal
		}
	}
	switch {
	case most < 0:
		return best, nil, invalid("path", path, "no documented operation reads it; paths begin with /api/, such as /api/machines/{id}/logonusers")
	case HandsOutLinks(best):
		return best, nil, invalid("path", path, best.ID+" answers with a link to a download, and such links are not handed out")
	case best.State == "legacy":
		return best, nil, invalid("path", path, best.ID+" is the older form of another operation; use that one")
	}
	return best, values, nil
}

// HandsOutLinks reports whether an operation's answer is a link to a download: anybody who has it can fetch the result. It goes
// by three marks, of which one is enough: the lifetime of the link among the parameters, the words of the operation's name,
// and those of its path.
func HandsOutLinks(o operations.Operation) bool {
	words := strings.Split(strings.ToLower(o.ID), "_")
	has := func(word string) bool { return slices.Contains(words, word) }
	path := strings.ToLower(o.Path)
	return strings.Contains(o.Query, "sasValidHours") ||
		has("uri") || has("link") || has("download") || has("export") && has("files") ||
		strings.HasSuffix(path, "uri") || strings.Contains(path, "download") || strings.HasSuffix(path, "export")
}

// fits matches a path with a template. Its own letters are compared as the service does, in any case; literal counts them.
func fits(template, path string) (values []string, literal int, ok bool) {
	if strings.Count(template, "/") != strings.Count(path, "/") {
		return nil, 0, false
	}
	for {
		before, after, more := strings.Cut(template, "{")
		if len(path) < len(before) || !strings.EqualFold(path[:len(before)], before) {
			return nil, 0, false
		}
		path, literal = path[len(before):], literal+len(before)
		if !more {
			return values, literal, path == ""
		}
		_, template, _ = strings.Cut(after, "}")
		end := len(path)
		if next, _, _ := strings.Cut(template, "{"); next != "" {
			end = strings.Index(strings.ToLower(path), strings.ToLower(next))
		}
		if end < 1 || end > len(path) || strings.Contains(path[:end], "/") {
			return nil, 0, false
		}
		values, path = append(values, path[:end]), path[end:]
	}
}

// parameters are the names in a template's braces, in their order.
func parameters(template string) []string {
	var names []string
	for part := range strings.SplitSeq(template, "{") {
		if name, _, ok := strings.Cut(part, "}"); ok {
			names = append(names, name)
		}
	}
	return names
}

// rawArg checks the value of a path's parameter by its name.
func rawArg(name, value string) arg {
	switch name {
	case "machine_id":
		return machineArg(value)
	case "ip":
		ip, err := netip.ParseAddr(value)
		if err != nil {
			return arg{invalid: invalid("ip", value, "it is not an IP address")}
		}
		return addressArg(ip)
	case "timestamp":
		at, err := time.Parse(time.RFC3339, value)
		if err != nil {
			return arg{invalid: invalid("timestamp", value, "it must be like 2026-11-22T08:00:00Z")}
		}
		return timestampArg(at)
	}
	return idArg(strings.ReplaceAll(name, "_", " "), value)
}

// ask checks the query and adds it, with a bound for the page where the operation has pages.
func (r *RawGet) ask(query url.Values) error {
	o, asked := r.Operation, url.Values{}
	for name, values := range query {
		if len(values) != 1 {
			return invalid("query", name, "it must be given once")
		}
		if offered := r.offered(); !slices.Contains(offered, name) {
			return invalid("query", name, o.ID+" takes "+orNothing(offered))
		}
		if err := checkRawQuery(o, name, values[0]); err != nil {
			return err
		}
		asked.Set(name, values[0])
	}
	if size := pageSizeName(o); size != "" {
		r.Paged, r.Top = true, min(rawTop, o.MaxTop)
		if n, err := strconv.Atoi(asked.Get(size)); err == nil {
			r.Top = n
		}
		r.Skip, _ = strconv.Atoi(asked.Get("$skip")) // checked above; none is 0
		asked.Set(size, strconv.Itoa(r.Top))
	}
	r.what.query = asked
	return nil
}

// offered are the parameters that the operation's page names.
func (r *RawGet) offered() []string {
	o := r.Operation
	names := strings.Fields(o.Query)
	if o.Filter != "" {
		names = append(names, "$filter")
	}
	if o.Expand != "" {
		names = append(names, "$expand")
	}
	switch pageSizeName(o) {
	case "$top":
		names = append(names, "$top", "$skip")
	case "pageSize":
		names = slices.DeleteFunc(names, func(n string) bool { return n == "$top" }) // one bound is enough
	}
	slices.Sort(names)
	return names
}

// pageSizeName is the parameter that bounds a page; "" when the operation has no pages.
func pageSizeName(o operations.Operation) string {
	switch {
	case strings.Contains(o.Query, "pageSize"):
		return "pageSize"
	case o.MaxTop > 0:
		return "$top"
	}
	return ""
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "no parameters"
	}
	return strings.Join(names, ", ")
}

// checkRawQuery checks one documented parameter of the query.
func checkRawQuery(o operations.Operation, name, value string) error {
	number := func(low, high int) error {
		if n, err := strconv.Atoi(value); err != nil || n < low || n > high {
			return invalid(name, value, "it must be a whole number from "+strconv.Itoa(low)+" to "+strconv.Itoa(high))
		}
		return nil
	}
	switch name {
	case "$filter":
		if strings.TrimSpace(value) == "" {
			return invalid(name, value, "it is empty")
		}
		return Filter(value).Check()
	case "$expand":
		if !slices.Contains(strings.Fields(o.Expand), value) {
			return invalid(name, value, "it must be one of "+o.Expand)
		}
		return nil
	case "$top", "pageSize":
		return number(1, min(rawMaxTop, o.MaxTop))
	case "$skip":
		return number(0, 1_000_000)
	case "lookBackHours":
		return number(1, maxLookBack)
	case "tag":
		return checkTag(value)
	case "useStartsWithFilter":
		_, err := strconv.ParseBool(value)
		return rejected(name, value, err, "it must be true or false")
	case "sinceTime":
		_, err := time.Parse(time.RFC3339, value)
		return rejected(name, value, err, "it must be like 2026-11-22T08:00:00Z")
	}
	return rejected(name, value, errors.New("unknown"), "nothing is known of its values")
}

// rejected is the refusal of a value whose reading failed; nil when it did not.
func rejected(name, value string, err error, reason string) error {
	if err == nil {
		return nil
	}
	return invalid(name, value, reason)
}
