package mdecore_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	table "github.com/mde-ops/mde-ops/mdecore/operations"
)

// rawPath fills a template with values that its parameters take.
func rawPath(template string) string {
	return strings.NewReplacer(
		"{machine_id}", machineID, "{ip}", "10.1.0.1", "{timestamp}", "2026-11-22T08:00:00Z", "{command_index}", "0",
	).Replace(placeholder.ReplaceAllStringFunc(template, func(p string) string {
		switch p {
		case "{machine_id}", "{ip}", "{timestamp}", "{command_index}":
			return p
		}
		return "CVE-2026-1"
	}))
}

// TestRawReadsAreTheDocumentedOnesWithoutDownloads goes over the whole table: what may be read raw is decided by the table, and
// a new operation has to be put on one of the two sides here.
func TestRawReadsAreTheDocumentedOnesWithoutDownloads(t *testing.T) {
	t.Parallel()
	var denied []string
	for _, o := range table.All() {
		path := rawPath(o.Path)
		r, err := mdecore.NewRawGet(path, nil)
		switch {
		case mdecore.HandsOutLinks(o):
			denied = append(denied, o.ID)
			require.ErrorContains(t, err, "link to a download", o.ID)
		case o.Method != http.MethodGet:
			require.True(t, err != nil || r.Operation.Method == http.MethodGet, o.ID)
		case o.State == "legacy":
			require.ErrorContains(t, err, "older form", o.ID)
		case strings.Contains(o.Path, "{timestamp}"): // the time must be of the last 30 days
			require.True(t, err == nil || strings.Contains(err.Error(), "30 days"), o.ID)
		default:
			require.NoError(t, err, o.ID)
			require.Equal(t, o.ID, r.Operation.ID)
		}
	}
	require.ElementsMatch(t, []string{
		"get_investigation_package_uri", "get_live_response_result_link",
		"export_secure_config_assessment_files", "export_software_inventory_assessment_files", "export_non_cpe_software_inventory_assessment_files",
		"export_software_vulnerabilities_assessment_files", "export_browser_extensions_assessment_files", "export_information_gathering_files",
		"export_certificate_assessment_files", "export_hardware_firmware_assessment_files", "export_baseline_compliance_assessment_files",
		"export_device_av_health_files",
	}, denied)
}

// TestWhatRawReadsAnswerHoldsNoSignedLink asks a tenant that has everything, and looks at the answers themselves.
func TestWhatRawReadsAnswerHoldsNoSignedLink(t *testing.T) {
	t.Parallel()
	c := simulated(t, &mdesim.Tenant{}, nil)
	asked := 0
	for _, o := range table.All() {
		r, err := mdecore.NewRawGet(rawPath(o.Path), nil)
		if err != nil || o.Method != http.MethodGet {
			continue
		}
		body, err := c.GetOperation(t.Context(), r)
		if err != nil {
			continue // many ids are of nothing
		}
		asked++
		require.True(t, json.Valid(body), o.ID)
		for _, mark := range []string{"sig=", "blob.core"} {
			require.NotContains(t, strings.ToLower(string(body)), mark, o.ID)
		}
	}
	require.Greater(t, asked, 20)
}

func TestRawReadsRefuseWhatIsNotDocumented(t *testing.T) {
	t.Parallel()
	for path, text := range map[string]string{
		"":                     "no documented operation",
		"/api/machines/":       "no documented operation",
		"/api/machines/host01": "40 hexadecimal digits",
		"/api/machines/" + machineID + "/isolate":      "no documented operation",
		"/api/machines/" + machineID + "/../../alerts": "no documented operation",
		"/api/alerts/..":    "must not contain",
		"/api/alerts/a%2Fb": "letters, digits",
		"/api/alerts/a?b":   "letters, digits",
		"/api/machineactions/" + machineID + "/GETPACKAGEURI":             "link to a download",
		"/API/Machines/softwareinventoryexport":                           "link to a download",
		"https://example.com/api/machines":                                "no documented operation",
		"/api/machines/findbyip(ip='x',timestamp=2026-11-22T08:00:00Z)":   "not an IP address",
		"/api/machines/findbyip(ip='10.0.0.1',timestamp=now)":             "must be like",
		"/api/machines/find(timestamp=2026-11-22T08:00:00Z,key=10.0.0.1)": "older form",
	} {
		_, err := mdecore.NewRawGet(path, nil)
		require.ErrorContains(t, err, text, path)
		var bad *mdecore.InvalidError
		require.ErrorAs(t, err, &bad, path)
	}
	for query, text := range map[string]string{
		"$top=0": "from 1 to 1000", "$top=1001": "from 1 to 1000", "$skip=-1": "from 0", "$orderby=id": "takes $filter, $skip, $top",
		"$filter=riskScore eq 'High": "quote is not closed", "$top=1&$top=2": "given once", "$filter=": "empty", "$expand=evidence": "takes",
	} {
		values, err := url.ParseQuery(query)
		require.NoError(t, err)
		_, err = mdecore.NewRawGet("/api/machines", values)
		require.ErrorContains(t, err, text, query)
	}
	_, err := mdecore.NewRawGet("/api/exposureScore", url.Values{"$top": {"1"}})
	require.ErrorContains(t, err, "no parameters")
}

