package mdecore

import (
	"context"
	"iter"
)

// IncidentsQuery selects incidents. The zero value selects all.
type IncidentsQuery struct {
	// Filter is an OData expression over assignedTo, classification, createdDateTime, determination, lastUpdateDateTime,
	// severity or status.
	Filter Filter
	// ExpandAlerts asks for Incident.Alerts, which is left out otherwise.
	ExpandAlerts bool
	Page
}

// UpdateIncidentRequest says what to change on an incident. Only what is set is sent; everything else keeps its value.
type UpdateIncidentRequest struct {
	// Status is IncidentActive, IncidentInProgress or IncidentResolved.
	Status         IncidentStatus
	Classification GraphClassification
	Determination  GraphDetermination
	Severity       GraphSeverity
	// AssignedTo is the new owner; a pointer to "" takes the owner away.
	AssignedTo *string
	// CustomTags replaces all custom tags; an empty list that is not nil takes them away.
	CustomTags []string
	// ResolvingComment says why and how the incident was resolved.
	ResolvingComment string
	// DisplayName, Description and Summary replace the incident's texts.
	DisplayName, Description, Summary string
}

// ListIncidents iterates over incidents of Microsoft Graph, newest first, at most 50 in one call. Documentation page:
// security-list-incidents.md.
//
//mde:op GET /v1.0/security/incidents roles=SecurityIncident.Read.All,SecurityIncident.ReadWrite.All
func (c *Client) ListIncidents(ctx context.Context, q IncidentsQuery) iter.Seq2[*Incident, error] {
	what := Query{q.Filter, q.Page}.call(call{op: "ListIncidents"})
	if q.ExpandAlerts {
		what.query.Set("$expand", "alerts")
	}
	return list[Incident](ctx, c, what, q.Page)
}

// GetIncident returns one incident of Microsoft Graph with its alerts. Documentation page: security-incident-get.md.
//
//mde:op GET /v1.0/security/incidents/{incident_id} roles=SecurityIncident.Read.All,SecurityIncident.ReadWrite.All
func (c *Client) GetIncident(ctx context.Context, id string) (*Incident, error) {
	const op = "GetIncident"
	what := call{op: op, args: args{idArg("incident id", id)}}
	what.query = map[string][]string{"$expand": {"alerts"}}
	got, err := fetch[Incident](ctx, c, what)
	if err == nil {
		err = sameResource(op, "incident", id, got.ID)
	}
	return onlyIf(got, err)
}

// UpdateIncident changes an incident of Microsoft Graph and returns it. An answer about another incident is an error of
// uncertain outcome. Documentation page: security-incident-update.md.
//
//mde:op PATCH /v1.0/security/incidents/{incident_id} roles=SecurityIncident.ReadWrite.All
func (c *Client) UpdateIncident(ctx context.Context, id string, req UpdateIncidentRequest) (*Incident, error) {
	const op = "UpdateIncident"
	got, err := send[Incident](ctx, c, call{op: op, args: args{idArg("incident id", id)}, body: req.body(), invalid: req.check()})
	if err == nil {
		err = sameResource(op, "incident", id, got.ID)
	}
	return onlyIf(got, err)
}

// sameResource is the error of an answer that is about something else than was asked for.
func sameResource(op, kind, asked, got string) error {
	if got == asked {
		return nil
	}
	return otherEntity(op, kind, asked, got)
}

// onlyIf is an answer, or nothing when there is an error.
func onlyIf[T any](got *T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return got, nil
}

// body is what is sent: the properties that are set.
func (u UpdateIncidentRequest) body() map[string]any {
	body := map[string]any{}
	for name, value := range map[string]string{
		"status": string(u.Status), "classification": string(u.Classification), "determination": string(u.Determination),
		"severity": string(u.Severity), "resolvingComment": u.ResolvingComment, "displayName": u.DisplayName, "description": u.Description,
		"summary": u.Summary,
	} {
		if value != "" {
			body[name] = value
		}
	}
	setOwner(body, u.AssignedTo)
	if u.CustomTags != nil {
		body["customTags"] = u.CustomTags
	}
	return body
}

// setOwner adds an owner, or null for none.
func setOwner(body map[string]any, owner *string) {
	switch {
	case owner == nil:
	case *owner == "":
		body["assignedTo"] = nil
	default:
		body["assignedTo"] = *owner
	}
}

// check refuses what the service would refuse.
func (u UpdateIncidentRequest) check() error {
	if len(u.body()) == 0 {
		return invalid("incident update", "", "it changes nothing")
	}
	if err := checkOptionalEnum("status", u.Status, IncidentActive, IncidentInProgress, IncidentResolved); err != nil {
		return err
	}
	if err := checkOptionalEnum("severity", u.Severity, GraphSeverityInformational, GraphSeverityLow, GraphSeverityMedium, GraphSeverityHigh); err != nil {
		return err
	}
	for _, tag := range u.CustomTags {
		if err := checkLine("custom tag", tag); err != nil {
			return err
		}
	}
	texts := []graphText{{"resolving comment", u.ResolvingComment}, {"description", u.Description}, {"summary", u.Summary}}
	if err := checkGraphTexts(checkText, texts...); err != nil {
		return err
	}
	return checkGraphUpdate(u.Classification, u.Determination, graphText{"display name", u.DisplayName}, graphText{"owner", owner(u.AssignedTo)})
}

func owner(assigned *string) string {
	if assigned == nil {
		return ""
	}
	return *assigned
}

// graphText is a text of an update, under the name by which a refusal speaks of it.
type graphText struct{ field, value string }

// checkGraphUpdate is what the updates of incidents and alerts have in common. lines are texts of one line.
func checkGraphUpdate(classification GraphClassification, determination GraphDetermination, lines ...graphText) error {
	if err := classification.check(); err != nil {
		return err
	}
	if err := determination.check(); err != nil {
		return err
	}
	return checkGraphTexts(checkLine, lines...)
}

// checkGraphTexts checks the texts of an update that are set.
func checkGraphTexts(check func(field, text string) error, texts ...graphText) error {
	for _, text := range texts {
		if text.value == "" {
			continue
		}
		if err := check(text.field, text.value); err != nil {
			return err
		}
	}
	return nil
}
