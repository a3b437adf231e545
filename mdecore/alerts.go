package mdecore

import (
	"context"
	"iter"
)

// AlertsQuery selects alerts. The zero value selects all.
type AlertsQuery struct {
	// Filter is an OData expression over alertCreationTime, lastUpdateTime, incidentId, InvestigationId, id, assignedTo,
	// detectionSource, lastEventTime, status, severity or category.
	Filter Filter
	// ExpandEvidence asks for Alert.Evidence, which is left out otherwise.
	ExpandEvidence bool
	Page
}

// GetAlert returns one alert. Documentation page: get-alert-info-by-id.md.
//
//mde:op GET /api/alerts/{alert_id} roles=Alert.ReadWrite.All,Alert.Read.All
func (c *Client) GetAlert(ctx context.Context, id string) (*Alert, error) {
	return fetch[Alert](ctx, c, call{op: "GetAlert", args: args{idArg("alert id", id)}})
}

// ListAlerts iterates over alerts. Documentation page: get-alerts.md.
//
//mde:op GET /api/alerts roles=Alert.ReadWrite.All,Alert.Read.All
func (c *Client) ListAlerts(ctx context.Context, q AlertsQuery) iter.Seq2[*Alert, error] {
	what := Query{q.Filter, q.Page}.call(call{op: "ListAlerts"})
	if q.ExpandEvidence {
		what.query.Set("$expand", "evidence")
	}
	return list[Alert](ctx, c, what, q.Page)
}
