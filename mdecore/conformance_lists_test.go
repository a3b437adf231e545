package mdecore_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	optable "github.com/mde-ops/mde-ops/mdecore/operations"
)

// furnish makes actions, an indicator and assigned alerts, so that no list is empty and no property that a list is filtered by
// is null throughout. It is the same in every world.
func (w *world) furnish(t *testing.T) {
	t.Helper()
	for _, write := range []struct {
		id string
		by func(*testing.T, *world, caller) request
	}{
		{"collect_investigation_package", comment()},
		{"isolate_machine", comment()},
		{"restrict_code_execution", comment()},
		{"submit_indicator", indicator},
		{"update_alert", alertChange},
		{"update_incident", incidentChange},
	} {
		a := w.send(t, rowOf(t, write.id), write.by(t, w, caller{name: everyApp}), caller{name: everyApp})
		require.Less(t, a.status, 300, "%s: %s", write.id, a.raw)
	}
	w.advance(time.Minute)
}

// TestTheTenantListsAsTheTableSays holds filters and pages of every list against the table.
func TestTheTenantListsAsTheTableSays(t *testing.T) {
	t.Parallel()
	whole := newWorld(t, nil)
	whole.furnish(t)
	paged := newWorld(t, func(tenant *mdesim.Tenant) { tenant.PageSize = 25 })
	paged.furnish(t)
	for _, row := range optable.All() {
		if row.Filter == "" && row.MaxTop == 0 {
			continue
		}
		t.Run(row.ID, func(t *testing.T) {
			t.Parallel()
			l := listRow{w: whole, row: row, req: requestOf(t, row.ID)(t, whole, caller{name: everyApp})}
			l.all = l.walk(t, whole, nil)
			require.NotEmpty(t, l.all, "there must be something to filter and page")
			l.filters(t)
			l.refusesOtherFilters(t)
			l.expands(t)
			l.tops(t)
			l.pages(t, paged)
		})
	}
}

// listRow is a list and what it holds.
type listRow struct {
	w   *world
	row optable.Operation
	req request
	all []map[string]any
}

// ask asks for the list with more query options.
func (l listRow) ask(t *testing.T, w *world, options url.Values) reply {
	t.Helper()
	req := l.req
	req.query = maps.Clone(l.req.query)
	if req.query == nil {
		req.query = url.Values{}
	}
	maps.Copy(req.query, options)
	return w.send(t, l.row, req, caller{name: everyApp})
}

// walk reads a list and every page that it names.
func (l listRow) walk(t *testing.T, w *world, options url.Values) []map[string]any {
	t.Helper()
	a := l.ask(t, w, options)
	for items, pages := []map[string]any(nil), 0; ; pages++ {
		require.Equal(t, http.StatusOK, a.status, "%s", a.raw)
		require.Less(t, pages, 500, "the pages must end")
		items = append(items, a.items(t)...)
		next, ok := a.body["@odata.nextLink"].(string)
		if !ok {
			return items
		}
		require.True(t, strings.HasPrefix(next, w.server.URL+"/"), "the next page is on the same host: %s", next)
		require.NotEmpty(t, a.items(t), "a page that names another holds something")
		a = w.do(t, l.row.Method, next, l.req, w.token(t, caller{name: everyApp}, l.row.Graph))
	}
}

// texts are items in a form that can be compared.
func texts(t *testing.T, items []map[string]any) []string {
	t.Helper()
	out := make([]string, 0, len(items))
	for _, item := range items {
		raw, err := json.Marshal(item)
		require.NoError(t, err)
		out = append(out, string(raw))
	}
	return out
}

// otherNames are properties that answers spell otherwise than filters do, by list and filter.
func otherNames() map[string]string {
	return map[string]string{"list_indicators createdByDisplayName": "source"}
}

// noSuchProperty are lists whose page offers filters on what their items do not have, with the reason.
func noSuchProperty() map[string]string {
	return map[string]string{
		"list_browser_extension_permissions": "the page's list of properties is that of vulnerabilities; of these only description exists",
	}
}

// value is what an item has for a filter's property, whose case may be another one.
func (l listRow) value(item map[string]any, name string) any {
	if other, ok := otherNames()[l.row.ID+" "+name]; ok {
		name = other
	}
	for key, v := range item {
		if strings.EqualFold(key, name) {
			return v
		}
	}
	return nil
}

// clause is a filter that selects a value, and what else it selects.
func clause(name string, value any) (filter string, selects func(any) bool) {
	same := func(other any) bool { return other == value }
	switch v := value.(type) {
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return name + " ge " + v, func(other any) bool {
				text, _ := other.(string)
				then, err := time.Parse(time.RFC3339Nano, text)
				return err == nil && !then.Before(at)
			}
		}
		return name + " eq '" + strings.ReplaceAll(v, "'", "''") + "'", same
	case float64:
		return name + " eq " + strconv.FormatFloat(v, 'f', -1, 64), same
	case bool:
		return name + " eq " + strconv.FormatBool(v), same
	case []any:
		if len(v) == 0 {
			return "", nil
		}
		quoted := strings.ReplaceAll(fmt.Sprint(v[0]), "'", "''")
		return name + "/any(x:x eq '" + quoted + "')", func(other any) bool {
			list, _ := other.([]any)
			return slices.Contains(list, v[0])
		}
	}
	return "", nil
}

