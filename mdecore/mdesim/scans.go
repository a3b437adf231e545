package mdesim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds of the authenticated scans.
const (
	maxAgents   = 3  // scanning devices in a tenant
	maxScanRuns = 50 // runs that are kept of a definition
	firstScan   = 5 * time.Minute
)

// The types of effects on scan definitions. Effect.ActionID is the definition's
// id, Effect.MachineID the scanning device, Effect.Scope the targets.
const (
	TypeCreateScan = "CreateScanDefinition"
	TypeUpdateScan = "UpdateScanDefinition"
	TypeDeleteScan = "DeleteScanDefinition"
)

// scanState is the authenticated scans. Tenant.mu protects it.
type scanState struct {
	seeded sync.Once
	list   []*scanDefinition
}

// scanDefinition is what is scanned, by which device, how often.
type scanDefinition struct {
	id, kind, name, createdBy string
	target, targetType        string
	active                    bool
	hours                     int64
	agent                     string         // machine id
	auth                      map[string]any // as the caller sent it
	next                      time.Time
	runs                      []scanRun // newest last
}

// scanRun is a run of a definition.
type scanRun struct {
	session, agent string
	at             time.Time
	failure        string // why the whole run failed
	targets        []scannedTarget
}

// scannedTarget is a target of a run, in the API's own shape (documentation:
// Get-scan-history-by-session.md).
type scannedTarget struct {
	IP           string `json:"Ip"`
	Hostname     string `json:"Hostname"`
	Description  string `json:"ScannedDeviceDescription"`
	ErrorMessage string `json:"ErrorMessage"`
	Status       string `json:"ScanStatus"`
	Duration     string `json:"ScanDuration"`
}

func scanRoutes() []route {
	read, write := anyOf("Machine.Read.All", "Machine.Read.All"), anyOf("Machine.ReadWrite.All", "Machine.ReadWrite")
	const definitions, agents = "/api/DeviceAuthenticatedScanDefinitions", "/api/DeviceAuthenticatedScanAgents"
	return []route{
		on(http.MethodGet, "list_scan_definitions", definitions, "get-all-scan-definitions.md", read, listScans),
		on(http.MethodGet, "list_scan_agents", agents, "get-all-scan-agents.md", read, listAgents),
		on(http.MethodGet, "get_scan_agent", agents+"/{agent_id}", "Get-agent-details.md", read, getAgent),
		on(http.MethodPost, "get_scan_history_by_definition", definitions+"/GetScanHistoryByScanDefinitionId", "Get-scan-history-by-definition.md", read, scanHistory),
		on(http.MethodPost, "get_scan_history_by_session", definitions+"/GetScanHistoryBySessionId", "Get-scan-history-by-session.md", read, scanSessions),
		on(http.MethodPost, "create_scan_definition", definitions, "add-a-new-scan-definition.md", write, createScan),
		on(http.MethodPatch, "update_scan_definition", definitions+"/{scan_definition_id}", "add-a-new-scan-definition.md", write, updateScan),
		on(http.MethodPost, "batch_delete_scan_definitions", definitions+"/BatchDelete", "add-a-new-scan-definition.md", write, deleteScans),
	}
}

// ScanAgents returns the ids of the devices that can scan: the first onboarded
// Windows servers.
func (t *Tenant) ScanAgents() []string {
	t.ready()
	var out []string
	for _, d := range t.agents() {
		out = append(out, d.ID)
	}
	return out
}

// ScanSessions returns the ids of a definition's runs, oldest first, which the
// API itself tells nowhere.
func (t *Tenant) ScanSessions(definitionID string) []string {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for _, d := range t.settledScans() {
		for _, r := range d.runs {
			if d.id == definitionID {
				out = append(out, r.session)
			}
		}
	}
	return out
}

func (t *Tenant) agents() []*device { return agentsOf(t.snapshot()) }

func agentsOf(devices []*device) (out []*device) {
	for _, d := range devices {
		if len(out) < maxAgents && d.OnboardingStatus == "onboarded" && d.windowsServer(2016) {
			out = append(out, d)
		}
	}
	return out
}

