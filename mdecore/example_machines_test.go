package mdecore_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/mde-ops/mde-ops/mdecore"
)

// Lists are iterators: the next page is fetched when it is needed, and a break ends the fetching. An error is the last
// thing that an iteration yields.
func ExampleClient_ListMachines() {
	client, tenant := example()
	defer tenant.Close()

	query := mdecore.Query{Filter: mdecore.And(
		mdecore.Eq("healthStatus", mdecore.HealthActive),
		mdecore.Eq("osPlatform", "Windows11"),
		mdecore.StartsWith("computerDnsName", "host0"),
		mdecore.Gt("lastSeen", time.Now().Add(-30*24*time.Hour)),
	)}
	query.Top = 3
	for machine, err := range client.ListMachines(context.Background(), query) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(machine.ComputerDNSName, machine.HealthStatus)
	}

	// Output:
	// host01.contoso.com Active
	// host02.contoso.com Active
	// host03.contoso.com Active
}

// A filter can also be written as the documentation does. Values from elsewhere belong into the builder, which quotes them.
func ExampleRaw() {
	client, tenant := example()
	defer tenant.Close()

	filter := mdecore.Raw("riskScore eq 'High' and onboardingStatus eq 'onboarded'")
	count := 0
	for _, err := range client.ListMachines(context.Background(), mdecore.Query{Filter: filter}) {
		if err != nil {
			log.Fatal(err)
		}
		count++
	}
	fmt.Println("some:", count > 0)
	fmt.Println(mdecore.Eq("computerDnsName", "o'brien.contoso.com"))

	// Output:
	// some: true
	// computerDnsName eq 'o''brien.contoso.com'
}

// One machine by its id. Names can belong to several machines, so look them up first and refuse what is ambiguous.
func ExampleClient_GetMachine() {
	client, tenant := example()
	defer tenant.Close()
	ctx := context.Background()

	found, err := client.FindMachinesByName(ctx, "finance-laptop.contoso.com")
	if err != nil {
		log.Fatal(err)
	}
	for _, one := range found {
		machine, err := client.GetMachine(ctx, one.ID)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(machine.ComputerDNSName, machine.HealthStatus)
	}

	_, err = client.GetMachine(ctx, "0000000000000000000000000000000000000000")
	fmt.Println("not found:", mdecore.IsNotFound(err))

	// Output:
	// finance-laptop.contoso.com Active
	// finance-laptop.contoso.com Inactive
	// not found: true
}

// Any number of machines can be tagged: calls are split by the documented 500, and every machine has its own outcome.
func ExampleClient_TagMachines() {
	client, tenant := example()
	defer tenant.Close()
	ctx := context.Background()

	var ids []string
	for machine, err := range client.ListMachines(ctx, mdecore.Query{Filter: mdecore.StartsWith("computerDnsName", "host0")}) {
		if err != nil {
			log.Fatal(err)
		}
		ids = append(ids, machine.ID)
	}
	results, err := client.TagMachines(ctx, mdecore.MachineTagRequest{Value: "incident-4711", Action: mdecore.TagAdd}, ids)
	if err != nil {
		log.Print(err) // some were not done: the results say which
	}
	done := 0
	for _, r := range results {
		if r.Err == nil {
			done++
		}
	}
	fmt.Println("all tagged:", done == len(ids))

	// Output:
	// all tagged: true
}

// Which machines have a vulnerability for which an exploit is known?
func ExampleClient_ListVulnerabilityMachines() {
	client, tenant := example()
	defer tenant.Close()
	ctx := context.Background()

	vulnerability, err := client.GetVulnerability(ctx, "CVE-2022-30190")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(vulnerability.ID, vulnerability.Severity, "in an exploit kit:", vulnerability.ExploitInKit)
	machines := 0
	for _, err := range client.ListVulnerabilityMachines(ctx, vulnerability.ID) {
		if err != nil {
			log.Fatal(err)
		}
		machines++
	}
	fmt.Println("as many as it says:", machines == int(vulnerability.ExposedMachines))

	// Output:
	// CVE-2022-30190 High in an exploit kit: true
	// as many as it says: true
}