// filters selects by each property that the table lists, by a value that some item has.
func (l listRow) filters(t *testing.T) {
	t.Helper()
	for _, name := range strings.Fields(l.row.Filter) {
		filter := ""
		var selects func(any) bool
		for i := 0; i < len(l.all) && filter == ""; i++ {
			filter, selects = clause(name, l.value(l.all[i], name))
		}
		if filter == "" && noSuchProperty()[l.row.ID] != "" {
			continue
		}
		require.NotEmpty(t, filter, "no item has a value of %s: furnish the world with one", name)
		got := l.walk(t, l.w, url.Values{"$filter": {filter}})
		want := slices.DeleteFunc(slices.Clone(l.all), func(item map[string]any) bool { return !selects(l.value(item, name)) })
		require.NotEmpty(t, want)
		require.ElementsMatch(t, texts(t, want), texts(t, got), "%s", filter)
	}
}

// badQuery is the documented code of a query that is not taken.
func (l listRow) badQuery() string {
	switch {
	case l.row.Graph:
		return "BadRequest"
	case strings.Contains(l.row.Query, "pageSize"):
		return "InvalidInput" // exports are no OData lists
	}
	return "ODataError"
}

// refusesOtherFilters tries properties that the table does not list, one of which the items have.
func (l listRow) refusesOtherFilters(t *testing.T) {
	t.Helper()
	listed := strings.Fields(strings.ToLower(l.row.Filter))
	tried := []string{"noSuchProperty"}
	for _, name := range slices.Sorted(maps.Keys(l.all[0])) {
		if _, text := l.all[0][name].(string); text && !strings.HasPrefix(name, "@") && !slices.Contains(listed, strings.ToLower(name)) {
			tried = append(tried, name)
			break
		}
	}
	for _, name := range tried {
		a := l.ask(t, l.w, url.Values{"$filter": {name + " eq 'x'"}})
		a.refused(t, l.row.Graph, http.StatusBadRequest, l.badQuery())
	}
}

// expands tries the properties that $expand takes, and one that it does not.
func (l listRow) expands(t *testing.T) {
	t.Helper()
	for _, name := range strings.Fields(l.row.Expand) {
		items := l.ask(t, l.w, url.Values{"$expand": {name}}).items(t)
		require.NotEmpty(t, items)
		require.NotEmpty(t, items[0][name], "what is expanded is in the answer")
		require.Empty(t, l.all[0][name], "and only then")
	}
	a := l.ask(t, l.w, url.Values{"$expand": {"noSuchProperty"}})
	a.refused(t, l.row.Graph, http.StatusBadRequest, l.badQuery())
}

// tops holds $top against the largest one, which is refused when it is exceeded: the pages say it is a limit, and how the
// service answers is not said.
func (l listRow) tops(t *testing.T) {
	t.Helper()
	for _, top := range []string{strconv.Itoa(l.row.MaxTop + 1), "-1", "x"} {
		a := l.ask(t, l.w, url.Values{"$top": {top}})
		a.refused(t, l.row.Graph, http.StatusBadRequest, l.badQuery())
	}
	require.Equal(t, http.StatusOK, l.ask(t, l.w, url.Values{"$top": {strconv.Itoa(l.row.MaxTop)}}).status)
	require.Len(t, l.ask(t, l.w, url.Values{"$top": {"1"}}).items(t), 1)
}

// pages reads the list in pages by its links and, where there is one, by $skip: the items are those of one large page.
func (l listRow) pages(t *testing.T, paged *world) {
	t.Helper()
	want := texts(t, l.all)
	other := l
	other.req = requestOf(t, l.row.ID)(t, paged, caller{name: everyApp})
	require.ElementsMatch(t, want, texts(t, other.walk(t, paged, nil)), "by nextLink")
	if strings.Contains(l.row.Query, "pageSize") {
		size := strconv.Itoa(1 + len(l.all)/3)
		require.ElementsMatch(t, want, texts(t, l.walk(t, l.w, url.Values{"pageSize": {size}})), "by pageSize")
		return
	}
	var got []map[string]any
	step := 1 + len(l.all)/3
	for skip := 0; skip < len(l.all); skip += step {
		a := l.ask(t, l.w, url.Values{"$top": {strconv.Itoa(step)}, "$skip": {strconv.Itoa(skip)}})
		require.Equal(t, http.StatusOK, a.status, "%s", a.raw)
		require.LessOrEqual(t, len(a.items(t)), step)
		got = append(got, a.items(t)...)
	}
	require.ElementsMatch(t, want, texts(t, got), "by $skip")
}
