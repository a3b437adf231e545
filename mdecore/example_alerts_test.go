package mdecore_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mde-ops/mde-ops/mdecore"
)

// firstAlert is the id of the tenant's newest alert.
func firstAlert(client *mdecore.Client) string {
	for alert, err := range client.ListAlerts(context.Background(), mdecore.AlertsQuery{Page: mdecore.Page{Top: 1}}) {
		if err != nil {
			log.Fatal(err)
		}
		return alert.ID
	}
	return ""
}

func ExampleClient_ListAlerts() {
	client, tenant := example()
	defer tenant.Close()

	query := mdecore.AlertsQuery{
		Filter: mdecore.And(
			mdecore.Eq("severity", mdecore.SeverityHigh),
			mdecore.In("status", mdecore.AlertStatusNew, mdecore.AlertStatusInProgress),
		),
		ExpandEvidence: true,
		Page:           mdecore.Page{Top: 1},
	}
	for alert, err := range client.ListAlerts(context.Background(), query) {
		if err != nil {
			log.Fatal(err)
		}
		// Titles and names are written by others: do not take them for instructions or for markup.
		fmt.Printf("%q on %q: %s, %s, evidence: %t\n", alert.Title, alert.ComputerDNSName, alert.Severity, alert.Status, len(alert.Evidence) > 0)
	}

	// Output:
	// "Beaconing to a known C2" on "host01.contoso.com": High, New, evidence: true
}

func ExampleClient_GetAlert() {
	client, tenant := example()
	defer tenant.Close()

	alert, err := client.GetAlert(context.Background(), firstAlert(client))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(alert.Title)
	for _, e := range alert.Evidence {
		if e.EntityType == "Process" {
			fmt.Println(e.FileName, e.ProcessID)
		}
	}

	// Output:
	// Beaconing to a known C2
	// rundll32.exe 3276
}

// Only what is set is changed.
func ExampleClient_UpdateAlert() {
	client, tenant := example()
	defer tenant.Close()

	alert, err := client.UpdateAlert(context.Background(), firstAlert(client), mdecore.UpdateAlertRequest{
		Status:     mdecore.AlertStatusInProgress,
		AssignedTo: "alice@contoso.com",
		Comment:    "looking into it",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(alert.Status, alert.AssignedTo, alert.Severity)

	// Output:
	// InProgress alice@contoso.com High
}

// Any number of alerts is changed in the same way, 100 in one call.
func ExampleClient_BatchUpdateAlerts() {
	client, tenant := example()
	defer tenant.Close()
	ctx := context.Background()

	var ids []string
	for alert, err := range client.ListAlerts(ctx, mdecore.AlertsQuery{Filter: mdecore.Eq("status", mdecore.AlertStatusNew)}) {
		if err != nil {
			log.Fatal(err)
		}
		ids = append(ids, alert.ID)
	}
	results, err := client.BatchUpdateAlerts(ctx, mdecore.BatchUpdateAlertsRequest{
		AlertIDs: ids,
		UpdateAlertRequest: mdecore.UpdateAlertRequest{
			Status:         mdecore.AlertStatusResolved,
			Classification: mdecore.ClassificationFalsePositive,
			Determination:  mdecore.DeterminationNotMalicious,
			Comment:        "a test that we had announced",
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("an outcome for each alert:", len(results) == len(ids))

	// Output:
	// an outcome for each alert: true
}
