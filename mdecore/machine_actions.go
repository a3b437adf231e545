package mdecore

import (
	"context"
	"iter"
	"strings"
)

// MachineActionsQuery selects machine actions. The zero value selects all.
type MachineActionsQuery struct {
	// Filter is an OData expression over id, status, machineId, type, requestor or creationDateTimeUtc. The comment cannot
	// be filtered on.
	Filter string
	Page
}

// IsolateRequest is the body of IsolateMachine.
type IsolateRequest struct {
	// Comment says why; the service keeps it with the action. Required.
	Comment string `json:"Comment"`
	// IsolationType says how far. Required here, although the service does not insist on it: it states no default.
	IsolationType IsolationType `json:"IsolationType"`
}

// UnisolateRequest is the body of UnisolateMachine.
type UnisolateRequest struct {
	// Comment says why. Required.
	Comment string `json:"Comment"`
}

// CancelRequest is the body of CancelMachineAction.
type CancelRequest struct {
	// Comment says why. Optional.
	Comment string `json:"Comment"`
}

// GetMachineAction returns one machine action. Documentation page: get-machineaction-object.md.
//
//mde:op GET /api/machineactions/{id} roles=Machine.ReadWrite.All,Machine.Read.All
func (c *Client) GetMachineAction(ctx context.Context, id string) (*MachineAction, error) {
	const op = "GetMachineAction"
	if err := checkID("machine action id", id); err != nil {
		return nil, refuse(op, err)
	}
	action := new(MachineAction)
	what := call{op: op, endpoint: "GET /api/machineactions/{id}", target: "/api/machineactions/" + id}
	if err := c.get(ctx, what, action); err != nil {
		return nil, err
	}
	if err := sameAction(op, id, action); err != nil {
		return nil, err
	}
	return action, nil
}

// sameAction refuses an answer about another action than the one that was asked for: its end must not be taken for this
// one's.
func sameAction(op, id string, got *MachineAction) error {
	if strings.EqualFold(got.ID, id) {
		return nil
	}
	return &Error{Op: op, Message: "asked for machine action " + id + ", but the service answered with action " + shorten(got.ID)}
}

// ListMachineActions iterates over machine actions. Documentation page: get-machineactions-collection.md.
//
//mde:op GET /api/machineactions roles=Machine.ReadWrite.All,Machine.Read.All
func (c *Client) ListMachineActions(ctx context.Context, q MachineActionsQuery) iter.Seq2[*MachineAction, error] {
	what := call{
		op: "ListMachineActions", endpoint: "GET /api/machineactions", target: "/api/machineactions",
		query: q.query(strings.TrimSpace(q.Filter)),
	}
	return list[MachineAction](ctx, c, what, q.Page)
}

// IsolateMachine cuts a machine off the network, except for its line to Defender. The returned action is Pending: follow
// it with WaitMachineAction. Documentation page: isolate-machine.md.
//
//mde:op POST /api/machines/{id}/isolate roles=Machine.Isolate
func (c *Client) IsolateMachine(ctx context.Context, machineID string, req IsolateRequest) (*MachineAction, error) {
	const op = "IsolateMachine"
	if err := req.check(); err != nil {
		return nil, refuse(op, err)
	}
	return c.machineWrite(ctx, op, machineID, "isolate", req)
}

// check refuses a request that the service would refuse or interpret in its own way.
func (r IsolateRequest) check() error {
	switch r.IsolationType {
	case IsolationFull, IsolationSelective, IsolationUnManagedDevice:
		return checkComment(r.Comment, true)
	}
	return invalid("isolation type", string(r.IsolationType), "it must be Full, Selective or UnManagedDevice")
}

// UnisolateMachine releases a machine from isolation. Documentation page: unisolate-machine.md.
//
//mde:op POST /api/machines/{id}/unisolate roles=Machine.Isolate
func (c *Client) UnisolateMachine(ctx context.Context, machineID string, req UnisolateRequest) (*MachineAction, error) {
	const op = "UnisolateMachine"
	if err := checkComment(req.Comment, true); err != nil {
		return nil, refuse(op, err)
	}
	return c.machineWrite(ctx, op, machineID, "unisolate", req)
}

// machineWrite posts an action on a machine.
func (c *Client) machineWrite(ctx context.Context, op, machineID, verb string, body any) (*MachineAction, error) {
	if err := checkMachineID(machineID); err != nil {
		return nil, refuse(op, err)
	}
	action, err := c.writeAction(ctx, call{
		op: op, endpoint: "POST /api/machines/{id}/" + verb, target: "/api/machines/" + machineID + "/" + verb, body: body,
	})
	if err == nil && action.MachineID != "" && !strings.EqualFold(action.MachineID, machineID) {
		return nil, &Error{Op: op, Message: "asked for machine " + machineID + ", but the service's action " + shorten(action.ID) +
			" is for machine " + shorten(action.MachineID)}
	}
	return action, err
}

// CancelMachineAction cancels an action that is not final yet. An answer about another action is an error of uncertain
// outcome. The role that is needed depends on the action's type.
// Documentation page: cancel-machine-action.md.
//
//mde:op POST /api/machineactions/{id}/cancel roles=Machine.CollectForensics,Machine.Isolate,Machine.RestrictExecution,Machine.Scan,Machine.Offboard,Machine.StopAndQuarantine,Machine.LiveResponse
func (c *Client) CancelMachineAction(ctx context.Context, actionID string, req CancelRequest) (*MachineAction, error) {
	const op = "CancelMachineAction"
	if err := checkID("machine action id", actionID); err != nil {
		return nil, refuse(op, err)
	}
	if err := checkComment(req.Comment, false); err != nil {
		return nil, refuse(op, err)
	}
	action, err := c.writeAction(ctx, call{
		op: op, endpoint: "POST /api/machineactions/{id}/cancel", target: "/api/machineactions/" + actionID + "/cancel", body: req,
	})
	if err != nil {
		return nil, err
	}
	if err := sameAction(op, actionID, action); err != nil {
		return nil, err
	}
	return action, nil
}

// writeAction posts and returns the action that the service made of it. An answer without an id is an error of uncertain
// outcome: the action may exist, but cannot be followed.
func (c *Client) writeAction(ctx context.Context, what call) (*MachineAction, error) {
	action := new(MachineAction)
	if err := c.post(ctx, what, action); err != nil {
		return nil, err
	}
	if action.ID == "" {
		return nil, &Error{Op: what.op, Message: "the service accepted the request but named no action id: look at the machine's actions"}
	}
	return action, nil
}
