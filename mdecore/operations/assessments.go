package operations

// assessments is the family assessments.
func assessments() []Operation {
	return of("assessments", []Operation{
		{
			ID: "export_secure_config_assessment", Client: "ExportSecureConfigAssessment", Method: "GET", Path: "/api/machines/SecureConfigurationsAssessmentByMachine", Doc: "get-assessment-secure-config.md",
			Success: 200, Query: "pageSize $top", MaxTop: 200000,
			Roles: "Vulnerability.Read.All", Delegated: "Vulnerability.Read", PerMinute: 30, PerHour: 1000,
		},
		{
			ID: "export_secure_config_assessment_files", Client: "ExportSecureConfigAssessmentFiles", Method: "GET", Path: "/api/machines/SecureConfigurationsAssessmentExport", Doc: "get-assessment-secure-config.md",
			Success: 200, Query: "sasValidHours",
			Roles: "Vulnerability.Read.All", Delegated: "Vulnerability.Read", PerMinute: 5, PerHour: 20,
		},
		{
			ID: "export_software_inventory_assessment", Client: "ExportSoftwareInventoryAssessment", Method: "GET", Path: "/api/machines/SoftwareInventoryByMachine", Doc: "get-assessment-software-inventory.md",
			Success: 200, Query: "pageSize $top", MaxTop: 200000,
			Roles: "Software.Read.All", Delegated: "Software.Read", PerMinute: 30, PerHour: 1000,
		},
		{
			ID: "export_software_inventory_assessment_files", Client: "ExportSoftwareInventoryAssessmentFiles", Method: "GET", Path: "/api/machines/SoftwareInventoryExport", Doc: "get-assessment-software-inventory.md",
			Success: 200, Query: "sasValidHours",
			Roles: "Software.Read.All", Delegated: "Software.Read", PerMinute: 5, PerHour: 20,
		},
		{
			ID: "export_non_cpe_software_inventory_assessment", Client: "ExportNonCPESoftwareInventoryAssessment", Method: "GET", Path: "/api/machines/SoftwareInventoryNoProductCodeByMachine", Doc: "get-assessment-non-cpe-software-inventory.md",
			Success: 200, Query: "pageSize $top", MaxTop: 200000,
			Roles: "Software.Read.All", Delegated: "Software.Read", PerMinute: 30, PerHour: 1000,
		},
		{
			ID: "export_non_cpe_software_inventory_assessment_files", Client: "ExportNonCPESoftwareInventoryAssessmentFiles", Method: "GET", Path: "/api/machines/SoftwareInventoryNonCpeExport", Doc: "get-assessment-non-cpe-software-inventory.md",
			Success: 200, Query: "sasValidHours",
			Roles: "Software.Read.All", Delegated: "Software.Read", PerMinute: 5, PerHour: 20,
		},
		{
			ID: "export_software_vulnerabilities_assessment", Client: "ExportSoftwareVulnerabilitiesAssessment", Method: "GET", Path: "/api/machines/SoftwareVulnerabilitiesByMachine", Doc: "get-assessment-software-vulnerabilities.md",
			Success: 200, Query: "pageSize $top", MaxTop: 200000,
			Roles: "Vulnerability.Read.All", Delegated: "Vulnerability.Read", PerMinute: 30, PerHour: 1000,
		},
		{
			ID: "export_software_vulnerabilities_assessment_files", Client: "ExportSoftwareVulnerabilitiesAssessmentFiles", Method: "GET", Path: "/api/machines/SoftwareVulnerabilitiesExport", Doc: "get-assessment-software-vulnerabilities.md",
			Success: 200, Query: "sasValidHours",
			Roles: "Vulnerability.Read.All", Delegated: "Vulnerability.Read", PerMinute: 5, PerHour: 20,
		},
		{
			ID: "export_software_vulnerabilities_delta", Client: "ExportSoftwareVulnerabilitiesDelta", Method: "GET", Path: "/api/machines/SoftwareVulnerabilityChangesByMachine", Doc: "get-assessment-software-vulnerabilities.md",
			Success: 200, Query: "sinceTime pageSize $top", MaxTop: 200000,
			Roles: "Vulnerability.Read.All", Delegated: "Vulnerability.Read", PerMinute: 30, PerHour: 1000,
		},
		{
			ID: "export_browser_extensions_assessment", Client: "ExportBrowserExtensionsAssessment", Method: "GET", Path: "/api/Machines/BrowserExtensionsInventoryByMachine", Doc: "get-assessment-browser-extensions.md",
			Success: 200, Query: "pageSize $top", MaxTop: 200000,
			Roles: "Software.Read.All", Delegated: "Software.Read", PerMinute: 30, PerHour: 1000,
		},
		{
			ID: "export_browser_extensions_assessment_files", Client: "ExportBrowserExtensionsAssessmentFiles", Method: "GET", Path: "/api/machines/browserextensionsinventoryExport", Doc: "get-assessment-browser-extensions.md",
			Success: 200, Query: "sasValidHours",
			Roles: "Software.Read.All", Delegated: "Software.Read", PerMinute: 5, PerHour: 20,
		},
		{
			ID: "list_browser_extension_permissions", Client: "ListBrowserExtensionPermissions", Method: "GET", Path: "/api/browserextensions/permissionsinfo", Doc: "get-browser-extensions-permission-info.md",
			Success: 200, Filter: "id name description cvssV3 publishedOn severity updatedOn", MaxTop: 10000,
			Roles: "Software.Read.All", Delegated: "Software.Read", State: "prerelease-notice",
		},
		{
			ID: "export_information_gathering_files", Client: "ExportInformationGatheringFiles", Method: "GET", Path: "/api/Machines/InfoGatheringExport", Doc: "get-assessment-information-gathering.md",
			Success: 200, Query: "sasValidHours",
			Roles: "Vulnerability.Read.All", Delegated: "Vulnerability.Read", PerMinute: 5, PerHour: 20,
		},
		{
			ID: "export_certificate_assessment", Client: "ExportCertificateAssessment", Method: "GET", Path: "/api/machines/certificateAssessmentByMachine", Doc: "export-certificate-inventory-assessment.md",
			Success: 200, Query: "pageSize $top", MaxTop: 200000,
			Roles: "Vulnerability.Read.All", Delegated: "Vulnerability.Read", PerMinute: 30, PerHour: 1000,
		},
		{
			ID: "export_certificate_assessment_files", Client: "ExportCertificateAssessmentFiles", Method: "GET", Path: "/api/machines/certificateAssessmentExport", Doc: "export-certificate-inventory-assessment.md",
			Success: 200, Query: "sasValidHours",
			Roles: "Vulnerability.Read.All", Delegated: "Vulnerability.Read", PerMinute: 5, PerHour: 20,
		},
		{
			ID: "export_hardware_firmware_assessment", Client: "ExportHardwareFirmwareAssessment", Method: "GET", Path: "/api/machines/HardwareFirmwareInventoryByMachine", Doc: "export-firmware-hardware-assessment.md",
			Success: 200, Query: "pageSize $top", MaxTop: 200000,
			Roles: "Software.Read.All", Delegated: "Software.Read", PerMinute: 30, PerHour: 1000,
		},
		{
			ID: "export_hardware_firmware_assessment_files", Client: "ExportHardwareFirmwareAssessmentFiles", Method: "GET", Path: "/api/machines/HardwareFirmwareInventoryExport", Doc: "export-firmware-hardware-assessment.md",
			Success: 200, Query: "sasValidHours",
			Roles: "Software.Read.All", Delegated: "Software.Read", PerMinute: 5, PerHour: 20,
		},
	})
}

