package cli_test

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/cli/mcpcmd"
)

// narrowAppID is an application that may read devices and alerts, and nothing else.
const narrowAppID = "0c6e2f4a-51a7-4b3e-8c1d-7f2f5e9d0a09"

// clockOff puts a server before the tenant whose answers have another time.
func clockOff(s *surroundings, ts *testscript.TestScript, args []string) {
	by, err := time.ParseDuration(args[0])
	ts.Check(err)
	target, err := url.Parse(s.server.URL)
	ts.Check(err)
	proxy := &httputil.ReverseProxy{
		Transport: s.server.Client().Transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(resp *http.Response) error {
			resp.Header.Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
			return nil
		},
	}
	before := httptest.NewTLSServer(proxy)
	ts.Defer(before.Close)
	ca, err := os.ReadFile(ts.Getenv("MDE_CA_FILE"))
	ts.Check(err)
	ca = append(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: before.Certificate().Raw})...)
	file := filepath.Join(ts.MkAbs("."), "both-ca.pem")
	ts.Check(os.WriteFile(file, ca, 0o600))
	ts.Setenv("MDE_CA_FILE", file)
	ts.Setenv("MDE_BASE_URL", before.URL)
}

func TestDoctorAsJSON(t *testing.T) {
	t.Parallel()
	var out, log bytes.Buffer
	err := mcpcmd.Run(t.Context(), cli.Env{Args: []string{"doctor", "--tenant", "sim", "--format", "json"}, Stdout: &out, Stderr: &log})
	require.NoError(t, err, out.String())
	var report struct {
		OK       bool
		Failed   int
		Findings []struct{ Status, What, Found, Fix string }
	}
	dec := json.NewDecoder(&out)
	dec.DisallowUnknownFields()
	require.NoError(t, dec.Decode(&report))
	require.False(t, dec.More(), "one document")
	require.True(t, report.OK)
	require.Zero(t, report.Failed)
	whats := map[string]bool{}
	for _, f := range report.Findings {
		require.Equal(t, "ok", f.Status, "%+v", f)
		require.NotEmpty(t, f.Found, f.What)
		require.Empty(t, f.Fix, f.What)
		require.False(t, whats[f.What], "%s twice", f.What)
		whats[f.What] = true
	}
	for _, what := range []string{"settings", "credential", "clock", "roles of response", "reading", "limits", "policy", "approvers", "store", "worker", "stops", "evidence", "audit"} {
		require.True(t, whats[what], what)
	}
}
