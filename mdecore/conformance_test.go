package mdecore_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	optable "github.com/mde-ops/mde-ops/mdecore/operations"
)

// TestTheTenantAnswersAsTheTableSays sends every operation of the table to the simulated tenant as raw HTTP, so that neither
// the client nor the tenant can agree with itself only.
func TestTheTenantAnswersAsTheTableSays(t *testing.T) {
	t.Parallel()
	families, writing := map[string][]optable.Operation{}, map[string]bool{}
	for _, row := range optable.All() {
		families[row.Family] = append(families[row.Family], row)
		writing[row.Family] = writing[row.Family] || row.Method != http.MethodGet || strings.HasPrefix(row.ID, "get_live_response")
	}
	reading := newWorld(t, nil) // for all families that change nothing
	for family, rows := range families {
		t.Run(family, func(t *testing.T) {
			t.Parallel()
			w := reading
			if writing[family] {
				w = newWorld(t, nil)
			}
			for _, row := range rows {
				t.Run(row.ID, func(t *testing.T) {
					w.succeeds(t, row)
					w.asksForPermission(t, row)
					w.readsBodies(t, row)
					w.readsQueries(t, row)
					w.knowsItsPaths(t, row)
					w.knowsItsIDs(t, row)
				})
			}
		})
	}
}

// succeeds tries the operation with each permission alone.
func (w *world) succeeds(t *testing.T, row optable.Operation) {
	t.Helper()
	try := func(by caller) {
		a := w.send(t, row, requestOf(t, row.ID)(t, w, by), by)
		if row.Success == 0 {
			require.Equal(t, 2, a.status/100, "%s: %s", by.name, a.raw)
			return
		}
		require.Equal(t, row.Success, a.status, "%s: %s", by.name, a.raw)
	}
	for _, role := range row.RoleNames() {
		try(onlyWith(role, false))
	}
	for _, scope := range row.DelegatedNames() {
		try(onlyWith(scope, true))
	}
}

// permitted is somebody who may perform the operation, and prepares what others try.
func permitted(row optable.Operation) caller { return onlyWith(row.RoleNames()[0], false) }

// asksForPermission tries with every permission but the right ones, and without a token.
func (w *world) asksForPermission(t *testing.T, row optable.Operation) {
	t.Helper()
	req := requestOf(t, row.ID)(t, w, permitted(row))
	before := w.changes()
	for _, delegated := range []bool{false, true} {
		a := w.send(t, row, req, without(row, delegated))
		names := row.RoleNames()
		if delegated {
			names = row.DelegatedNames()
		}
		message := a.refused(t, row.Graph, http.StatusForbidden, "Forbidden")
		for _, name := range names {
			require.Contains(t, message, name, "what is missing is named")
		}
	}
	for _, token := range []string{"", "x.y.z"} {
		a := w.do(t, row.Method, req.path(t, row.Path), req, token)
		a.refused(t, row.Graph, http.StatusUnauthorized, "Unauthorized")
	}
	require.Equal(t, before, w.changes(), "a refused request changes nothing")
}

// anyCase are operations that take the names of body fields in any case, with the reason.
func anyCase() map[string]string {
	return map[string]string{
		"run_hunting_query":   "Graph's page writes Query, its libraries query",
		"upload_library_file": "the page's table writes File, its example file",
	}
}

// badBody are the documented codes of a body that cannot be used.
func badBody() []string {
	return []string{"BadRequest", "InvalidInput", "InvalidRequestBody", "MissingRequiredParameter"}
}

// readsBodies leaves each required field out, writes each field in the other case, and sends what is no body at all.
func (w *world) readsBodies(t *testing.T, row optable.Operation) {
	t.Helper()
	if row.Method != http.MethodPost && row.Method != http.MethodPatch {
		return
	}
	by := permitted(row)
	req := requestOf(t, row.ID)(t, w, by)
	before := w.changes()
	refuse := func(req request, what string) {
		a := w.send(t, row, req, by)
		require.Equal(t, http.StatusBadRequest, a.status, "%s: %s", what, a.raw)
		a.refused(t, row.Graph, http.StatusBadRequest, badBody()...)
	}
	broken := req
	broken.raw = []byte(`{"Comment": "cut`)
	refuse(broken, "a body that is cut off")
	for _, name := range strings.Fields(row.Required) {
		if row.ID == "upload_library_file" {
			refuse(form(t, "", ""), "a form without its file")
			continue
		}
		require.Contains(t, req.body, name, "the fixture lacks a required field")
		body := maps.Clone(req.body)
		delete(body, name)
		refuse(req.with(body), "no "+name)
	}
	for name := range req.body {
		if anyCase()[row.ID] != "" {
			continue
		}
		body := maps.Clone(req.body)
		delete(body, name)
		body[otherCase(name)] = req.body[name]
		refuse(req.with(body), otherCase(name)+" for "+name)
	}
	require.Equal(t, before, w.changes(), "a refused request changes nothing")
}