// baselines is the family baselines.
func baselines() []Operation {
	return of("baselines", []Operation{
		{
			ID: "export_baseline_compliance_assessment", Client: "ExportBaselineComplianceAssessment", Method: "GET", Path: "/api/machines/baselineComplianceAssessmentByMachine", Doc: "export-security-baseline-assessment.md",
			Success: 200, Query: "pageSize $top", MaxTop: 200000,
			Roles: "SecurityBaselinesAssessment.Read.All", Delegated: "SecurityBaselinesAssessment.Read", PerMinute: 30, PerHour: 1000,
		},
		{
			ID: "export_baseline_compliance_assessment_files", Client: "ExportBaselineComplianceAssessmentFiles", Method: "GET", Path: "/api/machines/BaselineComplianceAssessmentExport", Doc: "export-security-baseline-assessment.md",
			Success: 200, Query: "sasValidHours",
			Roles: "SecurityBaselinesAssessment.Read.All", Delegated: "SecurityBaselinesAssessment.Read", PerMinute: 5, PerHour: 20,
		},
		{
			ID: "list_baseline_configurations", Client: "ListBaselineConfigurations", Method: "GET", Path: "/api/baselineConfigurations", Doc: "get-security-baselines-assessment-configurations.md",
			Success: 200, Filter: "id category name CCE", MaxTop: 10000,
			Roles: "SecurityBaselinesAssessment.Read.All", Delegated: "SecurityBaselinesAssessment.Read",
		},
		{
			ID: "list_baseline_profiles", Client: "ListBaselineProfiles", Method: "GET", Path: "/api/baselineProfiles", Doc: "get-security-baselines-assessment-profiles.md",
			Success: 200, Filter: "id name operatingSystem operatingSystemVersion status settingsNumber passedDevices totalDevices", MaxTop: 10000,
			Roles: "SecurityBaselinesAssessment.Read.All", Delegated: "SecurityBaselinesAssessment.Read",
		},
	})
}

