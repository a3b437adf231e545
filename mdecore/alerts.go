package mdecore

import (
	"context"
	"iter"
	"strings"
)

// AlertsQuery selects alerts. The zero value selects all.
type AlertsQuery struct {
	// Filter is an OData expression over alertCreationTime, lastUpdateTime, incidentId, InvestigationId, id, assignedTo,
	// detectionSource, lastEventTime, status, severity or category.
	Filter string
	// ExpandEvidence asks for Alert.Evidence, which is left out otherwise.
	ExpandEvidence bool
	Page
}

// GetAlert returns one alert. Documentation page: get-alert-info-by-id.md.
//
//mde:op GET /api/alerts/{id} roles=Alert.ReadWrite.All,Alert.Read.All
func (c *Client) GetAlert(ctx context.Context, id string) (*Alert, error) {
	const op = "GetAlert"
	if err := checkID("alert id", id); err != nil {
		return nil, refuse(op, err)
	}
	alert := new(Alert)
	if err := c.get(ctx, call{op: op, endpoint: "GET /api/alerts/{id}", target: "/api/alerts/" + id}, alert); err != nil {
		return nil, err
	}
	return alert, nil
}

// ListAlerts iterates over alerts. Documentation page: get-alerts.md.
//
//mde:op GET /api/alerts roles=Alert.ReadWrite.All,Alert.Read.All
func (c *Client) ListAlerts(ctx context.Context, q AlertsQuery) iter.Seq2[*Alert, error] {
	query := q.query(strings.TrimSpace(q.Filter))
	if q.ExpandEvidence {
		query.Set("$expand", "evidence")
	}
	return list[Alert](ctx, c, call{op: "ListAlerts", endpoint: "GET /api/alerts", target: "/api/alerts", query: query}, q.Page)
}
