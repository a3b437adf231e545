package mdecore_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// paged serves n machines in pages of size, with or without next links.
func paged(n, size int, links func(skip int, r *http.Request) string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		skip, _ := strconv.Atoi(r.URL.Query().Get("$skip"))
		end := min(skip+size, n)
		if top, err := strconv.Atoi(r.URL.Query().Get("$top")); err == nil {
			end = min(end, skip+top)
		}
		var b strings.Builder
		b.WriteString(`{"value":[`)
		for i := skip; i < end; i++ {
			if i > skip {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, `{"id":"%040x"}`, i)
		}
		b.WriteString("]")
		if end < n && links != nil {
			fmt.Fprintf(&b, `,"@odata.nextLink":%q`, links(end, r))
		}
		b.WriteString("}")
		answer(200, b.String())(w, r)
	}
}

func absoluteLink(skip int, r *http.Request) string {
	return "http://" + r.Host + "/api/machines?$skip=" + strconv.Itoa(skip)
}

func ids(t *testing.T, c *mdecore.Client, q mdecore.Query) (out []string) {
	t.Helper()
	for m, err := range c.ListMachines(t.Context(), q) {
		require.NoError(t, err)
		out = append(out, m.ID)
	}
	return out
}

func TestListFollowsItsPages(t *testing.T) {
	t.Parallel()
	relative := func(skip int, _ *http.Request) string { return "machines?$skip=" + strconv.Itoa(skip) }
	rooted := func(skip int, _ *http.Request) string { return "/api/machines?$skip=" + strconv.Itoa(skip) }
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		query   mdecore.Query
		items   int
		sends   int
	}{
		"absolute links":       {paged(25, 10, absoluteLink), mdecore.Query{}, 25, 3},
		"relative links":       {paged(25, 10, relative), mdecore.Query{}, 25, 3},
		"rooted links":         {paged(25, 10, rooted), mdecore.Query{}, 25, 3},
		"exactly one page":     {paged(10, 10, absoluteLink), mdecore.Query{}, 10, 1},
		"none":                 {paged(0, 10, absoluteLink), mdecore.Query{}, 0, 1},
		"top within a page":    {paged(25, 10, absoluteLink), mdecore.Query{Page: mdecore.Page{Top: 5}}, 5, 1},
		"top across pages":     {paged(25, 10, absoluteLink), mdecore.Query{Page: mdecore.Page{Top: 15}}, 15, 2},
		"top is a whole page":  {paged(25, 10, absoluteLink), mdecore.Query{Page: mdecore.Page{Top: 10}}, 10, 1},
		"skip":                 {paged(25, 10, absoluteLink), mdecore.Query{Page: mdecore.Page{Skip: 20}}, 5, 1},
		"no links, full pages": {paged(20001, 10000, nil), mdecore.Query{Page: mdecore.Page{Skip: 1}}, 20000, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, tc.handler)
			got := ids(t, s.clientOf(t), tc.query)
			require.Len(t, got, tc.items)
			for i, id := range got {
				require.Equal(t, fmt.Sprintf("%040x", i+tc.query.Skip), id)
			}
			require.Len(t, s.received(), tc.sends)
		})
	}
}

func TestListStopsWhenItsReaderDoes(t *testing.T) {
	t.Parallel()
	s := newService(t, paged(25, 10, absoluteLink))
	for m, err := range s.clientOf(t).ListMachines(t.Context(), mdecore.Query{}) {
		require.NoError(t, err)
		require.NotNil(t, m)
		break
	}
	require.Len(t, s.received(), 1)
}

func TestListRefusesAForeignNextLink(t *testing.T) {
	t.Parallel()
	foreign := newService(t, answer(200, `{"value":[{"id":"evil"}]}`))
	for _, link := range []string{foreign.URL + "/api/machines", "//evil.example/api", "https://evil.example/", "http://user@evil.example/", "ftp://x/", "http://[::bad"} {
		s := newService(t, paged(5, 2, func(int, *http.Request) string { return link }))
		count, failed := 0, error(nil)
		for _, err := range s.clientOf(t).ListMachines(t.Context(), mdecore.Query{}) {
			if err != nil {
				failed = err
				continue
			}
			count++
		}
		require.Equal(t, 2, count)
		require.Error(t, failed, link)
		require.Len(t, s.received(), 1)
	}
	require.Empty(t, foreign.received(), "the token must not leave")
}

func TestListEndsOnALoop(t *testing.T) {
	t.Parallel()
	s := newService(t, paged(5, 2, func(_ int, r *http.Request) string { return absoluteLink(2, r) }))
	require.ErrorContains(t, drain(s.clientOf(t).ListMachines(t.Context(), mdecore.Query{})), "does not end")
	require.LessOrEqual(t, len(s.received()), 3)
}

