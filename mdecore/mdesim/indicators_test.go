package mdesim_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// indicator is a body with a type and a value.
func indicator(kind, value, more string) string {
	return fmt.Sprintf(`{"indicatorValue":%q,"indicatorType":%q,"action":"Block","title":"t","description":"d"%s}`, value, kind, more)
}

const someHash = "220e7d15b011d7fac48f2bd61114db1022197f7f"

func TestIndicatorIsUpdatedByItsValue(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now, TokenLife: 1000 * time.Hour})
	submit := func(body string) answer { return r.send(http.MethodPost, "/api/indicators", body) }
	before := len(r.Indicators())
	first := submit(indicator("FileSha1", someHash, `,"application":"first","rbacGroupNames":["g1"],"expirationTime":"2026-11-23T09:00:00Z"`))
	require.Equal(t, 200, first.status, string(first.raw))
	require.Equal(t, mdesim.DefaultAppID, first.str("createdBy"))
	require.Equal(t, "AadApp", first.str("sourceType"))
	now.Advance(time.Minute)
	second := submit(indicator("FileSha1", strings.ToUpper(someHash), `,"application":"second","severity":"High","expirationTime":"2026-11-23T09:00:00Z"`))
	require.Equal(t, first.str("id"), second.str("id"))
	require.Equal(t, "first", second.str("application"), "honoured on creation only")
	require.Equal(t, "High", second.str("severity"))
	require.Equal(t, first.str("creationTimeDateTimeUtc"), second.str("creationTimeDateTimeUtc"))
	require.Empty(t, second.body["rbacGroupNames"])
	require.Len(t, r.Indicators(), before+1)
	require.NotEqual(t, first.str("id"), submit(indicator("CertificateThumbprint", someHash, "")).str("id"), "another type is another indicator")
	now.Advance(24 * time.Hour)
	require.Len(t, r.Indicators(), before+1, "the file's has expired")
	_, found := r.Indicator("FileSha1", someHash)
	require.False(t, found)
	require.NotEqual(t, first.str("id"), submit(indicator("FileSha1", someHash, "")).str("id"))
	require.Equal(t, mdesim.TypeSubmitIndicator, r.Effects()[0].Type)
	require.Equal(t, someHash, r.Effects()[0].Scope)
	require.Len(t, r.Effects(), 4)
}

func TestIndicatorRefusals(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	for _, tc := range []struct{ body, code, text string }{
		{"[]", "InvalidRequestBody", "not a JSON object"},
		{`{"IndicatorValue":"x"}`, "InvalidRequestBody", "case-sensitive"},
		{`{"indicatorValue":"x"}`, "MissingRequiredParameter", "indicatorType"},
		{indicator("File", someHash, ""), "InvalidInput", "File"},
		{indicator("FileSha1", someHash[1:], ""), "InvalidHashValue", "40"},
		{indicator("FileSha256", someHash, ""), "InvalidHashValue", "64"},
		{indicator("FileMd5", someHash, ""), "InvalidHashValue", "32"},
		{indicator("IpAddress", "12.13.14.0/24", ""), "InvalidIpAddress", "CIDR"},
		{indicator("DomainName", "https://x.test", ""), "InvalidDomainName", "x.test"},
		{indicator("Url", "ftp://x.test", ""), "InvalidUrl", "ftp"},
		{indicator("FileSha1", someHash, `,"severity":"UnSpecified"`), "InvalidInput", "severity"},
		{indicator("FileSha1", someHash, `,"expirationTime":"2020-12-12T00:00:00Z"`), "InvalidInput", "future"},
		{indicator("FileSha1", someHash, `,"rbacGroupNames":"g"`), "InvalidRequestBody", "rbacGroupNames"},
		{indicator("FileSha1", someHash, `,"generateAlert":"True"`), "InvalidRequestBody", "generateAlert"},
		{strings.Replace(indicator("FileSha1", someHash, ""), "Block", "Audit", 1), "InvalidInput", "generateAlert"},
	} {
		refused(t, r.send(http.MethodPost, "/api/indicators", tc.body), 400, tc.code, tc.text)
	}
	require.Empty(t, r.Effects())
}

