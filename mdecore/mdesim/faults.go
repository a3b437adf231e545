package mdesim

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FaultKind says what goes wrong.
type FaultKind string

// The kinds of [Fault].
const (
	// FaultStatus answers Fault.Status without handling the request.
	FaultStatus FaultKind = "status"
	// FaultStatusAfter handles the request and answers Fault.Status all the same:
	// a write took effect and its caller is told it failed.
	FaultStatusAfter FaultKind = "status after effect"
	// FaultSlow handles the request and answers after Fault.Delay.
	FaultSlow FaultKind = "slow"
	// FaultCutBefore closes the connection without handling the request. Go's own
	// HTTP transport may repeat a GET that meets this on a reused connection.
	FaultCutBefore FaultKind = "cut before effect"
	// FaultCutAfter handles the request and closes the connection unanswered.
	FaultCutAfter FaultKind = "cut after effect"
	// FaultTruncated handles the request and sends half of the JSON, or cuts the
	// connection in the middle of a download.
	FaultTruncated FaultKind = "truncated body"
	// FaultContentType handles the request and answers with an HTML page.
	FaultContentType FaultKind = "content type"
	// FaultForeignLink handles the request and points @odata.nextLink to another
	// host, adding one when the list has none.
	FaultForeignLink FaultKind = "foreign nextLink"
	// FaultEcho answers Fault.Status without handling the request, and repeats the
	// request's bearer token and a signed link in the message, as a proxy's debug
	// page can. Clients must not pass them on.
	FaultEcho FaultKind = "echo of secrets"
)

// ForeignHost is the host that a [FaultForeignLink] points to.
const ForeignHost = "api.evil.example"

// Fault is something that goes wrong for the requests it matches.
type Fault struct {
	// Method is the HTTP method; empty matches every one.
	Method string
	// Path is the request path without the version. A * stands for one segment,
	// a final ** for the rest; empty matches every path.
	Path string
	// Kind is what goes wrong. Default FaultStatus.
	Kind FaultKind
	// Status is the answer of FaultStatus and FaultStatusAfter. Default 500.
	Status int
	// RetryAfter is sent as the Retry-After header in any form: seconds, an HTTP
	// date, nonsense. Empty: no header.
	RetryAfter string
	// Delay is how long to wait before the answer goes wrong, after the effect.
	Delay time.Duration
	// Skip lets that many matching requests pass first.
	Skip int
	// Times is how often it happens. 0 means once, negative until ClearFaults.
	Times int
}

// check refuses a fault that would never happen as it is meant.
func (f Fault) check() error {
	known := []FaultKind{
		"", FaultStatus, FaultStatusAfter, FaultSlow, FaultCutBefore, FaultCutAfter, FaultTruncated, FaultContentType, FaultForeignLink, FaultEcho,
	}
	if !slices.Contains(known, f.Kind) {
		return fmt.Errorf("the fault kind %q is not one of %q", f.Kind, known[1:])
	}
	if f.Status != 0 && (f.Status < 400 || f.Status > 599) {
		return fmt.Errorf("the fault status %d is not between 400 and 599", f.Status)
	}
	return nil
}

// RetryAfterDate is the HTTP-date form of a Retry-After header.
func RetryAfterDate(at time.Time) string { return at.UTC().Format(http.TimeFormat) }

// Fail arms a fault. Faults are tried in the order they were armed, one a request.
func (t *Tenant) Fail(f Fault) {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = append(t.faults, &f)
}

// ClearFaults disarms every fault.
func (t *Tenant) ClearFaults() {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = nil
}

// take returns the fault for this request, or a Fault of no kind.
func (t *Tenant) take(method, reqPath string) Fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, f := range t.faults {
		if !f.matches(method, reqPath) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		hit := *f
		hit.Kind, hit.Status = orDefault(f.Kind, FaultStatus), orDefault(f.Status, http.StatusInternalServerError)
		if f.Times >= 0 {
			if f.Times--; f.Times <= 0 {
				t.faults = slices.Delete(t.faults, i, i+1)
			}
		}
		return hit
	}
	return Fault{}
}