func TestQueriesAreWrittenAsDocumented(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, anything("x")))
	c := s.clientOf(t)
	at := time.Now().Add(-time.Hour)
	page := mdecore.Page{Top: 20000, Skip: 3}
	require.NoError(t, drain(c.ListAlerts(t.Context(), mdecore.AlertsQuery{Filter: " severity eq 'High' ", ExpandEvidence: true, Page: page})))
	require.NoError(t, drain(c.ListMachineActions(t.Context(), mdecore.Query{Filter: "status eq 'Pending'"})))
	_, err := c.FindMachinesByName(t.Context(), "O'Brien.contoso.com")
	require.NoError(t, err)
	_, err = c.FindMachinesByAadDeviceID(t.Context(), strings.ToUpper(deviceID))
	require.NoError(t, err)
	_, err = c.FindMachinesByIP(t.Context(), netip.MustParseAddr("::ffff:10.1.0.5"), at)
	require.NoError(t, err)
	_, err = c.FindMachinesByIP(t.Context(), netip.MustParseAddr("2a01::5"), at)
	require.NoError(t, err)
	calls := s.received()
	require.Equal(t, "%24expand=evidence&%24filter=severity%20eq%20%27High%27&%24skip=3&%24top=10000", calls[0].query)
	require.Equal(t, "%24filter=status%20eq%20%27Pending%27", calls[1].query)
	require.Equal(t, "%24filter=startswith%28computerDnsName%2C%27o%27%27brien.contoso.com%27%29", calls[2].query)
	require.Equal(t, "%24filter=aadDeviceId%20eq%20"+deviceID, calls[3].query)
	require.Equal(t, "/api/machines/findbyip(ip='10.1.0.5',timestamp="+at.UTC().Format(time.RFC3339)+")", calls[4].path)
	require.Equal(t, "/api/machines/findbyip(ip='2a01::5',timestamp="+at.UTC().Format(time.RFC3339)+")", calls[5].path)
}

func TestFindMachinesByNameKeepsRealMatchesOnly(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"value":[
		{"id":"1","computerDnsName":"host01.contoso.com"},{"id":"2","computerDnsName":"HOST01"},{"id":"3","computerDnsName":"host011.contoso.com"},
		{"id":"4","computerDnsName":"host01.fabrikam.com"},{"id":"5","computerDnsName":"host01-old.contoso.com"},{"id":"6","computerDnsName":null}]}`))
	c := s.clientOf(t)
	for name, want := range map[string]string{
		"host01": "1 2 4", " HOST01 ": "1 2 4", "host01.contoso.com": "1", "Host01.Fabrikam.com": "4", "host01.contoso": "", "host": "",
	} {
		found, err := c.FindMachinesByName(t.Context(), name)
		require.NoError(t, err)
		var got []string
		for _, m := range found {
			got = append(got, m.ID)
		}
		require.Equal(t, want, strings.Join(got, " "), name)
	}
	for _, bad := range []string{"", "  ", "a/b", "a\x00b", "a%2fb", `a\b`, strings.Repeat("x", 256)} {
		_, err := c.FindMachinesByName(t.Context(), bad)
		var invalid *mdecore.InvalidError
		require.ErrorAs(t, err, &invalid, "%q", bad)
	}
}

func TestFindMachinesByIPRefusesOldTimes(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"value":[]}`))
	ip := netip.MustParseAddr("10.1.0.5")
	for _, at := range []time.Time{time.Now().AddDate(0, 0, -31), time.Now().Add(2 * time.Hour)} {
		_, err := s.clientOf(t).FindMachinesByIP(t.Context(), ip, at)
		require.ErrorContains(t, err, "past 30 days")
	}
	_, err := s.clientOf(t).FindMachinesByIP(t.Context(), netip.MustParseAddr("fe80::1%eth0"), time.Time{})
	require.ErrorContains(t, err, "without a zone")
	require.Empty(t, s.received())
}

