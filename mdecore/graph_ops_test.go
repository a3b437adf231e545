package mdecore_test

import (
	"context"

	"github.com/mde-ops/mde-ops/mdecore"
)

const incidentID = "2972395"

func graphOperations() map[string]operation {
	incident, alert := `{"id":"`+incidentID+`"}`, `{"id":"`+alertID+`"}`
	updateIncident := func(u mdecore.UpdateIncidentRequest) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.UpdateIncident(ctx, incidentID, u)
			return err
		}
	}
	updateAlert := func(u mdecore.UpdateAlertV2Request) func(context.Context, *mdecore.Client) error {
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
			_, err := c.UpdateIncident(ctx, id, mdecore.UpdateIncidentRequest{Status: mdecore.IncidentResolved})
			return err
		}).answering(incident).changing().refusing(
			updateIncident(mdecore.UpdateIncidentRequest{}), updateIncident(mdecore.UpdateIncidentRequest{Status: mdecore.IncidentRedirected}),
			updateIncident(mdecore.UpdateIncidentRequest{Severity: "worst"}), updateIncident(mdecore.UpdateIncidentRequest{CustomTags: []string{" "}}),
			updateIncident(mdecore.UpdateIncidentRequest{Classification: "TruePositive"}), updateIncident(mdecore.UpdateIncidentRequest{Determination: "no"}),
			updateIncident(mdecore.UpdateIncidentRequest{Summary: "\xff"}), updateIncident(mdecore.UpdateIncidentRequest{ResolvingComment: string(make([]byte, 5000))}),
		),
		"UpdateAlertV2": withID(alertID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.UpdateAlertV2(ctx, id, mdecore.UpdateAlertV2Request{Status: mdecore.GraphAlertResolved})
			return err
		}).answering(alert).changing().refusing(
			updateAlert(mdecore.UpdateAlertV2Request{}), updateAlert(mdecore.UpdateAlertV2Request{Status: "Resolved"}),
			updateAlert(mdecore.UpdateAlertV2Request{Classification: "unknownFutureValue"}), updateAlert(mdecore.UpdateAlertV2Request{Determination: "x"}),
		),
	}
}
