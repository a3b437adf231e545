package tools

import "slices"

// Asks are the operations of the tenant that a tool asks, by the methods of mdecore.Client. Permissions, limits and paths of
// each are in mdecore/operations.
type Asks struct {
	// Reads are what calls of the tool always may need, with the reading credential: to answer, or to plan.
	Reads []string
	// Parts are what only some calls need, by their arguments or by what they find.
	Parts []string
	// Weighs are what a plan of few devices shows its approvers besides: without the permission that is "not known" on the card,
	// and the call goes on.
	Weighs []string
	// Works are what the worker asks with the writing credential to see an approved step through.
	Works []string
}

// Reading is what the reading credential is used for.
func (a Asks) Reading() []string { return slices.Concat(a.Reads, a.Parts, a.Weighs) }

// Working is what the writing credential is used for.
func (a Asks) Working() []string { return a.Works }

// AsksOf says what a tool asks of the tenant; false for a name that no tool has.
func AsksOf(tool string) (Asks, bool) {
	a, ok := operationsAsked()[tool]
	return a, ok
}

// toFind is what finds a device by what a call names it; toPlan looks at its machine actions too.
func toFind() []string { return []string{"ListMachines"} }
func toPlan() []string { return []string{"ListMachines", "ListMachineActions"} }

// toWeigh is what approvers weigh about a device besides.
func toWeigh() []string { return []string{"ListMachineLogonUsers", "ListMachineAlerts"} }

// toAct is what the worker asks for a machine action.
func toAct(write string, more ...string) []string {
	return append([]string{write, "GetMachine", "GetMachineAction"}, more...)
}

// operationsAsked is by tool. A tool that is not in it, such as list_requests, asks nothing of the tenant; mde_get asks
// whatever a call names. TestToolSessions holds it against what the sessions' tenant was asked.
func operationsAsked() map[string]Asks {
	table := map[string]Asks{}
	for _, part := range []map[string]Asks{readingAsks(), exposureAsks(), changingAsks(), actionAsks()} {
		for tool, a := range part {
			table[tool] = a
		}
	}
	return table
}

func readingAsks() map[string]Asks {
	return map[string]Asks{
		"find_devices": {Reads: toFind(), Parts: []string{"FindMachinesByIP", "FindMachinesByTag"}},
		"get_device": {Reads: toFind(), Parts: []string{
			"ListMachineActions", "ListMachineAlerts", "ListMachineLogonUsers", "ListMachineMissingKBs", "ListMachineRecommendations",
			"ListMachineSoftware", "ListMachineVulnerabilities",
		}},
		"get_device_health": {Reads: []string{"ListDeviceAVInfo"}, Parts: toFind()},
		"list_actions":      {Reads: []string{"ListMachineActions"}, Parts: toFind()},
		"get_action":        {Reads: []string{"GetMachineAction"}},
		"list_alerts":       {Reads: []string{"ListAlerts"}, Parts: toFind()},
		"get_alert": {Reads: []string{"GetAlert"}, Parts: []string{
			"GetAlertMachine", "GetAlertUser", "ListAlertDomains", "ListAlertFiles", "ListAlertIPs",
		}},
		"list_incidents":       {Reads: []string{"ListIncidents"}},
		"get_incident":         {Reads: []string{"GetIncident"}},
		"hunt":                 {Reads: []string{"RunHuntingQuery"}, Parts: toFind()},
		"run_query":            {Reads: []string{"RunHuntingQuery"}, Parts: toFind()},
		"list_indicators":      {Reads: []string{"ListIndicators"}},
		"list_library":         {Reads: []string{"ListLibraryFiles"}},
		"list_evidence":        {Parts: toFind()},
		"nexus_threat_summary": {Parts: []string{"GetMachine", "ListMachines"}}, // what it asks Azure is in AzureActions
		"look_up": {Parts: []string{
			"GetFile", "GetFileStats", "ListFileAlerts", "ListFileMachines", "GetDomainStats", "ListDomainAlerts", "ListDomainMachines",
			"GetIPStats", "ListIPAlerts", "ListUserAlerts", "ListUserMachines",
		}},
	}
}

func exposureAsks() map[string]Asks {
	return map[string]Asks{
		"get_exposure":      {Reads: []string{"GetExposureScore", "GetDeviceSecureScore"}, Parts: []string{"ListExposureScoreByMachineGroup"}},
		"get_software":      {Reads: []string{"GetSoftware"}, Parts: []string{"ListSoftwareMachines", "ListSoftwareMissingKBs", "ListSoftwareVersionDistribution", "ListSoftwareVulnerabilities"}},
		"list_software":     {Reads: []string{"ListSoftware"}, Parts: []string{"ListMachines", "ListMachineSoftware"}},
		"get_vulnerability": {Reads: []string{"GetVulnerability"}, Parts: []string{"ListVulnerabilitiesByMachineAndSoftware", "ListVulnerabilityMachines"}},
		"list_vulnerabilities": {Reads: []string{"ListVulnerabilities"}, Parts: []string{
			"ListMachines", "ListMachineVulnerabilities", "GetSoftware", "ListSoftwareVulnerabilities", "ListVulnerabilitiesByMachineAndSoftware",
		}},
		"list_recommendations": {Reads: []string{"ListRecommendations"}, Parts: []string{
			"ListMachines", "ListMachineRecommendations", "GetRecommendation", "ListRecommendationMachines",
		}},
		"list_remediations": {Reads: []string{"ListRemediationTasks"}, Parts: []string{"GetRemediationTask", "ListRemediationTaskMachines"}},
		"list_authenticated_scans": {Reads: []string{"ListScanDefinitions"}, Parts: []string{
			"ListScanAgents", "GetScanHistoryByDefinition", "GetScanHistoryBySession",
		}},
		"list_inventory": {Parts: []string{
			"ExportBaselineComplianceAssessment", "ExportBrowserExtensionsAssessment", "ExportCertificateAssessment",
			"ExportHardwareFirmwareAssessment", "ExportNonCPESoftwareInventoryAssessment", "ExportSecureConfigAssessment",
			"ExportSoftwareInventoryAssessment", "ExportSoftwareVulnerabilitiesAssessment", "ExportSoftwareVulnerabilitiesDelta",
			"ListBaselineConfigurations", "ListBaselineProfiles", "ListBrowserExtensionPermissions", "ListMachines",
		}},
	}
}

