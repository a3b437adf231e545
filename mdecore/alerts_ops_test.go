package mdecore_test

import (
	"context"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/mdecore"
)

const (
	anAlert        = `{"id":"` + alertID + `","machineId":"` + machineID + `"}`
	anAlertMachine = `{"id":"` + machineID + `"}`
)

// newAlert is a good request to raise an alert.
func newAlert() mdecore.CreateAlertRequest {
	return mdecore.CreateAlertRequest{
		MachineID: machineID, EventTime: mdecore.Time{Time: time.Date(2026, 11, 20, 16, 45, 21, 711518300, time.UTC)}, ReportID: "20776",
		Severity: mdecore.SeverityLow, Title: "example", Description: "example alert", RecommendedAction: "nothing", Category: "Exploit",
	}
}

func alertOperations() map[string]operation {
	update := func(change mdecore.UpdateAlertRequest) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.UpdateAlert(ctx, alertID, change)
			return err
		}
	}
	batch := func(ids ...string) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.BatchUpdateAlerts(ctx, mdecore.BatchUpdateAlertsRequest{AlertIDs: ids, UpdateAlertRequest: mdecore.UpdateAlertRequest{Status: mdecore.AlertStatusResolved}})
			return err
		}
	}
	return map[string]operation{
		"GetAlert": withID(alertID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.GetAlert(ctx, id)
			return err
		}).answering(anAlert),
		"ListAlerts": operation{good: func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.ListAlerts(ctx, mdecore.AlertsQuery{}))
		}}.refusing(func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.ListAlerts(ctx, mdecore.AlertsQuery{Page: mdecore.Page{Top: -1}}))
		}),
		"UpdateAlert": withID(alertID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.UpdateAlert(ctx, id, mdecore.UpdateAlertRequest{Comment: "why"})
			return err
		}).changing().answering(anAlert).refusing(badUpdates(update)...),
		"BatchUpdateAlerts": operation{good: batch(alertID), silent: true}.changing().answering("").refusing(append(badBatches(batch),
			func(ctx context.Context, c *mdecore.Client) error {
				_, err := c.BatchUpdateAlerts(ctx, mdecore.BatchUpdateAlertsRequest{AlertIDs: []string{alertID}})
				return err
			})...),
		"CreateAlertByReference": operation{good: func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.CreateAlertByReference(ctx, newAlert())
			return err
		}}.changing().answering(anAlert).refusing(badAlerts()...),
		"ListAlertDomains": withID(alertID, func(ctx context.Context, c *mdecore.Client, id string) error {
			return drain(c.ListAlertDomains(ctx, id))
		}),
		"ListAlertFiles": withID(alertID, func(ctx context.Context, c *mdecore.Client, id string) error {
			return drain(c.ListAlertFiles(ctx, id))
		}),
		"ListAlertIPs": withID(alertID, func(ctx context.Context, c *mdecore.Client, id string) error {
			return drain(c.ListAlertIPs(ctx, id))
		}),
		"GetAlertMachine": withID(alertID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.GetAlertMachine(ctx, id)
			return err
		}).answering(anAlertMachine),
		"GetAlertUser": withID(alertID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.GetAlertUser(ctx, id)
			return err
		}),
	}
}

// badUpdates change nothing, or hold values that do not exist or not together.
func badUpdates(update func(mdecore.UpdateAlertRequest) func(context.Context, *mdecore.Client) error) (bad []func(context.Context, *mdecore.Client) error) {
	for _, change := range []mdecore.UpdateAlertRequest{
		{},
		{Status: "resolved"},
		{Status: mdecore.AlertStatusUnknown},
		{Classification: "Informational, expected activity"},
		{Determination: "Apt"},
		{Determination: "SecurityPersonnel"},
		{Classification: mdecore.ClassificationTruePositive, Determination: mdecore.DeterminationClean},
		{Classification: mdecore.ClassificationTruePositive, Determination: mdecore.DeterminationNotMalicious},
		{Classification: mdecore.ClassificationFalsePositive, Determination: mdecore.DeterminationConfirmedActivity},
		{Classification: mdecore.ClassificationInformationalExpectedActivity, Determination: mdecore.DeterminationPhishing},
		{AssignedTo: " "},
		{AssignedTo: "a\nb"},
		{Comment: " "},
		{Comment: "\xff"},
		{Comment: strings.Repeat("x", 4001)},
	} {
		bad = append(bad, update(change))
	}
	return bad
}

// badBatches name no alerts, or what is no alert.
func badBatches(batch func(...string) func(context.Context, *mdecore.Client) error) []func(context.Context, *mdecore.Client) error {
	bad := []func(context.Context, *mdecore.Client) error{batch()}
	for _, id := range badIDs() {
		bad = append(bad, batch(alertID, id))
	}
	return bad
}

// badAlerts lack a field each, or hold what the service would refuse.
func badAlerts() (bad []func(context.Context, *mdecore.Client) error) {
	for _, spoil := range []func(*mdecore.CreateAlertRequest){
		func(r *mdecore.CreateAlertRequest) { r.MachineID = "host01" },
		func(r *mdecore.CreateAlertRequest) { r.EventTime = mdecore.Time{} },
		func(r *mdecore.CreateAlertRequest) { r.ReportID = "" },
		func(r *mdecore.CreateAlertRequest) { r.ReportID = "1 or 1" },
		func(r *mdecore.CreateAlertRequest) { r.Severity = mdecore.SeverityInformational },
		func(r *mdecore.CreateAlertRequest) { r.Title = "" },
		func(r *mdecore.CreateAlertRequest) { r.Title = "two\nlines" },
		func(r *mdecore.CreateAlertRequest) { r.Description = "" },
		func(r *mdecore.CreateAlertRequest) { r.Description = "\xff" },
		func(r *mdecore.CreateAlertRequest) { r.RecommendedAction = " " },
		func(r *mdecore.CreateAlertRequest) { r.RecommendedAction = strings.Repeat("x", 4001) },
		func(r *mdecore.CreateAlertRequest) { r.Category = "exploit" },
	} {
		req := newAlert()
		spoil(&req)
		bad = append(bad, func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.CreateAlertByReference(ctx, req)
			return err
		})
	}
	return bad
}

func alertSamples() map[string]any {
	return map[string]any{
		"list_alerts": new(mdecore.Alert), "get_alert": new(mdecore.Alert), "list_alert_domains": new(mdecore.Domain),
		"list_alert_files": new(mdecore.File), "list_alert_ips": new(mdecore.IP), "get_alert_machine": new(mdecore.Machine),
		"get_alert_user": new(mdecore.User),
	}
}

func alertResources() map[string]any {
	return map[string]any{"alert": mdecore.Alert{}, "alertComment": mdecore.AlertComment{}, "alertEvidence": mdecore.AlertEvidence{}}
}

func alertRequests() map[string]any {
	return map[string]any{
		"update_alert": mdecore.UpdateAlertRequest{}, "batch_update_alerts": mdecore.BatchUpdateAlertsRequest{},
		"create_alert_by_reference": mdecore.CreateAlertRequest{},
	}
}
