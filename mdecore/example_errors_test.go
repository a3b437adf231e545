package mdecore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// A failed write is one of three: not sent, refused, or of uncertain outcome. Only the first may simply be tried again.
func ExampleUncertain() {
	client, tenant := example()
	defer tenant.Close()
	ctx, machineID := context.Background(), tenant.Device("host01").ID

	isolate := func(id string) {
		_, err := client.IsolateMachine(ctx, id, mdecore.IsolateRequest{Comment: "tag-1 beaconing", IsolationType: mdecore.IsolationFull})
		switch {
		case err == nil:
			fmt.Println("accepted")
		case mdecore.NotSent(err):
			fmt.Println("not sent: mend the cause, and try again after", mdecore.RetryAfter(err))
		case mdecore.Refused(err):
			fmt.Println("refused: asking the same again is useless")
		default: // mdecore.Uncertain(err)
			fmt.Println("uncertain: look for it among the machine's actions, and never send it again")
		}
	}

	isolate("host01")                                   // a name is no id
	isolate("0000000000000000000000000000000000000000") // no such machine
	tenant.Fail(mdesim.Fault{Method: "POST", Path: "/api/machines/*/isolate", Kind: mdesim.FaultCutAfter})
	isolate(machineID) // the connection is cut after the service accepted it

	filter := mdecore.Eq("machineId", machineID)
	for action, err := range client.ListMachineActions(ctx, mdecore.Query{Filter: filter}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("found:", action.Type, action.RequestorComment)
	}

	// Output:
	// not sent: mend the cause, and try again after 0s
	// refused: asking the same again is useless
	// uncertain: look for it among the machine's actions, and never send it again
	// found: Isolate tag-1 beaconing
}

// Error holds what the service said, and what its support asks for.
func ExampleError() {
	client, tenant := example()
	defer tenant.Close()

	_, err := client.GetMachine(context.Background(), "0000000000000000000000000000000000000000")
	var failed *mdecore.Error
	if errors.As(err, &failed) {
		fmt.Println(failed.Op, failed.Status, failed.Code)
		fmt.Println("ids for the support:", failed.RequestID != "", failed.Target != "")
	}

	_, err = client.GetMachine(context.Background(), "../alerts")
	var invalid *mdecore.InvalidError
	if errors.As(err, &invalid) {
		fmt.Println("refused before anything was sent:", invalid.Field)
	}

	// Output:
	// GetMachine 404 ResourceNotFound
	// ids for the support: true true
	// refused before anything was sent: machine id
}

// Every endpoint has a budget, the documented call rate. Clients of one application share it by sharing Budgets. Who has
// to wait waits in line, containment first; a wait above 60 s is an error that says for how long.
func ExampleOptions_budgets() {
	tenant := startTenant()
	defer tenant.Close()
	ctx, machineID := context.Background(), tenant.Device("host01").ID

	opts := mdecore.Options{
		TenantID: mdesim.DefaultTenantID, AppID: mdesim.DefaultAppID,
		Budgets: mdecore.NewBudgets(0),
		Limit:   &mdecore.Limit{PerHour: 2}, // leave it out: the documented rates are built in
	}
	one, two := tenant.ClientWith(opts), tenant.ClientWith(opts)

	for _, client := range []*mdecore.Client{one, two, one} {
		_, err := client.GetMachine(ctx, machineID)
		var used *mdecore.BudgetError
		if errors.As(err, &used) {
			fmt.Println("not sent:", mdecore.NotSent(err), "- wait", mdecore.RetryAfter(err).Round(time.Minute))
			continue
		}
		fmt.Println("sent:", err == nil)
	}

	// Output:
	// sent: true
	// sent: true
	// not sent: true - wait 30m0s
}

// Reads wait behind writes for the budget of the same endpoint. A read on which a containment depends asks for its rank;
// a caller that would rather fail than wait says so.
func ExampleWithPriority() {
	client, tenant := example()
	defer tenant.Close()
	ctx, machineID := context.Background(), tenant.Device("host01").ID

	machine, err := client.GetMachine(mdecore.WithPriority(ctx, mdecore.Containment), machineID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(machine.ComputerDNSName)

	tenant.Fail(mdesim.Fault{Path: "/api/machines/*", Status: 429, RetryAfter: "30"})
	_, err = client.GetMachine(mdecore.WithoutWaiting(ctx), machineID)
	fmt.Println("at once: try again in", mdecore.RetryAfter(err))

	// Output:
	// host01.contoso.com
	// at once: try again in 30s
}
