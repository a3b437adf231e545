package mdesim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The statuses of a live response command.
const (
	commandCreated   = "Created"
	commandCompleted = "Completed"
	commandFailed    = "Failed"
)

const (
	// maxSessions is how many live responses run at a time before the service answers 429.
	maxSessions = 50
	// sessionQueue is how long a session waits for a device that cannot be reached.
	sessionQueue = 2 * time.Hour
	// resultLife is how long a link to a result is good.
	resultLife = 30 * time.Minute
)

func liveResponseRoutes() []route {
	return []route{
		on(http.MethodPost, "run_live_response", "/api/machines/{machine_id}/runliveresponse", "run-live-response.md",
			anyOf("Machine.LiveResponse", "Machine.LiveResponse"), runLiveResponse).limited(10, 0),
		on(http.MethodGet, "get_live_response_result_link", "/api/machineactions/{action_id}/GetLiveResponseResultDownloadLink(index={command_index})",
			"get-live-response-result.md", anyOf("Machine.ReadWrite.All Machine.LiveResponse", "Machine.LiveResponse"), resultLink),
	}
}

// session is what the commands of a live response do. All of it is worked out
// when the session is accepted; the clock decides how much of it has happened.
type session struct {
	action   string    // id of the machine action
	begin    time.Time // when the first command starts, unless the device is offline
	step     time.Duration
	offline  bool
	commands []Command
	outcomes []outcome // of the commands that are run
}

// outcome is how a command ends.
type outcome struct {
	failure string // empty when it completes
	blob    string // type of the result's content, empty when there is none
	result  []byte
	writes  []deviceFile
}

// runLiveResponse starts a session (documentation: run-live-response.md).
func runLiveResponse(c *call) response {
	comment, commands, bad := c.liveResponse()
	if bad != nil {
		return c.bad(bad)
	}
	t := c.t
	d, ok := t.byID(c.id)
	if !ok {
		return c.noMachine()
	}
	if bad := d.needs("Live response", d.windowsClient("1709") || d.windowsServer(2019) || d.linux() || d.OSPlatform == "macOS"); bad != nil {
		return c.bad(bad)
	}
	t.storage.starting.Lock() // counting and starting are one step
	defer t.storage.starting.Unlock()
	t.mu.Lock()
	open, s := t.openSessions(), t.plan(d, commands)
	t.mu.Unlock()
	if open >= maxSessions {
		resp := t.problem(http.StatusTooManyRequests, "TooManyRequests", "There are "+strconv.Itoa(maxSessions)+" live response sessions already")
		resp.header.Set("Retry-After", "60")
		return resp
	}
	resp := c.start(d, s.order(t, comment))
	if resp.effect != nil {
		t.mu.Lock()
		s.action = resp.effect.ActionID
		if t.storage.sessions == nil {
			t.storage.sessions = map[string][]*session{}
		}
		t.storage.sessions[d.ID] = append(t.storage.sessions[d.ID], s)
		t.mu.Unlock()
	}
	return resp
}

// openSessions counts live responses that are not final; the caller holds t.mu.
func (t *Tenant) openSessions() int {
	n, now := 0, t.now()
	for _, a := range t.actions {
		if a.Type == TypeLiveResponse && !final(t.at(a, now).Status) {
			n++
		}
	}
	return n
}

// order is the machine action of a session.
func (s *session) order(t *Tenant, comment string) order {
	last := s.outcomes[len(s.outcomes)-1]
	timeout := t.ActionTimeout
	if timeout == DefaultActionTimeout {
		timeout = sessionQueue
	}
	return order{
		kind: TypeLiveResponse, comment: comment, running: max(s.step*time.Duration(len(s.outcomes)), 1), timeout: timeout, failing: last.failure != "",
		commands: func(now time.Time) []CommandStatus { return s.statuses(t, now) },
	}
}

