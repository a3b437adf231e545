package mdecore

import (
	"context"
	"iter"
)

// ExportBaselineComplianceAssessment iterates over how all devices comply with the baseline profiles.
// Documentation page: export-security-baseline-assessment.md.
//
//mde:op GET /api/machines/baselineComplianceAssessmentByMachine roles=SecurityBaselinesAssessment.Read.All
func (c *Client) ExportBaselineComplianceAssessment(ctx context.Context, q ExportQuery) iter.Seq2[*AssetBaselineAssessment, error] {
	return exported[AssetBaselineAssessment](ctx, c, q.call("ExportBaselineComplianceAssessment"), q)
}

// ExportBaselineComplianceAssessmentFiles asks for files with the baseline compliance of all devices: rows of
// AssetBaselineAssessment. Documentation page: export-security-baseline-assessment.md.
//
//mde:op GET /api/machines/BaselineComplianceAssessmentExport roles=SecurityBaselinesAssessment.Read.All
func (c *Client) ExportBaselineComplianceAssessmentFiles(ctx context.Context, opts ExportFilesOptions) (*ExportFiles, error) {
	return c.exportFiles(ctx, "ExportBaselineComplianceAssessmentFiles", opts, maxSasHours)
}

// ListBaselineConfigurations iterates over the rules of the benchmarks. They can be filtered on id, category, name and
// CCE. Documentation page: get-security-baselines-assessment-configurations.md.
//
//mde:op GET /api/baselineConfigurations roles=SecurityBaselinesAssessment.Read.All
func (c *Client) ListBaselineConfigurations(ctx context.Context, q Query) iter.Seq2[*BaselineConfiguration, error] {
	return list[BaselineConfiguration](ctx, c, q.call(call{op: "ListBaselineConfigurations"}), q.Page)
}

// ListBaselineProfiles iterates over the tenant's baseline profiles. They can be filtered on id, name, operatingSystem,
// operatingSystemVersion, status, settingsNumber, passedDevices and totalDevices.
// Documentation page: get-security-baselines-assessment-profiles.md.
//
//mde:op GET /api/baselineProfiles roles=SecurityBaselinesAssessment.Read.All
func (c *Client) ListBaselineProfiles(ctx context.Context, q Query) iter.Seq2[*BaselineProfile, error] {
	return list[BaselineProfile](ctx, c, q.call(call{op: "ListBaselineProfiles"}), q.Page)
}
