package mdecore

import (
	"context"
	"iter"
)

// UpdateAlertV2Request says what to change on an alert of Microsoft Graph. Only what is set is sent.
type UpdateAlertV2Request struct {
	// Status is GraphAlertNew, GraphAlertInProgress or GraphAlertResolved.
	Status         GraphAlertStatus
	Classification GraphClassification
	Determination  GraphDetermination
	// AssignedTo is the new owner; a pointer to "" takes the owner away.
	AssignedTo *string
}

// ListAlertsV2 iterates over alerts of Microsoft Graph, newest first, those of other products included. The filter may
// name assignedTo, classification, determination, createdDateTime, lastUpdateDateTime, severity, serviceSource and
// status. Documentation page: security-list-alerts_v2.md.
//
//mde:op GET /v1.0/security/alerts_v2 roles=SecurityAlert.Read.All,SecurityAlert.ReadWrite.All
func (c *Client) ListAlertsV2(ctx context.Context, q Query) iter.Seq2[*AlertV2, error] {
	return list[AlertV2](ctx, c, q.call(call{op: "ListAlertsV2"}), q.Page)
}

// GetAlertV2 returns one alert of Microsoft Graph. Documentation page: security-alert-get.md.
//
//mde:op GET /v1.0/security/alerts_v2/{alert_id} roles=SecurityAlert.Read.All,SecurityAlert.ReadWrite.All
func (c *Client) GetAlertV2(ctx context.Context, id string) (*AlertV2, error) {
	const op = "GetAlertV2"
	got, err := fetch[AlertV2](ctx, c, call{op: op, args: args{idArg("alert id", id)}})
	if err == nil {
		err = sameResource(op, "alert", id, got.ID)
	}
	return onlyIf(got, err)
}

// UpdateAlertV2 changes an alert of Microsoft Graph and returns it. An answer about another alert is an error of uncertain
// outcome. Documentation page: security-alert-update.md.
//
//mde:op PATCH /v1.0/security/alerts_v2/{alert_id} roles=SecurityAlert.ReadWrite.All
func (c *Client) UpdateAlertV2(ctx context.Context, id string, req UpdateAlertV2Request) (*AlertV2, error) {
	const op = "UpdateAlertV2"
	got, err := send[AlertV2](ctx, c, call{op: op, args: args{idArg("alert id", id)}, body: req.body(), invalid: req.check()})
	if err == nil {
		err = sameResource(op, "alert", id, got.ID)
	}
	return onlyIf(got, err)
}

// body is what is sent: the properties that are set.
func (u UpdateAlertV2Request) body() map[string]any {
	body := map[string]any{}
	for name, value := range map[string]string{
		"status": string(u.Status), "classification": string(u.Classification), "determination": string(u.Determination),
	} {
		if value != "" {
			body[name] = value
		}
	}
	setOwner(body, u.AssignedTo)
	return body
}

// check refuses what the service would refuse.
func (u UpdateAlertV2Request) check() error {
	if len(u.body()) == 0 {
		return invalid("alert update", "", "it changes nothing: set status, owner, classification or determination")
	}
	if err := checkOptionalEnum("status", u.Status, GraphAlertNew, GraphAlertInProgress, GraphAlertResolved); err != nil {
		return err
	}
	return checkGraphUpdate(u.Classification, u.Determination, graphText{"owner", owner(u.AssignedTo)})
}
