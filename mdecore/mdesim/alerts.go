package mdesim

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func readAlert() permissions {
	return anyOf("Alert.ReadWrite.All Alert.Read.All", "Alert.ReadWrite Alert.Read")
}

func writeAlert() permissions { return anyOf("Alert.ReadWrite.All", "Alert.ReadWrite") }

// reader is a permission of which pages list no other.
func reader(name string) permissions { return anyOf(name, name) }

func alertRoutes() []route {
	return []route{
		on(http.MethodGet, "list_alerts", "/api/alerts", "get-alerts.md", readAlert(), listAlerts),
		on(http.MethodGet, "get_alert", "/api/alerts/{alert_id}", "get-alert-info-by-id.md", readAlert(), getAlert),
		on(http.MethodPatch, "update_alert", "/api/alerts/{alert_id}", "update-alert.md", writeAlert(), updateAlert),
		on(http.MethodPost, "batch_update_alerts", "/api/alerts/batchUpdate", "batch-update-alerts.md", writeAlert(), batchUpdateAlerts).limited(10, 500),
		on(http.MethodPost, "create_alert_by_reference", "/api/alerts/CreateAlertByReference", "create-alert-by-reference.md", writeAlert(), createAlert).limited(15, 0),
		on(http.MethodGet, "list_alert_domains", "/api/alerts/{alert_id}/domains", "get-alert-related-domain-info.md", reader("URL.Read.All"), alertDomains),
		on(http.MethodGet, "list_alert_files", "/api/alerts/{alert_id}/files", "get-alert-related-files-info.md", reader("File.Read.All"), alertFiles),
		on(http.MethodGet, "list_alert_ips", "/api/alerts/{alert_id}/ips", "get-alert-related-ip-info.md", reader("Ip.Read.All"), alertIPs),
		on(http.MethodGet, "get_alert_machine", "/api/alerts/{alert_id}/machine", "get-alert-related-machine-info.md", readMachine(), alertMachine),
		on(http.MethodGet, "get_alert_user", "/api/alerts/{alert_id}/user", "get-alert-related-user-info.md", reader("User.Read.All"), alertUser),
	}
}

// alertSchema is the filterable properties of get-alerts.md. The page writes
// InvestigationId with a capital I; the resource's own spelling works as well.
func alertSchema() schema[*Alert] {
	str, number, at := propertyType{kind: kindString}, propertyType{kind: kindInt}, propertyType{kind: kindTime}
	investigation := property[*Alert]{number, func(a *Alert) any { return integer(a.InvestigationID) }}
	return schema[*Alert]{
		"id":                {str, func(a *Alert) any { return a.ID }},
		"assignedTo":        {str, func(a *Alert) any { return text(string(a.AssignedTo)) }},
		"detectionSource":   {str, func(a *Alert) any { return a.DetectionSource }},
		"category":          {str, func(a *Alert) any { return a.Category }},
		"incidentId":        {number, func(a *Alert) any { return integer(a.IncidentID) }},
		"InvestigationId":   investigation,
		"investigationId":   investigation,
		"alertCreationTime": {at, func(a *Alert) any { return a.AlertCreationTime }},
		"lastUpdateTime":    {at, func(a *Alert) any { return a.LastUpdateTime }},
		"lastEventTime":     {at, func(a *Alert) any { return a.LastEventTime }},
		"status":            {enum("Unknown", "New", "InProgress", "Resolved"), func(a *Alert) any { return a.Status }},
		"severity": {
			enum("UnSpecified", "Informational", "Low", "Medium", "High"),
			func(a *Alert) any { return a.Severity },
		},
	}
}

func integer(n *int64) any {
	if n == nil {
		return nil
	}
	return *n
}

// alertSnapshot returns the alerts as they are now.
func (t *Tenant) alertSnapshot() []*Alert {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.followInvestigations()
	return t.alerts
}

// alertListing sends evidence only when it is expanded, as the documentation says.
func alertListing() listing[*Alert] {
	return listing[*Alert]{
		context: "Alerts",
		schema:  alertSchema(),
		expand:  []string{"evidence"},
		wire: func(a *Alert, expanded bool) any {
			if expanded {
				return a
			}
			bare := *a
			bare.Evidence = []Evidence{}
			return &bare
		},
	}
}

func listAlerts(c *call) response { return alertListing().serve(c, c.t.alertSnapshot()) }

func getAlert(c *call) response {
	a, ok := c.alert()
	if !ok {
		return c.noAlert()
	}
	return c.oneAlert(a)
}

// alert is the alert that the path names.
func (c *call) alert() (*Alert, bool) {
	all := c.t.alertSnapshot()
	i := slices.IndexFunc(all, func(a *Alert) bool { return a.ID == c.id })
	if i < 0 {
		return nil, false
	}
	return all[i], true
}

func (c *call) noAlert() response {
	return c.t.problem(http.StatusNotFound, "ResourceNotFound", "Alert "+c.id+" was not found")
}