func TestRawReadsAreBoundedAndSentAsAsked(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(http.StatusOK, `{"value":[]}`))
	c := s.clientOf(t)
	for _, ask := range []struct{ path, query, sent string }{
		{"/api/machines", "", "/api/machines?%24top=100"},
		{"/api/Machines", "$filter=riskScore eq 'High'&$top=7&$skip=14", "/api/machines?%24filter=riskScore%20eq%20%27High%27&%24skip=14&%24top=7"},
		{"/api/machines/SoftwareInventoryByMachine", "", "/api/machines/SoftwareInventoryByMachine?pageSize=100"},
		{"/api/machines/findbytag", "tag=vip&useStartsWithFilter=true", "/api/machines/findbytag?tag=vip&useStartsWithFilter=true"},
		{"/api/machines/" + machineID + "/logonusers", "", "/api/machines/" + machineID + "/logonusers"},
		{"/api/files/" + machineID + "/stats", "lookBackHours=24", "/api/files/" + machineID + "/stats?lookBackHours=24"},
	} {
		query, err := url.ParseQuery(ask.query)
		require.NoError(t, err)
		r, err := mdecore.NewRawGet(ask.path, query)
		require.NoError(t, err, ask.path)
		body, err := c.GetOperation(t.Context(), r)
		require.NoError(t, err)
		require.JSONEq(t, `{"value":[]}`, string(body))
		calls := s.received()
		last := calls[len(calls)-1]
		require.Equal(t, http.MethodGet, last.method)
		sent := last.path
		if last.query != "" {
			sent += "?" + last.query
		}
		require.Equal(t, ask.sent, sent)
	}
	_, err := c.GetOperation(t.Context(), mdecore.RawGet{})
	require.ErrorContains(t, err, "NewRawGet")
	leaky := newService(t, answer(http.StatusOK, `{"note":"https://x.blob.core.windows.net/a?sv=1&sig=abcDEF%3D&se=2"}`))
	r, err := mdecore.NewRawGet("/api/exposureScore", nil)
	require.NoError(t, err)
	body, err := leaky.clientOf(t).GetOperation(t.Context(), r)
	require.NoError(t, err)
	require.NotContains(t, string(body), "abcDEF")
	failing := newService(t, answer(http.StatusForbidden, `{"error":{"code":"Forbidden","message":"no"}}`))
	r, err = mdecore.NewRawGet("/api/machines", nil)
	require.NoError(t, err)
	_, err = failing.clientOf(t).GetOperation(t.Context(), r)
	require.ErrorContains(t, err, "403")
}

func FuzzRawGet(f *testing.F) {
	for _, path := range []string{
		"/api/machines", "/api/machines/" + machineID + "/tags", "/api/machines/findbyip(ip='10.0.0.1',timestamp=2026-11-22T08:00:00Z)",
		"/api/machines/findbyip(ip='", "/api/machineactions/x/getPackageUri", "/v1.0/security/incidents/1", "/api/alerts/%2e%2e", "//", "/api/alerts/{alert_id}",
	} {
		f.Add(path, "$top=1")
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		r, err := mdecore.NewRawGet(path, values)
		if err != nil {
			return
		}
		require.Equal(t, http.MethodGet, r.Operation.Method)
		require.False(t, mdecore.HandsOutLinks(r.Operation))
		require.Equal(t, strings.Count(r.Operation.Path, "/"), strings.Count(path, "/"))
		require.NotContains(t, path, "..")
		require.NotContains(t, path, "%")
		require.LessOrEqual(t, r.Top, 1000)
	})
}
