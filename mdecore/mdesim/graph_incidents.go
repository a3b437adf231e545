package mdesim

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// maxIncidents is the largest page of incidents.
const maxIncidents = 50

// incident is a group of alerts with one incident id, newest alert first, and
// what people wrote on it.
type incident struct {
	id     int64
	alerts []*Alert
	note   incidentNote
}

// incidentNote is what was set on an incident itself; empty fields follow from
// its alerts.
type incidentNote struct {
	status, assignedTo, classification, determination string
	title, severity, description, summary, resolving  string
	by                                                string
	tags                                              []string
	updated                                           time.Time
}

// incidentView is an incident as Graph sends it.
type incidentView struct {
	Type             string         `json:"@odata.type"`
	ID               string         `json:"id"`
	IncidentWebURL   string         `json:"incidentWebUrl"`
	RedirectID       Nullable       `json:"redirectIncidentId"`
	TenantID         string         `json:"tenantId"`
	DisplayName      string         `json:"displayName"`
	Created          time.Time      `json:"createdDateTime"`
	Updated          time.Time      `json:"lastUpdateDateTime"`
	AssignedTo       Nullable       `json:"assignedTo"`
	Classification   string         `json:"classification"`
	Determination    string         `json:"determination"`
	Status           string         `json:"status"`
	Severity         string         `json:"severity"`
	CustomTags       []string       `json:"customTags"`
	SystemTags       []string       `json:"systemTags"`
	Description      Nullable       `json:"description"`
	LastModifiedBy   Nullable       `json:"lastModifiedBy"`
	ResolvingComment Nullable       `json:"resolvingComment"`
	Summary          Nullable       `json:"summary"`
	Comments         []graphComment `json:"comments"`
	Alerts           []alertV2      `json:"alerts,omitempty"`
}

// incidents groups the alerts; the incident with the newest alert comes first.
func (t *Tenant) incidents() []incident {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []incident
	place := map[int64]int{}
	for _, a := range t.alerts {
		if a.IncidentID == nil {
			continue
		}
		i, ok := place[*a.IncidentID]
		if !ok {
			i = len(out)
			place[*a.IncidentID] = i
			out = append(out, incident{id: *a.IncidentID, note: t.graph.notes[*a.IncidentID]})
		}
		out[i].alerts = append(out[i].alerts, a)
	}
	return out
}

func (i incident) created() time.Time {
	at := i.alerts[0].AlertCreationTime
	for _, a := range i.alerts {
		if a.AlertCreationTime.Before(at) {
			at = a.AlertCreationTime
		}
	}
	return at
}

func (i incident) updated() time.Time {
	at := i.note.updated
	for _, a := range i.alerts {
		if a.LastUpdateTime.After(at) {
			at = a.LastUpdateTime
		}
	}
	return at
}

// severity is the worst of its alerts, unless somebody set another.
func (i incident) severity() string {
	worst := 0
	for _, a := range i.alerts {
		worst = max(worst, slices.Index(graphSeverities(), graphSeverity(a.Severity)))
	}
	return orDefault(i.note.severity, graphSeverities()[worst])
}

// status is what was set; an incident whose alerts are all resolved is resolved.
func (i incident) status() string {
	open := slices.ContainsFunc(i.alerts, func(a *Alert) bool { return a.Status != "Resolved" })
	switch {
	case !open:
		return "resolved"
	case i.note.status == "inProgress":
		return "inProgress"
	}
	return "active"
}

func (i incident) classification() string { return orDefault(i.note.classification, "unknown") }
func (i incident) determination() string  { return orDefault(i.note.determination, "unknown") }

// title is what was set, or tells of the first alert and how many there are.
func (i incident) title() string {
	title := i.alerts[len(i.alerts)-1].Title
	if n := len(i.alerts); n > 1 {
		title += " and " + strconv.Itoa(n-1) + " more"
	}
	return orDefault(i.note.title, title)
}

// incidentAnswer is an incident as Graph sends it, its alerts only when they are asked for.
func (t *Tenant) incidentAnswer(i incident, expanded bool) incidentView {
	id := strconv.FormatInt(i.id, 10)
	v := incidentView{
		Type: "#microsoft.graph.security.incident", ID: id, IncidentWebURL: portal("incidents", id, t.ID), TenantID: t.ID,
		DisplayName: i.title(), Created: i.created(), Updated: i.updated(), AssignedTo: Nullable(i.note.assignedTo),
		Classification: i.classification(), Determination: i.determination(), Status: i.status(), Severity: i.severity(),
		CustomTags: append([]string{}, i.note.tags...), SystemTags: []string{}, Description: Nullable(i.note.description),
		LastModifiedBy: Nullable(i.note.by), ResolvingComment: Nullable(i.note.resolving), Summary: Nullable(i.note.summary),
		Comments: []graphComment{},
	}
	if expanded {
		for _, a := range i.alerts {
			v.Alerts = append(v.Alerts, t.alertV2(a))
		}
	}
	return v
}

