package mdesim_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// upload sends a form with a file and pairs of fields.
func (r *rig) upload(name, content string, fields ...string) answer {
	r.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i+1 < len(fields); i += 2 {
		require.NoError(r.t, form.WriteField(fields[i], fields[i+1]))
	}
	if name != "" {
		part, err := form.CreateFormFile("File", name)
		require.NoError(r.t, err)
		_, err = part.Write([]byte(content))
		require.NoError(r.t, err)
	}
	require.NoError(r.t, form.Close())
	return r.multipart(&body, form.FormDataContentType())
}

// multipart posts to the library.
func (r *rig) multipart(body io.Reader, contentType string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.server.URL+"/api/libraryfiles", body)
	require.NoError(r.t, err)
	req.Header.Set("Authorization", "Bearer "+r.token)
	req.Header.Set("Content-Type", contentType)
	resp, err := r.client.Do(req)
	require.NoError(r.t, err)
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(r.t, err)
	a := answer{status: resp.StatusCode, header: resp.Header, raw: raw}
	require.NoError(r.t, json.Unmarshal(raw, &a.body))
	return a
}

func (r *rig) library() map[string]map[string]any {
	r.t.Helper()
	out := map[string]map[string]any{}
	for _, f := range r.get("/api/libraryfiles").values() {
		out[f["fileName"].(string)] = f
	}
	return out
}

func TestTheLibraryHoldsWhatWasUploaded(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	require.Contains(t, r.library(), "inventory.ps1")
	a := r.upload("new.ps1", "exit 0", "Description", "does nothing", "HasParameters", "true", "ParametersDescription", "none")
	require.Equal(t, 200, a.status, string(a.raw))
	sum := sha256.Sum256([]byte("exit 0"))
	got := r.library()["new.ps1"]
	require.Equal(t, hex.EncodeToString(sum[:]), got["sha256"])
	require.Equal(t, "does nothing", got["description"])
	require.Equal(t, "mde-ops worker", got["createdBy"])
	require.Equal(t, "none", got["parametersDescription"])
	require.NotContains(t, r.library()["triage.sh"], "parametersDescription")

	refused(t, r.upload("NEW.ps1", "other"), 400, "BadRequest", "exists already")
	refused(t, r.upload("new.ps1", "other", "OverrideIfExists", "false"), 400, "BadRequest", "exists already")
	content, ok := r.LibraryContent("new.ps1")
	require.True(t, ok)
	require.Equal(t, "exit 0", string(content))
	require.Equal(t, 200, r.upload("new.ps1", "other", "OverrideIfExists", "true").status)
	content, _ = r.LibraryContent("new.ps1")
	require.Equal(t, "other", string(content))

	require.Equal(t, 204, r.send(http.MethodDelete, "/api/libraryfiles/new.ps1", "").status)
	refused(t, r.send(http.MethodDelete, "/api/libraryfiles/new.ps1", ""), 404, "ResourceNotFound", "'new.ps1'")
	require.NotContains(t, r.library(), "new.ps1")
	var types []string
	for _, e := range r.Effects() {
		types = append(types, e.Type+" "+e.Scope)
	}
	require.Equal(t, []string{"UploadLibraryFile new.ps1", "UploadLibraryFile new.ps1", "DeleteLibraryFile new.ps1"}, types)
}

func TestUploadsThatAreRefused(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{}).unwired()
	// A large file's form is sent without being held.
	large := func(size int64) answer {
		const form = "--x\r\nContent-Disposition: form-data; name=\"File\"; filename=\"big.bin\"\r\n\r\n"
		return r.multipart(io.MultiReader(strings.NewReader(form), io.LimitReader(zeros{}, size), strings.NewReader("\r\n--x--\r\n")),
			"multipart/form-data; boundary=x")
	}
	refused(t, r.upload("", ""), 400, "InvalidRequestBody", "no File part")
	refused(t, large(20<<20+1), 400, "InvalidRequestBody", "larger than 20 MB")
	require.Equal(t, 200, large(20<<20).status)
	refused(t, r.multipart(strings.NewReader("{}"), "application/json"), 400, "InvalidRequestBody", "multipart/form-data")
	refused(t, r.multipart(strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"File\"; filename=\"a\"\r\n\r\nhalf"), "multipart/form-data; boundary=x"), 400, "InvalidRequestBody", "")
	require.Len(t, r.Effects(), 1)
}

// zeros reads as zero bytes without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
