package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus/report"
)

func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func scan(kind, state string, start, end, files int64, threats ...string) report.Scan {
	return report.Scan{Type: kind, State: state, StartMS: start, EndMS: end, Start: at(start), End: at(end), Files: files, Threats: threats}
}

// lists is a report with the two lists of scans.
func lists(scanList, threatScans string) string {
	return fmt.Sprintf(`{"scanList": [%s], "threatInformation": {"list": {"threats": {"scans": [%s]}}, "quarantineList": {"threats": []}}}`, scanList, threatScans)
}

func TestScansOfBothLists(t *testing.T) {
	for name, c := range map[string]struct {
		scanList, threatScans string
		want                  []report.Scan
	}{
		"strings under camelCase": {
			scanList: `{"type": "quick", "state": "succeeded", "startTime": "10", "endTime": "20", "filesScanned": "5", "threats": []}`,
			want:     []report.Scan{scan("quick", "succeeded", 10, 20, 5)},
		},
		"numbers under snake_case": {
			threatScans: `{"type": "full", "state": "failed", "start_time": 10, "end_time": 20, "files_scanned": 5}`,
			want:        []report.Scan{scan("full", "failed", 10, 20, 5)},
		},
		"each form under the other list's names": {
			scanList:    `{"type": "a", "start_time": "10"}`,
			threatScans: `{"type": "b", "startTime": 9}`,
			want:        []report.Scan{scan("a", "", 10, 0, 0), scan("b", "", 9, 0, 0)},
		},
		"other forms of a number": {
			scanList: `{"type": {"value": "quick", "source": "local"}, "state": {"$type": "succeeded"}, "startTime": {"value": "10"}, "endTime": 2e1, "filesScanned": {"value": {"$type": 5.0}}}`,
			want:     []report.Scan{scan("quick", "succeeded", 10, 20, 5)},
		},
		"0, null and empty are no time": {
			scanList: `{"type": "a", "startTime": "0", "endTime": null, "filesScanned": ""}, {"type": null, "state": "failed"}`,
			want:     []report.Scan{scan("", "failed", 0, 0, 0), scan("a", "", 0, 0, 0)},
		},
		"the same scan twice is one, never added": {
			scanList:    `{"type": "quick", "state": "succeeded", "startTime": "10", "endTime": "20", "filesScanned": "5"}`,
			threatScans: `{"type": "quick", "state": "succeeded", "start_time": 10, "end_time": 20, "files_scanned": 5}`,
			want:        []report.Scan{scan("quick", "succeeded", 10, 20, 5)},
		},
		"another kind at the same time is another scan": {
			scanList:    `{"type": "quick", "startTime": "10"}`,
			threatScans: `{"type": "full", "start_time": 10}`,
			want:        []report.Scan{scan("full", "", 10, 0, 0), scan("quick", "", 10, 0, 0)},
		},
		"another time is another scan": {
			scanList:    `{"type": "quick", "startTime": "10"}`,
			threatScans: `{"type": "quick", "start_time": 11}`,
			want:        []report.Scan{scan("quick", "", 11, 0, 0), scan("quick", "", 10, 0, 0)},
		},
		"without a start the end tells scans apart": {
			scanList:    `{"type": "quick", "endTime": "10"}, {"type": "quick", "endTime": "11"}`,
			threatScans: `{"type": "quick", "end_time": 10}`,
			want:        []report.Scan{scan("quick", "", 0, 11, 0), scan("quick", "", 0, 10, 0)},
		},
		"what one list leaves out the other adds": {
			scanList:    `{"type": "quick", "startTime": "10", "filesScanned": "5"}`,
			threatScans: `{"type": "quick", "start_time": 10, "end_time": 20, "state": "succeeded"}`,
			want:        []report.Scan{scan("quick", "succeeded", 10, 20, 5)},
		},
		"the later end counts, with its state": {
			scanList:    `{"type": "quick", "startTime": "10", "endTime": "20", "state": "succeeded", "filesScanned": "7"}`,
			threatScans: `{"type": "quick", "start_time": 10, "end_time": 0, "state": "running", "files_scanned": 5}`,
			want:        []report.Scan{scan("quick", "succeeded", 10, 20, 7)},
		},
		"the later end counts in the other order too": {
			scanList:    `{"type": "quick", "startTime": "10", "endTime": "0", "state": "running", "filesScanned": "5"}`,
			threatScans: `{"type": "Quick", "start_time": 10, "end_time": 20, "state": "succeeded", "files_scanned": 7}`,
			want:        []report.Scan{scan("quick", "succeeded", 10, 20, 7)},
		},
		"of two states at the same end the bad one counts": {
			scanList:    `{"type": "a", "startTime": "10", "state": "succeeded"}, {"type": "b", "startTime": "10", "state": "failed"}`,
			threatScans: `{"type": "a", "start_time": 10, "state": "failed"}, {"type": "b", "start_time": 10, "state": "succeeded"}`,
			want:        []report.Scan{scan("a", "failed", 10, 0, 0), scan("b", "failed", 10, 0, 0)},
		},
		"of two bad states the same one counts in either order": {
			scanList:    `{"type": "a", "startTime": "10", "state": "failed"}, {"type": "b", "startTime": "10", "state": "canceled"}`,
			threatScans: `{"type": "a", "start_time": 10, "state": "canceled"}, {"type": "b", "start_time": 10, "state": "failed"}`,
			want:        []report.Scan{scan("a", "canceled", 10, 0, 0), scan("b", "canceled", 10, 0, 0)},
		},
		"a threat in one list only": {
			scanList:    `{"type": "a", "startTime": "10", "threats": ["t1"]}, {"type": "b", "startTime": "9", "threats": []}`,
			threatScans: `{"type": "a", "start_time": 10, "threats": []}, {"type": "b", "start_time": 9, "threats": [{"threat": {"tracking_id": "t2"}}]}`,
			want:        []report.Scan{scan("a", "", 10, 0, 0, "t1"), scan("b", "", 9, 0, 0, "t2")},
		},
		"the same threat in both lists is one, whatever its case": {
			scanList:    `{"type": "a", "startTime": "10", "threats": ["AB", "ab", "c"]}`,
			threatScans: `{"type": "a", "start_time": 10, "threats": [{"threat": {"tracking_id": "ab"}}, {"tracking_id": "d"}]}`,
			want:        []report.Scan{scan("a", "", 10, 0, 0, "AB", "c", "d")},
		},
		"entries that are no scans": {
			scanList: `null, {}, {"note": 1}, "text", [1], {"type": "a"}`,
			want:     []report.Scan{scan("a", "", 0, 0, 0)},
		},
		"the latest first": {
			scanList: `{"type": "a", "startTime": "1"}, {"type": "a", "startTime": "3"}, {"type": "a", "startTime": "2"}`,
			want:     []report.Scan{scan("a", "", 3, 0, 0), scan("a", "", 2, 0, 0), scan("a", "", 1, 0, 0)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, read(t, []byte(lists(c.scanList, c.threatScans))).Scans)
		})
	}
}

