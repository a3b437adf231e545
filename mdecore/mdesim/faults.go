package mdesim

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/mde-ops/mde-ops/internal/simulate"
)

// FaultKind says what goes wrong.
type FaultKind = simulate.FaultKind

// The kinds of [Fault]; package simulate says what each does.
const (
	FaultStatus      = simulate.FaultStatus
	FaultStatusAfter = simulate.FaultStatusAfter
	FaultSlow        = simulate.FaultSlow
	FaultCutBefore   = simulate.FaultCutBefore
	FaultCutAfter    = simulate.FaultCutAfter
	FaultTruncated   = simulate.FaultTruncated
	FaultContentType = simulate.FaultContentType
	FaultForeignLink = simulate.FaultForeignLink
	FaultEcho        = simulate.FaultEcho
)

// ForeignHost is the host that a [FaultForeignLink] points to.
const ForeignHost = simulate.ForeignHost

// Fault is something that goes wrong for the requests it matches.
type Fault = simulate.Fault

// RetryAfterDate is the HTTP-date form of a Retry-After header.
func RetryAfterDate(at time.Time) string { return simulate.RetryAfterDate(at) }

// Fail arms a fault. Faults are tried in the order they were armed, one a request.
func (t *Tenant) Fail(f Fault) {
	t.ready()
	t.faults.Arm(f)
}

// ClearFaults disarms every fault.
func (t *Tenant) ClearFaults() {
	t.ready()
	t.faults.Clear()
}

// spoil changes a good answer into the one the fault asks for.
func (t *Tenant) spoil(f Fault, r *http.Request, good response) response {
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