// A 404 is the API's answer for an empty list, but only in place of the whole list: later it hides what is missing.
func TestAPageThatIsMissingIsNotTheEnd(t *testing.T) {
	t.Parallel()
	broken := func(first string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("$skip") == "" {
				answer(200, `{"value":[`+first+`],"@odata.nextLink":"`+absoluteLink(1, r)+`"}`)(w, r)
				return
			}
			answer(404, refusal)(w, r)
		}
	}
	for name, first := range map[string]string{"after items": `{"id":"x"}`, "after an empty page": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, broken(first))
			err := drain(s.clientOf(t).ListMachines(t.Context(), mdecore.Query{}))
			require.ErrorContains(t, err, "incomplete, because its page 2 was not found")
			require.ErrorContains(t, err, "SomeCode", "what the service said is kept")
			require.False(t, mdecore.IsNotFound(err), "callers take that for an empty list")
			_, err = s.clientOf(t).FindMachinesByName(t.Context(), "x")
			require.False(t, err == nil || mdecore.IsNotFound(err))
			require.Len(t, s.received(), 4)
		})
	}
	s := newService(t, answer(404, refusal))
	require.True(t, mdecore.IsNotFound(drain(s.clientOf(t).ListMachines(t.Context(), mdecore.Query{}))))
}

// A next link may hold a token or a signature, and one that can't be read is not taken apart to hide it.
func TestABadNextLinkIsNotShown(t *testing.T) {
	t.Parallel()
	for _, link := range []string{
		"https://x/%zz?sig=hunter2&access_token=hunter2", "https://x:hunter2/", "http://[hunter2", "/api/machines?hunter2\u007f", ":hunter2",
		"https://hunter2:hunter2@evil.example/?sig=hunter2", "https://evil.example/hunter2",
	} {
		s := newService(t, answer(200, `{"value":[],"@odata.nextLink":"`+link+`"}`))
		err := drain(s.clientOf(t).ListMachines(t.Context(), mdecore.Query{}))
		require.Error(t, err, link)
		require.NotContains(t, err.Error(), "hunter2", link)
		require.Len(t, s.received(), 1)
	}
}

func TestFindMachinesByAadDeviceIDKeepsRealMatchesOnly(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"value":[{"id":"1","aadDeviceId":"`+strings.ToUpper(deviceID)+`"},
		{"id":"2","aadDeviceId":"99999999-9999-9999-9999-999999999999"},{"id":"3","aadDeviceId":null},{"id":"4"},{"id":"5","aadDeviceId":"`+deviceID+`"}]}`))
	found, err := s.clientOf(t).FindMachinesByAadDeviceID(t.Context(), deviceID)
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Equal(t, "1", found[0].ID)
	require.Equal(t, "5", found[1].ID)
}

func TestTheRootsDotInANameMeansNothing(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"value":[{"id":"1","computerDnsName":"host01.contoso.com"},{"id":"2","computerDnsName":"HOST01.contoso.com."}]}`))
	for _, name := range []string{"host01.contoso.com", "host01.contoso.com.", "host01", "HOST01."} {
		found, err := s.clientOf(t).FindMachinesByName(t.Context(), name)
		require.NoError(t, err)
		require.Len(t, found, 2, name)
	}
	for _, call := range s.received() {
		require.NotContains(t, call.query, ".%27", "the service compares the beginning of the name as it is written")
	}
}

func TestAnswersForAnotherActionAreRefused(t *testing.T) {
	t.Parallel()
	const other = "22222222-2222-2222-2222-222222222222"
	s := newService(t, answer(200, `{"id":"`+other+`","type":"Offboard","status":"Succeeded"}`))
	c := s.clientOf(t)
	_, err := c.GetMachineAction(t.Context(), actionID)
	require.ErrorContains(t, err, other)
	require.False(t, mdecore.IsNotFound(err))
	_, err = c.WaitMachineAction(t.Context(), actionID, mdecore.WaitOptions{})
	require.ErrorContains(t, err, other)
	err = operations(t)["CancelMachineAction"].good(t.Context(), c)
	require.ErrorContains(t, err, other)
	require.True(t, mdecore.Uncertain(err), "something was cancelled, perhaps")
	s = newService(t, answer(200, `{"id":"`+strings.ToUpper(actionID)+`","status":"Succeeded"}`))
	_, err = s.clientOf(t).GetMachineAction(t.Context(), actionID)
	require.NoError(t, err)
}

func TestAnswersForAnotherMachineAreRefused(t *testing.T) {
	t.Parallel()
	other := strings.Repeat("ab", 20)
	s := newService(t, answer(200, `{"id":"`+other+`","machineId":"`+other+`","status":"Pending"}`))
	c := s.clientOf(t)
	_, err := c.GetMachine(t.Context(), machineID)
	require.ErrorContains(t, err, other)
	err = operations(t)["IsolateMachine"].good(t.Context(), c)
	require.ErrorContains(t, err, other)
	require.True(t, mdecore.Uncertain(err))
	_, err = c.GetMachine(t.Context(), strings.ToUpper(other))
	require.NoError(t, err)
}
