package mdesim

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// TypeStartInvestigation is the type of the effect of starting an investigation.
const TypeStartInvestigation = "StartInvestigation"

// investigationState is the automated investigations, oldest first.
type investigationState struct{ list []*investigation }

// investigation is an automated investigation. Its state follows from its start,
// its device and the clock.
type investigation struct {
	id              int64
	machineID, name string
	alertID         string
	start           time.Time
	offline         bool
	outcome         string
}

// investigationView is an investigation on the wire (documentation:
// investigation.md).
type investigationView struct {
	ID                string     `json:"id"`
	StartTime         time.Time  `json:"startTime"`
	EndTime           *time.Time `json:"endTime"`
	State             string     `json:"state"`
	CancelledBy       Nullable   `json:"cancelledBy"`
	StatusDetails     Nullable   `json:"statusDetails"`
	MachineID         string     `json:"machineId"`
	ComputerDNSName   string     `json:"computerDnsName"`
	TriggeringAlertID Nullable   `json:"triggeringAlertId"`
}

func investigationRoutes() []route {
	return []route{
		on(http.MethodPost, "start_investigation", "/api/machines/{machine_id}/startInvestigation", "initiate-autoir-investigation.md", writeAlert(), startInvestigation).limited(0, 50),
		on(http.MethodGet, "list_investigations", "/api/investigations", "get-investigation-collection.md", readAlert(), listInvestigations),
		on(http.MethodGet, "get_investigation", "/api/investigations/{investigation_id}", "get-investigation-object.md", readAlert(), getInvestigation),
	}
}

// investigationStates are the documented values of state.
func investigationStates() []string {
	return []string{
		"Unknown", "Terminated", "SuccessfullyRemediated", "Benign", "Failed", "PartiallyRemediated", "Running", "PendingApproval",
		"PendingResource", "PartiallyInvestigated", "TerminatedByUser", "TerminatedBySystem", "Queued", "InnerFailure", "PreexistingAlert",
		"UnsupportedOs", "UnsupportedAlertType", "SuppressedAlert",
	}
}

// at returns the investigation as it is at a time. It is Queued for as long as an
// action is Pending and then Running for five times as long as an action is
// InProgress; on a device that cannot be reached it waits and is given up.
func (t *Tenant) investigationAt(i *investigation, now time.Time) investigationView {
	v := investigationView{
		ID: strconv.FormatInt(i.id, 10), StartTime: i.start, MachineID: i.machineID, ComputerDNSName: i.name, TriggeringAlertID: Nullable(i.alertID),
	}
	running := i.start.Add(max(0, t.ActionPending))
	done := running.Add(5 * max(0, t.ActionRunning))
	timeout := i.start.Add(max(0, t.ActionTimeout))
	switch {
	case i.offline && now.Before(timeout):
		v.State, v.StatusDetails = "PendingResource", "Waiting for the device to be available"
	case i.offline:
		v.State, v.StatusDetails, v.EndTime = "TerminatedBySystem", "The device was not available", &timeout
	case now.Before(running):
		v.State = "Queued"
	case now.Before(done):
		v.State = "Running"
	case i.outcome == "PendingApproval":
		v.State, v.StatusDetails = i.outcome, "Remediation actions wait for approval"
	default:
		v.State, v.EndTime = i.outcome, &done
	}
	return v
}

// investigable says whether automated investigation is documented for a device.
func (d *device) investigable() *fault400 {
	return d.needs("Automated investigation", d.windowsClient("1709") || d.windowsServer(2019))
}

// newInvestigation stores an investigation; the caller holds t.mu.
func (t *Tenant) newInvestigation(d *device, i investigation) *investigation {
	const firstID = 63004
	i.id = firstID + int64(len(t.investigations.list))
	i.machineID, i.name, i.offline = d.ID, d.ComputerDNSName, d.offline || d.listedIn(t.OfflineDevices)
	t.investigations.list = append(slices.Clip(t.investigations.list), &i)
	return &i
}

