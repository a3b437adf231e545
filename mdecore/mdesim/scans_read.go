package mdesim

import (
	"net/http"
	"strings"
	"time"
)

// The application and software of every scanning device.
const (
	scannerApp     = "f23c76e1-a6b5-4f77-9468-3a57916c910e"
	scannerVersion = "9.3.15.19"
	sensorVersion  = "10.8760.26100.1742"
)

// agentID is a scanning device's id among the agents: the organisation's and its own.
func (t *Tenant) agentID(d *device) string { return t.ID + "_" + d.ID }

// wireAgent is an agent in the shape that the lists show, where three names begin
// with a capital letter.
func (t *Tenant) wireAgent(d *device) map[string]any {
	return map[string]any{
		"id": t.agentID(d), "machineId": d.ID, "lastSeen": d.LastSeen, "computerDnsName": d.ComputerDNSName, "AssignedApplicationId": scannerApp,
		"ScannerSoftwareVersion": scannerVersion, "LastCommandExecutionTimestamp": d.LastSeen, "mdeClientVersion": sensorVersion,
	}
}

// wireScan is a definition in the API's own shape. The list shows how it
// authenticates, passwords included; the answers of writes do not; the caller
// holds t.mu.
func (t *Tenant) wireScan(d *scanDefinition, auth any) map[string]any {
	agent := map[string]any{"id": t.ID + "_" + d.agent, "machineId": d.agent, "assignedApplicationId": scannerApp, "scannerSoftwareVersion": scannerVersion, "mdeClientVersion": nil}
	if i, ok := t.devices.byID[strings.ToLower(d.agent)]; ok {
		m := t.devices.list[i]
		agent["machineName"], agent["lastSeen"], agent["lastCommandExecutionTimestamp"] = m.ComputerDNSName, m.LastSeen, m.LastSeen
	}
	latest := map[string]any{"status": nil, "failureReason": nil, "executionDateTime": nil}
	if len(d.runs) > 0 {
		run := d.runs[len(d.runs)-1]
		latest["status"], latest["failureReason"], latest["executionDateTime"] = run.status(), Nullable(run.failure), run.at.Format(time.RFC3339Nano)
	}
	return map[string]any{
		"id": d.id, "scanType": d.kind, "scanName": d.name, "isActive": d.active, "target": d.target, "orgId": t.ID, "intervalInHours": d.hours,
		"createdBy": d.createdBy, "targetType": d.targetType, "scanAuthenticationParams": auth, "scannerAgent": agent, "latestScan": latest,
		"advancedActiveConfiguration": nil,
	}
}

// listScans lists the definitions (documentation: get-all-scan-definitions.md).
func listScans(c *call) response {
	c.t.mu.Lock()
	out := []any{}
	for _, d := range c.t.settledScans() {
		out = append(out, c.t.wireScan(d, d.auth))
	}
	c.t.mu.Unlock()
	return c.list("DeviceAuthenticatedScanDefinitions", out, "")
}

// listAgents lists the scanning devices (documentation: get-all-scan-agents.md).
func listAgents(c *call) response {
	out := []any{}
	for _, d := range c.t.agents() {
		out = append(out, c.t.wireAgent(d))
	}
	return c.list("DeviceAuthenticatedScanAgents", out, "")
}

// getAgent answers with one scanning device in a list, as the documented sample
// does (documentation: Get-agent-details.md). The page's example asks by the
// device's id.
func getAgent(c *call) response {
	for _, d := range c.t.agents() {
		if strings.EqualFold(d.ID, c.id) || strings.EqualFold(c.t.agentID(d), c.id) {
			return c.list("DeviceAuthenticatedScanAgents/$entity", []any{c.t.wireAgent(d)}, "")
		}
	}
	return c.t.problem(http.StatusNotFound, "ResourceNotFound", "Scan agent "+c.id+" was not found")
}

// idsBody reads a body with nothing but a list of ids.
func (c *call) idsBody(name string) ([]string, *fault400) {
	raw, bad := c.object(name)
	var ids []string
	if bad == nil {
		bad = property400(raw, name, &ids, "a list of strings")
	}
	if bad == nil && len(ids) == 0 {
		bad = &fault400{"MissingRequiredParameter", "The required parameter '" + name + "' is missing"}
	}
	return ids, bad
}

// definitionRun is the last run of a definition.
type definitionRun struct {
	definition string
	scanRun
}

// scanHistory lists the last run of each definition that has run (documentation:
// Get-scan-history-by-definition.md). An unknown definition is refused.
func scanHistory(c *call) response {
	ids, bad := c.idsBody("ScanDefinitionIds")
	if bad != nil {
		return c.bad(bad)
	}
	var runs []definitionRun
	c.t.mu.Lock()
	unknown := ""
	for _, id := range ids {
		d, ok := c.t.scan(id)
		switch {
		case !ok:
			unknown = id
		case len(d.runs) > 0:
			runs = append(runs, definitionRun{d.id, d.runs[len(d.runs)-1]})
		}
	}
	c.t.mu.Unlock()
	if unknown != "" {
		return c.noScan(unknown)
	}
	return listing[definitionRun]{
		context: "Collection(microsoft.windowsDefenderATP.api.ScanHistory)",
		wire: func(r definitionRun, _ bool) any {
			return map[string]any{"ScanDefinitionIds": r.definition, "LastScanned": r.at, "ScanStatus": r.status(), "ScannerId": r.agent}
		},
	}.serve(c, runs)
}

// scanSessions lists runs by their ids (documentation:
// Get-scan-history-by-session.md). Unknown ones are left out.
func scanSessions(c *call) response {
	ids, bad := c.idsBody("SessionIds")
	if bad != nil {
		return c.bad(bad)
	}
	wanted := map[string]bool{}
	for _, id := range ids {
		wanted[strings.ToLower(id)] = true
	}
	c.t.mu.Lock()
	out := []any{}
	for _, d := range c.t.settledScans() {
		for _, r := range d.runs {
			if !wanted[r.session] {
				continue
			}
			out = append(out, map[string]any{
				"orgId": c.t.ID, "ScanDefinitionIds": d.id, "SessionIds": r.session, "NumberOfSuccessfullyScannedTargets": r.succeeded(),
				"NumberOfTargets": len(r.targets), "ScanStatus": r.status(), "LastScanned": r.at, "ListScannedTargets": r.targets,
			})
		}
	}
	c.t.mu.Unlock()
	return c.list("Collection(microsoft.windowsDefenderATP.api.ScanHistory)", out, "")
}