// changingAsks are of tools whose writes are no machine actions.
func changingAsks() map[string]Asks {
	indicators := []string{"ListIndicators"}
	return map[string]Asks{
		"tag_devices":      {Reads: toFind(), Works: []string{"AddOrRemoveMachineTag", "GetMachine"}},
		"set_device_value": {Reads: toFind(), Works: []string{"SetDeviceValue", "GetMachine"}},
		"set_authenticated_scan": {
			Reads: []string{"ListMachines", "ListScanAgents"}, Weighs: toWeigh(), Parts: []string{"ListScanDefinitions", "GetMachine"},
			Works: []string{"CreateScanDefinition", "UpdateScanDefinition", "GetMachine"},
		},
		"delete_authenticated_scans": {Reads: []string{"ListScanDefinitions"}, Works: []string{"BatchDeleteScanDefinitions"}},
		"export_assessment": {Works: []string{
			"ExportBaselineComplianceAssessmentFiles", "ExportBrowserExtensionsAssessmentFiles", "ExportCertificateAssessmentFiles",
			"ExportHardwareFirmwareAssessmentFiles", "ExportInformationGatheringFiles",
			"ExportNonCPESoftwareInventoryAssessmentFiles", "ExportSecureConfigAssessmentFiles", "ExportSoftwareInventoryAssessmentFiles",
			"ExportSoftwareVulnerabilitiesAssessmentFiles",
		}},
		"create_alert":        {Reads: []string{"ListMachines", "ListMachineAlerts"}, Works: []string{"CreateAlertByReference", "GetMachine"}},
		"update_alerts":       {Reads: []string{"GetAlert"}, Works: []string{"UpdateAlert", "GetAlert"}},
		"update_incident":     {Reads: []string{"GetIncident"}, Works: []string{"UpdateIncident", "GetIncident"}},
		"add_indicators":      {Reads: indicators, Parts: toFind(), Works: []string{"ImportIndicators"}},
		"allow_indicators":    {Reads: indicators, Works: []string{"ImportIndicators"}},
		"remove_indicators":   {Reads: indicators, Works: []string{"BatchDeleteIndicators"}},
		"upload_library_file": {Reads: []string{"ListLibraryFiles"}, Works: []string{"UploadLibraryFile", "ListLibraryFiles"}},
		"delete_library_file": {Reads: []string{"ListLibraryFiles"}, Works: []string{"DeleteLibraryFile", "ListLibraryFiles"}},
	}
}

// actionAsks are of tools that start machine actions.
func actionAsks() map[string]Asks {
	return map[string]Asks{
		"isolate_devices":  {Reads: toPlan(), Weighs: toWeigh(), Works: toAct("IsolateMachine")},
		"release_devices":  {Reads: toPlan(), Weighs: toWeigh(), Works: toAct("UnisolateMachine")},
		"restrict_apps":    {Reads: toPlan(), Weighs: toWeigh(), Works: toAct("RestrictCodeExecution")},
		"unrestrict_apps":  {Reads: toPlan(), Weighs: toWeigh(), Works: toAct("UnrestrictCodeExecution")},
		"scan_devices":     {Reads: toPlan(), Weighs: toWeigh(), Works: toAct("RunAntiVirusScan")},
		"offboard_devices": {Reads: toPlan(), Weighs: toWeigh(), Works: toAct("OffboardMachine")},
		"collect_package":  {Reads: toPlan(), Weighs: toWeigh(), Works: toAct("CollectInvestigationPackage", "GetInvestigationPackageURI")},
		"stop_and_quarantine": {
			Reads: append(toPlan(), "GetFile", "GetFileStats", "ListFileMachines"), Weighs: toWeigh(), Works: toAct("StopAndQuarantineFile"),
		},
		"cancel_action": {Reads: []string{"GetMachineAction", "GetMachine"}, Weighs: toWeigh(), Works: toAct("CancelMachineAction")},
		"undo_request":  {Reads: []string{"GetMachine", "ListMachineActions"}, Weighs: toWeigh()},
		"get_file":      {Reads: toPlan(), Weighs: toWeigh(), Works: toAct("RunLiveResponse", "GetLiveResponseResultLink")},
		"put_file":      {Reads: append(toPlan(), "ListLibraryFiles"), Weighs: toWeigh(), Works: toAct("RunLiveResponse", "ListLibraryFiles")},
		"run_script":    {Reads: append(toPlan(), "ListLibraryFiles"), Weighs: toWeigh(), Works: toAct("RunLiveResponse", "ListLibraryFiles", "GetLiveResponseResultLink")},
		"run_live_response": {
			Reads: toPlan(), Weighs: toWeigh(), Parts: []string{"ListLibraryFiles"}, Works: toAct("RunLiveResponse", "ListLibraryFiles", "GetLiveResponseResultLink"),
		},
	}
}
