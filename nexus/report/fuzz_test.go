package report_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus/report"
)

// FuzzRead feeds anything: the outcome is a report that can be shown, or an error that says what is wrong.
func FuzzRead(f *testing.F) {
	text := found(`"t", {"id": 1}`, `{"threat": {"tracking_id": "t", "resources": ["file:///a"]}, "history": [{"key": 5, "value": "x"}]}`, `{"path": "/a"}`)
	for _, packed := range packings(f, []byte(text)) {
		f.Add(packed)
	}
	for _, s := range []string{
		`{"generalHealth": {"healthy": {"value": true}, "healthIssues": ["\ud800"], "definitionsUpdated": "253402300799999", "x": {"y": [1]}}, "_source": "s"}`,
		`{"scanList": [{"startTime": "-1", "endTime": 1e3, "type": {"$type": "q"}, "threats": [null, true, 5]}], "scan_lists": {}}`,
		`{"scanList": [`, "\xef\xbb\xbf{}", "[1]", "PK\x03\x04", "PK\x05\x06" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "\x1f\x8b\x08",
	} {
		f.Add([]byte(s))
	}
	limits := report.Limits{Packed: 1 << 20, Unpacked: 1 << 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := report.Read(bytes.NewReader(data), limits)
		slow, slowErr := report.Read(iotest.OneByteReader(bytes.NewReader(data)), limits)
		require.Equal(t, r, slow, "what is read does not depend on the pieces in which it comes")
		if err != nil {
			require.Nil(t, r)
			var failed *report.Error
			require.ErrorAs(t, err, &failed)
			require.NotEmpty(t, failed.Fault)
			require.EqualError(t, slowErr, err.Error())
			require.Less(t, len(failed.Text), 2000)
			require.True(t, utf8.ValidString(failed.Text))
			return
		}
		checkReport(t, r)
		if data[0] == '{' {
			require.True(t, json.Valid(data), "what is read is JSON")
		}
	})
}

func checkReport(t *testing.T, r *report.Report) {
	t.Helper()
	shown, err := json.Marshal(r)
	require.NoError(t, err)
	require.True(t, utf8.Valid(shown))
	total := 0
	for path, raw := range r.Raw {
		require.True(t, json.Valid(raw), "%s: %s", path, raw)
		total += len(path) + len(raw)
	}
	require.LessOrEqual(t, total, 64<<10)
	require.LessOrEqual(t, len(r.Cut), 100)
	for _, s := range r.Scans {
		require.Equal(t, s.StartMS == 0, s.Start.IsZero())
		require.Equal(t, s.EndMS == 0, s.End.IsZero())
		require.GreaterOrEqual(t, s.Files, int64(0))
	}
	for _, threat := range append(r.Threats, r.Quarantine...) {
		require.LessOrEqual(t, len(threat.Name), 1024)
		require.LessOrEqual(t, len(threat.TrackingID), 1024)
		require.LessOrEqual(t, len(threat.Paths), 20)
		require.False(t, threat.Last.Before(threat.First))
		for _, path := range threat.Paths {
			require.LessOrEqual(t, len(path), 4096)
		}
	}
}