// What can't be read as what it should be is kept as it was written, and the field stays empty.
func TestUnreadableFieldsOfAScanAreKept(t *testing.T) {
	for field, raw := range map[string]string{
		"startTime":    `"yesterday"`,
		"endTime":      `-1`,
		"filesScanned": `1.5`,
		"type":         `["quick"]`,
		"state":        `{"code":1}`,
		"threats":      `"none"`,
		"somethingNew": `{"a":[1,2]}`,
	} {
		t.Run(field, func(t *testing.T) {
			r := read(t, []byte(lists(`{"type": "x"}, {"`+field+`": `+raw+`}`, "")))
			require.Len(t, r.Scans, 1)
			require.JSONEq(t, raw, string(r.Raw["scanList[1]."+field]))
		})
	}
	for _, number := range []string{"253402300800000", "99999999999999999999", `"1e400"`, `"NaN"`, `"+5"`, `"0x10"`, "true", strings.Repeat("1", 70)} {
		r := read(t, []byte(lists(`{"type": "x", "startTime": `+number+`}`, "")))
		require.Equal(t, []report.Scan{scan("x", "", 0, 0, 0)}, r.Scans)
		require.Equal(t, number, string(r.Raw["scanList[0].startTime"]))
	}
}

func TestAReportHasABoundedNumberOfScans(t *testing.T) {
	var list strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&list, `{"startTime":%d},`, i+1)
	}
	r := read(t, []byte(lists(list.String()+"null", strings.TrimSuffix(list.String(), ","))))
	require.Len(t, r.Scans, 100_000, "both lists tell of the same scans")

	require.Contains(t, refusal(t, report.FaultTooLarge, []byte(lists(list.String()+`{"startTime":1}`, ""))), "more than 100000 scans")
	require.Contains(t, refusal(t, report.FaultTooLarge, []byte(lists(strings.TrimSuffix(list.String(), ","), `{"startTime":200000}`))), "more than 100000 scans")
}
