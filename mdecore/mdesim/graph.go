package mdesim

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Types of the effects of Graph's updates.
const (
	TypeUpdateIncident = "UpdateIncident"
	TypeUpdateAlertV2  = "UpdateAlertV2"
)

// graphState is what only Graph knows: what people wrote on incidents.
type graphState struct {
	notes map[int64]incidentNote
}

const (
	incidentRoles = "SecurityIncident.Read.All SecurityIncident.ReadWrite.All"
	alertRoles    = "SecurityAlert.Read.All SecurityAlert.ReadWrite.All"
	incidentWrite = "SecurityIncident.ReadWrite.All"
	alertWrite    = "SecurityAlert.ReadWrite.All"
	huntingRole   = "ThreatHunting.Read.All"
)

// graphRoutes are the operations of Microsoft Graph's security API that take the
// place of the Defender API's own. Its pages state a limit for hunting only
// (45 calls a minute); the others keep the usual ones.
func graphRoutes() []route {
	read, write := anyOf(incidentRoles, incidentRoles), anyOf(incidentWrite, incidentWrite)
	readAlerts, writeAlerts := anyOf(alertRoles, alertRoles), anyOf(alertWrite, alertWrite)
	return []route{
		on(http.MethodPost, "run_hunting_query", "/v1.0/security/runHuntingQuery", "security-security-runhuntingquery.md", anyOf(huntingRole, huntingRole), runHuntingQuery).limited(45, 0),
		on(http.MethodGet, "list_incidents", "/v1.0/security/incidents", "security-list-incidents.md", read, listIncidents),
		on(http.MethodGet, "get_incident", "/v1.0/security/incidents/{incident_id}", "security-incident-get.md", read, getIncident),
		on(http.MethodPatch, "update_incident", "/v1.0/security/incidents/{incident_id}", "security-incident-update.md", write, updateIncident),
		on(http.MethodGet, "list_alerts_v2", "/v1.0/security/alerts_v2", "security-list-alerts_v2.md", readAlerts, listAlertsV2),
		on(http.MethodGet, "get_alert_v2", "/v1.0/security/alerts_v2/{alert_id}", "security-alert-get.md", readAlerts, getAlertV2),
		on(http.MethodPatch, "update_alert_v2", "/v1.0/security/alerts_v2/{alert_id}", "security-alert-update.md", writeAlerts, updateAlertV2),
	}
}

// graphProblem is an error in Graph's shape, whose ids are in innerError.
func (c *call) graphProblem(status int, code, message string) response {
	id := c.t.correlation()
	inner := map[string]string{"date": c.t.now().Format("2006-01-02T15:04:05"), "request-id": id, "client-request-id": id}
	if own := c.r.Header.Get("x-ms-client-request-id"); own != "" {
		inner["client-request-id"] = own
	}
	resp := jsonResponse(status, map[string]any{"error": map[string]any{"code": code, "message": message, "innerError": inner}})
	resp.header.Set("request-id", id)
	return resp
}

func (c *call) graphOK(v any) response {
	resp := jsonResponse(http.StatusOK, v)
	resp.header.Set("request-id", c.t.correlation())
	return resp
}

func (c *call) graphMetadata(name string) string {
	return c.base() + "/v1.0/$metadata#security/" + name
}

// graphList is a list operation of Graph. Its filters take names of enums in camel
// case, and its pages are far smaller than the Defender API's.
type graphList[T any] struct {
	context string
	schema  schema[T]
	expand  []string
	maxTop  int
	wire    func(v T, expanded bool) any
}

// graphQuery is the options of a list request.
type graphQuery struct {
	options
	count bool
}

// readGraphQuery reads $filter, $top, $skip, $expand and $count.
func (l graphList[T]) readGraphQuery(rawQuery string) (graphQuery, string) {
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return graphQuery{}, "the query string is malformed"
	}
	q := graphQuery{count: values.Get("$count") == "true"}
	if !slices.Contains([]string{"", "true", "false"}, values.Get("$count")) {
		return q, "Invalid value '" + values.Get("$count") + "' for $count query option found. Valid values are 'true' or 'false'."
	}
	values.Del("$count")
	if top, err := strconv.Atoi(values.Get("$top")); err == nil && top > l.maxTop {
		return q, "The query specified in the URI is not valid. The limit of '" + strconv.Itoa(l.maxTop) +
			"' for Top query has been exceeded. The value from the incoming request is '" + strconv.Itoa(top) + "'."
	}
	if q.options, err = readOptions(values.Encode(), l.expand); err != nil {
		return q, err.Error()
	}
	return q, ""
}

