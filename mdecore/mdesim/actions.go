package mdesim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

func machineActionRoutes() []route {
	isolate := anyOf("Machine.Isolate", "Machine.Isolate")
	const cancelling = "Machine.CollectForensics Machine.Isolate Machine.RestrictExecution Machine.Scan Machine.Offboard Machine.StopAndQuarantine Machine.LiveResponse"
	return []route{
		on(http.MethodGet, "list_machine_actions", "/api/machineactions", "get-machineactions-collection.md", readMachine(), listActions),
		on(http.MethodGet, "get_machine_action", "/api/machineactions/{action_id}", "get-machineaction-object.md", readMachine(), getAction),
		on(http.MethodPost, "isolate_machine", "/api/machines/{machine_id}/isolate", "isolate-machine.md", isolate, isolateMachine),
		on(http.MethodPost, "unisolate_machine", "/api/machines/{machine_id}/unisolate", "unisolate-machine.md", isolate, unisolateMachine),
		on(http.MethodPost, "cancel_machine_action", "/api/machineactions/{action_id}/cancel", "cancel-machine-action.md", anyOf(cancelling, cancelling), cancelAction),
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
	TypeIsolate   = "Isolate"
	TypeUnisolate = "Unisolate"
	// TypeCancel is the type of an [Effect] only.
	TypeCancel = "Cancel"
)

// action is a machine action. Its status follows from its creation time, its
// device and the clock; only cancellation is stored.
type action struct {
	MachineAction
	offline, failing bool
}

// at returns the action as it is at a time.
func (t *Tenant) at(a *action, now time.Time) MachineAction {
	view := a.MachineAction
	if view.Status == StatusCancelled {
		return view
	}
	running := view.CreationTime.Add(max(0, t.ActionPending))
	done := running.Add(max(0, t.ActionRunning))
	timeout := view.CreationTime.Add(max(0, t.ActionTimeout))
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

// Isolated reports whether a device is isolated: its last isolation or release
// that succeeded was an isolation.
func (t *Tenant) Isolated(machineID string) bool {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.isolated(machineID)
}

func (t *Tenant) isolated(machineID string) bool {
	now, isolated := t.now(), false
	for _, a := range t.byMachine[machineID] {
		if view := t.at(a, now); view.Status == StatusSucceeded {
			isolated = view.Type == TypeIsolate
		}
	}
	return isolated
}

// inProgress reports whether an action of the device is not final yet; the caller
// holds t.mu.
func (t *Tenant) inProgress(machineID string) bool {
	now := t.now()
	return slices.ContainsFunc(t.byMachine[machineID], func(a *action) bool { return !final(t.at(a, now).Status) })
}

// actionSchema is the filterable properties of get-machineactions-collection.md.
func actionSchema() schema[MachineAction] {
	str := propertyType{kind: kindString}
	types := enum("RunAntiVirusScan", "Offboard", "LiveResponse", "CollectInvestigationPackage", TypeIsolate,
		TypeUnisolate, "StopAndQuarantineFile", "RestrictCodeExecution", "UnrestrictCodeExecution")
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
	all := c.t.Actions()
	slices.Reverse(all)
	return listing[MachineAction]{
		context: "MachineActions",
		schema:  actionSchema(),
		wire:    func(a MachineAction, _ bool) any { return listed{a, a.LastUpdate} },
	}.serve(c, all)
}

func getAction(c *call) response {
	c.t.mu.Lock()
	a, ok := c.t.action(c.id)
	var view MachineAction
	if ok {
		view = c.t.at(a, c.t.now())
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

func (c *call) one(status int, view MachineAction) response {
	return c.t.ok(status, single{c.metadata("MachineActions/$entity"), view, view.LastUpdate})
}
