package mdecore_test

import (
	"context"

	"github.com/mde-ops/mde-ops/mdecore"
)

const incidentID = "2972395"

func graphOperations() map[string]operation {
	incident, alert := `{"id":"`+incidentID+`"}`, `{"id":"`+alertID+`"}`
	updateIncident := func(u mdecore.IncidentUpdate) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.UpdateIncident(ctx, incidentID, u)
			return err
		}
	}
	updateAlert := func(u mdecore.AlertV2Update) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.UpdateAlertV2(ctx, alertID, u)
			return err
		}
	}
	listIncidents := func(q mdecore.IncidentsQuery) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error { return drain(c.ListIncidents(ctx, q)) }
	}
	listAlerts := func(q mdecore.Query) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error { return drain(c.ListAlertsV2(ctx, q)) }
	}
	return map[string]operation{
		"ListIncidents": operation{good: listIncidents(mdecore.IncidentsQuery{ExpandAlerts: true})}.
			refusing(listIncidents(mdecore.IncidentsQuery{Page: mdecore.Page{Top: -1}})),
		"ListAlertsV2": operation{good: listAlerts(mdecore.Query{})}.refusing(listAlerts(mdecore.Query{Page: mdecore.Page{Skip: -1}})),
		"GetIncident": withID(incidentID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.GetIncident(ctx, id)
			return err
		}).answering(incident),
		"GetAlertV2": withID(alertID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.GetAlertV2(ctx, id)
			return err
		}).answering(alert),
		"UpdateIncident": withID(incidentID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.UpdateIncident(ctx, id, mdecore.IncidentUpdate{Status: mdecore.IncidentResolved})
			return err
		}).answering(incident).changing().refusing(
			updateIncident(mdecore.IncidentUpdate{}), updateIncident(mdecore.IncidentUpdate{Status: mdecore.IncidentRedirected}),
			updateIncident(mdecore.IncidentUpdate{Severity: "worst"}), updateIncident(mdecore.IncidentUpdate{CustomTags: []string{" "}}),
			updateIncident(mdecore.IncidentUpdate{Classification: "TruePositive"}), updateIncident(mdecore.IncidentUpdate{Determination: "no"}),
			updateIncident(mdecore.IncidentUpdate{Summary: "\xff"}), updateIncident(mdecore.IncidentUpdate{ResolvingComment: string(make([]byte, 5000))}),
		),
		"UpdateAlertV2": withID(alertID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.UpdateAlertV2(ctx, id, mdecore.AlertV2Update{Status: mdecore.GraphAlertResolved})
			return err
		}).answering(alert).changing().refusing(
			updateAlert(mdecore.AlertV2Update{}), updateAlert(mdecore.AlertV2Update{Status: "Resolved"}),
			updateAlert(mdecore.AlertV2Update{Classification: "unknownFutureValue"}), updateAlert(mdecore.AlertV2Update{Determination: "x"}),
		),
	}
}