func (f *Fault) matches(method, reqPath string) bool {
	if f.Method != "" && !strings.EqualFold(f.Method, method) {
		return false
	}
	if f.Path == "" {
		return true
	}
	if prefix, ok := strings.CutSuffix(f.Path, "**"); ok {
		return strings.HasPrefix(reqPath, prefix)
	}
	ok, err := path.Match(f.Path, reqPath)
	return err == nil && ok
}

// replaces reports whether the request is not handled at all.
func (f Fault) replaces() bool {
	return f.Kind == FaultStatus || f.Kind == FaultCutBefore || f.Kind == FaultEcho
}

// cuts reports whether the connection closes unanswered.
func (f Fault) cuts() bool { return f.Kind == FaultCutBefore || f.Kind == FaultCutAfter }

// spoil changes a good answer into the one the fault asks for.
func (f Fault) spoil(t *Tenant, r *http.Request, good response) response {
	switch f.Kind {
	case FaultStatus, FaultStatusAfter:
		bad := t.problem(f.Status, statusCode(f.Status), "Simulated failure")
		if f.RetryAfter != "" {
			bad.header.Set("Retry-After", f.RetryAfter)
		}
		return bad
	case FaultEcho:
		return t.problem(f.Status, statusCode(f.Status), "The request had the header Authorization: "+r.Header.Get("Authorization")+
			" and may go on at https://example.blob.core.windows.net/a/b?sv="+signatureVersion+"&sig="+url.QueryEscape(t.signature("a/b", "")))
	case FaultTruncated:
		if good.stream != nil {
			good.stream = cutMidway(good.stream)
			return good
		}
		good.body = good.body[:len(good.body)/2]
	case FaultContentType:
		good.header.Set("Content-Type", "text/html; charset=utf-8")
		good.body, good.stream = []byte("<html><body><h1>Gateway</h1></body></html>"), nil
	case FaultForeignLink:
		good.body = foreignLink(good.body)
	case FaultSlow, FaultCutBefore, FaultCutAfter:
		// Delay and cut are not matters of the body.
	}
	return good
}

// cutMidway ends the connection when half of a streamed answer is written.
func cutMidway(stream func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) { stream(&cutter{ResponseWriter: w, left: -1}, r) }
}

// cutter passes half of what the header promises on, and then ends the connection.
type cutter struct {
	http.ResponseWriter
	left int // -1 until the length is known
}

func (c *cutter) Write(p []byte) (int, error) {
	if c.left < 0 {
		length, _ := strconv.Atoi(c.Header().Get("Content-Length"))
		c.left = length / 2
	}
	n, err := c.ResponseWriter.Write(p[:min(len(p), c.left)])
	if c.left -= n; c.left == 0 && err == nil {
		_ = http.NewResponseController(c.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// foreignLink replaces or adds @odata.nextLink in a list's JSON.
func foreignLink(body []byte) []byte {
	const link = `"@odata.nextLink":"https://` + ForeignHost + `/api/machines?$skip=1"`
	if at := bytes.Index(body, []byte(`,"@odata.nextLink":`)); at >= 0 {
		body = append(body[:at:at], '}')
	}
	if !bytes.HasSuffix(bytes.TrimSpace(body), []byte("}")) {
		return body
	}
	body = bytes.TrimSuffix(bytes.TrimSpace(body), []byte("}"))
	return append(slices.Clip(body), ","+link+"}"...)
}

// statusCode is the documented error code of an HTTP status.
func statusCode(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "BadRequest"
	case http.StatusUnauthorized:
		return "Unauthorized"
	case http.StatusForbidden:
		return "Forbidden"
	case http.StatusNotFound:
		return "NotFound"
	case http.StatusTooManyRequests:
		return "TooManyRequests"
	case http.StatusServiceUnavailable:
		return "ServiceUnavailable"
	default:
		return "InternalServerError"
	}
}
