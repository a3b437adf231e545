package mdecore

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
)

// The documented lives of the links of exported files, in hours.
const (
	maxSasHours     = 6
	maxSasHoursLong = 24 // on the pages that were not revised: certificates and antivirus health
)

// ExportFilesOptions say how long the links of an export live.
type ExportFilesOptions struct {
	// SasValidHours is the links' life in hours: 1 to 6, or to 24 for ExportCertificateAssessmentFiles and
	// ExportDeviceAVHealthFiles; 0 for the service's own.
	SasValidHours int
}

// exportFiles asks for the files of an export whose links live up to so many hours.
func (c *Client) exportFiles(ctx context.Context, op string, opts ExportFilesOptions, hours int) (*ExportFiles, error) {
	what := call{op: op, query: url.Values{}}
	if opts.SasValidHours != 0 {
		what.query.Set("sasValidHours", strconv.Itoa(opts.SasValidHours))
	}
	if opts.SasValidHours < 0 || opts.SasValidHours > hours {
		what.invalid = invalid("life of the links", strconv.Itoa(opts.SasValidHours), fmt.Sprintf("it must be 1 to %d hours, or 0 for the service's own", hours))
	}
	files, err := fetch[ExportFiles](ctx, c, what)
	if err != nil {
		return nil, err
	}
	if files.ExportFiles == nil {
		// An answer of another kind must not pass for an export without rows.
		return nil, &Error{Op: op, Message: "the service's answer names no list of files (exportFiles)"}
	}
	return files, nil
}

// ExportSecureConfigAssessmentFiles asks for files with the secure configurations of all devices: rows of
// AssetConfiguration. Documentation page: get-assessment-secure-config.md.
//
//mde:op GET /api/machines/SecureConfigurationsAssessmentExport roles=Vulnerability.Read.All
func (c *Client) ExportSecureConfigAssessmentFiles(ctx context.Context, opts ExportFilesOptions) (*ExportFiles, error) {
	return c.exportFiles(ctx, "ExportSecureConfigAssessmentFiles", opts, maxSasHours)
}

// ExportSoftwareInventoryAssessmentFiles asks for files with the software of all devices: rows of AssetSoftware.
// Documentation page: get-assessment-software-inventory.md.
//
//mde:op GET /api/machines/SoftwareInventoryExport roles=Software.Read.All
func (c *Client) ExportSoftwareInventoryAssessmentFiles(ctx context.Context, opts ExportFilesOptions) (*ExportFiles, error) {
	return c.exportFiles(ctx, "ExportSoftwareInventoryAssessmentFiles", opts, maxSasHours)
}

// ExportNonCPESoftwareInventoryAssessmentFiles asks for files with the software without a product code of all devices:
// rows of AssetNonCPESoftware. Documentation page: get-assessment-non-cpe-software-inventory.md.
//
//mde:op GET /api/machines/SoftwareInventoryNonCpeExport roles=Software.Read.All
func (c *Client) ExportNonCPESoftwareInventoryAssessmentFiles(ctx context.Context, opts ExportFilesOptions) (*ExportFiles, error) {
	return c.exportFiles(ctx, "ExportNonCPESoftwareInventoryAssessmentFiles", opts, maxSasHours)
}

// ExportSoftwareVulnerabilitiesAssessmentFiles asks for files with the software weaknesses of all devices: rows of
// AssetVulnerability. The service makes them every 6 hours; the call starts nothing.
// Documentation page: get-assessment-software-vulnerabilities.md.
//
//mde:op GET /api/machines/SoftwareVulnerabilitiesExport roles=Vulnerability.Read.All
func (c *Client) ExportSoftwareVulnerabilitiesAssessmentFiles(ctx context.Context, opts ExportFilesOptions) (*ExportFiles, error) {
	return c.exportFiles(ctx, "ExportSoftwareVulnerabilitiesAssessmentFiles", opts, maxSasHours)
}

// ExportBrowserExtensionsAssessmentFiles asks for files with the browser extensions of all devices: rows of
// AssetBrowserExtension. Documentation page: get-assessment-browser-extensions.md.
//
//mde:op GET /api/machines/browserextensionsinventoryExport roles=Software.Read.All
func (c *Client) ExportBrowserExtensionsAssessmentFiles(ctx context.Context, opts ExportFilesOptions) (*ExportFiles, error) {
	return c.exportFiles(ctx, "ExportBrowserExtensionsAssessmentFiles", opts, maxSasHours)
}

// ExportCertificateAssessmentFiles asks for files with the certificates of all devices: rows of
// AssetCertificateAssessment. The links live 3 hours, or up to 24.
// Documentation page: export-certificate-inventory-assessment.md.
//
//mde:op GET /api/machines/certificateAssessmentExport roles=Vulnerability.Read.All
func (c *Client) ExportCertificateAssessmentFiles(ctx context.Context, opts ExportFilesOptions) (*ExportFiles, error) {
	return c.exportFiles(ctx, "ExportCertificateAssessmentFiles", opts, maxSasHoursLong)
}

// ExportHardwareFirmwareAssessmentFiles asks for files with the hardware and firmware of all devices: rows of
// AssetHardwareFirmware. Documentation page: export-firmware-hardware-assessment.md.
//
//mde:op GET /api/machines/HardwareFirmwareInventoryExport roles=Software.Read.All
func (c *Client) ExportHardwareFirmwareAssessmentFiles(ctx context.Context, opts ExportFilesOptions) (*ExportFiles, error) {
	return c.exportFiles(ctx, "ExportHardwareFirmwareAssessmentFiles", opts, maxSasHours)
}

// ExportInformationGatheringFiles asks for files with what was gathered about each device: rows of AssetGatheredInfo.
// Documentation page: get-assessment-information-gathering.md.
//
//mde:op GET /api/Machines/InfoGatheringExport roles=Vulnerability.Read.All
func (c *Client) ExportInformationGatheringFiles(ctx context.Context, opts ExportFilesOptions) (*ExportFiles, error) {
	return c.exportFiles(ctx, "ExportInformationGatheringFiles", opts, maxSasHours)
}
