package mdesim

import (
	"net/http"
	"strings"

	"github.com/mde-ops/mde-ops/internal/simulate"
)

// controlPath is where a tenant with Control on takes orders over HTTP, for
// programs that run it as a process of its own.
const controlPath = "/mdesim/"

// serveControl answers POST and DELETE /mdesim/faults and GET /mdesim/effects.
// There is no sign-in: the tenant listens on loopback and protects nothing.
func (t *Tenant) serveControl(r *http.Request, body []byte) response {
	switch r.Method + " " + strings.TrimPrefix(r.URL.Path, controlPath) {
	case "POST faults":
		f, err := simulate.ParseFault(body)
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