// serve answers a list request over items, a page at a time.
func (l graphList[T]) serve(c *call, items []T) response {
	q, fault := l.readGraphQuery(c.r.URL.RawQuery)
	if fault != "" {
		return c.graphProblem(http.StatusBadRequest, "BadRequest", fault)
	}
	keep, err := l.schema.predicate(q.filter)
	if err != nil {
		return c.graphProblem(http.StatusBadRequest, "BadRequest", "Invalid filter clause: "+err.Error())
	}
	var matching []T
	for _, v := range items {
		if keep(v) {
			matching = append(matching, v)
		}
	}
	total := len(matching)
	matching = matching[min(q.skip, total):]
	size := min(l.maxTop, c.t.PageSize)
	if q.hasTop {
		size = min(size, q.top)
	}
	body := graphEnvelope{Context: c.graphMetadata(l.context), Value: []any{}}
	for _, v := range matching[:min(size, len(matching))] {
		body.Value = append(body.Value, l.wire(v, q.expanded))
	}
	if q.count {
		body.Count = &total
	}
	body.Next = c.nextLink(q.options, size, len(matching) > size && (!q.hasTop || q.top > size))
	return c.graphOK(body)
}

// graphEnvelope is a list as Graph sends it.
type graphEnvelope struct {
	Context string `json:"@odata.context"`
	Count   *int   `json:"@odata.count,omitempty"`
	Value   []any  `json:"value"`
	Next    string `json:"@odata.nextLink,omitempty"`
}

// lowerFirst is a value of the Defender API as Graph spells it.
func lowerFirst(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToLower(s[:1]) + s[1:]
}

func upperFirst(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// determinations are Graph's names by the Defender API's, where they differ in
// more than their first letter.
func determinations() map[string]string {
	return map[string]string{
		"CompromisedUser": "compromisedAccount", "Clean": "notMalicious", "NotMalicious": "notMalicious",
		"InsufficientData": "notEnoughDataToValidate", "ConfirmedUserActivity": "confirmedActivity", "ConfirmedActivity": "confirmedActivity",
	}
}

// graphDetermination is a determination of the Defender API as Graph spells it.
func graphDetermination(s Nullable) string {
	if name, ok := determinations()[string(s)]; ok {
		return name
	}
	return orDefault(lowerFirst(string(s)), "unknown")
}

// mdeDetermination is the opposite. Pages of Graph disagree on four names; both are taken.
func mdeDetermination(s string) Nullable {
	switch s {
	case "unknown":
		return ""
	case "compromisedAccount", "compromisedUser":
		return "CompromisedUser"
	case "notMalicious", "clean":
		return "Clean"
	case "notEnoughDataToValidate", "insufficientData":
		return "InsufficientData"
	case "confirmedActivity", "confirmedUserActivity":
		return "ConfirmedUserActivity"
	}
	return Nullable(upperFirst(s))
}

func mdeClassification(s string) Nullable {
	if s == "unknown" {
		return ""
	}
	return Nullable(upperFirst(s))
}

func graphClassifications() []string {
	return []string{"unknown", "falsePositive", "truePositive", "informationalExpectedActivity"}
}

func graphDeterminations() []string {
	return []string{
		"unknown", "apt", "malware", "securityPersonnel", "securityTesting", "unwantedSoftware", "other", "multiStagedAttack",
		"compromisedAccount", "compromisedUser", "phishing", "maliciousUserActivity", "notMalicious", "clean", "notEnoughDataToValidate",
		"insufficientData", "confirmedActivity", "confirmedUserActivity", "lineOfBusinessApplication",
	}
}

func graphSeverities() []string { return []string{"unknown", "informational", "low", "medium", "high"} }

// graphSeverity is an alert's severity as Graph spells it.
func graphSeverity(severity string) string {
	if severity == "UnSpecified" {
		return "unknown"
	}
	return lowerFirst(severity)
}

// replaceAlerts changes alerts by replacing them, because lists read them without
// the lock; the caller holds t.mu.
func (t *Tenant) replaceAlerts(which func(*Alert) bool, change func(*Alert)) {
	all := slices.Clone(t.alerts)
	for i, a := range all {
		if which(a) {
			changed := *a
			change(&changed)
			all[i] = &changed
		}
	}
	t.alerts = all
}

// propertyNames lists the properties of an update, for its refusal.
func propertyNames[T any](known map[string]T) string {
	return strings.Join(slices.Sorted(maps.Keys(known)), ", ")
}

// resolve sets or clears the time at which an alert was resolved.
func (a *Alert) resolve(status string, now time.Time) {
	if status == "Resolved" && a.Status != status {
		a.ResolvedTime = &now
	}
	if status != "Resolved" {
		a.ResolvedTime = nil
	}
	a.Status = status
}
