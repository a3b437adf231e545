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
	Filter Filter
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
//mde:op GET /api/machineactions/{action_id} roles=Machine.ReadWrite.All,Machine.Read.All
func (c *Client) GetMachineAction(ctx context.Context, id string) (*MachineAction, error) {
	const op = "GetMachineAction"
	action, err := fetch[MachineAction](ctx, c, call{op: op, args: args{idArg("machine action id", id)}})
	if err != nil {
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
	return list[MachineAction](ctx, c, Query(q).call(call{op: "ListMachineActions"}), q.Page)
}

// IsolateMachine cuts a machine off the network, except for its line to Defender. The returned action is Pending: follow
// it with WaitMachineAction. Documentation page: isolate-machine.md.
//
//mde:op POST /api/machines/{machine_id}/isolate roles=Machine.Isolate
func (c *Client) IsolateMachine(ctx context.Context, machineID string, req IsolateRequest) (*MachineAction, error) {
	return c.actOn(ctx, "IsolateMachine", machineID, req, req.check())
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
//mde:op POST /api/machines/{machine_id}/unisolate roles=Machine.Isolate
func (c *Client) UnisolateMachine(ctx context.Context, machineID string, req UnisolateRequest) (*MachineAction, error) {
	return c.actOn(ctx, "UnisolateMachine", machineID, req, checkComment(req.Comment, true))
}

// actOn posts an action on a machine; invalid is what is wrong with its body.
func (c *Client) actOn(ctx context.Context, op, machineID string, body any, invalid error) (*MachineAction, error) {
	action, err := c.writeAction(ctx, call{op: op, args: args{machineArg(machineID)}, body: body, invalid: invalid})
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
//mde:op POST /api/machineactions/{action_id}/cancel roles=Machine.CollectForensics,Machine.Isolate,Machine.RestrictExecution,Machine.Scan,Machine.Offboard,Machine.StopAndQuarantine,Machine.LiveResponse
func (c *Client) CancelMachineAction(ctx context.Context, actionID string, req CancelRequest) (*MachineAction, error) {
	const op = "CancelMachineAction"
	action, err := c.writeAction(ctx, call{
		op: op, args: args{idArg("machine action id", actionID)}, body: req, invalid: checkComment(req.Comment, false),
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
	action, err := send[MachineAction](ctx, c, what)
	if err != nil {
		return nil, err
	}
	if action.ID == "" {
		return nil, &Error{Op: what.op, Message: "the service accepted the request but named no action id: look at the machine's actions"}
	}
	return action, nil
}
