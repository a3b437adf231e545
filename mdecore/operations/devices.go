package operations

// machines is the family machines.
func machines() []Operation {
	return of("machines", []Operation{
		{
			ID: "list_machines", Client: "ListMachines", Method: "GET", Path: "/api/machines", Doc: "get-machines.md",
			Success: 200, Filter: "computerDnsName id version deviceValue aadDeviceId machineTags lastSeen exposureLevel onboardingStatus lastIpAddress healthStatus osPlatform riskScore rbacGroupId", MaxTop: 10000,
			Roles: "Machine.Read.All Machine.ReadWrite.All", Delegated: "Machine.Read Machine.ReadWrite", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "get_machine", Client: "GetMachine", Method: "GET", Path: "/api/machines/{machine_id}", Doc: "get-machine-by-id.md",
			Success: 200,
			Roles:   "Machine.ReadWrite.All Machine.Read.All", Delegated: "Machine.ReadWrite Machine.Read", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "list_machine_logon_users", Client: "ListMachineLogonUsers", Method: "GET", Path: "/api/machines/{machine_id}/logonusers", Doc: "get-machine-log-on-users.md",
			Success: 200,
			Roles:   "User.Read.All", Delegated: "User.Read.All", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "list_machine_alerts", Client: "ListMachineAlerts", Method: "GET", Path: "/api/machines/{machine_id}/alerts", Doc: "get-machine-related-alerts.md",
			Success: 200,
			Roles:   "Alert.ReadWrite.All Alert.Read.All", Delegated: "Alert.ReadWrite Alert.Read", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "list_machine_software", Client: "ListMachineSoftware", Method: "GET", Path: "/api/machines/{machine_id}/software", Doc: "get-installed-software.md",
			Success: 200,
			Roles:   "Software.Read.All", Delegated: "Software.Read", State: "prerelease-notice",
		},
		{
			ID: "list_machine_vulnerabilities", Client: "ListMachineVulnerabilities", Method: "GET", Path: "/api/machines/{machine_id}/vulnerabilities", Doc: "get-discovered-vulnerabilities.md",
			Success: 200,
			Roles:   "Vulnerability.Read.All", Delegated: "Vulnerability.Read", PerMinute: 50, PerHour: 1500,
		},
		{
			ID: "list_machine_recommendations", Client: "ListMachineRecommendations", Method: "GET", Path: "/api/machines/{machine_id}/recommendations", Doc: "get-security-recommendations.md",
			Success: 200,
			Roles:   "SecurityRecommendation.Read.All", Delegated: "SecurityRecommendation.Read", State: "prerelease-notice",
		},
		{
			ID: "list_machine_missing_kbs", Client: "ListMachineMissingKBs", Method: "GET", Path: "/api/machines/{machine_id}/getmissingkbs", Doc: "get-missing-kbs-machine.md",
			Success: 200,
			Roles:   "Software.Read.All",
		},
		{
			ID: "add_or_remove_machine_tag", Client: "AddOrRemoveMachineTag", Method: "POST", Path: "/api/machines/{machine_id}/tags", Doc: "add-or-remove-machine-tags.md",
			Success: 200, Required: "Value Action",
			Roles: "Machine.ReadWrite.All", Delegated: "Machine.ReadWrite", PerMinute: 100, PerHour: 1500, Destructive: true,
		},
		{
			ID: "add_or_remove_tag_for_multiple_machines", Client: "AddOrRemoveTagForMultipleMachines", Method: "POST", Path: "/api/machines/AddOrRemoveTagForMultipleMachines", Doc: "add-or-remove-multiple-machine-tags.md",
			Success: 200, Required: "Value Action MachineIds",
			Roles: "Machine.ReadWrite.All", Delegated: "Machine.ReadWrite", PerMinute: 100, PerHour: 1500, Destructive: true,
		},
		{
			ID: "find_machines_by_ip", Client: "FindMachinesByIP", Method: "GET", Path: "/api/machines/findbyip(ip='{ip}',timestamp={timestamp})", Doc: "find-machines-by-ip.md",
			Success: 200,
			Roles:   "Machine.ReadWrite.All Machine.Read.All", Delegated: "Machine.ReadWrite Machine.Read", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "find_machine_info_by_ip", Client: "FindMachineInfoByIP", Method: "GET", Path: "/api/machines/find(timestamp={timestamp},key={ip})", Doc: "find-machine-info-by-ip.md",
			Success: 200,
			Roles:   "Machine.ReadWrite.All Machine.Read.All", State: "legacy",
		},
		{
			ID: "find_machines_by_tag", Client: "FindMachinesByTag", Method: "GET", Path: "/api/machines/findbytag", Doc: "find-machines-by-tag.md",
			Success: 200, Query: "tag useStartsWithFilter",
			Roles: "Machine.ReadWrite.All Machine.Read.All", Delegated: "Machine.ReadWrite Machine.Read", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "set_device_value", Client: "SetDeviceValue", Method: "POST", Path: "/api/machines/{machine_id}/setDeviceValue", Doc: "set-device-value.md",
			Success: 200, Required: "DeviceValue",
			Roles: "Machine.ReadWrite.All", Delegated: "Machine.ReadWrite", PerMinute: 100, PerHour: 1500, Destructive: true,
		},
		{
			ID: "update_machine", Client: "UpdateMachine", Method: "PATCH", Path: "/api/machines/{machine_id}", Doc: "update-machine-method.md",
			Success: 200,
			Roles:   "Machine.ReadWrite.All", Delegated: "Machine.ReadWrite", PerMinute: 100, PerHour: 1500, Destructive: true,
		},
	})
}

