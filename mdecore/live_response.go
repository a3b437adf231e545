package mdecore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxScriptResult bounds a script result that is read into memory.
const maxScriptResult = 64 << 20

// ActiveSessionError says that a machine has a live response session already. There can be one at a time.
type ActiveSessionError struct {
	// MachineID is the machine's.
	MachineID string
	// Action is the session that runs or waits; nil when the service only said that there is one.
	Action *MachineAction
}

// Error implements error.
func (e *ActiveSessionError) Error() string {
	if e.Action == nil {
		return "machine " + e.MachineID + " has a live response session already: wait for it, or cancel it, and start again"
	}
	return fmt.Sprintf("machine %s has a live response session already: action %s, %s since %s, of %s; wait for it, or cancel it, and start again",
		e.MachineID, shorten(e.Action.ID), shorten(string(e.Action.Status)), e.Action.CreationDateTimeUTC.Format("2006-01-02 15:04 MST"), shorten(e.Action.Requestor))
}

// RunLiveResponse runs commands on a machine. The returned action is Pending: follow it with WaitMachineAction and more
// patience than usual, because a session waits up to 2 hours for a machine that cannot be reached and a script may run for
// 10 minutes. A machine has one session at a time: when the service says so, a *ActiveSessionError is inside the error.
// The service takes 10 calls a minute and runs 50 sessions at a time, above which it answers 429.
// Documentation page: run-live-response.md.
//
//mde:op POST /api/machines/{machine_id}/runliveresponse roles=Machine.LiveResponse
func (c *Client) RunLiveResponse(ctx context.Context, machineID string, req LiveResponseRequest) (*MachineAction, error) {
	action, err := c.actOn(ctx, "RunLiveResponse", ActionLiveResponse, machineID, req, req.check())
	var failed *Error
	if errors.As(err, &failed) && failed.Status == http.StatusBadRequest && failed.Code == "ActiveRequestAlreadyExists" {
		failed.Err = &ActiveSessionError{MachineID: machineID}
	}
	return action, err
}

// CheckLiveResponseIdle reads the machine's actions and returns nil when no live response session runs or waits on it,
// else an error with a *ActiveSessionError inside. A status that is not known counts as running. Sessions that were
// started on the portal's device page do not show here, so the service's own answer stays the last word.
// Documentation page: get-machineactions-collection.md.
//
//mde:op GET /api/machineactions roles=Machine.ReadWrite.All,Machine.Read.All
func (c *Client) CheckLiveResponseIdle(ctx context.Context, machineID string) error {
	const op = "CheckLiveResponseIdle"
	query := Query{Filter: Filter("machineId eq " + odataString(machineID) + " and type eq 'LiveResponse'")}
	what := query.call(call{op: op, via: "ListMachineActions"})
	what.invalid = errors.Join(checkMachineID(machineID), what.invalid)
	for action, err := range list[MachineAction](ctx, c, what, Page{}) {
		if err != nil {
			return err
		}
		// The filter is not relied upon: another machine's session is no reason to wait.
		if action.Type == ActionLiveResponse && strings.EqualFold(action.MachineID, machineID) && !action.Status.Terminal() {
			return refuse(op, &ActiveSessionError{MachineID: machineID, Action: action})
		}
	}
	return nil
}

// StartLiveResponse is CheckLiveResponseIdle and then RunLiveResponse: nothing is sent to a machine whose session is
// known to run, or when that cannot be found out.
func (c *Client) StartLiveResponse(ctx context.Context, machineID string, req LiveResponseRequest) (*MachineAction, error) {
	if err := errors.Join(checkMachineID(machineID), req.check()); err != nil {
		return nil, refuse("StartLiveResponse", err)
	}
	if err := c.CheckLiveResponseIdle(ctx, machineID); err != nil {
		return nil, notStarted(err)
	}
	return c.RunLiveResponse(ctx, machineID, req)
}

// notStarted makes a failed look-up an error of a write that was not sent, which it is whatever the look-up met.
func notStarted(err error) error {
	return &Error{
		Op: "StartLiveResponse", Message: "nothing was sent, because it is not certain that no session runs",
		Err: &unstarted{err}, RetryAfter: RetryAfter(err),
	}
}

// unstarted is the failure of a read that came before a write.
type unstarted struct{ err error }

// Error implements error.
func (e *unstarted) Error() string { return e.err.Error() }

// Unwrap returns the failure.
func (e *unstarted) Unwrap() error { return e.err }

// NotSent is always true: the write was not even begun.
func (e *unstarted) NotSent() bool { return true }

// GetLiveResponseResultLink returns the link to the result of a session's command, which counts from 0. The link lives for
// 30 minutes; another one can be had without running the command again. Only a completed RunScript or GetFile has a
// result: LiveResponseResult looks at that first. Documentation page: get-live-response-result.md.
//
//mde:op GET /api/machineactions/{action_id}/GetLiveResponseResultDownloadLink(index={command_index}) roles=Machine.ReadWrite.All,Machine.LiveResponse
func (c *Client) GetLiveResponseResultLink(ctx context.Context, actionID string, index int) (Link, error) {
	return c.fetchLink(ctx, call{op: "GetLiveResponseResultLink", args: args{idArg("machine action id", actionID), indexArg(index)}})
}