// authenticatedScans is the family authenticated_scans.
func authenticatedScans() []Operation {
	return of("authenticated_scans", []Operation{
		{
			ID: "list_scan_definitions", Client: "ListScanDefinitions", Method: "GET", Path: "/api/DeviceAuthenticatedScanDefinitions", Doc: "get-all-scan-definitions.md",
			Success: 200,
			Roles:   "Machine.Read.All", Delegated: "Machine.Read.All", PerMinute: 100, PerHour: 1500, State: "prerelease-notice",
		},
		{
			ID: "list_scan_agents", Client: "ListScanAgents", Method: "GET", Path: "/api/DeviceAuthenticatedScanAgents", Doc: "get-all-scan-agents.md",
			Success: 200,
			Roles:   "Machine.Read.All", Delegated: "Machine.Read.All", PerMinute: 100, PerHour: 1500, State: "prerelease-notice",
		},
		{
			ID: "get_scan_agent", Client: "GetScanAgent", Method: "GET", Path: "/api/DeviceAuthenticatedScanAgents/{agent_id}", Doc: "Get-agent-details.md",
			Success: 200,
			Roles:   "Machine.Read.All", Delegated: "Machine.Read.All", PerMinute: 100, PerHour: 1500, State: "prerelease-notice",
		},
		{
			ID: "get_scan_history_by_definition", Client: "GetScanHistoryByDefinition", Method: "POST", Path: "/api/DeviceAuthenticatedScanDefinitions/GetScanHistoryByScanDefinitionId", Doc: "Get-scan-history-by-definition.md",
			Success: 200, Required: "ScanDefinitionIds", MaxTop: 10000,
			Roles: "Machine.Read.All", Delegated: "Machine.Read.All", PerMinute: 100, PerHour: 1500, State: "prerelease-notice",
		},
		{
			ID: "get_scan_history_by_session", Client: "GetScanHistoryBySession", Method: "POST", Path: "/api/DeviceAuthenticatedScanDefinitions/GetScanHistoryBySessionId", Doc: "Get-scan-history-by-session.md",
			Success: 200, Required: "SessionIds",
			Roles: "Machine.Read.All", Delegated: "Machine.Read.All", PerMinute: 100, PerHour: 1500, State: "prerelease-notice",
		},
		{
			ID: "create_scan_definition", Client: "CreateScanDefinition", Method: "POST", Path: "/api/DeviceAuthenticatedScanDefinitions", Doc: "add-a-new-scan-definition.md",
			Success: 200, Required: "scanType scanName isActive target intervalInHours targetType scannerAgent scanAuthenticationParams",
			Roles: "Machine.ReadWrite.All", Delegated: "Machine.ReadWrite", PerMinute: 100, PerHour: 1500, State: "prerelease-notice", Destructive: true,
		},
		{
			ID: "update_scan_definition", Client: "UpdateScanDefinition", Method: "PATCH", Path: "/api/DeviceAuthenticatedScanDefinitions/{scan_definition_id}", Doc: "add-a-new-scan-definition.md",
			Success: 200,
			Roles:   "Machine.ReadWrite.All", Delegated: "Machine.ReadWrite", PerMinute: 100, PerHour: 1500, State: "prerelease-notice", Destructive: true,
		},
		{
			ID: "batch_delete_scan_definitions", Client: "BatchDeleteScanDefinitions", Method: "POST", Path: "/api/DeviceAuthenticatedScanDefinitions/BatchDelete", Doc: "add-a-new-scan-definition.md", Required: "ScanDefinitionIds",
			Roles: "Machine.ReadWrite.All", Delegated: "Machine.ReadWrite", PerMinute: 100, PerHour: 1500, State: "prerelease-notice", Destructive: true,
		},
	})
}
