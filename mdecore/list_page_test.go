package mdecore_test

import (
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// listed reads the machines of one answer: their ids, and the error that ended the list.
func listed(t *testing.T, body string) (string, error) {
	t.Helper()
	var seen []string
	for m, err := range newService(t, answer(200, body)).clientOf(t).ListMachines(t.Context(), mdecore.Query{}) {
		if err != nil {
			require.Nil(t, m)
			return strings.Join(seen, " "), err
		}
		seen = append(seen, m.ID)
	}
	return strings.Join(seen, " "), nil
}

func TestPagesInEveryForm(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"value":[]}`:   "",
		`{"value":null}`: "",
		`{"@odata.context":"x","value":[{"id":"1"},{"id":"2"}]}`:                     "1 2",
		`{"@odata.count":7,"Value":[{"id":"1"}],"extra":{"a":[1,{"b":"}"}]},"x":""}`: "1",
		"\n { \"value\" : [ {\"id\":\"1\"} ,\n{\"id\":null} ] } \n":                  "1 ",
		`{"@odata.nextLink":null,"value":[]}`:                                        "",
		`{"@odata.nextLink":"","value":[{"id":"é\"],}"}]}`:                           `é"],}`,
	} {
		got, err := listed(t, body)
		require.NoError(t, err, body)
		require.Equal(t, want, got, body)
	}
}

// What comes before the fault may be given out; what must not happen is that the list seems complete.
func TestAPageThatBreaksIsAnError(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"value":[{"id":"1"},{"id":"2"`:             "1",
		`{"value":[{"id":"1"},{"id":"2"}`:            "1 2",
		`{"value":[{"id":"1"}]`:                      "1",
		`{"value":[{"id":"1"},{"id":5}]}`:            "1",
		`{"value":[{"id":"1"} {"id":"2"}]}`:          "1",
		`{"value":[{"id":"1"}]}{"value":[]}`:         "1",
		`{"value":[{"id":"1"}]} trailing`:            "1",
		`{"value":[{"id":"1"}],"@odata.nextLink":5}`: "1",
		`{"value":[{"id":"1"}],"x":}`:                "1",
		`{"value":{"id":"1"}}`:                       "",
		`{"value":"none"}`:                           "",
		`{"values":[{"id":"1"}]}`:                    "",
		`{"error":{"code":"x"}}`:                     "",
		`{}`:                                         "",
		`[{"id":"1"}]`:                               "",
		`null`:                                       "",
		`"x"`:                                        "",
		`<html>`:                                     "",
	} {
		got, err := listed(t, body)
		require.Error(t, err, body)
		require.ErrorContains(t, err, "page 1 of the list cannot be read")
		require.True(t, mdecore.Uncertain(err) && !mdecore.IsNotFound(err), body)
		require.Equal(t, want, got, body)
	}
}

// A page that is cut off on its way is asked for again before any of its items is given out.
func TestAPageThatIsCutIsAskedForAgain(t *testing.T) {
	t.Parallel()
	calls := 0
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 2 {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"value":[{"id":"` + strings.Repeat("f", 40) + `"},`))
			_ = http.NewResponseController(w).Flush()
			hangUp(w, r)
			return
		}
		paged(25, 10, absoluteLink)(w, r)
	})
	require.Len(t, ids(t, s.clientOf(t), mdecore.Query{}), 25)
	require.Equal(t, 4, calls)
}

// gone reports whether what p points to is collected.
func gone(p weak.Pointer[mdecore.Machine]) bool {
	for range 10 {
		runtime.GC()
		if p.Value() == nil {
			return true
		}
		time.Sleep(time.Millisecond) // another test's collection may be under way
	}
	return false
}

func TestAListHoldsOneItemOnly(t *testing.T) {
	t.Parallel()
	s := newService(t, paged(25, 10, absoluteLink))
	var kept *mdecore.Machine
	var past weak.Pointer[mdecore.Machine]
	n := 0
	for m, err := range s.clientOf(t).ListMachines(t.Context(), mdecore.Query{}) {
		require.NoError(t, err)
		switch n++; n {
		case 1:
			kept = m
		case 2, 9:
			past = weak.Make(m)
		case 5, 12:
			require.True(t, gone(past), "an item that nobody keeps, of this page or the one before, at item %d", n)
		}
	}
	require.Equal(t, strings.Repeat("0", 40), kept.ID, "the first item is untouched")
}