// statuses says how far the session is; the caller holds t.mu.
func (s *session) statuses(t *Tenant, now time.Time) []CommandStatus {
	if a, ok := t.action(s.action); ok && a.CancellationTime != nil && a.CancellationTime.Before(now) {
		now = *a.CancellationTime
	}
	out := make([]CommandStatus, len(s.commands))
	for i, command := range s.commands {
		out[i] = CommandStatus{Index: i, CommandStatus: commandCreated, Errors: []string{}, Command: command}
		begin := s.begin.Add(s.step * time.Duration(i))
		if s.offline || i >= len(s.outcomes) || now.Before(begin) {
			continue
		}
		out[i].StartTime = &begin
		end := begin.Add(s.step)
		if now.Before(end) {
			continue
		}
		out[i].EndTime, out[i].CommandStatus = &end, commandCompleted
		if failure := s.outcomes[i].failure; failure != "" {
			out[i].CommandStatus, out[i].Errors = commandFailed, []string{failure}
		}
	}
	return out
}

// liveResponse reads the body. Names and types are case-sensitive; the comment is
// not marked as required on the page.
func (c *call) liveResponse() (comment string, commands []Command, bad *fault400) {
	var body struct {
		Commands []json.RawMessage
		Comment  string
	}
	if bad := exactly(c.body, &body, "Commands", "Comment"); bad != nil {
		return "", nil, bad
	}
	if len(body.Commands) == 0 {
		return "", nil, &fault400{"MissingRequiredParameter", "The required parameter 'Commands' is missing"}
	}
	rank := 0
	for _, raw := range body.Commands {
		var command struct {
			Type   string
			Params []json.RawMessage
		}
		if bad := exactly(raw, &command, "type", "params"); bad != nil {
			return "", nil, bad
		}
		parsed := Command{Type: command.Type, Params: []CommandParam{}}
		for _, raw := range command.Params {
			var p CommandParam
			if bad := exactly(raw, &p, "key", "value"); bad != nil {
				return "", nil, bad
			}
			parsed.Params = append(parsed.Params, p)
		}
		next, bad := parsed.valid()
		if bad == nil && next < rank {
			bad = &fault400{"InvalidInput", "The order of commands must be PutFile, RunScript, GetFile"}
		}
		if bad != nil {
			return "", nil, bad
		}
		rank, commands = next, append(commands, parsed)
	}
	return body.Comment, commands, nil
}

// exactly decodes an object whose property names are spelt just so.
func exactly(data []byte, out any, names ...string) *fault400 {
	var raw map[string]json.RawMessage
	if json.Unmarshal(data, &raw) != nil || json.Unmarshal(data, out) != nil {
		return &fault400{"InvalidRequestBody", "The request body is not a JSON object of the documented form"}
	}
	for name := range raw {
		if !slices.Contains(names, name) {
			return &fault400{"InvalidRequestBody", "The property '" + name + "' does not exist; names are case-sensitive: " + strings.Join(names, ", ")}
		}
	}
	return nil
}

// valid checks type and parameters, and returns the type's place in the order.
func (c Command) valid() (rank int, bad *fault400) {
	known := map[string][]string{"PutFile": {"FileName"}, "RunScript": {"ScriptName", "Args"}, "GetFile": {"Path"}}[c.Type]
	if known == nil {
		return 0, &fault400{"InvalidInput", "'" + c.Type + "' is not a live response command: use PutFile, RunScript or GetFile"}
	}
	for _, p := range c.Params {
		if !slices.Contains(known, p.Key) {
			return 0, &fault400{"InvalidInput", c.Type + " has no parameter '" + p.Key + "'"}
		}
	}
	if c.param(known[0]) == "" {
		return 0, &fault400{"MissingRequiredParameter", c.Type + " needs the parameter '" + known[0] + "'"}
	}
	return slices.Index([]string{"PutFile", "RunScript", "GetFile"}, c.Type), nil
}

func (c Command) param(key string) string {
	for _, p := range c.Params {
		if p.Key == key {
			return p.Value
		}
	}
	return ""
}