func (c *call) oneAlert(a *Alert) response {
	return c.t.ok(http.StatusOK, struct {
		Context string `json:"@odata.context"`
		*Alert
	}{c.metadata("Alerts/$entity"), a})
}

// ofMachine is the alerts of the call's device.
func (c *call) ofMachine() ([]*Alert, bool) {
	d, ok := c.t.byID(c.id)
	if !ok {
		return nil, false
	}
	var out []*Alert
	for _, a := range c.t.alertSnapshot() {
		if a.MachineID == d.ID {
			out = append(out, a)
		}
	}
	return out, true
}

func machineAlerts(c *call) response {
	all, ok := c.ofMachine()
	if !ok {
		return c.noMachine()
	}
	return alertListing().serve(c, all)
}

// countMachineAlerts answers a bare number, as the documented sample does.
func countMachineAlerts(c *call) response {
	all, ok := c.ofMachine()
	if !ok {
		return c.noMachine()
	}
	o, err := readOptions(c.r.URL.RawQuery, nil)
	if err != nil {
		return c.odataError(err)
	}
	keep, err := alertSchema().predicate(o.filter)
	if err != nil {
		return c.odataError(err)
	}
	n := 0
	for _, a := range all {
		if keep(a) {
			n++
		}
	}
	resp := c.t.ok(http.StatusOK, n)
	resp.body = []byte(strconv.Itoa(n))
	return resp
}

// RaiseAlert adds an alert and returns it as it is stored. Whatever is empty is
// filled in: id, times, status New, severity Medium and, when MachineID is one of
// the tenant's devices, the device's name, group and logged-on user.
func (t *Tenant) RaiseAlert(a Alert) Alert {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	return *t.insert(a)
}

// insert completes an alert and stores it in its place; the caller holds t.mu.
func (t *Tenant) insert(a Alert) *Alert {
	t.complete(&a)
	t.alerts = slices.Insert(slices.Clone(t.alerts), t.newerThan(a), &a)
	return &a
}

// newerThan is how many alerts are newer: the place of a in the list.
func (t *Tenant) newerThan(a Alert) int {
	i := slices.IndexFunc(t.alerts, func(b *Alert) bool { return !b.AlertCreationTime.After(a.AlertCreationTime) })
	if i < 0 {
		return len(t.alerts)
	}
	return i
}

// complete fills in an alert; the caller holds t.mu.
func (t *Tenant) complete(a *Alert) {
	now := t.now()
	a.AADTenantID = orDefault(a.AADTenantID, t.ID)
	a.AlertCreationTime = orDefault(a.AlertCreationTime, now)
	a.FirstEventTime = orDefault(a.FirstEventTime, a.AlertCreationTime)
	a.LastEventTime = orDefault(a.LastEventTime, a.AlertCreationTime)
	a.LastUpdateTime = orDefault(a.LastUpdateTime, a.AlertCreationTime)
	a.Severity, a.Status = orDefault(a.Severity, "Medium"), orDefault(a.Status, "New")
	a.Category = orDefault(a.Category, "SuspiciousActivity")
	a.DetectionSource = orDefault(a.DetectionSource, "WindowsDefenderAtp")
	a.InvestigationState = orDefault(a.InvestigationState, "Queued")
	a.DetectorID = orDefault(a.DetectorID, guid(t.ids))
	if a.ID == "" {
		// Documented ids are "da", .NET ticks, an underscore and a number.
		ticks := a.AlertCreationTime.UnixNano()/100 + 621355968000000000
		a.ID = fmt.Sprintf("da%d_%d", ticks, t.ids.Int32())
	}
	if a.IncidentID == nil {
		n := 1000 + t.ids.Int64N(900000)
		a.IncidentID = &n
	}
	a.MitreTechniques = append([]string{}, a.MitreTechniques...)
	a.Comments = append([]AlertComment{}, a.Comments...)
	if d, ok := t.devices.find(a.MachineID); ok {
		a.about(d)
	}
	a.Evidence = append([]Evidence{}, a.Evidence...)
}

// find returns the device with an id.
func (f *fleet) find(id string) (*device, bool) {
	i, ok := f.byID[strings.ToLower(id)]
	if !ok {
		return nil, false
	}
	return f.list[i], true
}

// about fills in what an alert repeats of its device.
func (a *Alert) about(d *device) {
	a.ComputerDNSName = orDefault(a.ComputerDNSName, d.ComputerDNSName)
	a.RBACGroupName = orDefault(a.RBACGroupName, d.RBACGroupName)
	if len(d.users) == 0 || a.RelatedUser != nil {
		return
	}
	u := d.users[0]
	a.RelatedUser = &RelatedUser{UserName: u.AccountName, DomainName: u.AccountDomain}
	if len(a.Evidence) > 0 {
		return
	}
	a.Evidence = []Evidence{userEvidence(u, a.AlertCreationTime)}
}