func TestImportFailsItemByItem(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	imports := func(items ...string) answer {
		return r.send(http.MethodPost, "/api/indicators/import", `{"Indicators":[`+strings.Join(items, ",")+`]}`)
	}
	a := imports(indicator("FileSha1", someHash, ""), indicator("IpAddress", "12.13.14.0/24", ""), indicator("DomainName", "evil.test", ""))
	require.Equal(t, 200, a.status, string(a.raw))
	results := a.values()
	require.Equal(t, []any{false, true, false}, []any{results[0]["isFailed"], results[1]["isFailed"], results[2]["isFailed"]})
	require.Nil(t, results[0]["failureReason"])
	require.Nil(t, results[1]["id"])
	require.Contains(t, results[1]["failureReason"], "InvalidIpAddress")
	require.Len(t, r.Effects(), 2)
	many := make([]string, 501)
	for i := range many {
		many[i] = indicator("FileSha1", fmt.Sprintf("%040x", i), "")
	}
	refused(t, imports(many...), 400, "MaximumBatchSizeExceeded", "Received: 501, allowed: 500")
	refused(t, imports(), 400, "MissingRequiredParameter", "Indicators")
	refused(t, imports(indicator("FileSha1", someHash, `,"Title":"x"`)), 400, "InvalidRequestBody", "Title")
	refused(t, r.send(http.MethodPost, "/api/indicators/import", `{"indicators":[]}`), 400, "InvalidRequestBody", "indicators")
	require.Len(t, r.Effects(), 2)
}

func TestTenantHasRoomFor15000Indicators(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Devices: -1}).unwired()
	for batch := range 30 {
		items := make([]string, 500)
		for i := range items {
			items[i] = indicator("FileSha1", fmt.Sprintf("%08x%032x", batch*500+i, 7), "")
		}
		require.Equal(t, 200, r.send(http.MethodPost, "/api/indicators/import", `{"Indicators":[`+strings.Join(items, ",")+`]}`).status)
	}
	require.Len(t, r.Indicators(), 15000)
	refused(t, r.send(http.MethodPost, "/api/indicators", indicator("FileSha1", someHash, "")), 403, "DisallowedOperation", "15000")
	known := r.Indicators()[0].IndicatorValue
	require.Equal(t, 200, r.send(http.MethodPost, "/api/indicators", indicator("FileSha1", known, "")).status, "an update needs no room")
}

func TestDeletionOfIndicators(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	remove := func(ids string) answer {
		return r.send(http.MethodPost, "/api/indicators/BatchDelete", `{"IndicatorIds":[`+ids+`]}`)
	}
	hidden := r.send(http.MethodPost, "/api/indicators", indicator("FileSha1", someHash, `,"rbacGroupNames":["board"]`)).str("id")
	r.HideGroups("board")
	all := r.Indicators()
	refused(t, remove(`"`+all[0].ID+`","`+hidden+`"`), 403, "Forbidden", hidden)
	refused(t, remove(`"`+all[0].ID+`","1"`), 404, "ResourceNotFound", "Indicator 1 ")
	refused(t, remove(`"x"`), 400, "InvalidInput", "'x'")
	refused(t, remove(``), 400, "MissingRequiredParameter", "IndicatorIds")
	refused(t, remove(strings.TrimSuffix(strings.Repeat(`"1",`, 501), ",")), 400, "MaximumBatchSizeExceeded", "501")
	require.Len(t, r.Indicators(), len(all), "all or nothing")
	gone := remove(`"` + all[0].ID + `","` + all[1].ID + `"`)
	require.Equal(t, 204, gone.status)
	require.Empty(t, gone.raw)
	require.Equal(t, 204, r.send(http.MethodDelete, "/api/indicators/"+all[2].ID, "").status)
	require.Len(t, r.Indicators(), len(all)-3)
	refused(t, r.send(http.MethodDelete, "/api/indicators/"+all[2].ID, ""), 404, "ResourceNotFound", all[2].ID)
	require.Len(t, r.Effects(), 4)
}

func TestIndicatorFilters(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	for filter, want := range map[string]int{
		"": 3, "action eq 'Block'": 1, "indicatorType eq 'FileSha1'": 1, "indicatorValue eq '198.51.100.23'": 1, "severity ne 'High'": 2,
		"expirationTime eq null": 3, "generateAlert eq true": 2, "createdByDisplayName eq 'alice@contoso.com'": 3, "application eq null": 3,
		"creationTimeDateTimeUtc gt 2100-01-01T00:00:00Z": 0, "rbacGroupNames/any(g:g eq 'x')": 0, "startswith(title,'Known')": 1,
	} {
		a := r.filter("indicators", filter)
		require.Equal(t, 200, a.status, string(a.raw))
		require.Len(t, a.values(), want, filter)
	}
	refused(t, r.filter("indicators", "description eq 'x'"), 400, "ODataError", "description")
	refused(t, r.filter("indicators", "action eq 'block'"), 400, "ODataError", "block")
}
