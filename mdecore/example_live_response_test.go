package mdecore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/mdecore"
)

// A live response session runs commands on a machine, in a fixed order: every PutFile, every RunScript, every GetFile.
// Starting it and waiting for its end are two calls; results are fetched one by one, for the commands that have one.
func ExampleClient_StartLiveResponse() {
	client, tenant := example()
	defer tenant.Close()
	ctx, machineID := context.Background(), tenant.Device("host01").ID

	action, err := client.StartLiveResponse(ctx, machineID, mdecore.LiveResponseRequest{
		Comment: "collecting evidence for incident 4711",
		Commands: []mdecore.LiveResponseCommand{
			mdecore.PutFile{FileName: "memdump.exe"},
			mdecore.RunScript{ScriptName: "inventory.ps1", Args: `C:\out.txt`},
			mdecore.GetFile{Path: `C:\out.txt`},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	action, err = client.WaitMachineAction(ctx, action.ID, mdecore.WaitOptions{
		Interval: time.Millisecond, // against the service: leave it out
		Max:      3 * time.Hour,    // a session waits up to 2 hours for a machine that cannot be reached
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("session:", action.Status)
	for _, c := range action.Commands {
		fmt.Println(c.Index, c.Command.Type, c.CommandStatus)
	}

	script, err := client.LiveResponseScriptResult(ctx, action.ID, 1, mdecore.DownloadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("exit code %d, output %q\n", script.ExitCode, script.ScriptOutput)

	var file bytes.Buffer
	_, err = client.LiveResponseResult(ctx, action.ID, 2, &file, mdecore.DownloadOptions{Unpack: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("file %q\n", file.String())

	// Output:
	// session: Succeeded
	// 0 PutFile Completed
	// 1 RunScript Completed
	// 2 GetFile Completed
	// exit code 0, output "inventory of host01"
	// file "device host01\n"
}

// GetFile collects a file of the machine. The service sends it packed; Unpack writes the file itself.
func ExampleGetFile() {
	client, tenant := example()
	defer tenant.Close()
	ctx, machineID := context.Background(), tenant.Device("lnx-web01").ID

	action, err := client.StartLiveResponse(ctx, machineID, mdecore.LiveResponseRequest{
		Comment:  "which host is this?",
		Commands: []mdecore.LiveResponseCommand{mdecore.GetFile{Path: "/etc/hostname"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	action, err = client.WaitMachineAction(ctx, action.ID, mdecore.WaitOptions{Interval: time.Millisecond})
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	result, err := client.LiveResponseResult(ctx, action.ID, 0, &file, mdecore.DownloadOptions{Unpack: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes: %s", result.ContentBytes, file.String())

	// Output:
	// 10 bytes: lnx-web01
}

// RunScript runs a script of the library with one string of arguments. What it printed, and its exit code, is its result.
func ExampleRunScript() {
	client, tenant := example()
	defer tenant.Close()
	ctx, machineID := context.Background(), tenant.Device("host01").ID

	_, err := client.UploadLibraryFile(ctx, mdecore.UploadLibraryFileRequest{
		FileName: "isup.ps1", File: mdecore.FileContent([]byte("Write-Output \"$args[0] is up\"\nexit 3\n")),
		HasParameters: true, ParametersDescription: "name of a service",
	})
	if err != nil {
		log.Fatal(err)
	}
	action, err := client.StartLiveResponse(ctx, machineID, mdecore.LiveResponseRequest{
		Comment:  "is the agent up?",
		Commands: []mdecore.LiveResponseCommand{mdecore.RunScript{ScriptName: "isup.ps1", Args: "Sense"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	if action, err = client.WaitMachineAction(ctx, action.ID, mdecore.WaitOptions{Interval: time.Millisecond}); err != nil {
		log.Fatal(err)
	}
	result, err := client.LiveResponseScriptResult(ctx, action.ID, 0, mdecore.DownloadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.ScriptName, result.ExitCode, result.ScriptOutput)

	// Output:
	// isup.ps1 3 Sense is up
}

// PutFile puts a file of the library on the machine. It has no result to fetch; asking for one says so. A file that is
// not in the library is the command's own failure.
func ExamplePutFile() {
	client, tenant := example()
	defer tenant.Close()
	ctx, machineID := context.Background(), tenant.Device("host01").ID

	for _, name := range []string{"memdump.exe", "nowhere.exe"} {
		action, err := client.StartLiveResponse(ctx, machineID, mdecore.LiveResponseRequest{
			Comment:  "prepare a memory dump",
			Commands: []mdecore.LiveResponseCommand{mdecore.PutFile{FileName: name}},
		})
		if err != nil {
			log.Fatal(err)
		}
		action, err = client.WaitMachineAction(ctx, action.ID, mdecore.WaitOptions{Interval: time.Millisecond})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, action.Status, action.Commands[0].CommandStatus, len(action.Commands[0].Errors))

		var none *mdecore.NoResultError
		if errors.As(action.Result(0), &none) {
			fmt.Println("no result:", none.Reason)
		}
	}

	// Output:
	// memdump.exe Succeeded Completed 0
	// no result: only a RunScript and a GetFile have one
	// nowhere.exe Failed Failed 1
	// no result: only a RunScript and a GetFile have one
}

// A machine has one session at a time. StartLiveResponse looks first, and sends nothing when one runs.
func ExampleActiveSessionError() {
	client, tenant := example()
	defer tenant.Close()
	ctx, machineID := context.Background(), tenant.Device("host01").ID
	hosts := mdecore.LiveResponseRequest{
		Comment:  "first look",
		Commands: []mdecore.LiveResponseCommand{mdecore.GetFile{Path: `C:\Windows\System32\drivers\etc\hosts`}},
	}
	running, err := client.StartLiveResponse(ctx, machineID, hosts)
	if err != nil {
		log.Fatal(err)
	}

	_, err = client.StartLiveResponse(ctx, machineID, hosts)
	var active *mdecore.ActiveSessionError
	if errors.As(err, &active) {
		fmt.Println("it is the session from before:", active.Action.ID == running.ID)
		fmt.Println("nothing was sent:", mdecore.NotSent(err))
	}

	// The order of commands is checked before anything is sent, too.
	hosts.Commands = append(hosts.Commands, mdecore.RunScript{ScriptName: "inventory.ps1"})
	_, err = client.StartLiveResponse(ctx, machineID, hosts)
	fmt.Println(strings.Contains(err.Error(), "every PutFile, then every RunScript, then every GetFile"))

	// Output:
	// it is the session from before: true
	// nothing was sent: true
	// true
}
