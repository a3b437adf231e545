package mdecore

import (
	"context"
	"iter"
	"strconv"
)

// ListDeviceAVInfo iterates over the antivirus state of all devices. It can be filtered on machineId, computerDnsName,
// osKind, osPlatform, osVersion, avMode, avSignatureVersion, avEngineVersion, avPlatformVersion, quickScanResult,
// quickScanError, fullScanResult, fullScanError, avIsSignatureUpToDate, avIsEngineUpToDate, avIsPlatformUpToDate and
// rbacGroupId. Documentation page: device-health-export-antivirus-health-report-api.md.
//
//mde:op GET /api/deviceavinfo roles=Machine.Read.All
func (c *Client) ListDeviceAVInfo(ctx context.Context, q Query) iter.Seq2[*DeviceAVInfo, error] {
	what := q.call(call{op: "ListDeviceAVInfo"})
	if q.Top == 0 {
		// The service's own pages hold 20 devices: of a large tenant they would use up the 1,000 calls of an hour.
		what.query.Set("$top", strconv.Itoa(what.pageLimit()))
	}
	return list[DeviceAVInfo](ctx, c, what, q.Page)
}

// ExportDeviceAVHealthFiles asks for files with the antivirus state of all devices: rows of AssetGatheredInfo. It is the
// endpoint of ExportInformationGatheringFiles under another page, which allows links to live up to 24 hours.
// Documentation page: device-health-export-antivirus-health-report-api.md.
//
//mde:op GET /api/machines/InfoGatheringExport roles=Vulnerability.Read.All
func (c *Client) ExportDeviceAVHealthFiles(ctx context.Context, opts ExportFilesOptions) (*ExportFiles, error) {
	return c.exportFiles(ctx, "ExportDeviceAVHealthFiles", opts, maxSasHoursLong)
}
