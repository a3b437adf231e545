package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/mdecore"
)

// commandsOf reads the frozen commands of a step.
func commandsOf(t worker.Task) ([]liveCommand, error) {
	var step liveStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return nil, damaged(t, err)
	}
	for _, c := range step.Commands {
		if c.wire() == nil {
			return nil, damaged(t, fmt.Errorf("command type %q", c.Type))
		}
	}
	if len(step.Commands) == 0 {
		return nil, damaged(t, errors.New("it has no command"))
	}
	return step.Commands, nil
}

// applyLive looks whether the library still holds what was approved, and starts the session.
func applyLive(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
	commands, err := commandsOf(t)
	if err != nil {
		return worker.Receipt{}, err
	}
	if err := with.asApproved(ctx, commands); err != nil {
		return worker.Receipt{}, unsent(err)
	}
	req := mdecore.LiveResponseRequest{Comment: comment(t)}
	gives := false
	for _, c := range commands {
		req.Commands = append(req.Commands, c.wire())
		gives = gives || c.Type != mdecore.CommandPutFile
	}
	if gives {
		if err := with.ready(ctx); err != nil {
			return worker.Receipt{}, err
		}
	}
	return receipt(with.writer.RunLiveResponse(ctx, t.Step.Target, req))
}

// asApproved refuses commands whose library files are not those that people approved.
func (h hands) asApproved(ctx context.Context, commands []liveCommand) error {
	var files []*mdecore.LibraryFile
	for _, c := range commands {
		if c.Type == mdecore.CommandGetFile {
			continue
		}
		if files == nil {
			var err error
			if files, err = libraryOf(ctx, h.lent); err != nil {
				return err
			}
		}
		if f := libraryFileOf(files, c.Name); f == nil || !strings.EqualFold(f.SHA256, c.SHA256) || c.SHA256 == "" {
			return libraryChanged(c.Name, c.SHA256, f)
		}
	}
	return nil
}

// followLive asks how far a live response has come. One that ended early may have given something all the same.
func followLive(ctx context.Context, with hands, _ worker.Task, actionID string) (worker.Progress, error) {
	a, err := with.reader.GetMachineAction(ctx, actionID)
	if err != nil {
		return worker.Progress{}, err
	}
	p := liveOutcome(a)
	if p.State == approvals.StepAccepted || p.State == approvals.StepSucceeded {
		return p, nil
	}
	for i := range a.Commands {
		p.Results = p.Results || a.Result(int(a.Commands[i].Index)) == nil
	}
	if said := liveFailures(a); said != "" {
		p.Message = strings.TrimSuffix(p.Message, ".") + ": " + said
	}
	return p, nil
}

// liveOutcome is how far a live response has come.
func liveOutcome(a *mdecore.MachineAction) worker.Progress {
	return outcomeOf(a, "Defender reports that the live response failed", "the device did not take the live response within 2 hours; it may be offline")
}

// liveFailures is what the device said about the commands that failed. It is untrusted text.
func liveFailures(a *mdecore.MachineAction) string {
	var said []string
	for _, c := range a.Commands {
		if c.CommandStatus == mdecore.CommandFailed {
			said = append(said, fmt.Sprintf("command %d failed: %s", int(c.Index)+1, quoted(strings.Join(c.Errors, "; "), 300)))
		}
	}
	return strings.Join(said, "; ")
}

// collectLive brings files and script results of a session into evidence, each with its own manifest.
func collectLive(ctx context.Context, with hands, t worker.Task, actionID string) (worker.Progress, error) {
	commands, err := commandsOf(t)
	if err != nil {
		return worker.Progress{}, err
	}
	a, err := with.ofStep(ctx, t, actionID, mdecore.ActionLiveResponse)
	if err != nil {
		return worker.Progress{}, err
	}
	p := liveOutcome(a)
	var lines []string
	for i, c := range commands {
		line, err := with.resultOf(ctx, t, a, i, c)
		if err != nil {
			return worker.Progress{}, fetchFault(err)
		}
		if len(commands) > 1 {
			line = fmt.Sprintf("%d. %s: %s", i+1, clean(c.text(), 120), line)
		}
		lines = append(lines, line)
	}
	if p.Message != "" {
		lines = append([]string{p.Message}, lines...)
	}
	p.Message = clean(strings.Join(lines, "; "), 3000)
	return p, nil
}

// resultOf keeps what one command gave, and says in words how it went.
func (h hands) resultOf(ctx context.Context, t worker.Task, a *mdecore.MachineAction, index int, c liveCommand) (string, error) {
	status, ok := liveStatus(a, index)
	if !ok || status.Command == nil || status.Command.Type != c.Type {
		return "", &worker.Refused{Text: fmt.Sprintf("Defender reports other commands of action %s than were sent", a.ID)}
	}
	switch {
	case status.CommandStatus == mdecore.CommandFailed:
		return "failed: " + quoted(strings.Join(status.Errors, "; "), 300), nil
	case status.CommandStatus != mdecore.CommandCompleted:
		return "was not run", nil
	case c.Type == mdecore.CommandPutFile:
		return "done", nil
	}
	m, err := h.keep(ctx, t, h.itemOf(a, index, c, status))
	if err != nil {
		return "", err
	}
	if c.Type == mdecore.CommandGetFile {
		return keptText(m), nil
	}
	how, said, err := h.output(ctx, m)
	return how + "; " + keptText(m) + said, err
}

func liveStatus(a *mdecore.MachineAction, index int) (mdecore.CommandStatus, bool) {
	for _, s := range a.Commands {
		if int(s.Index) == index {
			return s, true
		}
	}
	return mdecore.CommandStatus{}, false
}

// itemOf is the result of a command. A file is kept as Defender sends it, mostly packed: its manifest has the hash of what is
// inside. A script's result is unpacked, because it is read here.
func (h hands) itemOf(a *mdecore.MachineAction, index int, c liveCommand, s mdecore.CommandStatus) collectable {
	i := collectable{actionType: string(a.Type), actionID: fmt.Sprintf("%s.%d", a.ID, index), at: s.EndTime.Time, name: c.Path}
	opts := mdecore.DownloadOptions{}
	if c.Type == mdecore.CommandRunScript {
		i.name, i.contentType, opts.Unpack = c.Name+".result.json", "application/json", true
	}
	i.fetch = func(ctx context.Context, w io.Writer) error {
		_, err := h.lent.LiveResponseResult(ctx, a.ID, index, w, opts)
		return err
	}
	return i
}

// maxShownResult bounds a script's result that is read for its step's message, in bytes; a larger one is only kept.
const maxShownResult = 1 << 20

// output is how a script went, and the start of what it printed, which is untrusted text.
func (h hands) output(ctx context.Context, m evidence.Manifest) (how, said string, err error) {
	if m.Size == 0 || m.Size > maxShownResult {
		return "ran", "; its result is too large or empty to be shown", nil
	}
	raw, err := h.evidence.Range(ctx, m, 0, m.Size)
	if err != nil {
		return "", "", err
	}
	result, err := mdecore.ParseScriptResult(raw)
	if err != nil { // what is kept will not get better by another try
		return "ran, and its result can't be read as a script's, so that it is not known how it went", "", nil //nolint:nilerr // see above
	}
	if out := strings.TrimSpace(string(result.ScriptErrors)); out != "" {
		said += "; errors (untrusted text) " + quoted(out, 300)
	}
	if out := strings.TrimSpace(string(result.ScriptOutput)); out != "" {
		said += "; output (untrusted text) " + quoted(out, 600)
	}
	return fmt.Sprintf("exit code %d", int(result.ExitCode)), said, nil
}
