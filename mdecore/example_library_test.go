package mdecore_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mde-ops/mde-ops/mdecore"
)

// The live response library holds the scripts and files that sessions may put and run.
func ExampleClient_ListLibraryFiles() {
	client, tenant := example()
	defer tenant.Close()

	for file, err := range client.ListLibraryFiles(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s (%s)\n", file.FileName, file.Description, file.CreatedBy)
	}

	// Output:
	// inventory.ps1: Writes an inventory of the device to a file (alice@contoso.com)
	// memdump.exe: Process memory dump (alice@contoso.com)
	// triage.sh: First look at a Linux device (alice@contoso.com)
}

// An upload streams a file from where it is, FileAt for one on disk. A file of the same name is not replaced unless the
// request says so.
func ExampleClient_UploadLibraryFile() {
	client, tenant := example()
	defer tenant.Close()
	ctx := context.Background()

	request := mdecore.UploadLibraryFileRequest{
		FileName:              "collect.ps1",
		File:                  mdecore.FileContent([]byte("Write-Output \"collecting\"\n")), // or mdecore.FileAt("collect.ps1")
		Description:           "Collects what an analyst wants first",
		HasParameters:         true,
		ParametersDescription: "folder for the result",
	}
	file, err := client.UploadLibraryFile(ctx, request)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(file.FileName, file.SHA256[:8])

	_, err = client.UploadLibraryFile(ctx, request)
	fmt.Println("a second time is refused:", mdecore.Refused(err))
	request.OverrideIfExists = true
	_, err = client.UploadLibraryFile(ctx, request)
	fmt.Println("replaced:", err == nil)

	// Output:
	// collect.ps1 a972b066
	// a second time is refused: true
	// replaced: true
}

func ExampleClient_DeleteLibraryFile() {
	client, tenant := example()
	defer tenant.Close()
	ctx := context.Background()

	fmt.Println(client.DeleteLibraryFile(ctx, "memdump.exe"))
	err := client.DeleteLibraryFile(ctx, "memdump.exe")
	fmt.Println("it is gone:", mdecore.IsNotFound(err))

	// Output:
	// <nil>
	// it is gone: true
}
