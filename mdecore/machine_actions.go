package mdecore

import (
	"context"
	"iter"
	"strings"
)

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

// RestrictRequest is the body of RestrictCodeExecution.
type RestrictRequest struct {
	// Comment says why. Required.
	Comment string `json:"Comment"`
}

// UnrestrictRequest is the body of UnrestrictCodeExecution.
type UnrestrictRequest struct {
	// Comment says why. Required.
	Comment string `json:"Comment"`
}

// ScanRequest is the body of RunAntiVirusScan.
type ScanRequest struct {
	// Comment says why. Required.
	Comment string `json:"Comment"`
	// ScanType says how thoroughly. Required.
	ScanType ScanType `json:"ScanType"`
}

// QuarantineRequest is the body of StopAndQuarantineFile.
type QuarantineRequest struct {
	// Comment says why. Required.
	Comment string `json:"Comment"`
	// SHA1 is the file, as 40 hexadecimal digits. Required.
	SHA1 string `json:"Sha1"`
}

// PackageRequest is the body of CollectInvestigationPackage.
type PackageRequest struct {
	// Comment says why. Required.
	Comment string `json:"Comment"`
}

// OffboardRequest is the body of OffboardMachine.
type OffboardRequest struct {
	// Comment says why. Required.
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
	return otherEntity(op, "machine action", id, got.ID)
}

// ListMachineActions iterates over machine actions. They can be filtered on id, status, machineId, type, requestor and
// creationDateTimeUtc, but not on the comment. Documentation page: get-machineactions-collection.md.
//
//mde:op GET /api/machineactions roles=Machine.ReadWrite.All,Machine.Read.All
func (c *Client) ListMachineActions(ctx context.Context, q Query) iter.Seq2[*MachineAction, error] {
	return list[MachineAction](ctx, c, q.call(call{op: "ListMachineActions"}), q.Page)
}

// IsolateMachine cuts a machine off the network, except for its line to Defender. The returned action is Pending: follow
// it with WaitMachineAction. Documentation page: isolate-machine.md.
//
//mde:op POST /api/machines/{machine_id}/isolate roles=Machine.Isolate
func (c *Client) IsolateMachine(ctx context.Context, machineID string, req IsolateRequest) (*MachineAction, error) {
	return c.actOn(ctx, "IsolateMachine", ActionIsolate, machineID, req, req.check())
}

// check refuses a request that the service would refuse or interpret in its own way.
func (r IsolateRequest) check() error {
	if err := checkEnum("isolation type", r.IsolationType, IsolationFull, IsolationSelective, IsolationUnManagedDevice); err != nil {
		return err
	}
	return checkComment(r.Comment, true)
}

// UnisolateMachine releases a machine from isolation. Documentation page: unisolate-machine.md.
//
//mde:op POST /api/machines/{machine_id}/unisolate roles=Machine.Isolate
func (c *Client) UnisolateMachine(ctx context.Context, machineID string, req UnisolateRequest) (*MachineAction, error) {
	return c.actOn(ctx, "UnisolateMachine", ActionUnisolate, machineID, req, checkComment(req.Comment, true))
}

// RestrictCodeExecution lets only code that Microsoft has signed run on a machine: Windows 10 1709 or newer, Windows 11.
// Documentation page: restrict-code-execution.md.
//
//mde:op POST /api/machines/{machine_id}/restrictCodeExecution roles=Machine.RestrictExecution
func (c *Client) RestrictCodeExecution(ctx context.Context, machineID string, req RestrictRequest) (*MachineAction, error) {
	return c.actOn(ctx, "RestrictCodeExecution", ActionRestrictCodeExecution, machineID, req, checkComment(req.Comment, true))
}

// UnrestrictCodeExecution lets all code run on a machine again. Documentation page: unrestrict-code-execution.md.
//
//mde:op POST /api/machines/{machine_id}/unrestrictCodeExecution roles=Machine.RestrictExecution
func (c *Client) UnrestrictCodeExecution(ctx context.Context, machineID string, req UnrestrictRequest) (*MachineAction, error) {
	return c.actOn(ctx, "UnrestrictCodeExecution", ActionUnrestrictCodeExecution, machineID, req, checkComment(req.Comment, true))
}

