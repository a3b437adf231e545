package mdesim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// controlPath is where a tenant with Control on takes orders over HTTP, for
// programs that run it as a process of its own.
const controlPath = "/mdesim/"

// faultOrder is the body of POST /mdesim/faults: a [Fault] as JSON, with its delay
// written as in "1.5s".
type faultOrder struct {
	Method     string    `json:"method"`
	Path       string    `json:"path"`
	Kind       FaultKind `json:"kind"`
	Status     int       `json:"status"`
	RetryAfter string    `json:"retryAfter"`
	Delay      string    `json:"delay"`
	Skip       int       `json:"skip"`
	Times      int       `json:"times"`
}

// serveControl answers POST and DELETE /mdesim/faults and GET /mdesim/effects.
// There is no sign-in: the tenant listens on loopback and protects nothing.
func (t *Tenant) serveControl(r *http.Request, body []byte) response {
	switch r.Method + " " + strings.TrimPrefix(r.URL.Path, controlPath) {
	case "POST faults":
		f, err := parseFault(body)
		if err != nil {
			return jsonResponse(http.StatusBadRequest, map[string]string{"error": err.Error()})
		}
		t.Fail(f)
		return response{status: http.StatusNoContent}
	case "DELETE faults":
		t.ClearFaults()
		return response{status: http.StatusNoContent}
	case "GET effects":
		effects := t.Effects()
		if effects == nil {
			effects = []Effect{}
		}
		return jsonResponse(http.StatusOK, effects)
	}
	return jsonResponse(http.StatusNotFound, map[string]string{"error": "there are POST and DELETE " + controlPath + "faults, and GET " + controlPath + "effects"})
}

// parseFault reads an order; what it does not know it refuses, so that a mistyped
// fault is not mistaken for one that does not happen.
func parseFault(body []byte) (Fault, error) {
	var o faultOrder
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
	return f, f.check()
}
