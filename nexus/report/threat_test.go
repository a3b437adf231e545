package report_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus/report"
)

// found is a report with one scan that found something, and a quarantine.
func found(scanList, threatList, quarantine string) string {
	return fmt.Sprintf(`{"scanList": [{"type": "a", "startTime": "1", "threats": [%s]}], "threatInformation": {
		"list": {"threats": {"scans": [{"type": "a", "start_time": 1, "threats": [%s]}]}}, "quarantineList": {"type": "quarantined", "threats": [%s]}}}`,
		scanList, threatList, quarantine)
}

func TestThreats(t *testing.T) {
	for name, c := range map[string]struct {
		scanList, threatList, quarantine string
		want, held                       []report.Threat
		called                           []string // what the scan calls its threats
	}{
		"the documented form": {
			threatList: `{"threat": {"tracking_id": "t", "name": "N", "type": "virus", "severity": "severe", "resources": ["file:///a/b"]},
				"history": [{"key": 5, "value": "detected"}, {"key": 7, "value": "quarantined"}]}`,
			want:   []report.Threat{{TrackingID: "t", Name: "N", Type: "virus", Severity: "severe", Paths: []string{"/a/b"}, Status: "quarantined", First: at(5), Last: at(7)}},
			called: []string{"t"},
		},
		"the status is that of the highest key, wherever it stands": {
			threatList: `{"threat": {"tracking_id": "t"}, "history": [{"key": "7", "value": "removed"}, {"value": "detected", "key": 5}, {"key": "70", "value": {"$type": "failed"}}, {"key": 8, "value": "allowed"}]}`,
			want:       []report.Threat{{TrackingID: "t", Status: "failed", First: at(5), Last: at(70)}},
			called:     []string{"t"},
		},
		"a history without times has a status": {
			threatList: `{"threat": {"tracking_id": "t"}, "history": [{"key": 0, "value": "detected"}]}`,
			want:       []report.Threat{{TrackingID: "t", Status: "detected"}},
			called:     []string{"t"},
		},
		"of two events at once the later one in the list counts": {
			threatList: `{"threat": {"tracking_id": "t"}, "history": [{"key": 5, "value": "detected"}, {"key": 5, "value": "removed"}, {"key": 6, "value": null}]}`,
			want:       []report.Threat{{TrackingID: "t", Status: "removed", First: at(5), Last: at(6)}},
			called:     []string{"t"},
		},
		"camelCase, and not wrapped": {
			threatList: `{"trackingId": "t", "name": "N", "history": []}`,
			want:       []report.Threat{{TrackingID: "t", Name: "N"}},
			called:     []string{"t"},
		},
		"an id under another name": {
			scanList: `{"id": "t", "name": "N"}`,
			want:     []report.Threat{{TrackingID: "t", Name: "N"}},
			called:   []string{"t"},
		},
		"an id that is wrapped": {
			scanList: `{"value": "t"}, {"$type": "u"}`,
			want:     []report.Threat{{TrackingID: "t"}, {TrackingID: "u"}},
			called:   []string{"t", "u"},
		},
		"a tracking id counts before an id": {
			scanList: `{"id": 2147519003, "name": "N", "threat": {"tracking_id": "t"}}`,
			want:     []report.Threat{{TrackingID: "t", Name: "N"}},
			called:   []string{"t"},
		},
		"told twice in one entry, the first that tells something counts": {
			threatList: `{"name": "N", "type": null, "threat": {"tracking_id": "t", "name": "M", "type": "virus"}}, {"name": "O", "threat": {"tracking_id": "u", "name": null}}`,
			want:       []report.Threat{{TrackingID: "t", Name: "N", Type: "virus"}, {TrackingID: "u", Name: "O"}},
			called:     []string{"t", "u"},
		},
		"told by both lists, it is one": {
			scanList:   `{"trackingId": "T", "name": "N", "path": "/a", "history": [{"key": 9, "value": "removed"}]}`,
			threatList: `{"threat": {"tracking_id": "t", "name": "M", "type": "virus", "resources": ["/a", "/b"]}, "history": [{"key": 5, "value": "detected"}]}`,
			want:       []report.Threat{{TrackingID: "T", Name: "N", Type: "virus", Paths: []string{"/a", "/b"}, Status: "removed", First: at(5), Last: at(9)}},
			called:     []string{"T"},
		},
		"the later status counts, in whichever list it is": {
			scanList:   `{"trackingId": "t", "history": [{"key": 5, "value": "detected"}]}`,
			threatList: `{"threat": {"tracking_id": "t"}, "history": [{"key": 9, "value": "removed"}]}`,
			want:       []report.Threat{{TrackingID: "t", Status: "removed", First: at(5), Last: at(9)}},
			called:     []string{"t"},
		},
		"without an id, name and first path tell them apart": {
			threatList: `{"threat": {"name": "N", "path": "/a"}}, {"threat": {"name": "N", "path": "/a"}, "history": [{"key": 5, "value": "detected"}]}, {"threat": {"name": "N", "path": "/b"}}, {"threat": {"name": "M", "path": "/a"}}`,
			want: []report.Threat{
				{Name: "N", Paths: []string{"/a"}, Status: "detected", First: at(5), Last: at(5)},
				{Name: "M", Paths: []string{"/a"}},
				{Name: "N", Paths: []string{"/b"}},
			},
			called: []string{"N", "M"},
		},
		"an id alone belongs to the threat that has it": {
			scanList:   `"T"`,
			threatList: `{"threat": {"tracking_id": "t", "name": "N"}}`,
			want:       []report.Threat{{TrackingID: "t", Name: "N"}},
			called:     []string{"T"},
		},
		"a name alone belongs to the threat that has it": {
			scanList:   `"N"`,
			threatList: `{"threat": {"tracking_id": "t", "name": "N"}}`,
			want:       []report.Threat{{TrackingID: "t", Name: "N"}},
			called:     []string{"N", "t"},
		},
		"an id that nobody knows": {
			scanList: `"t", 17`,
			want:     []report.Threat{{TrackingID: "17"}, {TrackingID: "t"}},
			called:   []string{"t", "17"},
		},
		"an id that only the quarantine knows": {
			scanList:   `"t"`,
			quarantine: `{"threat": {"tracking_id": "t", "name": "N", "path": "/a"}, "history": [{"key": 5, "value": "quarantined"}]}`,
			want:       []report.Threat{{TrackingID: "t", Name: "N", Paths: []string{"/a"}, Status: "quarantined", First: at(5), Last: at(5)}},
			held:       []report.Threat{{TrackingID: "t", Name: "N", Paths: []string{"/a"}, Status: "quarantined", First: at(5), Last: at(5)}},
			called:     []string{"t"},
		},
		"what is in the quarantine is quarantined, whatever its history says": {
			quarantine: `{"threat": {"tracking_id": "t"}, "history": [{"key": 5, "value": "detected"}]}, {"threat": {"tracking_id": "T"}}, "u"`,
			want:       []report.Threat{},
			held:       []report.Threat{{TrackingID: "t", Status: "quarantined", First: at(5), Last: at(5)}, {TrackingID: "u", Status: "quarantined"}},
		},
		"something was found of which nothing can be read": {
			scanList: `{"verdict": 1}, [2], null`,
			want:     []report.Threat{{}},
			called:   []string{""},
		},
		"the latest first": {
			threatList: `{"tracking_id": "a"}, {"tracking_id": "b", "history": [{"key": 5, "value": "x"}]}, {"tracking_id": "c", "history": [{"key": 6, "value": "x"}]}`,
			want:       []report.Threat{{TrackingID: "c", Status: "x", First: at(6), Last: at(6)}, {TrackingID: "b", Status: "x", First: at(5), Last: at(5)}, {TrackingID: "a"}},
			called:     []string{"a", "b", "c"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(t, []byte(found(c.scanList, c.threatList, c.quarantine)))
			require.Equal(t, c.want, r.Threats)
			if c.held == nil {
				c.held = []report.Threat{}
			}
			require.Equal(t, c.held, r.Quarantine)
			require.Len(t, r.Scans, 1)
			require.Equal(t, c.called, r.Scans[0].Threats)
		})
	}
}