// RunAntiVirusScan starts a scan on a machine: Windows 10 1709 or newer, Windows 11, Linux servers, macOS. A full scan
// can take hours. Documentation page: run-av-scan.md.
//
//mde:op POST /api/machines/{machine_id}/runAntiVirusScan roles=Machine.Scan
func (c *Client) RunAntiVirusScan(ctx context.Context, machineID string, req ScanRequest) (*MachineAction, error) {
	return c.actOn(ctx, "RunAntiVirusScan", ActionRunAntiVirusScan, machineID, req, req.check())
}

// check refuses a request that the service would refuse.
func (r ScanRequest) check() error {
	if err := checkEnum("scan type", r.ScanType, ScanQuick, ScanFull); err != nil {
		return err
	}
	return checkComment(r.Comment, true)
}

// StopAndQuarantineFile stops a file's processes on a machine and moves the file to quarantine: Windows 10 1703 or newer,
// Windows 11. Files of Microsoft and of trusted publishers are refused. Documentation page: stop-and-quarantine-file.md.
//
//mde:op POST /api/machines/{machine_id}/StopAndQuarantineFile roles=Machine.StopAndQuarantine,Machine.ReadWrite.All
func (c *Client) StopAndQuarantineFile(ctx context.Context, machineID string, req QuarantineRequest) (*MachineAction, error) {
	action, err := c.actOn(ctx, "StopAndQuarantineFile", ActionStopAndQuarantineFile, machineID, req, req.check())
	if err == nil && action.RelatedFileInfo != nil && !strings.EqualFold(action.RelatedFileInfo.FileIdentifier, req.SHA1) {
		return nil, &Error{Op: "StopAndQuarantineFile", Message: "asked for file " + req.SHA1 + ", but the service's action " + shorten(action.ID) +
			" is for file " + shorten(action.RelatedFileInfo.FileIdentifier)}
	}
	return action, err
}

// check refuses a request that the service would refuse.
func (r QuarantineRequest) check() error {
	if err := checkDigits("file SHA-1", r.SHA1, sha1Digits); err != nil {
		return err
	}
	return checkComment(r.Comment, true)
}

// CollectInvestigationPackage starts to collect a machine's investigation package. Documentation page:
// collect-investigation-package.md.
//
//mde:op POST /api/machines/{machine_id}/collectInvestigationPackage roles=Machine.CollectForensics
func (c *Client) CollectInvestigationPackage(ctx context.Context, machineID string, req PackageRequest) (*MachineAction, error) {
	return c.actOn(ctx, "CollectInvestigationPackage", ActionCollectInvestigationPackage, machineID, req, checkComment(req.Comment, true))
}

// OffboardMachine takes a machine out of Defender, after which nothing can be asked of it any more: Windows 10 1703 or
// newer, Windows 11, Windows Server. It only stops the sensor; to onboard again is work on the machine.
// Documentation page: offboard-machine-api.md.
//
//mde:op POST /api/machines/{machine_id}/offboard roles=Machine.Offboard
func (c *Client) OffboardMachine(ctx context.Context, machineID string, req OffboardRequest) (*MachineAction, error) {
	return c.actOn(ctx, "OffboardMachine", ActionOffboard, machineID, req, checkComment(req.Comment, true))
}

// actOn posts an action on a machine; invalid is what is wrong with its body. An answer about another machine, or of another
// type than want, is an error of uncertain outcome. Types that we do not know are let through, because pages differ in
// how they write them.
func (c *Client) actOn(ctx context.Context, op string, want ActionType, machineID string, body any, invalid error) (*MachineAction, error) {
	action, err := c.writeAction(ctx, call{op: op, args: args{machineArg(machineID)}, body: body, invalid: invalid})
	if err != nil {
		return nil, err
	}
	if action.MachineID != "" && !strings.EqualFold(action.MachineID, machineID) {
		return nil, &Error{Op: op, Message: "asked for machine " + machineID + ", but the service's action " + shorten(action.ID) +
			" is for machine " + shorten(action.MachineID)}
	}
	if got, known := action.Type.known(); known && got != want {
		return nil, &Error{Op: op, Message: "asked for the action " + string(want) + ", but the service's action " + shorten(action.ID) +
			" is " + string(got) + ": look at the machine's actions"}
	}
	return action, nil
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
