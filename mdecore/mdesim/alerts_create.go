package mdesim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/mdecore/mdesim/kql"
)

// raisable are the severities and categories that create-alert-by-reference.md
// lists.
func raisable() (severities, categories []string) {
	return []string{"Low", "Medium", "High"}, []string{
		"General", "CommandAndControl", "Collection", "CredentialAccess", "DefenseEvasion", "Discovery", "Exfiltration", "Exploit",
		"Execution", "InitialAccess", "LateralMovement", "Malware", "Persistence", "PrivilegeEscalation", "Ransomware", "SuspiciousActivity",
	}
}

// createAlert raises an alert about an event (documentation:
// create-alert-by-reference.md). As the page says, it joins an open alert of the
// same title on the same device, and starts an automated investigation.
func createAlert(c *call) response {
	names := []string{"eventTime", "reportId", "machineId", "severity", "title", "description", "recommendedAction", "category"}
	body, bad := c.fields(names...)
	if bad == nil {
		bad = required(body, names...)
	}
	severities, categories := raisable()
	switch {
	case bad != nil:
	case !slices.Contains(severities, body["severity"]):
		bad = &fault400{"InvalidInput", "'" + body["severity"] + "' is not a severity: use " + strings.Join(severities, ", ")}
	case !slices.Contains(categories, body["category"]):
		bad = &fault400{"InvalidInput", "'" + body["category"] + "' is not a category: use one of " + strings.Join(categories, ", ")}
	}
	if bad != nil {
		return c.bad(bad)
	}
	at, err := parseTime(body["eventTime"])
	if err != nil {
		return c.bad(&fault400{"InvalidInput", "The parameter 'eventTime' is not valid: " + err.Error()})
	}
	d, ok := c.t.byID(body["machineId"])
	if !ok || !c.t.hasEvent(d, at.UTC(), body["reportId"]) {
		return c.t.problem(http.StatusNotFound, "ResourceNotFound", "There is no event with the given eventTime, reportId and machineId")
	}
	return c.raise(d, Alert{
		Title: body["title"], Description: body["description"], Severity: body["severity"], Category: body["category"], MachineID: d.ID,
		DetectionSource: "CustomerTI", FirstEventTime: at.UTC(), LastEventTime: at.UTC(),
	})
}

// hasEvent reports whether hunting shows an event of the device at a time under a
// report id. Times are compared to the 100 ns that hunting writes.
func (t *Tenant) hasEvent(d *device, at time.Time, reportID string) bool {
	const digit = 100 * time.Nanosecond
	now := t.now()
	h := t.newHunt(huntPeriod{now.Add(-huntingDays), now})
	for _, table := range []struct {
		columns []kql.Column
		rows    func(*device) [][]any
	}{
		{registryColumns(), h.registryEvents},
		{otherColumns(), h.otherEvents},
		{processColumns(), h.processEvents},
		{connectionColumns(), h.networkEvents},
		{fileColumns(), h.fileEvents},
		{logonColumns(), h.logonEvents},
	} {
		id := slices.IndexFunc(table.columns, func(c kql.Column) bool { return c.Name == "ReportId" })
		for _, row := range table.rows(d) {
			when, _ := row[0].(time.Time)
			if h.span.holds(when) && when.Truncate(digit).Equal(at.Truncate(digit)) && fmt.Sprint(row[id]) == reportID {
				return true
			}
		}
	}
	return false
}

// raise stores an alert, or joins it to the open one that it repeats.
func (c *call) raise(d *device, a Alert) response {
	t := c.t
	t.mu.Lock()
	i := slices.IndexFunc(t.alerts, func(b *Alert) bool {
		return b.MachineID == d.ID && b.Title == a.Title && b.Status != "Resolved"
	})
	var stored *Alert
	if i >= 0 {
		joined := *t.alerts[i]
		joined.LastUpdateTime = t.now()
		if a.LastEventTime.After(joined.LastEventTime) {
			joined.LastEventTime = a.LastEventTime
		}
		t.alerts = slices.Clone(t.alerts)
		t.alerts[i], stored = &joined, &joined
	} else {
		stored = t.insert(a)
		t.investigate(d, stored)
	}
	effect := t.note(c, Effect{Type: TypeCreateAlert, MachineID: d.ID, Scope: stored.ID})
	t.mu.Unlock()
	resp := c.oneAlert(stored)
	resp.effect = &effect
	return resp
}
