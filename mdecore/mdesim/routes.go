package mdesim

import (
	"net/http"
	"net/url"
	"strings"
)

// The limits that the documentation states for every simulated operation.
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
	id     string // the {id} of the path
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

// Permission sets, with the names that older revisions of the pages list.
func readMachine() ([]string, []string) {
	return []string{"Machine.Read.All", "Machine.ReadWrite.All"}, []string{"Machine.Read", "Machine.ReadWrite"}
}

func readAlert() ([]string, []string) {
	return []string{"Alert.ReadWrite.All", "Alert.Read.All"}, []string{"Alert.ReadWrite", "Alert.Read"}
}

func isolate() ([]string, []string) {
	return []string{"Machine.Isolate"}, []string{"Machine.Isolate"}
}

func readUser() ([]string, []string) {
	return []string{"User.Read.All"}, []string{"User.Read.All"}
}

func cancel() ([]string, []string) {
	names := []string{
		"Machine.CollectForensics", "Machine.Isolate", "Machine.RestrictExecution", "Machine.Scan",
		"Machine.Offboard", "Machine.StopAndQuarantine", "Machine.LiveResponse",
	}
	return names, names
}

// table declares every operation once.
func (t *Tenant) table() []route {
	var routes []route
	add := func(op, method, path, doc string, permissions func() ([]string, []string), handle func(*call) response) {
		roles, delegated := permissions()
		routes = append(routes, route{
			Route:    Route{Op: op, Method: method, Path: path, Doc: doc, Roles: roles, Delegated: delegated},
			segments: strings.Split(strings.TrimPrefix(path, "/api/"), "/"),
			handle:   handle,
		})
	}
	const get, post = http.MethodGet, http.MethodPost
	add("list_alerts", get, "/api/alerts", "get-alerts.md", readAlert, listAlerts)
	add("get_alert", get, "/api/alerts/{alert_id}", "get-alert-info-by-id.md", readAlert, getAlert)
	add("list_machines", get, "/api/machines", "get-machines.md", readMachine, listMachines)
	// Before get_machine, whose {machine_id} would match it as well.
	add("find_machines_by_ip", get, "/api/machines/findbyip(ip='{ip}',timestamp={timestamp})", "find-machines-by-ip.md", readMachine, findByIP)
	add("get_machine", get, "/api/machines/{machine_id}", "get-machine-by-id.md", readMachine, getMachine)
	add("list_machine_logon_users", get, "/api/machines/{machine_id}/logonusers", "get-machine-log-on-users.md", readUser, logonUsers)
	add("list_machine_alerts", get, "/api/machines/{machine_id}/alerts", "get-machine-related-alerts.md", readAlert, machineAlerts)
	add("count_machine_alerts", get, "/api/machines/{machine_id}/alerts/$count", "get-machine-related-alerts.md", readAlert, countMachineAlerts)
	add("isolate_machine", post, "/api/machines/{machine_id}/isolate", "isolate-machine.md", isolate, isolateMachine)
	add("unisolate_machine", post, "/api/machines/{machine_id}/unisolate", "unisolate-machine.md", isolate, unisolateMachine)
	add("list_machine_actions", get, "/api/machineactions", "get-machineactions-collection.md", readMachine, listActions)
	add("get_machine_action", get, "/api/machineactions/{action_id}", "get-machineaction-object.md", readMachine, getAction)
	add("cancel_machine_action", post, "/api/machineactions/{action_id}/cancel", "cancel-machine-action.md", cancel, cancelAction)
	return routes
}

// match finds the route of a request. Segments are split before they are
// unescaped, so that an escaped slash stays inside its id.
func (t *Tenant) match(method, escaped string) (rt *route, id string, pathKnown bool) {
	segments := strings.Split(strings.TrimPrefix(strings.TrimPrefix(escaped, "/api/"), "v1.0/"), "/")
	for i := range t.routes {
		candidate := &t.routes[i]
		found, ok := candidate.fits(segments)
		if !ok {
			continue
		}
		pathKnown = true
		if candidate.Method == method {
			return candidate, found, true
		}
	}
	return nil, "", pathKnown
}

func (rt *route) fits(segments []string) (id string, ok bool) {
	if len(segments) != len(rt.segments) {
		return "", false
	}
	for i, want := range rt.segments {
		got, err := url.PathUnescape(segments[i])
		switch {
		case err != nil:
			return "", false
		case strings.HasPrefix(want, "findbyip("):
			if !strings.HasPrefix(got, "findbyip(") {
				return "", false
			}
			id = got
		case strings.HasPrefix(want, "{"):
			if got == "" {
				return "", false
			}
			id = got
		case got != want:
			return "", false
		}
	}
	return id, true
}

// serveAPI authenticates, finds the route, checks permission and limits, and
// handles the request.
func (t *Tenant) serveAPI(r *http.Request, body []byte) response {
	who, resp, ok := t.authenticate(r)
	if !ok {
		return resp
	}
	rt, id, known := t.match(r.Method, r.URL.EscapedPath())
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
	return rt.handle(&call{t: t, r: r, id: id, body: body, caller: who})
}
