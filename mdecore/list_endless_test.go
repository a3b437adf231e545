package mdecore_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

func TestPagesWithoutItemsEnd(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		itemOn int // the number of the page with an item; the last is 10 pages later
		pages  int
		fails  bool
	}{
		"none":    {0, 101, true},
		"one":     {60, 70, false},
		"at last": {101, 111, false}, // 100 empty ones before it
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := 0
			s := newService(t, func(w http.ResponseWriter, r *http.Request) {
				page++
				item, link := "", fmt.Sprintf(`,"@odata.nextLink":"http://%s/api/machines?$skiptoken=%d"`, r.Host, page)
				if page == tc.itemOn {
					item = `{"id":"` + machineID + `"}`
				}
				if tc.itemOn > 0 && page == tc.itemOn+10 {
					link = ""
				}
				answer(200, `{"value":[`+item+`]`+link+`}`)(w, r)
			})
			_, err := gather(s.clientOf(t).ListMachines(t.Context(), mdecore.Query{}))
			require.Equal(t, tc.fails, err != nil, "%v", err)
			require.Len(t, s.received(), tc.pages)
			if tc.fails {
				require.ErrorContains(t, err, "the list is incomplete")
			}
		})
	}
}

// incidents is a page of n incidents, from the first on.
func incidents(first, n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = `{"id":"` + strconv.Itoa(first+i) + `"}`
	}
	return `{"value":[` + strings.Join(items, ",") + `]}`
}

func TestAServiceThatDoesNotSkipIsAskedNoMore(t *testing.T) {
	t.Parallel()
	asked := 0
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked > 4 {
			answer(400, "")(w, r) // so that the test ends in any case
			return
		}
		answer(200, incidents(0, 50))(w, r)
	})
	seen, err := 0, error(nil)
	for incident, failed := range s.clientOf(t).ListIncidents(t.Context(), mdecore.IncidentsQuery{}) {
		if err = failed; incident != nil {
			seen++
		}
	}
	require.ErrorContains(t, err, "the same page again")
	require.Equal(t, 50, seen, "nothing is given out twice")
	require.Len(t, s.received(), 2)
}

func TestFullPagesAreContinuedBySkip(t *testing.T) {
	t.Parallel()
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		skip, _ := strconv.Atoi(r.URL.Query().Get("$skip"))
		answer(200, incidents(skip, min(50, 120-skip)))(w, r)
	})
	got, err := gather(s.clientOf(t).ListIncidents(t.Context(), mdecore.IncidentsQuery{}))
	require.NoError(t, err)
	require.Len(t, got, 120)
	require.Equal(t, "119", got[119].ID)
}

func TestANullItemIsAnError(t *testing.T) {
	t.Parallel()
	for body, before := range map[string]string{`{"value":[null]}`: "", `{"value":[{"id":"1"},null,{"id":"2"}]}`: "1"} {
		got, err := listed(t, body)
		require.ErrorContains(t, err, "is null", body)
		require.Equal(t, before, got)
	}
}

// A POST that changes something would be sent by whoever can write a next link.
func TestAListByPostStaysAtItsOperation(t *testing.T) {
	t.Parallel()
	var link atomic.Pointer[string]
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "page=2" {
			answer(200, `{"value":[]}`)(w, r)
			return
		}
		answer(200, `{"value":[],"@odata.nextLink":"`+*link.Load()+`"}`)(w, r)
	})
	const own = "/api/DeviceAuthenticatedScanDefinitions/GetScanHistoryBySessionId"
	for _, foreign := range []string{
		s.URL + "/api/machines/" + machineID + "/offboard", "/api/machines/" + machineID + "/offboard?page=2", "../machines/" + machineID + "/offboard",
		s.URL + own + "/../../machines/" + machineID + "/offboard", "BatchDelete?page=2", s.URL + "/" + own + "?page=2", "?page=2",
	} {
		link.Store(&foreign)
		require.ErrorContains(t, drain(s.clientOf(t).GetScanHistoryBySession(t.Context(), []string{"a"})), "another operation", foreign)
	}
	for _, same := range []string{s.URL + own + "?page=2", own + "?page=2", "getscanhistorybysessionid?page=2"} {
		link.Store(&same)
		require.NoError(t, drain(s.clientOf(t).GetScanHistoryBySession(t.Context(), []string{"a"})), same)
	}
	for _, call := range s.received() {
		require.Equal(t, strings.ToLower(own), strings.ToLower(call.path))
	}
}
