package simulate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
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
	// FaultForeignLink handles the request and points the link to a list's next page
	// to another host, adding one when the list has none.
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
	// Times is how often it happens. 0 means once, negative until they are cleared.
	Times int
}

// Check refuses a fault that would never happen as it is meant.
func (f Fault) Check() error {
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

// Replaces reports whether the request is not handled at all.
func (f Fault) Replaces() bool {
	return f.Kind == FaultStatus || f.Kind == FaultCutBefore || f.Kind == FaultEcho
}

// Cuts reports whether the connection closes unanswered.
func (f Fault) Cuts() bool { return f.Kind == FaultCutBefore || f.Kind == FaultCutAfter }

// matches compares paths without case where folded says that the service does.
func (f *Fault) matches(method, reqPath string, folded bool) bool {
	if f.Method != "" && !strings.EqualFold(f.Method, method) {
		return false
	}
	pattern := f.Path
	if folded {
		pattern, reqPath = strings.ToLower(pattern), strings.ToLower(reqPath)
	}
	if pattern == "" {
		return true
	}
	if prefix, ok := strings.CutSuffix(pattern, "**"); ok {
		return strings.HasPrefix(reqPath, prefix)
	}
	ok, err := path.Match(pattern, reqPath)
	return err == nil && ok
}

// RetryAfterDate is the HTTP-date form of a Retry-After header.
func RetryAfterDate(at time.Time) string { return at.UTC().Format(http.TimeFormat) }

// Faults are those that are armed. The zero value has none. Folded compares paths without case.
type Faults struct {
	Folded bool

	mu    sync.Mutex
	armed []*Fault
}

// Arm adds a fault. Faults are tried in the order they were armed, one a request.
func (l *Faults) Arm(f Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = append(l.armed, &f)
}

// Clear disarms every fault.
func (l *Faults) Clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = nil
}

// Take returns the fault for this request, or a Fault of no kind.
func (l *Faults) Take(method, reqPath string) Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, f := range l.armed {
		if !f.matches(method, reqPath, l.Folded) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		hit := *f
		if hit.Kind == "" {
			hit.Kind = FaultStatus
		}
		if hit.Status == 0 {
			hit.Status = http.StatusInternalServerError
		}
		if f.Times >= 0 {
			if f.Times--; f.Times <= 0 {
				l.armed = slices.Delete(l.armed, i, i+1)
			}
		}
		return hit
	}
	return Fault{}
}

// order is a fault as programs arm it over HTTP: as JSON, with its delay written as in "1.5s".
type order struct {
	Method     string    `json:"method"`
	Path       string    `json:"path"`
	Kind       FaultKind `json:"kind"`
	Status     int       `json:"status"`
	RetryAfter string    `json:"retryAfter"`
	Delay      string    `json:"delay"`
	Skip       int       `json:"skip"`
	Times      int       `json:"times"`
}

// ParseFault reads an order; what it does not know it refuses, so that a mistyped fault is not mistaken for one that does
// not happen.
func ParseFault(body []byte) (Fault, error) {
	var o order
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&o); err != nil {
		return Fault{}, err
	}
	f := Fault{Method: o.Method, Path: o.Path, Kind: o.Kind, Status: o.Status, RetryAfter: o.RetryAfter, Skip: o.Skip, Times: o.Times}
	if o.Delay != "" {
		d, err := time.ParseDuration(o.Delay)
		if err != nil {
			return Fault{}, err
		}
		f.Delay = d
	}
	return f, f.Check()
}
