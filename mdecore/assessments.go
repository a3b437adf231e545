package mdecore

import (
	"context"
	"errors"
	"iter"
	"net/url"
	"strconv"
	"time"
)

// maxPageSize is the largest documented page of an export.
const maxPageSize = 200_000

// ExportQuery says how the rows of an export are read. The zero value reads all, in the service's own pages of 50,000. A
// page is held in memory as a whole: for a large tenant take a smaller PageSize, or the files and ExportRows.
type ExportQuery struct {
	// PageSize is how many rows a page holds: up to 200,000, 0 for the service's own.
	PageSize int
	// Top is the most rows to return; 0 means all.
	Top int
}

// call adds the query to a call.
func (q ExportQuery) call(op string) call {
	what := call{op: op, query: url.Values{}, invalid: q.check()}
	if q.PageSize > 0 {
		what.query.Set("pageSize", strconv.Itoa(q.PageSize))
	}
	if q.Top > 0 && q.Top <= maxPageSize {
		// The service names no next page for $top, so more than a page is read by pages and cut off here.
		what.query.Set("$top", strconv.Itoa(q.Top))
	}
	return what
}

// check refuses what the service would refuse or cut short in silence.
func (q ExportQuery) check() error {
	var size error
	if q.PageSize < 0 || q.PageSize > maxPageSize {
		size = invalid("page size", strconv.Itoa(q.PageSize), "it must be 1 to 200000, or 0 for the service's own")
	}
	return errors.Join(size, Page{Top: q.Top}.check())
}

// exported iterates over the rows of an export.
func exported[T any](ctx context.Context, c *Client, what call, q ExportQuery) iter.Seq2[*T, error] {
	return list[T](ctx, c, what, Page{Top: q.Top})
}

// ExportSecureConfigAssessment iterates over the secure configurations of all devices.
// Documentation page: get-assessment-secure-config.md.
//
//mde:op GET /api/machines/SecureConfigurationsAssessmentByMachine roles=Vulnerability.Read.All
func (c *Client) ExportSecureConfigAssessment(ctx context.Context, q ExportQuery) iter.Seq2[*AssetConfiguration, error] {
	return exported[AssetConfiguration](ctx, c, q.call("ExportSecureConfigAssessment"), q)
}

// ExportSoftwareInventoryAssessment iterates over the software with a product code of all devices.
// Documentation page: get-assessment-software-inventory.md.
//
//mde:op GET /api/machines/SoftwareInventoryByMachine roles=Software.Read.All
func (c *Client) ExportSoftwareInventoryAssessment(ctx context.Context, q ExportQuery) iter.Seq2[*AssetSoftware, error] {
	return exported[AssetSoftware](ctx, c, q.call("ExportSoftwareInventoryAssessment"), q)
}

// ExportNonCPESoftwareInventoryAssessment iterates over the software without a product code of all devices.
// Documentation page: get-assessment-non-cpe-software-inventory.md.
//
//mde:op GET /api/machines/SoftwareInventoryNoProductCodeByMachine roles=Software.Read.All
func (c *Client) ExportNonCPESoftwareInventoryAssessment(ctx context.Context, q ExportQuery) iter.Seq2[*AssetNonCPESoftware, error] {
	return exported[AssetNonCPESoftware](ctx, c, q.call("ExportNonCPESoftwareInventoryAssessment"), q)
}

// ExportSoftwareVulnerabilitiesAssessment iterates over the software weaknesses of all devices.
// Documentation page: get-assessment-software-vulnerabilities.md.
//
//mde:op GET /api/machines/SoftwareVulnerabilitiesByMachine roles=Vulnerability.Read.All
func (c *Client) ExportSoftwareVulnerabilitiesAssessment(ctx context.Context, q ExportQuery) iter.Seq2[*AssetVulnerability, error] {
	return exported[AssetVulnerability](ctx, c, q.call("ExportSoftwareVulnerabilitiesAssessment"), q)
}

// VulnerabilityChangesQuery says which changes of weaknesses are read.
type VulnerabilityChangesQuery struct {
	// SinceTime is where the changes begin: at most 14 days ago. Required. The service gathers changes every 6 hours, so
	// the newest ones come later.
	SinceTime time.Time
	ExportQuery
}

// changesWindow is how far back the service knows changes.
const changesWindow = 14 * 24 * time.Hour

// check refuses what the service would refuse. The minute is for clocks that differ and for the call's own way.
func (q VulnerabilityChangesQuery) check() error {
	now, since := time.Now(), q.SinceTime.UTC().Format(time.RFC3339)
	switch {
	case q.SinceTime.IsZero():
		return invalid("since time", "", "it says where the changes begin: give a time of the past 14 days")
	case q.SinceTime.Before(now.Add(-changesWindow - time.Minute)):
		return invalid("since time", since, "the service knows the changes of the past 14 days only")
	case q.SinceTime.After(now.Add(time.Minute)):
		return invalid("since time", since, "it is in the future")
	}
	return nil
}

// ExportSoftwareVulnerabilitiesDelta iterates over what changed in the software weaknesses of all devices since a time.
// Documentation page: get-assessment-software-vulnerabilities.md.
//
//mde:op GET /api/machines/SoftwareVulnerabilityChangesByMachine roles=Vulnerability.Read.All
func (c *Client) ExportSoftwareVulnerabilitiesDelta(ctx context.Context, q VulnerabilityChangesQuery) iter.Seq2[*AssetVulnerabilityDelta, error] {
	what := q.call("ExportSoftwareVulnerabilitiesDelta")
	what.invalid = errors.Join(what.invalid, q.check())
	what.query.Set("sinceTime", q.SinceTime.UTC().Format("2006-01-02T15:04:05.000Z"))
	return exported[AssetVulnerabilityDelta](ctx, c, what, q.ExportQuery)
}

// ExportBrowserExtensionsAssessment iterates over the browser extensions of all devices.
// Documentation page: get-assessment-browser-extensions.md.
//
//mde:op GET /api/Machines/BrowserExtensionsInventoryByMachine roles=Software.Read.All
func (c *Client) ExportBrowserExtensionsAssessment(ctx context.Context, q ExportQuery) iter.Seq2[*AssetBrowserExtension, error] {
	return exported[AssetBrowserExtension](ctx, c, q.call("ExportBrowserExtensionsAssessment"), q)
}

// ExportCertificateAssessment iterates over the certificates in the stores of all devices.
// Documentation page: export-certificate-inventory-assessment.md.
//
//mde:op GET /api/machines/certificateAssessmentByMachine roles=Vulnerability.Read.All
func (c *Client) ExportCertificateAssessment(ctx context.Context, q ExportQuery) iter.Seq2[*AssetCertificateAssessment, error] {
	return exported[AssetCertificateAssessment](ctx, c, q.call("ExportCertificateAssessment"), q)
}

// ExportHardwareFirmwareAssessment iterates over the hardware and firmware of all devices.
// Documentation page: export-firmware-hardware-assessment.md.
//
//mde:op GET /api/machines/HardwareFirmwareInventoryByMachine roles=Software.Read.All
func (c *Client) ExportHardwareFirmwareAssessment(ctx context.Context, q ExportQuery) iter.Seq2[*AssetHardwareFirmware, error] {
	return exported[AssetHardwareFirmware](ctx, c, q.call("ExportHardwareFirmwareAssessment"), q)
}
