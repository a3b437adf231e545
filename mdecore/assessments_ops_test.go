package mdecore_test

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"github.com/mde-ops/mde-ops/mdecore"
)

// asked is a way to ask for an export with a query.
type asked func(ctx context.Context, c *mdecore.Client, q mdecore.ExportQuery) error

// byMachine is an export that is read in pages.
func byMachine(ask asked) operation {
	op := operation{good: func(ctx context.Context, c *mdecore.Client) error {
		return ask(ctx, c, mdecore.ExportQuery{PageSize: 5})
	}}
	for _, q := range []mdecore.ExportQuery{{PageSize: -1}, {PageSize: 200_001}, {Top: -1}} {
		op.bad = append(op.bad, func(ctx context.Context, c *mdecore.Client) error { return ask(ctx, c, q) })
	}
	return op
}

// exporting adapts a method that iterates over rows.
func exporting[T any](method func(*mdecore.Client, context.Context, mdecore.ExportQuery) iter.Seq2[*T, error]) operation {
	return byMachine(func(ctx context.Context, c *mdecore.Client, q mdecore.ExportQuery) error {
		return drain(method(c, ctx, q))
	})
}

// listing adapts a method that iterates over a list with a query.
func listing[T any](method func(*mdecore.Client, context.Context, mdecore.Query) iter.Seq2[*T, error]) operation {
	ask := func(q mdecore.Query) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error { return drain(method(c, ctx, q)) }
	}
	return operation{good: ask(mdecore.Query{})}.refusing(ask(mdecore.Query{Page: mdecore.Page{Top: -1}}), ask(mdecore.Query{Page: mdecore.Page{Skip: -1}}))
}

// filing adapts a method that asks for files whose links live up to so many hours.
func filing(method func(*mdecore.Client, context.Context, mdecore.ExportFilesOptions) (*mdecore.ExportFiles, error), hours int) operation {
	ask := func(n int) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error {
			_, err := method(c, ctx, mdecore.ExportFilesOptions{SasValidHours: n})
			return err
		}
	}
	return operation{good: ask(hours)}.answering(`{"exportFiles":["https://x/1?sig=s"],"generatedTime":"2021-01-11T11:01:00Z"}`).refusing(ask(-1), ask(hours+1))
}

func changesSince(at time.Time) func(context.Context, *mdecore.Client) error {
	return func(ctx context.Context, c *mdecore.Client) error {
		return drain(c.ExportSoftwareVulnerabilitiesDelta(ctx, mdecore.VulnerabilityChangesQuery{SinceTime: at}))
	}
}

func assessmentOperations() map[string]operation {
	type client = mdecore.Client
	return map[string]operation{
		"ExportSecureConfigAssessment":            exporting((*client).ExportSecureConfigAssessment),
		"ExportSoftwareInventoryAssessment":       exporting((*client).ExportSoftwareInventoryAssessment),
		"ExportNonCPESoftwareInventoryAssessment": exporting((*client).ExportNonCPESoftwareInventoryAssessment),
		"ExportSoftwareVulnerabilitiesAssessment": exporting((*client).ExportSoftwareVulnerabilitiesAssessment),
		"ExportBrowserExtensionsAssessment":       exporting((*client).ExportBrowserExtensionsAssessment),
		"ExportCertificateAssessment":             exporting((*client).ExportCertificateAssessment),
		"ExportHardwareFirmwareAssessment":        exporting((*client).ExportHardwareFirmwareAssessment),
		"ExportBaselineComplianceAssessment":      exporting((*client).ExportBaselineComplianceAssessment),
		"ExportSoftwareVulnerabilitiesDelta": byMachine(func(ctx context.Context, c *mdecore.Client, q mdecore.ExportQuery) error {
			return drain(c.ExportSoftwareVulnerabilitiesDelta(ctx, mdecore.VulnerabilityChangesQuery{SinceTime: time.Now().Add(-time.Hour), ExportQuery: q}))
		}).refusing(changesSince(time.Time{}), changesSince(time.Now().AddDate(0, 0, -15)), changesSince(time.Now().Add(time.Hour))),

		"ExportSecureConfigAssessmentFiles":            filing((*client).ExportSecureConfigAssessmentFiles, 6),
		"ExportSoftwareInventoryAssessmentFiles":       filing((*client).ExportSoftwareInventoryAssessmentFiles, 6),
		"ExportNonCPESoftwareInventoryAssessmentFiles": filing((*client).ExportNonCPESoftwareInventoryAssessmentFiles, 6),
		"ExportSoftwareVulnerabilitiesAssessmentFiles": filing((*client).ExportSoftwareVulnerabilitiesAssessmentFiles, 6),
		"ExportBrowserExtensionsAssessmentFiles":       filing((*client).ExportBrowserExtensionsAssessmentFiles, 6),
		"ExportCertificateAssessmentFiles":             filing((*client).ExportCertificateAssessmentFiles, 24),
		"ExportHardwareFirmwareAssessmentFiles":        filing((*client).ExportHardwareFirmwareAssessmentFiles, 6),
		"ExportInformationGatheringFiles":              filing((*client).ExportInformationGatheringFiles, 6),
		"ExportBaselineComplianceAssessmentFiles":      filing((*client).ExportBaselineComplianceAssessmentFiles, 6),
		"ExportDeviceAVHealthFiles":                    filing((*client).ExportDeviceAVHealthFiles, 24),

		"ListBrowserExtensionPermissions": listing((*client).ListBrowserExtensionPermissions),
		"ListBaselineConfigurations":      listing((*client).ListBaselineConfigurations),
		"ListBaselineProfiles":            listing((*client).ListBaselineProfiles),
		"ListDeviceAVInfo":                listing((*client).ListDeviceAVInfo),
	}
}

