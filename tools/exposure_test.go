package tools

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

func TestEveryKindOfInventoryIsOfferedAndAnswers(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	var offered []string
	for _, tool := range w.d.Tools() {
		if a, ok := tool.Arg("kind"); ok && tool.Name == "list_inventory" {
			offered = a.Enum
		}
	}
	var known []string
	for _, kind := range inventories() {
		known = append(known, kind.kind)
		res := w.ok("list_inventory", `{"kind":"`+kind.kind+`","limit":3}`)
		require.NotEmpty(t, res.Output.(listInventoryOut).Rows, kind.kind)
	}
	require.ElementsMatch(t, known, offered)
}

func TestAnInventoryOfADeviceHasNoRowOfAnother(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	id := w.Tenant.Device("host01").ID
	for _, kind := range inventories() {
		if kind.device == nil {
			continue
		}
		out := w.ok("list_inventory", `{"kind":"`+kind.kind+`","device":"host01"}`).Output.(listInventoryOut)
		for _, row := range out.Rows {
			got, ok := row["deviceId"]
			if !ok {
				got = row["DeviceId"]
			}
			require.Equal(t, id, got, kind.kind)
		}
	}
}

func TestRowsOfInventoriesAreMadeSafe(t *testing.T) {
	t.Parallel()
	var many []any
	for i := range 30 {
		many = append(many, fmt.Sprint(i))
	}
	row := viewOfRow(map[string]any{
		"name": "a\u202eb", "long": strings.Repeat("x", 1000), "empty": "", "none": nil, "many": many,
		"deep": map[string]any{"a": map[string]any{"b": map[string]any{"c": map[string]any{"d": 1}}}}, "n": 3,
	})
	require.Equal(t, "a<U+202E>b", row["name"])
	require.Len(t, []rune(row["long"].(string)), valueText+1)
	require.NotContains(t, row, "empty")
	require.NotContains(t, row, "none")
	require.Len(t, row["many"], valueItems+1)
	require.Equal(t, "and 20 more", row["many"].([]any)[valueItems])
	b, err := json.Marshal(row["deep"])
	require.NoError(t, err)
	require.JSONEq(t, `{"a":{"b":{"c":"…"}}}`, string(b))
}

func TestLookingThroughATenantForADeviceEnds(t *testing.T) {
	t.Parallel()
	var l looked
	n := 0
	endless := func(yield func(any, error) bool) {
		for yield(nil, nil) {
		}
	}
	for _, err := range l.through(endless) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, inventoryRead, n)
	require.True(t, l.cut)
}

func TestPagesOfASortedListAreTheWholeListOnce(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	whole := w.ok("list_vulnerabilities", `{"device":"host01","limit":200}`).Output.(listVulnerabilitiesOut)
	require.Empty(t, whole.Cursor)
	require.Greater(t, whole.Count, 5)
	var paged []vulnerabilityView
	for cursor := ""; ; {
		args := `{"device":"host01","limit":4}`
		if cursor != "" {
			args = fmt.Sprintf(`{"device":"host01","limit":4,"cursor":%q}`, cursor)
		}
		page := w.ok("list_vulnerabilities", args).Output.(listVulnerabilitiesOut)
		paged = append(paged, page.Vulnerabilities...)
		if cursor = page.Cursor; cursor == "" {
			break
		}
	}
	require.Equal(t, whole.Vulnerabilities, paged)
}

func TestVulnerabilitiesOfADeviceAreTheWorstFirst(t *testing.T) {
	t.Parallel()
	kit := &mdecore.Vulnerability{ID: "CVE-1", PublicExploit: true, ExploitVerified: true, ExploitInKit: true, CVSSV3: 5}
	public, high := &mdecore.Vulnerability{ID: "CVE-2", PublicExploit: true, CVSSV3: 6}, &mdecore.Vulnerability{ID: "CVE-3", CVSSV3: 9.8}
	require.Negative(t, worse(kit, public))
	require.Negative(t, worse(public, high))
	require.Negative(t, worse(high, &mdecore.Vulnerability{ID: "CVE-3", CVSSV3: 9.7}))
	require.Zero(t, worse(high, high))
}

func TestQuotesInNamesOfSoftwareStayInsideTheFilter(t *testing.T) {
	t.Parallel()
	require.Equal(t, `startswith(name,'o''x') and startswith(vendor,''' or 1 eq 1')`, listSoftwareIn{Name: "O'x", Vendor: "' or 1 eq 1"}.filter())
	w := open(t, toolstest.Options{})
	require.Zero(t, w.ok("list_software", `{"vendor":"' or 1 eq 1"}`).Output.(listSoftwareOut).Count)
}

func TestWhatIsNotKnownIsNotTakenForHarmless(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	for tool, args := range map[string]string{
		"list_vulnerabilities": `{"product":"nobody-_-nothing"}`, "get_vulnerability": `{"cve":"CVE-1999-0001"}`, "get_software": `{"id":"nobody-_-nothing"}`,
		"list_recommendations": `{"id":"va-_-nobody-_-nothing"}`, "list_remediations": `{"id":"00000000-0000-0000-0000-000000000001"}`,
	} {
		w.refused(tool, args, approvals.KindNotFound, "knows no")
	}
}

func TestAListThatBreaksInTheMiddleGivesNothing(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	id := w.Tenant.Device("host01").ID
	for path, args := range map[string][2]string{
		"/api/machines/" + id + "/vulnerabilities":         {"list_vulnerabilities", `{"device":"host01"}`},
		"/api/machines/" + id + "/software":                {"list_software", `{"device":"host01"}`},
		"/api/machines/" + id + "/recommendations":         {"list_recommendations", `{"device":"host01"}`},
		"/api/exposureScore/ByMachineGroups":               {"get_exposure", `{}`},
		"/api/machines/HardwareFirmwareInventoryByMachine": {"list_inventory", `{"kind":"firmware","device":"host01"}`},
	} {
		w.Tenant.Fail(mdesim.Fault{Path: path, Kind: mdesim.FaultTruncated})
		_, err := w.call(args[0], args[1])
		require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err), path)
	}
}
