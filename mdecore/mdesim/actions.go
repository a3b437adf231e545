package mdesim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

func machineActionRoutes() []route {
	only := func(role string) permissions { return anyOf(role, role) }
	isolate, restrict := only("Machine.Isolate"), only("Machine.RestrictExecution")
	quarantine := anyOf("Machine.StopAndQuarantine Machine.ReadWrite.All", "Machine.StopAndQuarantine")
	return []route{
		on(http.MethodGet, "list_machine_actions", "/api/machineactions", "get-machineactions-collection.md", readMachine(), listActions),
		on(http.MethodGet, "get_machine_action", "/api/machineactions/{action_id}", "get-machineaction-object.md", readMachine(), getAction),
		on(http.MethodPost, "isolate_machine", "/api/machines/{machine_id}/isolate", "isolate-machine.md", isolate, isolateMachine),
		on(http.MethodPost, "unisolate_machine", "/api/machines/{machine_id}/unisolate", "unisolate-machine.md", isolate, unisolateMachine),
		on(http.MethodPost, "restrict_code_execution", "/api/machines/{machine_id}/restrictCodeExecution", "restrict-code-execution.md", restrict, restrictExecution),
		on(http.MethodPost, "unrestrict_code_execution", "/api/machines/{machine_id}/unrestrictCodeExecution", "unrestrict-code-execution.md", restrict, unrestrictExecution),
		on(http.MethodPost, "run_antivirus_scan", "/api/machines/{machine_id}/runAntiVirusScan", "run-av-scan.md", only("Machine.Scan"), runScan),
		on(http.MethodPost, "stop_and_quarantine_file", "/api/machines/{machine_id}/StopAndQuarantineFile", "stop-and-quarantine-file.md", quarantine, quarantineFile),
		on(http.MethodPost, "collect_investigation_package", "/api/machines/{machine_id}/collectInvestigationPackage", "collect-investigation-package.md", only("Machine.CollectForensics"), collectPackage),
		on(http.MethodPost, "offboard_machine", "/api/machines/{machine_id}/offboard", "offboard-machine-api.md", only("Machine.Offboard"), offboardMachine),
		on(http.MethodPost, "cancel_machine_action", "/api/machineactions/{action_id}/cancel", "cancel-machine-action.md", only(cancelling), cancelAction),
	}
}

// Statuses of a machine action.
const (
	StatusPending    = "Pending"
	StatusInProgress = "InProgress"
	StatusSucceeded  = "Succeeded"
	StatusFailed     = "Failed"
	StatusTimeOut    = "TimeOut"
	StatusCancelled  = "Cancelled"
)

// Types of the machine actions, and of the effects, that the simulator knows.
const (
	TypeIsolate        = "Isolate"
	TypeUnisolate      = "Unisolate"
	TypeRestrict       = "RestrictCodeExecution"
	TypeUnrestrict     = "UnrestrictCodeExecution"
	TypeScan           = "RunAntiVirusScan"
	TypeQuarantine     = "StopAndQuarantineFile"
	TypeCollectPackage = "CollectInvestigationPackage"
	TypeOffboard       = "Offboard"
	TypeLiveResponse   = "LiveResponse"
	// TypeCancel is the type of an [Effect] only, as are the ones below.
	TypeCancel         = "Cancel"
	TypeAddTag         = "AddTag"
	TypeRemoveTag      = "RemoveTag"
	TypeSetDeviceValue = "SetDeviceValue"
	TypeUpdateMachine  = "UpdateMachine"
)

// action is a machine action. Its status follows from its creation time, its
// device and the clock; only cancellation is stored.
type action struct {
	MachineAction
	order
	offline bool
}

// order is what is asked of a device besides its type and comment.
type order struct {
	// status is what the creation is answered with; 201 when zero.
	status int
	kind   string
	scope  string
	// comment is the requestor's.
	comment string
	// running and timeout replace the tenant's ActionRunning and ActionTimeout.
	running, timeout time.Duration
	// failing lets the action end as Failed.
	failing bool
	// file is the file that the action is about.
	file *RelatedFile
	// commands says how far a live response has come; nil for every other type.
	commands func(now time.Time) []CommandStatus
	// done changes the device when the action succeeds.
	done func(*device)
}

// RelatedFile is the file that an action is about (documentation: machineaction.md).
type RelatedFile struct {
	FileIdentifier     string `json:"fileIdentifier"`
	FileIdentifierType string `json:"fileIdentifierType"`
}

// CommandStatus is how one command of a live response went (documentation:
// run-live-response.md).
type CommandStatus struct {
	Index         int        `json:"index"`
	StartTime     *time.Time `json:"startTime"`
	EndTime       *time.Time `json:"endTime"`
	CommandStatus string     `json:"commandStatus"`
	Errors        []string   `json:"errors"`
	Command       Command    `json:"command"`
}