// investigate starts the investigation that an alert triggers. The alert is a new
// one that nobody has read yet; the caller holds t.mu.
func (t *Tenant) investigate(d *device, a *Alert) {
	if d.investigable() != nil {
		a.InvestigationState = "UnsupportedOs"
		return
	}
	i := t.newInvestigation(d, investigation{alertID: a.ID, start: a.AlertCreationTime, outcome: outcomeOf(a)})
	a.InvestigationID = &i.id
	a.InvestigationState = Nullable(t.investigationAt(i, t.now()).State)
}

// outcomeOf is how the investigation of an alert ends: what turned out harmless is
// benign, and what is grave waits for a person.
func outcomeOf(a *Alert) string {
	switch {
	case a.Classification == "FalsePositive":
		return "Benign"
	case a.Severity == "High":
		return "PendingApproval"
	case a.Severity == "Medium":
		return "PartiallyRemediated"
	}
	return "SuccessfullyRemediated"
}

// followInvestigations gives the alerts the state that their investigations have
// now; the caller holds t.mu.
func (t *Tenant) followInvestigations() {
	now, cloned := t.now(), false
	for _, i := range t.investigations.list {
		if i.alertID == "" {
			continue
		}
		at := slices.IndexFunc(t.alerts, func(a *Alert) bool { return a.ID == i.alertID })
		state := Nullable(t.investigationAt(i, now).State)
		if at < 0 || t.alerts[at].InvestigationState == state {
			continue
		}
		if !cloned {
			t.alerts, cloned = slices.Clone(t.alerts), true
		}
		changed := *t.alerts[at]
		changed.InvestigationState = state
		t.alerts[at] = &changed
	}
}

// startInvestigation starts an investigation by hand (documentation:
// initiate-autoir-investigation.md). Microsoft retired this on 2026-09-01 in the
// product; the page itself names no end, so that the simulator still does it.
func startInvestigation(c *call) response {
	d, body, failed := c.target()
	if failed != nil {
		return *failed
	}
	if bad := d.investigable(); bad != nil {
		return c.bad(bad)
	}
	t := c.t
	t.mu.Lock()
	i := t.newInvestigation(d, investigation{start: t.now(), outcome: "Benign"})
	effect := t.note(c, Effect{
		Type: TypeStartInvestigation, MachineID: d.ID, ActionID: strconv.FormatInt(i.id, 10), Comment: body["Comment"],
	})
	t.mu.Unlock()
	resp := c.oneInvestigation(http.StatusCreated, t.investigationAt(i, i.start))
	resp.effect = &effect
	return resp
}

func (c *call) oneInvestigation(status int, v investigationView) response {
	return c.t.ok(status, struct {
		Context string `json:"@odata.context"`
		investigationView
	}{c.metadata("Investigations/$entity"), v})
}

// investigationViews are the investigations as they are now, newest first.
func (t *Tenant) investigationViews() []investigationView {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, out := t.now(), make([]investigationView, 0, len(t.investigations.list))
	for _, i := range t.investigations.list {
		out = append(out, t.investigationAt(i, now))
	}
	slices.SortStableFunc(out, func(a, b investigationView) int { return b.StartTime.Compare(a.StartTime) })
	return out
}

func listInvestigations(c *call) response {
	str := propertyType{kind: kindString}
	return listing[investigationView]{
		context: "Investigations",
		schema: schema[investigationView]{
			"id":                {str, func(i investigationView) any { return i.ID }},
			"startTime":         {propertyType{kind: kindTime}, func(i investigationView) any { return i.StartTime }},
			"state":             {enum(investigationStates()...), func(i investigationView) any { return i.State }},
			"machineId":         {str, func(i investigationView) any { return i.MachineID }},
			"triggeringAlertId": {str, func(i investigationView) any { return text(string(i.TriggeringAlertID)) }},
		},
		wire: func(i investigationView, _ bool) any { return i },
	}.serve(c, c.t.investigationViews())
}

// getInvestigation takes the id of an investigation or of the alert that triggered
// it (documentation: get-investigation-object.md).
func getInvestigation(c *call) response {
	for _, v := range c.t.investigationViews() {
		if v.ID == c.id || v.TriggeringAlertID != "" && string(v.TriggeringAlertID) == c.id {
			return c.oneInvestigation(http.StatusOK, v)
		}
	}
	return c.t.problem(http.StatusNotFound, "ResourceNotFound", "Investigation "+c.id+" was not found")
}