func TestPathsOfAThreat(t *testing.T) {
	for name, c := range map[string]struct {
		fields string
		want   []string
	}{
		"one":                             {`"path": "/a"`, []string{"/a"}},
		"a list":                          {`"resources": ["file:///a", "/b", null, ""]`, []string{"/a", "/b"}},
		"several fields":                  {`"filePath": "/a", "original_path": "/b", "resource": {"value": "/c"}`, []string{"/a", "/b", "/c"}},
		"objects in a list":               {`"files": [{"path": "/a", "sha256": "x"}, {"name": "/b", "size": 5}]`, []string{"/a", "/b"}},
		"the same twice":                  {`"path": "/a", "file": "file:///a"`, []string{"/a"}},
		"another scheme stays":            {`"path": "https://h/a"`, []string{"https://h/a"}},
		"what only belongs to a file":     {`"fileHash": "x", "file_size": "5", "resourceType": "file", "fileSha256": "y", "profile": "z"`, nil},
		"a number is none":                {`"path": 5`, nil},
		"control characters are not ours": {`"path": "/a\u202e\n<b>"`, []string{"/a\u202e\n<b>"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := read(t, []byte(found("", `{"threat": {"tracking_id": "t", `+c.fields+`}}`, "")))
			require.Equal(t, c.want, r.Threats[0].Paths)
		})
	}
}

