package mdesim_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// order sends a control request and returns status and body.
func (r *rig) order(method, path, body string) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.server.URL+path, strings.NewReader(body))
	require.NoError(r.t, err)
	resp, err := r.client.Do(req)
	require.NoError(r.t, err)
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	return resp.StatusCode, string(answer)
}

func TestControlArmsFaultsFromOutside(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Control: true})
	status, _ := r.order(http.MethodPost, "/mdesim/faults", `{"path":"/api/machines","status":503,"retryAfter":"7","delay":"1ms"}`)
	require.Equal(t, http.StatusNoContent, status)
	failed := r.get("/api/machines")
	require.Equal(t, http.StatusServiceUnavailable, failed.status)
	require.Equal(t, http.StatusOK, r.get("/api/machines").status, "once")
	r.order(http.MethodPost, "/mdesim/faults", `{"times":-1}`)
	status, _ = r.order(http.MethodDelete, "/mdesim/faults", "")
	require.Equal(t, http.StatusNoContent, status)
	require.Equal(t, http.StatusOK, r.get("/api/machines").status)
	_, effects := r.order(http.MethodGet, "/mdesim/effects", "")
	require.Equal(t, "[]", effects)
}

func TestControlRefusesWhatWouldNotHappen(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{Control: true})
	for _, body := range []string{`{"kind":"explode"}`, `{"status":200}`, `{"delay":"soon"}`, `{"pathh":"/x"}`, `nonsense`} {
		status, answer := r.order(http.MethodPost, "/mdesim/faults", body)
		require.Equal(t, http.StatusBadRequest, status, body)
		require.Contains(t, answer, "error")
	}
	status, _ := r.order(http.MethodGet, "/mdesim/faults", "")
	require.Equal(t, http.StatusNotFound, status)
	off := serve(t, &mdesim.Tenant{})
	status, _ = off.order(http.MethodPost, "/mdesim/faults", `{}`)
	require.Equal(t, http.StatusNotFound, status, "a tenant takes orders only when it is told to")
}
