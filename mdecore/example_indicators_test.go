package mdecore_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// An import tells of every indicator what became of it. The error is nil only when all of them are in force.
func ExampleClient_ImportIndicators() {
	// With Ti.ReadWrite alone an application must keep its hands off what others made.
	tenant := serveTenant(&mdesim.Tenant{Apps: []mdesim.App{
		{ID: mdesim.DefaultAppID, Name: "feeds", Secret: mdesim.DefaultAppSecret, Roles: []string{"Ti.ReadWrite"}},
	}})
	defer tenant.Close()
	client := tenant.Client()

	var requests []mdecore.IndicatorRequest
	for _, address := range []string{"203.0.113.5", mdesim.SeededBadAddress} {
		requests = append(requests, mdecore.IndicatorRequest{
			IndicatorValue: address,
			IndicatorType:  mdecore.IndicatorIPAddress,
			Action:         mdecore.IndicatorBlock,
			Title:          "C2 of incident 4711",
			Description:    "seen in the beacons of host01",
			Severity:       mdecore.SeverityHigh,
			GenerateAlert:  true,
		})
	}
	results, err := client.ImportIndicators(context.Background(), requests)
	var bulk *mdecore.BulkError
	if errors.As(err, &bulk) {
		fmt.Println("done", bulk.Done, "refused", bulk.Refused, "unknown", bulk.Unknown)
	}
	for _, r := range results {
		switch {
		case r.Err == nil:
			fmt.Println(r.ID, "is blocked")
		case mdecore.Refused(r.Err):
			fmt.Println(r.ID, "was refused")
		default:
			log.Fatal(r.Err) // it may be in force: look
		}
	}

	// Output:
	// done 1 refused 1 unknown 0
	// 203.0.113.5 is blocked
	// 198.51.100.23 was refused
}

// One indicator with SubmitIndicator, found again with a filter, and removed by its id.
func ExampleClient_SubmitIndicator() {
	client, tenant := example()
	defer tenant.Close()
	ctx := context.Background()

	made, err := client.SubmitIndicator(ctx, mdecore.IndicatorRequest{
		IndicatorValue: "evil.example",
		IndicatorType:  mdecore.IndicatorDomainName,
		Action:         mdecore.IndicatorBlock,
		Title:          "C2 of incident 4711",
		Description:    "seen in the beacons of host01",
	})
	if err != nil {
		log.Fatal(err)
	}
	for i, err := range client.ListIndicators(ctx, mdecore.Query{Filter: mdecore.Eq("indicatorValue", "evil.example")}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(i.Action, i.IndicatorValue, i.ID == made.ID)
	}
	if err := client.DeleteIndicator(ctx, string(made.ID)); err != nil {
		log.Fatal(err)
	}
	for _, e := range tenant.Effects() {
		fmt.Println(e.Type == mdesim.TypeSubmitIndicator, e.Method)
	}

	// Output:
	// Block evil.example true
	// true POST
	// false DELETE
}
