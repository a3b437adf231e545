package tools

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// exportService answers the export of software with links, as real ones can't be had of the simulator: to its own files, by
// name, or to wherever a link leads.
type exportService struct {
	*httptest.Server
	links   []string
	made    string
	files   map[string][]byte
	fetched atomic.Int64
}

const exportMade = "2026-01-02T03:04:05Z"

func newExportService(t *testing.T) *exportService {
	t.Helper()
	s := &exportService{made: exportMade, files: map[string][]byte{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "SoftwareInventoryExport") {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]any{"exportFiles": s.links, "generatedTime": s.made})
			return
		}
		s.fetched.Add(1)
		content, ok := s.files[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}))
	t.Cleanup(s.Close)
	return s
}

// of has the performer of an office ask the service.
func (s *exportService) of(t *testing.T, o *office) hands {
	t.Helper()
	c, err := mdecore.New(o.Server.AppCredential(mdesim.DefaultAppID, mdesim.DefaultAppSecret), mdecore.Options{
		Cloud: mdecore.Custom(s.URL, o.Server.URL, ""), HTTPClient: o.Server.Client(), TenantID: mdesim.DefaultTenantID,
		AppID: mdesim.DefaultAppID, MaxRetries: -1,
	})
	require.NoError(t, err)
	h := o.performer.hands
	h.reader = c
	return h
}

// put adds a file and a signed link to it.
func (s *exportService) put(name string, content []byte) {
	s.files["/f/"+name] = content
	s.links = append(s.links, s.URL+"/f/"+name+"?sv=1&sig=SIGNED")
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, text)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.Bytes()
}

func exportSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func TestAnExportKeepsWhatDefenderGaveWithBothHashes(t *testing.T) {
	t.Parallel()
	o, r := exportStarted(t)
	s := newExportService(t)
	first, second := gzipped(t, `{"a":1}`+"\n"), gzipped(t, `{"b":2}`+"\n")
	s.put("part-2", second)
	s.put("part-1", first)
	s.links = append(s.links, s.links[0]) // named twice
	p, err := collectExport(t.Context(), s.of(t, o), task(r), r.Steps[0].ActionID)
	require.NoError(t, err)
	require.Equal(t, approvals.StepSucceeded, p.State)
	require.Contains(t, p.Message, fmt.Sprintf("2 files, %d bytes, made by Defender at %s", len(first)+len(second), exportMade))
	kept := o.keptOf(r)
	require.Len(t, kept, 2)
	for _, m := range kept {
		want, text := first, `{"a":1}`+"\n"
		if m.Name == "software-20260102T030405Z-002.json.gz" {
			want, text = second, `{"b":2}`+"\n"
		}
		require.Equal(t, exportSum(want), m.SHA256, m.Name)
		require.EqualValues(t, len(want), m.Size)
		require.Equal(t, exportSum([]byte(text)), m.Unpacked.SHA256)
		require.Equal(t, "software", m.DeviceID, "the whole tenant: no device")
		require.NotContains(t, fmt.Sprintf("%+v", m), "SIGNED")
	}
}

func TestAnExportGoesOnAtTheNextFile(t *testing.T) {
	t.Parallel()
	o, r := exportStarted(t)
	s := newExportService(t)
	for i := range 3 {
		s.put(fmt.Sprintf("part-%d", i), gzipped(t, fmt.Sprintf("{\"n\":%d}\n", i)))
	}
	whole := s.files["/f/part-1"]
	delete(s.files, "/f/part-1")
	h := s.of(t, o)
	_, err := collectExport(t.Context(), h, task(r), r.Steps[0].ActionID) // and then the process dies
	require.Error(t, err)
	require.NotContains(t, err.Error(), "SIGNED")
	require.Len(t, o.keptOf(r), 1)
	s.files["/f/part-1"] = whole
	before := s.fetched.Load()
	p, err := collectExport(t.Context(), h, task(r), r.Steps[0].ActionID)
	require.NoError(t, err)
	require.EqualValues(t, 2, s.fetched.Load()-before, "the first file is not fetched again")
	require.Contains(t, p.Message, "3 files")
	require.Len(t, o.keptOf(r), 3)
}

func TestTheFilesOfAnExportAreTheSameInWhateverOrderTheyAreNamed(t *testing.T) {
	t.Parallel()
	o, r := exportStarted(t)
	s := newExportService(t)
	for i := range 3 {
		s.put(fmt.Sprintf("part-%d", i), gzipped(t, fmt.Sprintf("{\"n\":%d}\n", i)))
	}
	s.links[1] = "http://192.0.2.1/f/part-1?sig=SIGNED" // leads elsewhere, the first time
	h := s.of(t, o)
	_, err := collectExport(t.Context(), h, task(r), r.Steps[0].ActionID)
	require.Error(t, err)
	before := len(o.keptOf(r))
	s.links[1] = s.URL + "/f/part-1?sig=OTHER"
	slices.Reverse(s.links)
	_, err = collectExport(t.Context(), h, task(r), r.Steps[0].ActionID)
	require.NoError(t, err)
	kept := map[string]bool{}
	for _, m := range o.keptOf(r) {
		kept[m.SHA256] = true
	}
	require.Len(t, kept, 3, "each file is there, after %d of the first try", before)
	s.made = "2026-01-02T09:04:05Z"
	_, err = collectExport(t.Context(), h, task(r), r.Steps[0].ActionID)
	require.NoError(t, err)
	require.Len(t, o.keptOf(r), 6, "a newer export is another one, even where a file of it is the same")
}

