package mdesim

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// property is a filterable property of T.
type property[T any] struct {
	propertyType
	get func(T) any
}

// schema is the filterable properties of a list, by name, as operations document
// them. A property that is not listed is refused.
type schema[T any] map[string]property[T]

func (s schema[T]) lookup(name string) (propertyType, bool) {
	p, ok := s[name]
	return p.propertyType, ok
}

// predicate parses a filter; an empty one lets everything through.
func (s schema[T]) predicate(filter string) (func(T) bool, error) {
	if strings.TrimSpace(filter) == "" {
		return func(T) bool { return true }, nil
	}
	n, err := parseFilter(filter, s.lookup)
	if err != nil {
		return nil, err
	}
	return func(v T) bool {
		return n.match(func(name string) any { return s[name].get(v) })
	}, nil
}

// text makes an empty string null, for filters.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// listing describes a list operation.
type listing[T any] struct {
	context string // @odata.context, after $metadata
	schema  schema[T]
	expand  []string
	wire    func(v T, expanded bool) any
}

// options are the query options of a list request.
type options struct {
	filter    string
	top, skip int
	hasTop    bool
	expanded  bool
}

// readOptions reads the query; whatever the documentation does not offer is
// refused rather than ignored.
func readOptions(rawQuery string, expand []string) (options, error) {
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return options{}, errors.New("the query string is malformed")
	}
	var o options
	for name, v := range values {
		if !strings.HasPrefix(name, "$") {
			continue
		}
		if len(v) > 1 {
			return o, fmt.Errorf("the query option '%s' is given more than once", name)
		}
		switch name {
		case "$filter":
			o.filter = v[0]
		case "$top":
			o.hasTop = true
			o.top, err = number(name, v[0], DefaultPageSize)
		case "$skip":
			o.skip, err = number(name, v[0], 1<<31-1)
		case "$expand":
			if !slices.Contains(expand, v[0]) {
				err = fmt.Errorf("the property '%s' cannot be used in the $expand query option", v[0])
			}
			o.expanded = true
		default:
			err = fmt.Errorf("the query option '%s' is not supported", name)
		}
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

func number(name, s string, limit int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("invalid value '%s' for %s: a whole number that is not negative is needed", s, name)
	}
	if n > limit {
		return 0, fmt.Errorf("the limit of %d for %s was exceeded with %d", limit, name, n)
	}
	return n, nil
}

// serve answers a list request over items, a page at a time.
func (l listing[T]) serve(c *call, items []T) response {
	o, err := readOptions(c.r.URL.RawQuery, l.expand)
	if err != nil {
		return c.odataError(err)
	}
	keep, err := l.schema.predicate(o.filter)
	if err != nil {
		return c.odataError(err)
	}
	size := c.t.PageSize
	if o.hasTop {
		size = min(size, o.top)
	}
	page, seen, more := make([]any, 0, min(size, len(items))), 0, false
	for _, v := range items {
		if !keep(v) {
			continue
		}
		if seen++; seen <= o.skip {
			continue
		}
		if len(page) == size {
			more = true
			break
		}
		page = append(page, l.wire(v, o.expanded))
	}
	more = more && (!o.hasTop || o.top > size)
	return c.list(l.context, page, c.nextLink(o, size, more))
}

func (c *call) odataError(err error) response {
	return c.t.problem(http.StatusBadRequest, "ODataError", err.Error())
}

// envelope is a list; a struct because the context comes first and the link last.
type envelope struct {
	Context string `json:"@odata.context"`
	Value   any    `json:"value"`
	Next    string `json:"@odata.nextLink,omitempty"`
}

func (c *call) list(context string, page any, next string) response {
	return c.t.ok(http.StatusOK, envelope{Context: c.metadata(context), Value: page, Next: next})
}

// metadata is an @odata.context of this server.
func (c *call) metadata(name string) string { return c.base() + "/api/$metadata#" + name }

func (c *call) base() string {
	if c.r.TLS == nil {
		return "http://" + c.r.Host
	}
	return "https://" + c.r.Host
}

// nextLink repeats the request with a larger $skip, and a smaller $top when there
// was one.
func (c *call) nextLink(o options, size int, more bool) string {
	if !more {
		return ""
	}
	values := c.r.URL.Query()
	values.Set("$skip", strconv.Itoa(o.skip+size))
	if o.hasTop {
		values.Set("$top", strconv.Itoa(o.top-size))
	}
	return c.base() + c.r.URL.Path + "?" + values.Encode()
}
