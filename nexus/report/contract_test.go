package report_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus/report"
)

// contractDir is the directory with the documented shapes.
func contractDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("MDE_NEXUS_CONTRACT_DIR")
	if dir == "" {
		t.Skip("set MDE_NEXUS_CONTRACT_DIR to the directory with samples/ to compare the decoder with them")
	}
	return dir
}

func sample(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(contractDir(t), "samples", name))
	require.NoError(t, err)
	return data
}

// entry is a member of an archive made for a test.
type entry struct {
	name string
	data []byte
}

func tarred(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.data))}))
		_, err := w.Write(e.data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func zipped(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range entries {
		method := zip.Deflate
		if len(e.data) == 0 {
			method = zip.Store // a packer for each of thousands of empty members takes long
		}
		member, err := w.CreateHeader(&zip.FileHeader{Name: e.name, Method: method})
		require.NoError(t, err)
		_, err = member.Write(e.data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	require.NoError(t, err)
	_, err = w.Write(data)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

const fileName = "mde-agent-information.json"

// packings are the forms in which a report may come. Its file's name is told only by the archives.
func packings(t testing.TB, data []byte) map[string][]byte {
	t.Helper()
	file := entry{fileName, data}
	return map[string][]byte{
		"plain":             data,
		"gzip":              gzipped(t, data),
		"tar":               tarred(t, file),
		"zip":               zipped(t, file),
		"tar.gz":            gzipped(t, tarred(t, entry{"outputs/", nil}, file)),
		"zip in a tar.gz":   gzipped(t, tarred(t, entry{"result.zip", zipped(t, file)})),
		"zip in a gzip":     gzipped(t, zipped(t, file)),
		"among other files": gzipped(t, tarred(t, entry{"run.log", []byte("{")}, entry{"other.json", []byte(`{"a":`)}, file, entry{"z.txt", nil})),
	}
}

func read(t testing.TB, data []byte) *report.Report {
	t.Helper()
	r, err := report.Read(bytes.NewReader(data), report.Limits{})
	require.NoError(t, err)
	return r
}

func TestContractCleanReport(t *testing.T) {
	data := sample(t, "mde-agent-information.clean.json")
	for form, packed := range packings(t, data) {
		t.Run(form, func(t *testing.T) {
			r := read(t, packed)
			require.Equal(t, int64(len(data)), r.Size)
			require.Len(t, r.Scans, 2, "both lists tell of the same two scans")
			require.Equal(t, report.Scan{
				Type: "quick", State: "succeeded", Files: 1750, StartMS: 1697217113457, EndMS: 1697217162904,
				Start: time.UnixMilli(1697217113457).UTC(), End: time.UnixMilli(1697217162904).UTC(),
			}, r.Scans[0])
			require.Empty(t, r.Threats)
			require.NotNil(t, r.Threats)
			require.Empty(t, r.Quarantine)
			require.Empty(t, r.Missing)
			require.Empty(t, r.Cut)
			require.Contains(t, r.Raw, "_source")
			require.JSONEq(t, `{"version":"1.445.120.0","status":"upToDate"}`, string(r.Raw["mdeDefinitions"]))
			require.JSONEq(t, `"Production"`, string(r.Raw["generalHealth.releaseRing"]))
			require.NotContains(t, r.Raw, "diagnosticInformation")
			yes, no := true, false
			require.Equal(t, report.Health{
				Healthy: &yes, Licensed: &yes, EDRMachineID: "0123456789abcdef0123456789abcdef01234567", AppVersion: "101.26092.0010",
				EngineVersion: "1.1.26090.1000", RealTimeProtection: &no, PassiveMode: &no, TamperProtection: "block",
				DefinitionsVersion: "1.445.120.0", DefinitionsStatus: "upToDate", DefinitionsUpdated: time.UnixMilli(1763625600000).UTC(),
			}, r.Health)
		})
	}
}

func TestContractReportWithAThreat(t *testing.T) {
	for form, packed := range packings(t, sample(t, "mde-agent-information.threat.json")) {
		t.Run(form, func(t *testing.T) {
			r := read(t, packed)
			require.Len(t, r.Scans, 4)
			require.Equal(t, report.Scan{
				Type: "quick", State: "failed", Files: 310, StartMS: 1763629201120, Start: time.UnixMilli(1763629201120).UTC(),
			}, r.Scans[0], "the agent states 0 for an end that there was not")
			id := "6b1f5c4e-0d6a-4a58-9f2f-0c5b7b1f2a10"
			require.Equal(t, []string{id}, r.Scans[1].Threats)
			want := report.Threat{
				TrackingID: id, Name: "Virus:DOS/EICAR_Test_File", Type: "virus", Severity: "severe", Status: "quarantined",
				Paths: []string{"/var/tmp/eicar.com"}, First: time.UnixMilli(1763625640000).UTC(), Last: time.UnixMilli(1763625642000).UTC(),
			}
			require.Equal(t, []report.Threat{want}, r.Threats)
			want.First = want.Last
			require.Equal(t, []report.Threat{want}, r.Quarantine)
			require.Equal(t, []string{"definitions out of date"}, r.Health.Issues)
			require.False(t, *r.Health.Healthy)
			_, err := json.Marshal(r)
			require.NoError(t, err)
		})
	}
}
