package mdesim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Types of the effects of writes on alerts.
const (
	TypeUpdateAlert       = "UpdateAlert"
	TypeBatchUpdateAlerts = "BatchUpdateAlerts"
	TypeCreateAlert       = "CreateAlertByReference"
)

// alertChange is what an update changes; empty properties stay as they are.
type alertChange struct{ status, assignedTo, classification, determination, comment string }

// alertChange reads the body of an update. extra are properties beside those of
// the change; they are in the second result.
func (c *call) alertChange(extra ...string) (alertChange, map[string]json.RawMessage, *fault400) {
	var ch alertChange
	into := map[string]*string{
		"status": &ch.status, "assignedTo": &ch.assignedTo, "classification": &ch.classification,
		"determination": &ch.determination, "comment": &ch.comment,
	}
	names := []string{"status", "assignedTo", "classification", "determination", "comment"}
	raw, bad := c.object(append(extra, names...)...)
	for _, name := range names {
		if bad == nil {
			bad = property400(raw, name, into[name], "a string")
		}
	}
	switch {
	case bad != nil:
		return ch, nil, bad
	case ch == alertChange{}:
		return ch, nil, &fault400{"MissingRequiredParameter", "There is nothing to update: use " + strings.Join(names, ", ")}
	}
	return ch, raw, ch.checkNames()
}

// verdicts are the determinations of each classification on alerts.md. The
// samples of both update pages call a FalsePositive Malware, so that passes too.
func verdicts() map[string][]string {
	return map[string][]string{
		"TruePositive":                  {"MultiStagedAttack", "MaliciousUserActivity", "CompromisedUser", "Malware", "Phishing", "UnwantedSoftware", "Other"},
		"InformationalExpectedActivity": {"SecurityTesting", "LineOfBusinessApplication", "ConfirmedUserActivity", "Other"},
		"FalsePositive":                 {"Clean", "InsufficientData", "Malware", "Other"},
	}
}

// checkNames refuses values that do not exist, and gives the determinations that
// update-alert.md names differently the names of alerts.md.
func (ch *alertChange) checkNames() *fault400 {
	switch ch.determination {
	case "ConfirmedActivity":
		ch.determination = "ConfirmedUserActivity"
	case "NotMalicious":
		ch.determination = "Clean"
	}
	known := verdicts()
	_, classified := known[ch.classification]
	determined := false
	for _, names := range known {
		determined = determined || slices.Contains(names, ch.determination)
	}
	switch {
	case ch.status != "" && !slices.Contains([]string{"New", "InProgress", "Resolved"}, ch.status):
		return &fault400{"InvalidInput", "'" + ch.status + "' is not a status: use New, InProgress or Resolved"}
	case ch.classification != "" && !classified:
		return &fault400{"InvalidInput", "'" + ch.classification + "' is not a classification: use TruePositive, InformationalExpectedActivity or FalsePositive"}
	case ch.determination != "" && !determined:
		return &fault400{"InvalidInput", "'" + ch.determination + "' is not a determination"}
	}
	return nil
}

// fits refuses a determination that does not go with the classification that the
// alert will have. One without a classification is taken as it is.
func (ch alertChange) fits(a *Alert) *fault400 {
	classification := orDefault(ch.classification, string(a.Classification))
	if ch.determination == "" || classification == "" || slices.Contains(verdicts()[classification], ch.determination) {
		return nil
	}
	return &fault400{"InvalidInput", "The determination '" + ch.determination + "' does not go with the classification '" + classification + "'"}
}

// apply changes an alert. A determination that does not go with a new
// classification is dropped, because the page says that what is left out of an
// update keeps its value or is recalculated.
func (ch alertChange) apply(a *Alert, by string, now time.Time) {
	a.LastUpdateTime = now
	if ch.status != "" {
		a.resolve(ch.status, now)
	}
	a.AssignedTo = orDefault(Nullable(ch.assignedTo), a.AssignedTo)
	a.Classification = orDefault(Nullable(ch.classification), a.Classification)
	if !slices.Contains(verdicts()[string(a.Classification)], string(a.Determination)) {
		a.Determination = ""
	}
	a.Determination = orDefault(Nullable(ch.determination), a.Determination)
	if ch.comment != "" {
		a.Comments = append(slices.Clone(a.Comments), AlertComment{Comment: ch.comment, CreatedBy: by, CreatedTime: now})
	}
}

// changeAlerts changes all alerts with the ids, or none: missing is the first id
// that there is no alert of. Alerts are replaced, because lists read them without
// the lock; the caller holds it.
func (t *Tenant) changeAlerts(ids []string, ch alertChange, by string) (last *Alert, missing string, bad *fault400) {
	t.followInvestigations()
	all, now := slices.Clone(t.alerts), t.now()
	for _, id := range ids {
		i := slices.IndexFunc(all, func(a *Alert) bool { return a.ID == id })
		if i < 0 {
			return nil, id, nil
		}
		if bad := ch.fits(all[i]); bad != nil {
			return nil, "", bad
		}
		changed := *all[i]
		ch.apply(&changed, by, now)
		all[i], last = &changed, &changed
	}
	t.alerts = all
	return last, "", nil
}

// updateAlert changes one alert (documentation: update-alert.md).
func updateAlert(c *call) response {
	ch, _, bad := c.alertChange()
	if bad != nil {
		return c.bad(bad)
	}
	t := c.t
	t.mu.Lock()
	after, missing, bad := t.changeAlerts([]string{c.id}, ch, c.caller.name)
	var effect Effect
	if after != nil {
		effect = t.note(c, Effect{Type: TypeUpdateAlert, MachineID: after.MachineID, Scope: ch.status, Comment: ch.comment})
	}
	t.mu.Unlock()
	switch {
	case missing != "":
		return c.noAlert()
	case bad != nil:
		return c.bad(bad)
	}
	resp := c.oneAlert(after)
	resp.effect = &effect
	return resp
}

// batchUpdateAlerts changes many alerts in the same way (documentation:
// batch-update-alerts.md) and answers nothing. The page does not say what happens
// to ids that there is no alert of: the simulator then changes none. Nor does it
// state a largest number.
func batchUpdateAlerts(c *call) response {
	ch, raw, bad := c.alertChange("alertIds")
	var ids []string
	if bad == nil {
		bad = property400(raw, "alertIds", &ids, "a list of strings")
	}
	if bad == nil && len(ids) == 0 {
		bad = &fault400{"MissingRequiredParameter", "The required parameter 'alertIds' is missing"}
	}
	if bad != nil {
		return c.bad(bad)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	t := c.t
	t.mu.Lock()
	after, missing, bad := t.changeAlerts(ids, ch, c.caller.name)
	var effect Effect
	if after != nil {
		effect = t.note(c, Effect{Type: TypeBatchUpdateAlerts, Scope: ch.status, Comment: ch.comment})
	}
	t.mu.Unlock()
	switch {
	case missing != "":
		return t.problem(http.StatusNotFound, "ResourceNotFound", "Alert "+missing+" was not found")
	case bad != nil:
		return c.bad(bad)
	}
	return response{status: http.StatusOK, header: http.Header{"x-ms-request-id": {t.correlation()}}, effect: &effect}
}