func TestALinkThatLeadsElsewhereIsNotFollowed(t *testing.T) {
	t.Parallel()
	o, r := exportStarted(t)
	s := newExportService(t)
	s.links = []string{"https://storage.example.com/f/part-1?sig=SIGNED"}
	_, err := collectExport(t.Context(), s.of(t, o), task(r), r.Steps[0].ActionID)
	require.ErrorContains(t, err, "not followed")
	require.NotContains(t, err.Error(), "SIGNED")
	require.Empty(t, o.keptOf(r))
}

func TestAnExportWithoutFilesSaysSo(t *testing.T) {
	t.Parallel()
	o, r := exportStarted(t)
	s := newExportService(t)
	s.links = []string{}
	p, err := collectExport(t.Context(), s.of(t, o), task(r), r.Steps[0].ActionID)
	require.NoError(t, err)
	require.Equal(t, approvals.StepSucceeded, p.State)
	require.Contains(t, p.Message, "has no files")
	require.Empty(t, o.keptOf(r))
}

func TestAnExportWithAFileThatIsNotWholeFails(t *testing.T) {
	t.Parallel()
	whole := gzipped(t, strings.Repeat("{\"a\":1}\n", 1000))
	for name, content := range map[string][]byte{"cut": whole[:len(whole)/2], "not packed": []byte(`{"a":1}`)} {
		o, r := exportStarted(t)
		s := newExportService(t)
		s.put("part-1", whole)
		s.put("part-2", content)
		p, err := collectExport(t.Context(), s.of(t, o), task(r), r.Steps[0].ActionID)
		require.NoError(t, err, name)
		require.Equal(t, approvals.StepFailed, p.State, name)
		require.Contains(t, p.Message, "1 of 2 files can't be unpacked whole (software-20260102T030405Z-002.json.gz", name)
		require.Len(t, o.keptOf(r), 2, "what came is kept: %s", name)
	}
}

func TestAnExportThatSaysNotWhenItWasMadeIsRefused(t *testing.T) {
	t.Parallel()
	o, r := exportStarted(t)
	s := newExportService(t)
	s.put("part-1", gzipped(t, "{}\n"))
	s.made = "0001-01-01T00:00:00Z"
	_, err := collectExport(t.Context(), s.of(t, o), task(r), r.Steps[0].ActionID)
	var refused *worker.Refused
	require.ErrorAs(t, err, &refused)
	require.Zero(t, s.fetched.Load())
}

func TestAnExportThatDefenderPutsOffIsAskedForLater(t *testing.T) {
	t.Parallel()
	o, r := exportStarted(t)
	o.Tenant.Fail(mdesim.Fault{Path: "/api/machines/SoftwareInventoryExport", Status: http.StatusTooManyRequests, RetryAfter: "40", Times: -1})
	_, err := o.performer.Collect(t.Context(), task(r), r.Steps[0].ActionID)
	var later *worker.NotSent
	require.ErrorAs(t, err, &later)
	require.Equal(t, "40s", later.RetryAfter.String())
	var refused *worker.Refused
	require.False(t, errors.As(err, &refused), "or it would be given up")
	o.Tenant.ClearFaults()
	h := o.performer.hands
	h.reader = o.Client(t, mdesim.DefaultAppID, mdesim.DefaultAppSecret) // one that does not wait those 40 seconds
	_, err = collectExport(t.Context(), h, task(r), r.Steps[0].ActionID)
	require.NoError(t, err)
	require.NotEmpty(t, o.keptOf(r))
}

func TestNoSignatureOfAnExportIsKeptOrTold(t *testing.T) {
	t.Parallel()
	o, r := exportStarted(t)
	o.Tenant.Fail(mdesim.Fault{Path: "/storage/**", Status: http.StatusForbidden, Times: 1})
	v := o.finish(r.ID)
	require.Equal(t, "succeeded", v.Status, v.Message)
	stored, err := o.Gate.Get(t.Context(), r.ID)
	require.NoError(t, err)
	res := o.ok("list_evidence", fmt.Sprintf(`{"request_id":%q}`, r.ID))
	for what, held := range map[string]any{"request": stored, "view": v, "evidence": res.Output, "text": res.Text, "manifests": o.keptOf(r)} {
		b, err := json.Marshal(held)
		require.NoError(t, err)
		require.NotRegexp(t, `sig=|[?&]se=`, string(b), what)
	}
}
