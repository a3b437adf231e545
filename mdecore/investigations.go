package mdecore

import (
	"context"
	"iter"
	"log/slog"
	"strings"
)

// StartInvestigationRequest is the body of StartInvestigation.
type StartInvestigationRequest struct {
	// Comment says why; the service keeps it with the action. Required.
	Comment string `json:"Comment"`
}

// StartInvestigation begins an automated investigation of a machine. An answer without an id, or about another machine, is
// an error of uncertain outcome. Documentation page: initiate-autoir-investigation.md.
//
// Deprecated: since 2026-09-01 Defender for Endpoint starts no automated investigation by hand, and this call can be
// expected to fail; run a full antivirus scan with RunAntiVirusScan instead.
//
//mde:op POST /api/machines/{machine_id}/startInvestigation roles=Alert.ReadWrite.All
func (c *Client) StartInvestigation(ctx context.Context, machineID string, req StartInvestigationRequest) (*Investigation, error) {
	const op = "StartInvestigation"
	c.warnOfInvestigations(ctx, op)
	got, err := send[Investigation](ctx, c, call{
		op: op, args: args{machineArg(machineID)}, body: req, invalid: checkComment(req.Comment, true),
	})
	switch {
	case err != nil:
		return nil, err
	case got.ID == "":
		return nil, &Error{Op: op, Message: "the service accepted the request but named no investigation id: list the machine's investigations"}
	case got.MachineID != "" && !strings.EqualFold(got.MachineID, machineID):
		return nil, &Error{Op: op, Message: "asked for machine " + machineID + ", but the service's investigation " + shorten(string(got.ID)) +
			" is of machine " + shorten(got.MachineID)}
	}
	return got, nil
}

// ListInvestigations iterates over automated investigations. The query's filter is over startTime, id, state, machineId or
// triggeringAlertId. Documentation page: get-investigation-collection.md.
//
// Deprecated: since 2026-09-01 automated investigation is no separate experience of Defender for Endpoint, and new
// investigations may not appear here; use the incidents of Microsoft Graph (ListIncidents) instead.
//
//mde:op GET /api/investigations roles=Alert.ReadWrite.All,Alert.Read.All
func (c *Client) ListInvestigations(ctx context.Context, q Query) iter.Seq2[*Investigation, error] {
	const op = "ListInvestigations"
	return func(yield func(*Investigation, error) bool) {
		c.warnOfInvestigations(ctx, op)
		list[Investigation](ctx, c, q.call(call{op: op}), q.Page)(yield)
	}
}

// GetInvestigation returns one automated investigation by its own id or by that of the alert which triggered it. An answer
// about another one is an error. Documentation page: get-investigation-object.md.
//
// Deprecated: since 2026-09-01 automated investigation is no separate experience of Defender for Endpoint; use the
// incidents of Microsoft Graph (GetIncident) instead.
//
//mde:op GET /api/investigations/{investigation_id} roles=Alert.ReadWrite.All,Alert.Read.All
func (c *Client) GetInvestigation(ctx context.Context, id string) (*Investigation, error) {
	const op = "GetInvestigation"
	c.warnOfInvestigations(ctx, op)
	got, err := fetch[Investigation](ctx, c, call{op: op, args: args{idArg("investigation or alert id", id)}})
	if err != nil {
		return nil, err
	}
	if string(got.ID) != id && got.TriggeringAlertID != id {
		return nil, otherEntity(op, "investigation", id, string(got.ID))
	}
	return got, nil
}

// warnOfInvestigations tells the log once for each method that it has no future.
func (c *Client) warnOfInvestigations(ctx context.Context, op string) {
	c.warnOnce(ctx, op, "automated investigation was retired in Defender for Endpoint on 2026-09-01: this call may fail or find nothing new",
		slog.String("op", op))
}