// indexArg is the place of a command in its session.
func indexArg(index int) arg {
	text := strconv.Itoa(index)
	if index < 0 {
		return arg{text, invalid("command index", text, "it counts from 0")}
	}
	return arg{value: text}
}

// NoResultError says that a live response command has no result.
type NoResultError struct {
	// ActionID and Index name the command.
	ActionID string
	Index    int
	// Reason says why it has none.
	Reason string
	// Errors is what the machine said about a command that failed. It may hold text that others wrote.
	Errors []string
}

// Error implements error.
func (e *NoResultError) Error() string {
	text := fmt.Sprintf("command %d of action %s has no result: %s", e.Index, shorten(e.ActionID), e.Reason)
	if len(e.Errors) > 0 {
		text += ": " + shorten(strings.Join(e.Errors, "; "))
	}
	return text
}

// Result says whether a session's command has a result: nil when it has, else a *NoResultError.
func (a *MachineAction) Result(index int) error {
	none := func(reason string, said ...string) error {
		return &NoResultError{ActionID: a.ID, Index: index, Reason: reason, Errors: said}
	}
	if a.Type != ActionLiveResponse {
		return none("the action is a " + shorten(string(a.Type)) + ", not a LiveResponse")
	}
	for _, status := range a.Commands {
		if int(status.Index) != index {
			continue
		}
		switch {
		case status.Command == nil || (status.Command.Type != CommandRunScript && status.Command.Type != CommandGetFile):
			return none("only a RunScript and a GetFile have one")
		case status.CommandStatus == CommandFailed:
			return none("it failed", status.Errors...)
		case status.CommandStatus != CommandCompleted && a.Status.Terminal():
			return none("it was not run, because the session ended before as " + shorten(string(a.Status)))
		case status.CommandStatus != CommandCompleted:
			return none("it is not completed yet")
		}
		return nil
	}
	return none(fmt.Sprintf("the session has %d commands, and none of that index", len(a.Commands)))
}

// LiveResponseResult writes the result of a session's command to w, after it has seen that there is one; else a
// *NoResultError is inside the error and nothing is written. A link that expires meanwhile is asked for again, once.
// Documentation page: get-live-response-result.md.
func (c *Client) LiveResponseResult(ctx context.Context, actionID string, index int, w io.Writer, opts DownloadOptions) (DownloadResult, error) {
	return c.commandResult(ctx, "LiveResponseResult", actionID, index, w, opts, func(*Command) error { return nil })
}

// commandResult writes the result of a command that fits.
func (c *Client) commandResult(
	ctx context.Context, op, actionID string, index int, w io.Writer, opts DownloadOptions, fits func(*Command) error,
) (DownloadResult, error) {
	if bad := indexArg(index).invalid; bad != nil {
		return DownloadResult{}, refuse(op, bad)
	}
	action, err := c.GetMachineAction(ctx, actionID)
	if err != nil {
		return DownloadResult{}, err
	}
	err = action.Result(index)
	if err == nil {
		err = fits(action.command(index))
	}
	if err != nil {
		return DownloadResult{}, &Error{Op: op, Message: "nothing was downloaded", Err: err}
	}
	return c.download(ctx, op, func(ctx context.Context) (Link, error) {
		return c.GetLiveResponseResultLink(ctx, actionID, index)
	}, w, opts)
}

// command is the command of an index, or nil.
func (a *MachineAction) command(index int) *Command {
	for _, status := range a.Commands {
		if int(status.Index) == index {
			return status.Command
		}
	}
	return nil
}

// param is the value of a parameter, or "".
func (c *Command) param(key string) string {
	for _, p := range c.Params {
		if p.Key == key {
			return p.Value
		}
	}
	return ""
}

// LiveResponseScriptResult reads the result of a RunScript. A collected file that looks like one is refused, and so is
// the result of a script of another name. When it does not have the documented form, the result comes
// back with its Raw bytes only, together with an error: without an exit code nobody knows how the script went.
// Documentation page: get-live-response-result.md.
func (c *Client) LiveResponseScriptResult(ctx context.Context, actionID string, index int, opts DownloadOptions) (*ScriptResult, error) {
	opts.Unpack = true
	for _, limit := range []*int64{&opts.MaxBytes, &opts.MaxExpanded} {
		if *limit <= 0 || *limit > maxScriptResult {
			*limit = maxScriptResult
		}
	}
	const op = "LiveResponseScriptResult"
	var raw bytes.Buffer
	var script string
	_, err := c.commandResult(ctx, op, actionID, index, &raw, opts, func(command *Command) error {
		if command.Type != CommandRunScript {
			return &NoResultError{ActionID: actionID, Index: index, Reason: "it is a " + shorten(string(command.Type)) + ", whose result is not a script's"}
		}
		script = command.param("ScriptName")
		return nil
	})
	if err != nil {
		return nil, err
	}
	result, err := ParseScriptResult(raw.Bytes())
	if err == nil && script != "" && result.ScriptName != "" && !strings.EqualFold(result.ScriptName, script) {
		result, err = &ScriptResult{Raw: result.Raw}, fmt.Errorf("it is of the script %q instead of %q", shorten(result.ScriptName), shorten(script))
	}
	if err != nil {
		err = &Error{Op: op, Message: "the result is not a script's; its raw bytes are kept", Err: err}
	}
	return result, err
}