// incidentSchema is the filterable properties of security-list-incidents.md.
func incidentSchema() schema[incident] {
	at := propertyType{kind: kindTime}
	return schema[incident]{
		"assignedTo":         {propertyType{kind: kindString}, func(i incident) any { return text(i.note.assignedTo) }},
		"classification":     {enum(graphClassifications()...), func(i incident) any { return i.classification() }},
		"createdDateTime":    {at, func(i incident) any { return i.created() }},
		"determination":      {enum(graphDeterminations()...), func(i incident) any { return i.determination() }},
		"lastUpdateDateTime": {at, func(i incident) any { return i.updated() }},
		"severity":           {enum(graphSeverities()...), func(i incident) any { return i.severity() }},
		"status":             {enum("active", "inProgress", "resolved", "redirected", "awaitingAction"), func(i incident) any { return i.status() }},
	}
}

func listIncidents(c *call) response {
	return graphList[incident]{
		context: "incidents", schema: incidentSchema(), expand: []string{"alerts"}, maxTop: maxIncidents,
		wire: func(i incident, expanded bool) any { return c.t.incidentAnswer(i, expanded) },
	}.serve(c, c.t.incidents())
}

// incident finds an incident by the id of the call's path.
func (c *call) incident() (incident, bool) {
	all := c.t.incidents()
	i := slices.IndexFunc(all, func(i incident) bool { return strconv.FormatInt(i.id, 10) == c.id })
	if i < 0 {
		return incident{}, false
	}
	return all[i], true
}

func getIncident(c *call) response {
	o, err := readOptions(c.r.URL.RawQuery, []string{"alerts"})
	if err != nil {
		return c.graphProblem(http.StatusBadRequest, "BadRequest", err.Error())
	}
	found, ok := c.incident()
	if !ok {
		return c.noGraphResource("incident")
	}
	return c.oneIncident(found, o.expanded)
}

func (c *call) oneIncident(i incident, expanded bool) response {
	return c.graphOK(struct {
		Context string `json:"@odata.context"`
		incidentView
	}{c.graphMetadata("incidents/$entity"), c.t.incidentAnswer(i, expanded)})
}

// updateIncident changes an incident (documentation: security-incident-update.md).
// Resolving it resolves its alerts, with its classification and determination;
// opening it again opens them, because an incident's status follows from them.
func updateIncident(c *call) response {
	p, fault := c.readPatch(map[string]patchField{
		"assignedTo": {nullable: true}, "classification": {values: graphClassifications()}, "determination": {values: graphDeterminations()},
		"status": {values: []string{"active", "inProgress", "resolved"}}, "customTags": {list: true}, "resolvingComment": {nullable: true},
		"displayName": {}, "description": {nullable: true}, "summary": {nullable: true}, "severity": {values: graphSeverities()},
	})
	found, ok := c.incident()
	switch {
	case !ok:
		return c.noGraphResource("incident")
	case fault != "":
		return c.graphProblem(http.StatusBadRequest, "BadRequest", fault)
	}
	t := c.t
	t.mu.Lock()
	t.patchIncident(found.id, p, c.caller.name)
	effect := t.note(c, Effect{Type: TypeUpdateIncident, Comment: p.texts["resolvingComment"]})
	t.mu.Unlock()
	changed, _ := c.incident()
	resp := c.oneIncident(changed, false)
	resp.effect = &effect
	return resp
}

// patchIncident stores what was set; the caller holds t.mu.
func (t *Tenant) patchIncident(id int64, p patch, by string) {
	if t.graph.notes == nil {
		t.graph.notes = map[int64]incidentNote{}
	}
	note := t.graph.notes[id]
	note.updated, note.by = t.now(), by
	for name, field := range map[string]*string{
		"status": &note.status, "assignedTo": &note.assignedTo, "classification": &note.classification, "determination": &note.determination,
		"resolvingComment": &note.resolving, "displayName": &note.title, "description": &note.description, "summary": &note.summary,
		"severity": &note.severity,
	} {
		if v, ok := p.texts[name]; ok {
			*field = v
		}
	}
	if tags, ok := p.lists["customTags"]; ok {
		note.tags = slices.Clone(tags)
	}
	t.graph.notes[id] = note
	if status, ok := p.texts["status"]; ok {
		t.followIncident(id, status, note)
	}
}

// followIncident makes the alerts of an incident follow its new status; the
// caller holds t.mu.
func (t *Tenant) followIncident(id int64, status string, note incidentNote) {
	now := t.now()
	t.replaceAlerts(func(a *Alert) bool {
		return a.IncidentID != nil && *a.IncidentID == id && (a.Status == "Resolved") != (status == "resolved")
	}, func(a *Alert) {
		a.LastUpdateTime = now
		if status != "resolved" {
			a.resolve("InProgress", now)
			return
		}
		a.resolve("Resolved", now)
		if note.classification != "" {
			a.Classification, a.Determination = mdeClassification(note.classification), mdeDetermination(orDefault(note.determination, "unknown"))
		}
	})
}