// machineActions is the family machine_actions.
func machineActions() []Operation {
	return of("machine_actions", []Operation{
		{
			ID: "list_machine_actions", Client: "ListMachineActions", Method: "GET", Path: "/api/machineactions", Doc: "get-machineactions-collection.md",
			Success: 200, Filter: "id status machineId type requestor creationDateTimeUtc", MaxTop: 10000,
			Roles: "Machine.ReadWrite.All Machine.Read.All", Delegated: "Machine.ReadWrite Machine.Read", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "get_machine_action", Client: "GetMachineAction", Method: "GET", Path: "/api/machineactions/{action_id}", Doc: "get-machineaction-object.md",
			Success: 200,
			Roles:   "Machine.ReadWrite.All Machine.Read.All", Delegated: "Machine.ReadWrite Machine.Read", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "collect_investigation_package", Client: "CollectInvestigationPackage", Method: "POST", Path: "/api/machines/{machine_id}/collectInvestigationPackage", Doc: "collect-investigation-package.md",
			Success: 201, Required: "Comment",
			Roles: "Machine.CollectForensics", Delegated: "Machine.CollectForensics", PerMinute: 100, PerHour: 1500, Destructive: true,
		},
		{
			ID: "get_investigation_package_uri", Client: "GetInvestigationPackageURI", Method: "GET", Path: "/api/machineactions/{action_id}/getPackageUri", Doc: "get-package-sas-uri.md",
			Success: 200,
			Roles:   "Machine.ReadWrite.All Machine.CollectForensics", Delegated: "Machine.CollectForensics", PerMinute: 2, PerHour: 120,
		},
		{
			ID: "isolate_machine", Client: "IsolateMachine", Method: "POST", Path: "/api/machines/{machine_id}/isolate", Doc: "isolate-machine.md",
			Success: 201, Required: "Comment",
			Roles: "Machine.Isolate", Delegated: "Machine.Isolate", PerMinute: 100, PerHour: 1500, Destructive: true,
		},
		{
			ID: "unisolate_machine", Client: "UnisolateMachine", Method: "POST", Path: "/api/machines/{machine_id}/unisolate", Doc: "unisolate-machine.md",
			Success: 201, Required: "Comment",
			Roles: "Machine.Isolate", Delegated: "Machine.Isolate", PerMinute: 100, PerHour: 1500, Destructive: true,
		},
		{
			ID: "restrict_code_execution", Client: "RestrictCodeExecution", Method: "POST", Path: "/api/machines/{machine_id}/restrictCodeExecution", Doc: "restrict-code-execution.md",
			Success: 201, Required: "Comment",
			Roles: "Machine.RestrictExecution", Delegated: "Machine.RestrictExecution", PerMinute: 100, PerHour: 1500, Destructive: true,
		},
		{
			ID: "unrestrict_code_execution", Client: "UnrestrictCodeExecution", Method: "POST", Path: "/api/machines/{machine_id}/unrestrictCodeExecution", Doc: "unrestrict-code-execution.md",
			Success: 201, Required: "Comment",
			Roles: "Machine.RestrictExecution", Delegated: "Machine.RestrictExecution", PerMinute: 100, PerHour: 1500, Destructive: true,
		},
		{
			ID: "run_antivirus_scan", Client: "RunAntiVirusScan", Method: "POST", Path: "/api/machines/{machine_id}/runAntiVirusScan", Doc: "run-av-scan.md",
			Success: 201, Required: "Comment ScanType",
			Roles: "Machine.Scan", Delegated: "Machine.Scan", PerMinute: 100, PerHour: 1500, Destructive: true,
		},
		{
			ID: "stop_and_quarantine_file", Client: "StopAndQuarantineFile", Method: "POST", Path: "/api/machines/{machine_id}/StopAndQuarantineFile", Doc: "stop-and-quarantine-file.md",
			Success: 201, Required: "Comment Sha1",
			Roles: "Machine.StopAndQuarantine Machine.ReadWrite.All", Delegated: "Machine.StopAndQuarantine", PerMinute: 100, PerHour: 1500, Destructive: true,
		},
		{
			ID: "cancel_machine_action", Client: "CancelMachineAction", Method: "POST", Path: "/api/machineactions/{action_id}/cancel", Doc: "cancel-machine-action.md",
			Success: 200,
			Roles:   "Machine.CollectForensics Machine.Isolate Machine.RestrictExecution Machine.Scan Machine.Offboard Machine.StopAndQuarantine Machine.LiveResponse", Delegated: "Machine.CollectForensics Machine.Isolate Machine.RestrictExecution Machine.Scan Machine.Offboard Machine.StopAndQuarantine Machine.LiveResponse", PerMinute: 100, PerHour: 1500, State: "prerelease-notice", Destructive: true,
		},
		{
			ID: "offboard_machine", Client: "OffboardMachine", Method: "POST", Path: "/api/machines/{machine_id}/offboard", Doc: "offboard-machine-api.md",
			Success: 200, Required: "Comment",
			Roles: "Machine.Offboard", Delegated: "Machine.Offboard", PerMinute: 100, PerHour: 1500, Destructive: true,
		},
	})
}

