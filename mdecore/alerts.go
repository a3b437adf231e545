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

// alertArg is the id of an alert.
func alertArg(id string) args { return args{idArg("alert id", id)} }

// GetAlert returns one alert with its evidence. Documentation page: get-alert-info-by-id.md.
//
//mde:op GET /api/alerts/{alert_id} roles=Alert.ReadWrite.All,Alert.Read.All
func (c *Client) GetAlert(ctx context.Context, id string) (*Alert, error) {
	const op = "GetAlert"
	alert, err := fetch[Alert](ctx, c, call{op: op, args: alertArg(id)})
	if err != nil {
		return nil, err
	}
	return alert.named(op, id)
}

// named refuses an answer about another alert than the one that was asked for: its machine would be acted on.
func (a *Alert) named(op, id string) (*Alert, error) {
	if a.ID == id {
		return a, nil
	}
	return nil, otherEntity(op, "alert", id, a.ID)
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

// ListAlertDomains iterates over the host names that an alert is about.
// Documentation page: get-alert-related-domain-info.md.
//
//mde:op GET /api/alerts/{alert_id}/domains roles=URL.Read.All
func (c *Client) ListAlertDomains(ctx context.Context, alertID string) iter.Seq2[*Domain, error] {
	return list[Domain](ctx, c, call{op: "ListAlertDomains", args: alertArg(alertID)}, Page{})
}

// ListAlertFiles iterates over the files that an alert is about.
// Documentation page: get-alert-related-files-info.md.
//
//mde:op GET /api/alerts/{alert_id}/files roles=File.Read.All
func (c *Client) ListAlertFiles(ctx context.Context, alertID string) iter.Seq2[*File, error] {
	return list[File](ctx, c, call{op: "ListAlertFiles", args: alertArg(alertID)}, Page{})
}

// ListAlertIPs iterates over the addresses that an alert is about.
// Documentation page: get-alert-related-ip-info.md.
//
//mde:op GET /api/alerts/{alert_id}/ips roles=Ip.Read.All
func (c *Client) ListAlertIPs(ctx context.Context, alertID string) iter.Seq2[*IP, error] {
	return list[IP](ctx, c, call{op: "ListAlertIPs", args: alertArg(alertID)}, Page{})
}

// GetAlertMachine returns the machine that an alert is about. An answer without a machine id is an error.
// Documentation page: get-alert-related-machine-info.md.
//
//mde:op GET /api/alerts/{alert_id}/machine roles=Machine.Read.All,Machine.ReadWrite.All
func (c *Client) GetAlertMachine(ctx context.Context, alertID string) (*Machine, error) {
	const op = "GetAlertMachine"
	machine, err := fetch[Machine](ctx, c, call{op: op, args: alertArg(alertID)})
	if err == nil && checkMachineID(machine.ID) != nil {
		return nil, &Error{Op: op, Message: "the service's answer has no valid machine id for alert " + alertID + ": \"" + shorten(machine.ID) + "\""}
	}
	return machine, err
}

// GetAlertUser returns the account that an alert is about. Documentation page: get-alert-related-user-info.md.
//
//mde:op GET /api/alerts/{alert_id}/user roles=User.Read.All
func (c *Client) GetAlertUser(ctx context.Context, alertID string) (*User, error) {
	return fetch[User](ctx, c, call{op: "GetAlertUser", args: alertArg(alertID)})
}
