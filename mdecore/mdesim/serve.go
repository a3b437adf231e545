package mdesim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// maxBody bounds what the simulator reads of a request, because a load run that
// goes wrong must not fill its memory. The largest documented body is a library
// file of 20 MB.
const maxBody = 24 << 20

// response is an answer before it is written, so that faults can change it and
// OnAccepted can run between the effect and the first byte.
type response struct {
	status int
	header http.Header
	body   []byte
	// stream writes the body in place of body, for content that is too large to hold.
	stream func(http.ResponseWriter, *http.Request)
	effect *Effect
	// code and message are a problem's, from which Graph makes its own shape.
	code, message string
}

// ServeHTTP answers the token endpoint and the API. A cut connection is a panic
// with [http.ErrAbortHandler], which net/http understands.
func (t *Tenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.ready()
	w.Header().Set("Date", t.now().Format(http.TimeFormat))
	if t.OnRequest != nil {
		t.OnRequest(r)
	}
	// The body is read first: a request that has arrived is carried out although
	// its client may leave during Latency.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	reqPath, api := canonical(r.URL.Path)
	if t.Control && strings.HasPrefix(reqPath, controlPath) {
		t.serveControl(r, body).write(w, r)
		return
	}
	t.count(r.Method, reqPath, api)
	fault := t.faults.Take(r.Method, reqPath)
	if api {
		pause(r, t.Latency)
	}
	var resp response
	switch {
	case err != nil:
		resp = t.problem(http.StatusBadRequest, "InvalidRequestBody", "The request body could not be read")
	case fault.Replaces():
	case strings.HasPrefix(reqPath, storagePath):
		resp = t.serveStorage(r)
	case api:
		resp = t.serveAPI(r, body)
	case strings.HasPrefix(reqPath, entraPath):
		resp = t.serveEntra(r)
	default:
		resp = t.serveLogin(r, body)
	}
	if resp.effect != nil && t.OnAccepted != nil {
		t.OnAccepted(*resp.effect)
	}
	pause(r, fault.Delay)
	if fault.Cuts() {
		t.Log.Debug("simulated cut", "method", r.Method, "path", reqPath, "effect", resp.effect != nil)
		panic(http.ErrAbortHandler)
	}
	resp = t.shaped(r, t.spoil(fault, r, resp))
	t.Log.Debug("simulated answer", "method", r.Method, "path", reqPath, "status", resp.status)
	resp.write(w, r)
}

func (p response) write(w http.ResponseWriter, r *http.Request) {
	for k, v := range p.header {
		w.Header()[k] = v
	}
	if id := r.Header.Get("x-ms-client-request-id"); id != "" {
		w.Header().Set("x-ms-client-request-id", id)
	}
	if p.stream != nil {
		p.stream(w, r)
		return
	}
	w.WriteHeader(p.status)
	// A client that is gone is not the simulator's error.
	_, _ = w.Write(p.body)
}

// pause waits for d, or less when the client leaves.
func pause(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// graphPath is where Microsoft Graph's security operations begin.
const graphPath = "/v1.0/security/"

// canonical removes the optional API version and reports whether the path is the
// Defender API's or Graph's.
func canonical(p string) (string, bool) {
	if strings.HasPrefix(p, graphPath) {
		return p, true
	}
	rest, ok := strings.CutPrefix(p, "/api/")
	if !ok {
		return p, false
	}
	return "/api/" + strings.TrimPrefix(rest, "v1.0/"), true
}

// correlation is a fresh correlation id.
func (t *Tenant) correlation() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return guid(t.trace)
}

// problem is an error in the documented shape: code, message and, as target, the
// correlation id (documentation: common-errors.md).
func (t *Tenant) problem(status int, code, message string) response {
	id := t.correlation()
	resp := jsonResponse(status, map[string]any{
		"error": map[string]string{"code": code, "message": message, "target": id},
	})
	resp.code, resp.message = code, message
	resp.header.Set("x-ms-request-id", id)
	return resp
}

// shaped gives a problem of Graph's paths the shape of Graph.
func (t *Tenant) shaped(r *http.Request, resp response) response {
	if resp.code == "" || resource(r.URL.Path) != graphAudience {
		return resp
	}
	graph := (&call{t: t, r: r}).graphProblem(resp.status, resp.code, resp.message)
	for _, name := range []string{"Retry-After", "WWW-Authenticate"} {
		if v := resp.header.Get(name); v != "" {
			graph.header.Set(name, v)
		}
	}
	return graph
}

// ok is a good answer with a correlation id of its own.
func (t *Tenant) ok(status int, v any) response {
	resp := jsonResponse(status, v)
	resp.header.Set("x-ms-request-id", t.correlation())
	return resp
}

func jsonResponse(status int, v any) response {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		// Every value encoded here is one of this package's own types.
		panic("mdesim: " + err.Error())
	}
	header := http.Header{"Content-Type": {"application/json; odata.metadata=minimal"}}
	return response{status: status, header: header, body: bytes.TrimSpace(buf.Bytes())}
}