// liveResponse is the family live_response.
func liveResponse() []Operation {
	return of("live_response", []Operation{
		{
			ID: "run_live_response", Client: "RunLiveResponse", Method: "POST", Path: "/api/machines/{machine_id}/runliveresponse", Doc: "run-live-response.md",
			Success: 201, Required: "Commands",
			Roles: "Machine.LiveResponse", Delegated: "Machine.LiveResponse", PerMinute: 10, State: "prerelease-notice", Destructive: true,
		},
		{
			ID: "get_live_response_result_link", Client: "GetLiveResponseResultLink", Method: "GET", Path: "/api/machineactions/{action_id}/GetLiveResponseResultDownloadLink(index={command_index})", Doc: "get-live-response-result.md",
			Success: 200,
			Roles:   "Machine.ReadWrite.All Machine.LiveResponse", Delegated: "Machine.LiveResponse", PerMinute: 100, PerHour: 1500, State: "prerelease-notice",
		},
	})
}

// library is the family library.
func library() []Operation {
	return of("library", []Operation{
		{
			ID: "list_library_files", Client: "ListLibraryFiles", Method: "GET", Path: "/api/libraryfiles", Doc: "list-library-files.md",
			Success: 200,
			Roles:   "Library.Manage", Delegated: "Library.Manage", PerMinute: 100, PerHour: 1500, State: "prerelease-notice",
		},
		{
			ID: "upload_library_file", Client: "UploadLibraryFile", Method: "POST", Path: "/api/libraryfiles", Doc: "upload-library.md",
			Success: 200, Required: "File",
			Roles: "Library.Manage", Delegated: "Library.Manage", PerMinute: 100, PerHour: 1500, State: "prerelease-notice", Destructive: true,
		},
		{
			ID: "delete_library_file", Client: "DeleteLibraryFile", Method: "DELETE", Path: "/api/libraryfiles/{file_name}", Doc: "delete-library.md",
			Success: 204,
			Roles:   "Library.Manage", Delegated: "Library.Manage", PerMinute: 100, PerHour: 1500, State: "prerelease-notice", Destructive: true,
		},
	})
}

// deviceHealth is the family device_health.
func deviceHealth() []Operation {
	return of("device_health", []Operation{
		{
			ID: "list_device_av_info", Client: "ListDeviceAVInfo", Method: "GET", Path: "/api/deviceavinfo", Doc: "device-health-export-antivirus-health-report-api.md",
			Success: 200, Filter: "machineId computerDnsName osKind osPlatform osVersion avMode avSignatureVersion avEngineVersion avPlatformVersion quickScanResult quickScanError fullScanResult fullScanError avIsSignatureUpToDate avIsEngineUpToDate avIsPlatformUpToDate rbacGroupId", MaxTop: 10000,
			Roles: "Machine.Read.All", Delegated: "Machine.Read", PerMinute: 30, PerHour: 1000,
		},
		{
			ID: "export_device_av_health_files", Client: "ExportDeviceAVHealthFiles", Method: "GET", Path: "/api/machines/InfoGatheringExport", Doc: "device-health-export-antivirus-health-report-api.md",
			Success: 200, Query: "sasValidHours",
			Roles: "Vulnerability.Read.All", Delegated: "Vulnerability.Read", PerMinute: 30, PerHour: 1000, State: "preview",
		},
	})
}
