package mdecore_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/mde-ops/mde-ops/mdecore"
)

// An investigation package is collected by an action and downloaded through a signed link. While the action runs there is
// no package. A real program writes to a file.
func ExampleClient_DownloadInvestigationPackage() {
	client, tenant := example()
	defer tenant.Close()
	ctx, machineID := context.Background(), tenant.Device("host01").ID

	action, err := client.CollectInvestigationPackage(ctx, machineID, mdecore.PackageRequest{Comment: "incident 4711"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.GetInvestigationPackageURI(ctx, action.ID)
	var early *mdecore.NotReadyError
	fmt.Println("too early:", errors.As(err, &early))

	if action, err = client.WaitMachineAction(ctx, action.ID, mdecore.WaitOptions{Interval: time.Millisecond}); err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	var received int64
	result, err := client.DownloadInvestigationPackage(ctx, action.ID, &file, mdecore.DownloadOptions{
		MaxBytes: 1 << 30,
		Progress: func(done, _ int64) { received = done }, // or draw a bar
	})
	if err != nil {
		log.Fatal(err)
	}
	content, err := zip.NewReader(bytes.NewReader(file.Bytes()), result.Bytes)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("files in it:", len(content.File) > 0)
	fmt.Println("all of it came:", received == result.Bytes)
	fmt.Println("hex digits of its SHA-256:", len(result.SHA256))

	// Output:
	// too early: true
	// files in it: true
	// all of it came: true
	// hex digits of its SHA-256: 64
}

// An export is one or more packed files with a row a line. ExportRows downloads and decodes them row by row, so that the
// memory stays flat however many rows there are. Whoever sees no error has seen every row.
func ExampleExportRows() {
	client, tenant := example()
	defer tenant.Close()
	ctx := context.Background()

	files, err := client.ExportSoftwareInventoryAssessmentFiles(ctx, mdecore.ExportFilesOptions{SasValidHours: 2})
	if err != nil {
		log.Fatal(err)
	}
	products, rows := map[string]bool{}, 0
	for row, err := range mdecore.ExportRows[mdecore.AssetSoftware](ctx, client, files, mdecore.DownloadOptions{}) {
		if err != nil {
			log.Fatal(err) // what came before it is incomplete
		}
		products[row.SoftwareVendor+" "+row.SoftwareName] = true
		rows++
	}
	fmt.Println("several files:", len(files.ExportFiles) > 1)
	fmt.Println("more rows than products:", rows > len(products))
	fmt.Println("google chrome:", products["google chrome"])

	// Output:
	// several files: true
	// more rows than products: true
	// google chrome: true
}
