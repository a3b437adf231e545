package mdesim

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// plan works out what the commands do on a device, up to the first that fails;
// the caller holds t.mu.
func (t *Tenant) plan(d *device, commands []Command) *session {
	s := &session{
		begin: t.now().Add(max(0, t.ActionPending)), step: max(0, t.ActionRunning),
		offline: d.offline || d.listedIn(t.OfflineDevices), commands: commands,
	}
	files := t.deviceFiles(d, t.now())
	for _, command := range commands {
		var o outcome
		switch {
		case d.listedIn(t.FailingDevices):
			o.failure = "The device reported an internal error"
		case command.Type == "GetFile":
			o = collect(d, files, command.param("Path"))
		case command.Type == "PutFile":
			o = t.put(d, command.param("FileName"))
		default:
			o = t.script(d, command.param("ScriptName"), command.param("Args"))
		}
		s.outcomes = append(s.outcomes, o)
		if o.failure != "" {
			break
		}
		files = append(files, o.writes...)
	}
	return s
}

// put copies a library file to the device.
func (t *Tenant) put(d *device, name string) outcome {
	file, ok := t.stocked()[strings.ToLower(name)]
	if !ok {
		return outcome{failure: "The file '" + name + "' was not found in the library"}
	}
	return outcome{writes: []deviceFile{{d.workFolder() + file.FileName, file.content}}}
}

// script runs a library script. A script that exits with an error has run all the
// same: its command is completed, and its result has the exit code.
func (t *Tenant) script(d *device, name, args string) outcome {
	file, ok := t.stocked()[strings.ToLower(name)]
	if !ok {
		return outcome{failure: "The script '" + name + "' was not found in the library"}
	}
	run := interpret(string(file.content), args, d.ComputerDNSName)
	result, err := json.Marshal(map[string]any{
		"script_name": file.FileName, "exit_code": run.exit,
		"script_output": strings.Join(run.output, "\n"), "script_errors": strings.Join(run.errors, "\n"),
	})
	if err != nil {
		return outcome{failure: err.Error()}
	}
	return outcome{blob: "application/json", result: result, writes: run.writes}
}

// collect copies a file of the device, packed with gzip.
func collect(d *device, files []deviceFile, path string) outcome {
	content, ok := findFile(d, files, path)
	if !ok {
		return outcome{failure: "The file '" + path + "' was not found on the device"}
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(content) // a buffer takes everything
	_ = w.Close()
	return outcome{blob: "application/gzip", result: packed.Bytes()}
}

// resultLink links to the result of a command (documentation:
// get-live-response-result.md). The page names no error for a command without a
// result; the simulator answers 404.
func resultLink(c *call) response {
	t := c.t
	index, err := strconv.Atoi(c.params["command_index"])
	t.mu.Lock()
	a, ok := t.action(c.id)
	var done *session
	if ok && err == nil && index >= 0 {
		done = t.sessionOf(a)
	}
	var status CommandStatus
	if done != nil && index < len(done.commands) {
		status = done.statuses(t, t.now())[index]
	}
	t.mu.Unlock()
	switch {
	case !ok:
		return c.noAction()
	case err != nil || index < 0:
		return c.bad(&fault400{"InvalidInput", "The index '" + c.params["command_index"] + "' is not the index of a command"})
	case done == nil || index >= len(done.commands):
		return t.problem(http.StatusNotFound, "ResourceNotFound", fmt.Sprintf("Machine action %s has no live response command %d", c.id, index))
	case status.CommandStatus != commandCompleted || done.outcomes[index].blob == "":
		return t.problem(http.StatusNotFound, "ResourceNotFound", fmt.Sprintf("Command %d (%s, %s) has no result", index, status.Command.Type, status.CommandStatus))
	}
	link := c.link(blob{
		name: "investigation-actions-data/" + done.action + "/CustomPlaybookCommandOutput/" + strconv.Itoa(index), contentType: done.outcomes[index].blob,
		modified: *status.EndTime, open: func() io.ReadSeeker { return bytes.NewReader(done.outcomes[index].result) },
	}, resultLife)
	return t.ok(http.StatusOK, map[string]string{"@odata.context": c.metadata("Edm.String"), "value": link})
}

// sessionOf returns the session of an action, nil when it is none; the caller
// holds t.mu.
func (t *Tenant) sessionOf(a *action) *session {
	of := t.storage.sessions[a.MachineID]
	if i := slices.IndexFunc(of, func(s *session) bool { return s.action == a.ID }); i >= 0 {
		return of[i]
	}
	return nil
}
