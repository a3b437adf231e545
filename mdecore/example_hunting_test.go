package mdecore_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/mde-ops/mde-ops/mdecore"
)

// Hunting runs on Microsoft Graph, with the permission ThreatHunting.Read.All. Numbers come as they were written, so
// that a large id loses no digit.
func ExampleClient_RunHuntingQuery() {
	client, tenant := example()
	defer tenant.Close()

	results, err := client.RunHuntingQuery(context.Background(), mdecore.HuntingQuery{
		Query: `DeviceProcessEvents
			| where DeviceName == "host01.contoso.com" and FileName == "rundll32.exe"
			| project Timestamp, FileName, ProcessId`,
		Timespan: mdecore.HuntingSpan(24 * time.Hour),
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range results.Results {
		id, _ := row.Int("ProcessId")
		fmt.Println(row.Text("FileName"), id)
	}
	fmt.Println("cut off at 100,000 rows:", results.Truncated())

	// Output:
	// rundll32.exe 3276
	// cut off at 100,000 rows: false
}

// A fault of the query is the service's to find: it is refused with its place.
func ExampleClient_Hunt() {
	client, tenant := example()
	defer tenant.Close()

	api, err := mdecore.ParseHuntingAPI("graph") // or "mde", which is being retired
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Hunt(context.Background(), api, mdecore.HuntingQuery{Query: "DeviceInfo | where Nothing == 1"})
	fmt.Println("refused:", mdecore.Refused(err))

	// Output:
	// refused: true
}

// Incidents live in Microsoft Graph. Only what is set is changed.
func ExampleClient_ListIncidents() {
	client, tenant := example()
	defer tenant.Close()
	ctx := context.Background()

	query := mdecore.IncidentsQuery{Filter: mdecore.Eq("status", mdecore.IncidentActive), ExpandAlerts: true}
	query.Top = 1
	for incident, err := range client.ListIncidents(ctx, query) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(incident.Status, "with alerts:", len(incident.Alerts) > 0)

		owner := "alice@contoso.com"
		changed, err := client.UpdateIncident(ctx, incident.ID, mdecore.UpdateIncidentRequest{AssignedTo: &owner, Status: mdecore.IncidentInProgress})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(changed.Status, changed.AssignedTo)
	}

	// Output:
	// active with alerts: true
	// inProgress alice@contoso.com
}
