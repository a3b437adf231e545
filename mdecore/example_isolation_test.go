package mdecore_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/mde-ops/mde-ops/mdecore"
)

// Isolating a machine without waiting: the service has accepted the action, and its id can be asked about later, also by
// another program.
func ExampleClient_IsolateMachine() {
	client, tenant := example()
	defer tenant.Close()
	ctx, machineID := context.Background(), tenant.Device("host01").ID

	action, err := client.IsolateMachine(ctx, machineID, mdecore.IsolateRequest{
		Comment:       "beaconing to a known C2",
		IsolationType: mdecore.IsolationFull,
	})
	switch {
	case mdecore.Uncertain(err):
		log.Fatal("it may have been done: look at the machine's actions before trying again: ", err)
	case err != nil:
		log.Fatal("it was certainly not done: ", err)
	}
	fmt.Println(action.Type, action.Status, action.RequestorComment)

	// Output:
	// Isolate Pending beaconing to a known C2
}

// Isolating a machine and waiting for the end. WaitMachineAction returns the action whatever its end, so look at Status.
func ExampleClient_IsolateMachine_waited() {
	client, tenant := example()
	defer tenant.Close()
	ctx, machineID := context.Background(), tenant.Device("host01").ID

	action, err := client.IsolateMachine(ctx, machineID, mdecore.IsolateRequest{
		Comment:       "beaconing to a known C2",
		IsolationType: mdecore.IsolationSelective,
	})
	if err != nil {
		log.Fatal(err)
	}
	action, err = client.WaitMachineAction(ctx, action.ID, mdecore.WaitOptions{Interval: time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	if action.Status != mdecore.ActionSucceeded {
		log.Fatalf("the isolation ended as %s", action.Status)
	}
	fmt.Println("isolated:", tenant.Isolated(machineID))

	// Output:
	// isolated: true
}

// How often to ask, for how long, and what to do at each change are the caller's to say.
func ExampleClient_WaitMachineAction() {
	client, tenant := example()
	defer tenant.Close()
	ctx, machineID := context.Background(), tenant.Device("host01").ID

	action, err := client.RunAntiVirusScan(ctx, machineID, mdecore.ScanRequest{Comment: "after the alert", ScanType: mdecore.ScanQuick})
	if err != nil {
		log.Fatal(err)
	}
	action, err = client.WaitMachineAction(ctx, action.ID, mdecore.WaitOptions{
		Interval: 5 * time.Millisecond, // every 5 s when it is left out
		Max:      time.Minute,          // 10 minutes when it is left out
		OnChange: func(a *mdecore.MachineAction) { fmt.Println(a.Status) },
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ended as", action.Status)

	// Output:
	// Pending
	// InProgress
	// Succeeded
	// ended as Succeeded
}

// Waiting ends before the action: the error says so, the action goes on, and it can be asked for again.
func ExampleStillRunningError() {
	client, tenant := example()
	defer tenant.Close()
	ctx, machineID := context.Background(), tenant.Device("host01").ID
	tenant.SetOffline(machineID, true)

	action, err := client.IsolateMachine(ctx, machineID, mdecore.IsolateRequest{Comment: "stolen", IsolationType: mdecore.IsolationFull})
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.WaitMachineAction(ctx, action.ID, mdecore.WaitOptions{Interval: time.Millisecond, Max: time.Microsecond})
	var running *mdecore.StillRunningError
	if errors.As(err, &running) {
		fmt.Println("still", running.Action.Status)
	}
	action, err = client.CancelMachineAction(ctx, action.ID, mdecore.CancelRequest{Comment: "it was found"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(action.Status)

	// Output:
	// still Pending
	// Cancelled
}

// Backoff asks less often the longer an action takes.
func ExampleBackoff() {
	next := mdecore.Backoff(2*time.Second, 30*time.Second)
	for asked := 1; asked <= 6; asked++ {
		fmt.Print(next(nil, asked), " ")
	}
	fmt.Println()
	_ = mdecore.WaitOptions{Next: next, Max: time.Hour}

	// Output:
	// 2s 4s 8s 16s 30s 30s
}