// Command is one command of a live response.
type Command struct {
	Type   string         `json:"type"`
	Params []CommandParam `json:"params"`
}

// CommandParam is a parameter of a live response command.
type CommandParam struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// at returns the action as it is at a time.
func (t *Tenant) at(a *action, now time.Time) MachineAction {
	view := a.MachineAction
	if view.Status == StatusCancelled {
		return view
	}
	running := view.CreationTime.Add(max(0, t.ActionPending))
	done := running.Add(max(0, orDefault(a.running, t.ActionRunning)))
	timeout := view.CreationTime.Add(max(0, orDefault(a.timeout, t.ActionTimeout)))
	switch {
	case a.offline && now.Before(timeout), !a.offline && now.Before(running):
		view.Status, view.LastUpdate = StatusPending, view.CreationTime
	case a.offline:
		view.Status, view.LastUpdate = StatusTimeOut, timeout
	case now.Before(done):
		view.Status, view.LastUpdate = StatusInProgress, running
	case a.failing:
		view.Status, view.LastUpdate = StatusFailed, done
	default:
		view.Status, view.LastUpdate = StatusSucceeded, done
	}
	return view
}

// final reports whether a status never changes again.
func final(status string) bool { return status != StatusPending && status != StatusInProgress }

// Actions returns every machine action as it is now, oldest first.
func (t *Tenant) Actions() []MachineAction {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	now, out := t.now(), make([]MachineAction, 0, len(t.actions))
	for _, a := range t.actions {
		out = append(out, t.at(a, now))
	}
	return out
}

// view is at with the states of the action's commands; the caller holds t.mu.
func (t *Tenant) view(a *action) MachineAction {
	now := t.now()
	v := t.at(a, now)
	if a.commands != nil {
		v.Commands = a.commands(now)
	}
	return v
}

// visible reports whether the service shows an action yet; the caller holds t.mu.
func (t *Tenant) visible(a *action) bool { return t.now().Sub(a.CreationTime) >= max(0, t.ActionLag) }

// actionSchema is the filterable properties of get-machineactions-collection.md.
func actionSchema() schema[MachineAction] {
	str := propertyType{kind: kindString}
	types := enum(TypeScan, TypeOffboard, TypeLiveResponse, TypeCollectPackage, TypeIsolate, TypeUnisolate, TypeQuarantine, TypeRestrict, TypeUnrestrict)
	statuses := enum(StatusPending, StatusInProgress, StatusSucceeded, StatusFailed, StatusTimeOut, StatusCancelled)
	return schema[MachineAction]{
		"id":                  {propertyType{kind: kindGUID}, func(a MachineAction) any { return a.ID }},
		"status":              {statuses, func(a MachineAction) any { return a.Status }},
		"type":                {types, func(a MachineAction) any { return a.Type }},
		"machineId":           {str, func(a MachineAction) any { return a.MachineID }},
		"requestor":           {str, func(a MachineAction) any { return a.Requestor }},
		"creationDateTimeUtc": {propertyType{kind: kindTime}, func(a MachineAction) any { return a.CreationTime }},
	}
}

// listActions lists newest first: an action that is created while a caller pages
// can repeat a row but never hide one.
func listActions(c *call) response {
	c.t.mu.Lock()
	all := make([]MachineAction, 0, len(c.t.actions))
	for _, a := range slices.Backward(c.t.actions) {
		if c.t.visible(a) {
			all = append(all, c.t.view(a))
		}
	}
	c.t.mu.Unlock()
	return listing[MachineAction]{
		context: "MachineActions",
		schema:  actionSchema(),
		wire: func(a MachineAction, _ bool) any {
			return listed{a, a.LastUpdate}
		},
	}.serve(c, all)
}

func getAction(c *call) response {
	c.t.mu.Lock()
	a, ok := c.t.action(c.id)
	ok = ok && c.t.visible(a)
	var view MachineAction
	if ok {
		view = c.t.view(a)
	}
	c.t.mu.Unlock()
	if !ok {
		return c.noAction()
	}
	return c.one(http.StatusOK, view)
}

// action finds an action by id; the caller holds t.mu.
func (t *Tenant) action(id string) (*action, bool) {
	a, ok := t.byAction[strings.ToLower(id)]
	return a, ok
}

func (c *call) noAction() response {
	return c.t.problem(http.StatusNotFound, "ResourceNotFound", "Machine action "+c.id+" was not found")
}

func (c *call) one(status int, v MachineAction) response {
	return c.t.ok(status, single{c.metadata("MachineActions/$entity"), v, v.LastUpdate})
}