func TestFieldsOfAThreatThatAreNotKnownAreKept(t *testing.T) {
	r := read(t, []byte(found(`{"id": "t", "fileHash": "x", "history": "none"}`,
		`{"threat": {"tracking_id": "t", "cause": {"a": 1}, "path": 5}, "history": [{"key": "soon", "value": "v", "by": "me"}, 5], "extra": [1]}`, `{"files": [{"size": 5}]}`)))
	inList := "threatInformation.list.threats.scans[0].threats[0]."
	kept := map[string]string{}
	for path, raw := range r.Raw {
		kept[path] = string(raw)
	}
	require.Equal(t, map[string]string{
		"scanList[0].threats[0].fileHash":                           `"x"`,
		"scanList[0].threats[0].history":                            `"none"`,
		inList + "threat.cause":                                     `{"a":1}`,
		inList + "threat.path":                                      `5`,
		inList + "history[0].key":                                   `"soon"`,
		inList + "history[0].by":                                    `"me"`,
		inList + "history[1]":                                       `5`,
		inList + "extra":                                            `[1]`,
		"threatInformation.quarantineList.threats[0].files[0].size": `5`,
	}, kept)
	require.Empty(t, r.Cut)

	r = read(t, []byte(`{"threatInformation": {"quarantineList": {"type": "none", "threats": []}}}`))
	require.Equal(t, `"none"`, string(r.Raw["threatInformation.quarantineList.type"]))
}

// Texts are data, but a report is not a way to fill the memory or a message.
func TestTextsOfAThreatAreBounded(t *testing.T) {
	var paths []string
	for i := range 30 {
		paths = append(paths, fmt.Sprintf(`"/%d/%s"`, i, strings.Repeat("é", 3000)))
	}
	r := read(t, []byte(found("", fmt.Sprintf(`{"threat": {"tracking_id": %q, "name": %q, "resources": [%s]}}`,
		strings.Repeat("i", 5000), strings.Repeat(`\u00e9"`, 20_000), strings.Join(paths, ",")), "")))
	threat := r.Threats[0]
	require.Len(t, threat.TrackingID, 1024)
	require.LessOrEqual(t, len(threat.Name), 1024)
	require.Greater(t, len(threat.Name), 1000)
	require.Len(t, threat.Paths, 20)
	for i, path := range threat.Paths {
		require.LessOrEqual(t, len(path), 4096)
		require.Truef(t, strings.HasPrefix(path, fmt.Sprintf("/%d/é", i)) && strings.HasSuffix(path, "é"), "cut between two characters: %q", path[len(path)-4:])
	}
	inList := "threatInformation.list.threats.scans[].threats[].threat."
	require.Equal(t, []string{inList + "tracking_id", inList + "name", inList + "resources[]"}, r.Cut)
}

func TestAReportHasABoundedNumberOfThreats(t *testing.T) {
	many := func(first, n int) string {
		var list strings.Builder
		for i := range n {
			fmt.Fprintf(&list, `"%d",`, first+i)
		}
		return list.String() + "null"
	}
	r := read(t, []byte(found(many(0, 100_000), "", "")))
	require.Len(t, r.Threats, 100_000)
	require.Len(t, r.Scans[0].Threats, 100_000)

	require.Contains(t, refusal(t, report.FaultTooLarge, []byte(found(many(0, 100_001), "", ""))), "more than 100000 threats")
	require.Contains(t, refusal(t, report.FaultTooLarge, []byte(found("", "", many(0, 100_001)))), "more than 100000 threats")
	same := strings.Repeat(`"t",`, 150_000)
	require.Contains(t, refusal(t, report.FaultTooLarge, []byte(found(same+"null", same+`"t"`, ""))), "more than 300000 entries")
}
