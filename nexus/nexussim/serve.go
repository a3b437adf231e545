package nexussim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/internal/simulate"
)

const (
	controlPath = "/nexussim/"
	storagePath = "/storage/"
	maxBody     = 1 << 20
)

// response is an answer before it is written, so that faults can change it and OnAccepted can run before its first byte.
type response struct {
	status int
	header http.Header
	body   []byte
	effect *Effect
}

// ServeHTTP answers Resource Manager and storage. A cut connection is a panic with [http.ErrAbortHandler].
func (a *Azure) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.ready()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if a.Control && strings.HasPrefix(r.URL.Path, controlPath) {
		a.serveControl(r, body).write(w)
		return
	}
	fault := a.arrive(r)
	pause(r, a.Latency)
	var resp response
	switch {
	case err != nil:
		resp = problem(http.StatusBadRequest, "InvalidRequestContent", "The request content could not be read.")
	case fault.Replaces():
		resp = problem(fault.Status, http.StatusText(fault.Status), "Simulated failure")
	case strings.HasPrefix(r.URL.Path, storagePath):
		resp = a.serveStorage(r)
	default:
		resp = a.serveARM(r, body)
	}
	if resp.effect != nil && a.OnAccepted != nil {
		a.OnAccepted(*resp.effect)
	}
	pause(r, fault.Delay)
	if fault.Cuts() {
		panic(http.ErrAbortHandler)
	}
	resp = spoil(fault, r, resp)
	a.Log.Debug("simulated answer", "method", r.Method, "path", r.URL.Path, "status", resp.status)
	if fault.Kind == simulate.FaultTruncated {
		cutShort(w, resp)
	}
	resp.write(w)
}

// arrive counts a request and finds the fault that it meets.
func (a *Azure) arrive(r *http.Request) simulate.Fault {
	a.mu.Lock()
	a.requests[Request{r.Method, r.URL.Path}]++
	a.mu.Unlock()
	return a.faults.Take(r.Method, r.URL.Path)
}

// spoil changes a good answer into the one that a fault asks for.
func spoil(f simulate.Fault, r *http.Request, good response) response {
	switch f.Kind {
	case simulate.FaultStatus, simulate.FaultStatusAfter:
		bad := problem(f.Status, http.StatusText(f.Status), "Simulated failure")
		if f.RetryAfter != "" {
			bad.header.Set("Retry-After", f.RetryAfter)
		}
		return bad
	case simulate.FaultEcho:
		return problem(f.Status, http.StatusText(f.Status), "The request had the header Authorization: "+r.Header.Get("Authorization")+
			" and may go on at https://example.blob.core.windows.net/a/b?sv=2023-11-03&sig="+url.QueryEscape("c2VjcmV0IHNpZ25hdHVyZSBvZiBhIHNpbXVsYXRvcg=="))
	case simulate.FaultContentType:
		good.header.Set("Content-Type", "text/html; charset=utf-8")
		good.body = []byte("<html><body><h1>Gateway</h1></body></html>")
	case simulate.FaultForeignLink:
		good.body = foreignLink(good.body)
	case simulate.FaultSlow, simulate.FaultCutBefore, simulate.FaultCutAfter, simulate.FaultTruncated:
		// Delays and cuts are not matters of the content.
	}
	return good
}

// foreignLink points the next page of a list to another host.
func foreignLink(body []byte) []byte {
	var list map[string]json.RawMessage
	if json.Unmarshal(body, &list) != nil || list["value"] == nil {
		return body
	}
	list["nextLink"] = json.RawMessage(strconv.Quote("https://" + simulate.ForeignHost + "/subscriptions?$skipToken=1"))
	return encode(list)
}

// cutShort sends half of an answer and ends the connection.
func cutShort(w http.ResponseWriter, resp response) {
	resp.header.Set("Content-Length", strconv.Itoa(len(resp.body)))
	resp.body = resp.body[:len(resp.body)/2]
	resp.write(w)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func (p response) write(w http.ResponseWriter) {
	for k, v := range p.header {
		w.Header()[k] = v
	}
	w.WriteHeader(p.status)
	_, _ = w.Write(p.body) // a client that is gone is not the simulator's error
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

// problem is an error in Resource Manager's envelope.
func problem(status int, code, message string) response {
	return answer(status, map[string]any{"error": map[string]any{"code": code, "message": message}})
}

func answer(status int, v any) response {
	return response{status: status, header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, body: encode(v)}
}

func encode(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("nexussim: " + err.Error()) // every value that is encoded is one of this package's own
	}
	return bytes.TrimSpace(buf.Bytes())
}

// serveControl answers POST and DELETE /nexussim/faults and GET /nexussim/effects, for programs that run the simulator as a
// process of its own. There is no sign-in: it listens on loopback and protects nothing.
func (a *Azure) serveControl(r *http.Request, body []byte) response {
	switch r.Method + " " + strings.TrimPrefix(r.URL.Path, controlPath) {
	case "POST faults":
		f, err := simulate.ParseFault(body)
		if err != nil {
			return problem(http.StatusBadRequest, "InvalidFault", err.Error())
		}
		a.Fail(f)
		return answer(http.StatusOK, map[string]any{})
	case "DELETE faults":
		a.ClearFaults()
		return answer(http.StatusOK, map[string]any{})
	case "GET effects":
		return answer(http.StatusOK, append([]Effect{}, a.Effects()...))
	}
	return problem(http.StatusNotFound, "NotFound", fmt.Sprintf("there are POST and DELETE %sfaults, and GET %seffects", controlPath, controlPath))
}
