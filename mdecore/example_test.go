package mdecore_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// A client signs in as an application and reads one machine. A real program leaves out Cloud, Authority and CAFile, which
// lead to the simulated tenant here: without them the client talks to the worldwide cloud.
func Example() {
	tenant := startTenant()
	defer tenant.Close()

	cred, err := mdecore.NewCredential(mdecore.CredentialConfig{
		Kind:         mdecore.CredentialSecret,
		TenantID:     mdesim.DefaultTenantID,
		ClientID:     mdesim.DefaultAppID,
		ClientSecret: mdesim.DefaultAppSecret, // in a real program: from a file or the environment
		Authority:    tenant.Addr,
		CAFile:       tenant.CAFile,
	})
	if err != nil {
		log.Fatal(err)
	}
	client, err := mdecore.New(cred, mdecore.Options{
		Cloud:    mdecore.Custom(tenant.Addr, tenant.Addr, ""),
		CAFile:   tenant.CAFile,
		TenantID: mdesim.DefaultTenantID,
		AppID:    mdesim.DefaultAppID,
	})
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	info, err := client.TokenInfo(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("may isolate:", info.Has("Machine.Isolate"))

	found, err := client.FindMachinesByName(ctx, "host01")
	if err != nil {
		log.Fatal(err)
	}
	if len(found) != 1 {
		log.Fatalf("%d machines are called host01: use an id", len(found))
	}
	machine, err := client.GetMachine(ctx, found[0].ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(machine.ComputerDNSName, machine.OSPlatform, machine.RiskScore)

	// Output:
	// may isolate: true
	// host01.contoso.com Windows11 High
}

// Faults of the configuration are reported together, and nothing is sent to find them.
func ExampleNewCredential() {
	_, err := mdecore.NewCredential(mdecore.CredentialConfig{Kind: mdecore.CredentialSecret, TenantID: "contoso.com", ClientID: "my-app"})
	fmt.Println(err)

	// Output:
	// the client id "my-app" is not a GUID like 11111111-2222-3333-4444-555555555555
	// the client secret is missing
}

// A government cloud has other hosts for the API, for signing in and for results.
func ExampleCloudByName() {
	cloud, err := mdecore.CloudByName("gcc-high")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cloud.Endpoint)
	fmt.Println(cloud.Authority) // give it to CredentialConfig as well

	_, err = mdecore.CloudByName("gcchigh")
	fmt.Println(err)

	// Output:
	// https://api-gov.securitycenter.microsoft.us
	// https://login.microsoftonline.us
	// the cloud "gcchigh" is unknown; did you mean gcc-high? (known: public, us, eu, uk, au, swa, ina, aea, gcc, gcc-high, dod)
}