// otherCase changes the case of a name's first letter.
func otherCase(name string) string {
	if lower := strings.ToLower(name[:1]); lower != name[:1] {
		return lower + name[1:]
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// badQueryValues are values that a query parameter does not take.
func badQueryValues() map[string][]string {
	return map[string][]string{
		"sasValidHours": {"0", "-1", "25", "x"}, "lookBackHours": {"0", "721", "x"}, "pageSize": {"0", "200001", "x"},
		"sinceTime": {"2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z", "yesterday"}, "useStartsWithFilter": {"maybe"}, "tag": {""},
		"$top": nil, // in the test of lists
	}
}

// readsQueries sends values that the query's parameters do not take.
func (w *world) readsQueries(t *testing.T, row optable.Operation) {
	t.Helper()
	by := permitted(row)
	for _, name := range strings.Fields(row.Query) {
		values, ok := badQueryValues()[name]
		require.True(t, ok, "say what %s does not take", name)
		for _, value := range values {
			req := requestOf(t, row.ID)(t, w, by)
			query := url.Values{}
			maps.Copy(query, req.query)
			query.Set(name, value)
			req.query = query
			a := w.send(t, row, req, by)
			require.Equal(t, http.StatusBadRequest, a.status, "%s=%s: %s", name, value, a.raw)
			a.refused(t, row.Graph, http.StatusBadRequest, badBody()...)
		}
	}
}

// unknownOf is a well-formed value of a path's parameter that nothing has.
func unknownOf() map[string]string {
	none := "00000000-0000-4000-8000-000000000000"
	return map[string]string{
		"machine_id": strings.Repeat("f", 40), "alert_id": "da637472900382838869_1", "action_id": none, "investigation_id": "999999999",
		"indicator_id": "999999999", "cve_id": "CVE-1999-99999", "software_id": "nobody-_-nothing", "recommendation_id": "va-_-nobody-_-nothing",
		"task_id": none, "ip": "192.0.2.77", "domain": "nothing.example", "user_id": "nobody", "agent_id": strings.Repeat("f", 40),
		"scan_definition_id": none, "file_name": "nothing.ps1", "incident_id": "999999999", "file_id": strings.Repeat("e", 40),
	}
}

// emptyForUnknown are operations that answer with nothing found for what they do not know, with the reason.
func emptyForUnknown() map[string]string {
	return map[string]string{
		"find_machines_by_ip":  "the page promises a list, empty when no device had the address",
		"list_file_alerts":     "the page promises a list, empty for a file without alerts",
		"list_file_machines":   "the page promises a list, empty for a file that was not seen",
		"list_ip_alerts":       "any address is a good one; the list is empty",
		"get_ip_stats":         "any address is a good one; it was seen 0 times",
		"list_domain_alerts":   "any domain is a good one; the list is empty",
		"list_domain_machines": "any domain is a good one; the list is empty",
		"get_domain_stats":     "any domain is a good one; it was seen 0 times",
		"list_user_alerts":     "the page promises a list, empty for an account that is not known",
		"list_user_machines":   "the page promises a list, empty for an account that is not known",
	}
}

// knowsItsPaths tries a method that no path takes, and an id that nothing has.
func (w *world) knowsItsPaths(t *testing.T, row optable.Operation) {
	t.Helper()
	by := permitted(row)
	req := requestOf(t, row.ID)(t, w, by)
	before := w.changes()
	a := w.do(t, http.MethodPut, req.path(t, row.Path), req, w.token(t, by, row.Graph))
	a.refused(t, row.Graph, http.StatusMethodNotAllowed, "BadRequest")
	for name := range req.params {
		unknown, ok := unknownOf()[name]
		if !ok {
			require.Contains(t, []string{"timestamp", "command_index"}, name, "say what an unknown one of these is")
			continue
		}
		if strings.HasPrefix(req.params[name], "'") {
			unknown = "'" + unknown + "'"
		}
		other := req
		other.params = maps.Clone(req.params)
		other.params[name] = unknown
		a := w.send(t, row, other, by)
		if emptyForUnknown()[row.ID] != "" {
			require.Equal(t, http.StatusOK, a.status, "%s", a.raw)
			continue
		}
		a.refused(t, row.Graph, http.StatusNotFound, "ResourceNotFound", "NotFound")
	}
	require.Equal(t, before, w.changes(), "a refused request changes nothing")
}

// knowsItsIDs adds an id that nothing has to those of a body: nothing is done to the others either.
func (w *world) knowsItsIDs(t *testing.T, row optable.Operation) {
	t.Helper()
	for field, of := range map[string]string{"alertIds": "alert_id", "IndicatorIds": "indicator_id", "ScanDefinitionIds": "scan_definition_id"} {
		by := permitted(row)
		req := requestOf(t, row.ID)(t, w, by)
		ids, ok := req.body[field].([]any)
		if !ok {
			continue
		}
		before := w.changes()
		body := maps.Clone(req.body)
		body[field] = append(slices.Clone(ids), unknownOf()[of])
		w.send(t, row, req.with(body), by).refused(t, row.Graph, http.StatusNotFound, "ResourceNotFound")
		require.Equal(t, before, w.changes(), "a refused request changes nothing")
	}
}

// refused asserts a status and the documented shape of an error, and returns its message.
func (a reply) refused(t *testing.T, graph bool, status int, codes ...string) string {
	t.Helper()
	require.Equal(t, status, a.status, "%s", a.raw)
	e, ok := a.body["error"].(map[string]any)
	require.True(t, ok, "%s", a.raw)
	names, ids := []string{"code", "message", "target"}, []any{e["target"]}
	header := "x-ms-request-id"
	if graph {
		inner, ok := e["innerError"].(map[string]any)
		require.True(t, ok, "%s", a.raw)
		require.Equal(t, []string{"client-request-id", "date", "request-id"}, slices.Sorted(maps.Keys(inner)))
		names, ids, header = []string{"code", "innerError", "message"}, []any{inner["request-id"]}, "request-id"
	}
	require.Equal(t, names, slices.Sorted(maps.Keys(e)))
	require.Contains(t, codes, fmt.Sprint(e["code"]), "%s", a.raw)
	require.Equal(t, []any{a.header.Get(header)}, ids, "the header repeats the request's id")
	require.Len(t, a.header.Get(header), 36)
	message, _ := e["message"].(string)
	require.NotEmpty(t, message)
	return message
}