// assessmentSamples are the types of the documented answers, for a list those of its items.
func assessmentSamples() map[string]any {
	samples := map[string]any{
		"export_secure_config_assessment": new(mdecore.AssetConfiguration), "export_software_inventory_assessment": new(mdecore.AssetSoftware),
		"export_non_cpe_software_inventory_assessment": new(mdecore.AssetNonCPESoftware), "export_software_vulnerabilities_assessment": new(mdecore.AssetVulnerability),
		"export_software_vulnerabilities_delta": new(mdecore.AssetVulnerabilityDelta), "export_browser_extensions_assessment": new(mdecore.AssetBrowserExtension),
		"export_certificate_assessment": new(mdecore.AssetCertificateAssessment), "export_hardware_firmware_assessment": new(mdecore.AssetHardwareFirmware),
		"export_baseline_compliance_assessment": new(mdecore.AssetBaselineAssessment), "list_baseline_configurations": new(mdecore.BaselineConfiguration),
		"list_baseline_profiles": new(mdecore.BaselineProfile), "list_device_av_info": new(mdecore.DeviceAVInfo),
		"list_browser_extension_permissions": new(wrappedPermissions),
	}
	for _, name := range []string{
		"export_secure_config_assessment", "export_software_inventory_assessment", "export_non_cpe_software_inventory_assessment",
		"export_software_vulnerabilities_assessment", "export_browser_extensions_assessment", "export_certificate_assessment",
		"export_hardware_firmware_assessment", "export_baseline_compliance_assessment", "export_information_gathering", "export_device_av_health",
	} {
		samples[name+"_files"] = new(revealedFiles)
	}
	return samples
}

// revealedFiles is ExportFiles with its links written out, which the type itself refuses to do.
type revealedFiles struct{ mdecore.ExportFiles }

// MarshalJSON implements json.Marshaler.
func (f revealedFiles) MarshalJSON() ([]byte, error) {
	links := make([]string, 0, len(f.ExportFiles.ExportFiles))
	for _, link := range f.ExportFiles.ExportFiles {
		links = append(links, link.Reveal())
	}
	return json.Marshal(map[string]any{"exportFiles": links, "generatedTime": f.GeneratedTime})
}

// wrappedPermissions is the documented answer of ListBrowserExtensionPermissions: a list in a list.
type wrappedPermissions struct {
	Value []struct {
		Value []mdecore.BrowserExtensionPermission `json:"value"`
	} `json:"value"`
}

// assessmentResources are the types of the documented resources.
func assessmentResources() map[string]any {
	return map[string]any{
		"exportFiles": mdecore.ExportFiles{}, "assetConfiguration": mdecore.AssetConfiguration{}, "assetSoftware": mdecore.AssetSoftware{},
		"assetNonCpeSoftware": mdecore.AssetNonCPESoftware{}, "assetVulnerability": mdecore.AssetVulnerability{},
		"assetVulnerabilityDelta": mdecore.AssetVulnerabilityDelta{}, "assetBrowserExtension": mdecore.AssetBrowserExtension{},
		"browserExtensionPermission": mdecore.BrowserExtensionPermission{}, "assetCertificateAssessment": mdecore.AssetCertificateAssessment{},
		"assetHardwareFirmware": mdecore.AssetHardwareFirmware{}, "assetBaselineAssessment": mdecore.AssetBaselineAssessment{},
		"baselineConfiguration": mdecore.BaselineConfiguration{}, "baselineProfile": mdecore.BaselineProfile{}, "deviceAvInfo": mdecore.DeviceAVInfo{},
	}
}

// assessmentRequests are the types of the documented request bodies; these families have none.
func assessmentRequests() map[string]any { return map[string]any{} }
