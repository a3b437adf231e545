package mdesim

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// The limits that most pages state. They are kept as well where a page states none.
const (
	perMinute = 100
	perHour   = 1500
)

// Route describes one simulated operation of the API.
type Route struct {
	Op        string   // snake-case name, such as isolate_machine
	Method    string   // HTTP method
	Path      string   // as documented, with {names}
	Doc       string   // file name of the documentation page
	Roles     []string // application permissions, any of which is enough
	Delegated []string // delegated permissions, any of which is enough
	PerMinute int      // documented calls a minute; 0 when the page states none
	PerHour   int      // documented calls an hour; 0 when the page states none
}

// route is a Route with the code behind it.
type route struct {
	Route
	segments []string
	handle   func(*call) response
}

// call is a request that passed authentication, permission and limits.
type call struct {
	t      *Tenant
	r      *http.Request
	id     string            // the path's first parameter
	params map[string]string // all of the path's parameters, unescaped
	body   []byte
	caller caller
}

// Routes lists the simulated operations, so that a test can compare them with
// the published ones.
func (t *Tenant) Routes() []Route {
	t.ready()
	out := make([]Route, 0, len(t.routes))
	for i := range t.routes {
		out = append(out, t.routes[i].Route)
	}
	return out
}

// permissions are the names of which any one lets a caller pass.
type permissions struct{ roles, delegated []string }

// anyOf reads two lists of names with spaces between them. Names that only older
// revisions of a page list belong to them as well.
func anyOf(roles, delegated string) permissions {
	return permissions{strings.Fields(roles), strings.Fields(delegated)}
}

// on declares an operation.
func on(method, op, path, doc string, p permissions, handle func(*call) response) route {
	return route{
		Route:    Route{Op: op, Method: method, Path: path, Doc: doc, Roles: p.roles, Delegated: p.delegated, PerMinute: perMinute, PerHour: perHour},
		segments: strings.Split(strings.TrimPrefix(path, "/"), "/"),
		handle:   handle,
	}
}

// limited sets the limits that the page states; 0 for one that it does not state.
func (rt route) limited(perMinute, perHour int) route {
	rt.PerMinute, rt.PerHour = perMinute, perHour
	return rt
}

// table declares every operation once, family by family.
func table() []route {
	return slices.Concat(
		alertRoutes(), machineRoutes(), machineActionRoutes(), liveResponseRoutes(), packageRoutes(), libraryRoutes(), indicatorRoutes(), huntingRoutes(),
		investigationRoutes(), vulnerabilityRoutes(), softwareRoutes(), recommendationRoutes(), remediationRoutes(), scoreRoutes(),
		entityRoutes(), assessmentRoutes(), baselineRoutes(), deviceHealthRoutes(), scanRoutes(), graphRoutes(),
	)
}

// router finds routes by the number of their segments and their first two.
type router map[string][]*route

func newRouter(routes []route) router {
	out := router{}
	for i := range routes {
		key := shape(routes[i].segments)
		out[key] = append(out[key], &routes[i])
	}
	for _, candidates := range out {
		// A literal segment is meant before a parameter that would take it as well.
		slices.SortStableFunc(candidates, func(a, b *route) int { return strings.Count(a.Path, "/{") - strings.Count(b.Path, "/{") })
	}
	return out
}

// shape is what the router groups by. Only a path's later segments have
// parameters. Upper and lower case are the same in literal segments: the pages
// themselves write /api/machines and /api/Machines.
func shape(segments []string) string {
	return strconv.Itoa(len(segments)) + "/" + strings.ToLower(strings.Join(segments[:min(2, len(segments))], "/"))
}

// match finds the route of a request. Segments are split before they are
// unescaped, so that an escaped slash stays inside its id.
func (ro router) match(method, escaped string) (rt *route, params map[string]string, first string, pathKnown bool) {
	escaped, _ = canonical(escaped)
	segments := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	for _, candidate := range ro[shape(segments)] {
		found, id, ok := candidate.fits(segments)
		if !ok {
			continue
		}
		pathKnown = true
		if candidate.Method == method {
			return candidate, found, id, true
		}
	}
	return nil, nil, "", pathKnown
}

// fits reports whether a path is the route's, and its parameters.
func (rt *route) fits(segments []string) (params map[string]string, first string, ok bool) {
	for i, want := range rt.segments {
		got, err := url.PathUnescape(segments[i])
		if err != nil {
			return nil, "", false
		}
		if !strings.Contains(want, "{") {
			if !strings.EqualFold(got, want) {
				return nil, "", false
			}
			continue
		}
		names, values, ok := placeholders(want, got)
		if !ok {
			return nil, "", false
		}
		if params == nil {
			params, first = map[string]string{}, values[0]
		}
		for k, name := range names {
			params[name] = values[k]
		}
	}
	return params, first, true
}

// placeholders reads a segment such as find(timestamp={timestamp},key={ip}).
func placeholders(want, got string) (names, values []string, ok bool) {
	for {
		literal, rest, found := strings.Cut(want, "{")
		if !strings.HasPrefix(got, literal) {
			return nil, nil, false
		}
		got = got[len(literal):]
		if !found {
			return names, values, got == ""
		}
		name, after, _ := strings.Cut(rest, "}")
		stop := len(got)
		if until, _, _ := strings.Cut(after, "{"); until != "" {
			// The last parameter of a function ends at the segment's end, all others at what follows them.
			if stop = strings.Index(got, until); until == after {
				stop = strings.LastIndex(got, until)
			}
		}
		if stop <= 0 {
			return nil, nil, false
		}
		names, values = append(names, name), append(values, got[:stop])
		got, want = got[stop:], after
	}
}

// serveAPI authenticates, finds the route, checks permission and limits, and
// handles the request.
func (t *Tenant) serveAPI(r *http.Request, body []byte) response {
	who, resp, ok := t.authenticate(r)
	if !ok {
		return resp
	}
	rt, params, id, known := t.router.match(r.Method, r.URL.EscapedPath())
	switch {
	case rt == nil && known:
		return t.problem(http.StatusMethodNotAllowed, "BadRequest", "The requested resource does not support http method '"+r.Method+"'")
	case rt == nil:
		return t.problem(http.StatusNotFound, "NotFound", "No HTTP resource was found that matches the request URI")
	}
	if resp, ok := t.permit(rt, who); !ok {
		return resp
	}
	if resp, limited := t.throttled(rt); limited {
		return resp
	}
	return rt.handle(&call{t: t, r: r, id: id, params: params, body: body, caller: who})
}