// settledScans carries out the runs that are due; the caller holds t.mu.
func (t *Tenant) settledScans() []*scanDefinition {
	s := &t.scans
	s.seeded.Do(t.seedScans)
	now := t.now()
	for _, d := range s.list {
		step := time.Duration(d.hours) * time.Hour
		if late := now.Sub(d.next); d.active && late > maxScanRuns*step {
			d.next = d.next.Add(late.Truncate(step) - maxScanRuns*step)
		}
		for d.active && !d.next.After(now) {
			d.runs = append(d.runs, t.runScan(d, d.next))
			d.next = d.next.Add(step)
		}
		d.runs = d.runs[max(0, len(d.runs)-maxScanRuns):]
	}
	return s.list
}

// seedScans gives a tenant with scanning devices a definition; the caller holds t.mu.
func (t *Tenant) seedScans() {
	agents := agentsOf(t.devices.list)
	if len(agents) == 0 {
		return
	}
	key := fmt.Sprintf("mdesim/%d/scan", t.Seed)
	t.scans.list = []*scanDefinition{{
		id: guidOf(hash64(key), hash64(key+"2")), kind: "Network", name: "Office switches", createdBy: "alice@contoso.com",
		target: "10.250.0.1,10.250.0.2,10.250.0.3", targetType: "Ip", active: true, hours: 4, agent: agents[0].ID,
		auth: map[string]any{
			"@odata.type": snmpAuth, "type": "AuthPriv", "username": "scanner", "authProtocol": "SHA1", "authPassword": SeededScanPassword,
			"privProtocol": "AES", "privPassword": SeededScanPassword,
		},
		next: t.now().Truncate(time.Hour).Add(-24 * time.Hour),
	}}
}

// SeededScanPassword is the password of the seeded scan definition, which the
// list of definitions shows, as documented. It opens nothing.
const SeededScanPassword = "simulated-snmp-password"

// runScan is a run of a definition: it fails when its device cannot be reached,
// and one target in eight does not answer.
func (t *Tenant) runScan(d *scanDefinition, at time.Time) scanRun {
	key := d.id + at.Format(time.RFC3339)
	run := scanRun{session: fmt.Sprintf("%016x%016x", hash64(key), hash64(key+"2")), agent: d.agent, at: at}
	i, ok := t.devices.byID[strings.ToLower(d.agent)]
	if !ok || t.devices.list[i].offline || t.devices.list[i].listedIn(t.OfflineDevices) {
		run.failure = "The scanner device cannot be reached"
	}
	for target := range strings.SplitSeq(d.target, ",") {
		target = strings.TrimSpace(target)
		h := hash64(d.id + target)
		s := scannedTarget{Status: "Success", Description: "Network device", Duration: fmt.Sprintf("00:%02d:%02d", 1+h%9, h/16%60)}
		if s.IP = target; d.targetType == "Hostname" {
			s.IP, s.Hostname = fmt.Sprintf("10.250.%d.%d", h>>8%250, 1+h%250), target
		}
		if h%8 == 0 || run.failure != "" {
			s.Status, s.Description, s.ErrorMessage = "Fail", "", orDefault(run.failure, "The device did not answer over SNMP")
		}
		run.targets = append(run.targets, s)
	}
	return run
}

// succeeded counts the targets that answered.
func (r scanRun) succeeded() (n int) {
	for _, s := range r.targets {
		if s.Status == "Success" {
			n++
		}
	}
	return n
}

func (r scanRun) status() string {
	switch r.succeeded() {
	case len(r.targets):
		return "Success"
	case 0:
		return "Fail"
	}
	return "Partial Success"
}

// scan finds a definition; the caller holds t.mu.
func (t *Tenant) scan(id string) (*scanDefinition, bool) {
	all := t.settledScans()
	i := slices.IndexFunc(all, func(d *scanDefinition) bool { return strings.EqualFold(d.id, id) })
	if i < 0 {
		return nil, false
	}
	return all[i], true
}

func (c *call) noScan(id string) response {
	return c.t.problem(http.StatusNotFound, "ResourceNotFound", "Scan definition "+id+" was not found")
}
