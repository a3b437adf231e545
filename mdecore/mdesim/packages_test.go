package mdesim_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestThePackageIsThereWhenItsActionHasSucceeded(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now})
	host := r.Device("host01")
	a := r.send(http.MethodPost, "/api/machines/"+host.ID+"/collectInvestigationPackage", `{"Comment":"look"}`)
	require.Equal(t, 201, a.status, string(a.raw))
	target := "/api/machineactions/" + a.str("id") + "/getPackageUri"
	refused(t, r.get(target), 404, "ResourceNotFound", "Pending")
	now.Advance(time.Minute)
	value := r.get(target).str("value")
	var link string
	require.NoError(t, json.Unmarshal([]byte(value), &link), "the link is wrapped in quotes: %s", value)
	status, raw := r.follow(link)
	require.Equal(t, 200, status)
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	require.NoError(t, err)
	require.Greater(t, len(z.File), 5)
	_, again := r.follow(link)
	require.Equal(t, raw, again)
	now.Advance(10 * time.Minute)
	status, raw = r.follow(link)
	require.Equal(t, 403, status)
	require.Contains(t, string(raw), "AuthenticationFailed")

	other := r.isolate(host.ID).str("id")
	now.Advance(time.Minute)
	require.Equal(t, 404, r.get("/api/machineactions/"+other+"/getPackageUri").status)
	require.Equal(t, 404, r.get("/api/machineactions/00000000-0000-4000-8000-000000000000/getPackageUri").status)
}
