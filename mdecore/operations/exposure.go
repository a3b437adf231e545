package operations

// vulnerabilities is the family vulnerabilities.
func vulnerabilities() []Operation {
	return of("vulnerabilities", []Operation{
		{
			ID: "list_vulnerabilities", Client: "ListVulnerabilities", Method: "GET", Path: "/api/vulnerabilities", Doc: "get-all-vulnerabilities.md",
			Success: 200, Filter: "id name description cvssV3 publishedOn severity updatedOn", MaxTop: 8000,
			Roles: "Vulnerability.Read.All", Delegated: "Vulnerability.Read", State: "prerelease-notice",
		},
		{
			ID: "list_vulnerabilities_by_machine_and_software", Client: "ListVulnerabilitiesByMachineAndSoftware", Method: "GET", Path: "/api/vulnerabilities/machinesVulnerabilities", Doc: "get-all-vulnerabilities-by-machines.md",
			Success: 200, Filter: "id cveId machineId fixingKbId productName productVersion severity productVendor", MaxTop: 10000,
			Roles: "Vulnerability.Read.All", Delegated: "Vulnerability.Read",
		},
		{
			ID: "get_vulnerability", Client: "GetVulnerability", Method: "GET", Path: "/api/vulnerabilities/{cve_id}", Doc: "get-vulnerability-by-id.md",
			Success: 200,
			Roles:   "Vulnerability.Read.All", Delegated: "Vulnerability.Read", State: "prerelease-notice",
		},
		{
			ID: "list_vulnerability_machines", Client: "ListVulnerabilityMachines", Method: "GET", Path: "/api/vulnerabilities/{cve_id}/machineReferences", Doc: "get-machines-by-vulnerability.md",
			Success: 200,
			Roles:   "Vulnerability.Read.All", Delegated: "Vulnerability.Read", State: "prerelease-notice",
		},
	})
}

// software is the family software.
func software() []Operation {
	return of("software", []Operation{
		{
			ID: "list_software", Client: "ListSoftware", Method: "GET", Path: "/api/Software", Doc: "get-software.md",
			Success: 200, Filter: "id name vendor", MaxTop: 10000,
			Roles: "Software.Read.All", Delegated: "Software.Read",
		},
		{
			ID: "get_software", Client: "GetSoftware", Method: "GET", Path: "/api/Software/{software_id}", Doc: "get-software-by-id.md",
			Success: 200,
			Roles:   "Software.Read.All", Delegated: "Software.Read", State: "prerelease-notice",
		},
		{
			ID: "list_software_version_distribution", Client: "ListSoftwareVersionDistribution", Method: "GET", Path: "/api/Software/{software_id}/distributions", Doc: "get-software-ver-distribution.md",
			Success: 200,
			Roles:   "Software.Read.All", Delegated: "Software.Read", State: "prerelease-notice",
		},
		{
			ID: "list_software_machines", Client: "ListSoftwareMachines", Method: "GET", Path: "/api/Software/{software_id}/machineReferences", Doc: "get-machines-by-software.md",
			Success: 200,
			Roles:   "Software.Read.All", Delegated: "Software.Read", State: "prerelease-notice",
		},
		{
			ID: "list_software_vulnerabilities", Client: "ListSoftwareVulnerabilities", Method: "GET", Path: "/api/Software/{software_id}/vulnerabilities", Doc: "get-vuln-by-software.md",
			Success: 200,
			Roles:   "Vulnerability.Read.All", Delegated: "Vulnerability.Read", State: "prerelease-notice",
		},
		{
			ID: "list_software_missing_kbs", Client: "ListSoftwareMissingKBs", Method: "GET", Path: "/api/Software/{software_id}/getmissingkbs", Doc: "get-missing-kbs-software.md",
			Success: 200,
			Roles:   "Software.Read.All", Delegated: "Software.Read",
		},
	})
}

// recommendations is the family recommendations.
func recommendations() []Operation {
	return of("recommendations", []Operation{
		{
			ID: "list_recommendations", Client: "ListRecommendations", Method: "GET", Path: "/api/recommendations", Doc: "get-all-recommendations.md",
			Success: 200, Filter: "id productName vendor recommendedVersion recommendationCategory subCategory severityScore remediationType recommendedProgram recommendedVendor status", MaxTop: 10000,
			Roles: "SecurityRecommendation.Read.All", Delegated: "SecurityRecommendation.Read",
		},
		{
			ID: "get_recommendation", Client: "GetRecommendation", Method: "GET", Path: "/api/recommendations/{recommendation_id}", Doc: "get-recommendation-by-id.md",
			Success: 200,
			Roles:   "SecurityRecommendation.Read.All", Delegated: "SecurityRecommendation.Read", State: "prerelease-notice",
		},
		{
			ID: "list_recommendation_machines", Client: "ListRecommendationMachines", Method: "GET", Path: "/api/recommendations/{recommendation_id}/machineReferences", Doc: "get-recommendation-machines.md",
			Success: 200,
			Roles:   "SecurityRecommendation.Read.All", Delegated: "SecurityRecommendation.Read", State: "prerelease-notice",
		},
		{
			ID: "list_recommendation_vulnerabilities", Client: "ListRecommendationVulnerabilities", Method: "GET", Path: "/api/recommendations/{recommendation_id}/vulnerabilities", Doc: "get-recommendation-vulnerabilities.md",
			Success: 200,
			Roles:   "Vulnerability.Read.All", Delegated: "Vulnerability.Read", State: "prerelease-notice",
		},
		{
			ID: "get_recommendation_software", Client: "GetRecommendationSoftware", Method: "GET", Path: "/api/recommendations/{recommendation_id}/software", Doc: "list-recommendation-software.md",
			Success: 200,
			Roles:   "Software.Read.All SecurityRecommendation.Read.All", Delegated: "SecurityRecommendation.Read", State: "prerelease-notice",
		},
	})
}

// remediation is the family remediation.
func remediation() []Operation {
	return of("remediation", []Operation{
		{
			ID: "list_remediation_tasks", Client: "ListRemediationTasks", Method: "GET", Path: "/api/remediationTasks", Doc: "get-remediation-all-activities.md",
			Success: 200, Filter: "createdon status", MaxTop: 10000,
			Roles: "RemediationTasks.Read.All", Delegated: "RemediationTask.Read", State: "prerelease-notice",
		},
		{
			ID: "get_remediation_task", Client: "GetRemediationTask", Method: "GET", Path: "/api/remediationTasks/{task_id}", Doc: "get-remediation-one-activity.md",
			Success: 200,
			Roles:   "RemediationTasks.Read.All", Delegated: "RemediationTask.Read", State: "prerelease-notice",
		},
		{
			ID: "list_remediation_task_machines", Client: "ListRemediationTaskMachines", Method: "GET", Path: "/api/remediationTasks/{task_id}/machineReferences", Doc: "get-remediation-exposed-devices-activities.md",
			Success: 200,
			Roles:   "RemediationTasks.Read.All", Delegated: "RemediationTask.Read", State: "prerelease-notice",
		},
	})
}

// scores is the family scores.
func scores() []Operation {
	return of("scores", []Operation{
		{
			ID: "get_exposure_score", Client: "GetExposureScore", Method: "GET", Path: "/api/exposureScore", Doc: "get-exposure-score.md",
			Success: 200,
			Roles:   "Score.Read.All", Delegated: "Score.Read", State: "prerelease-notice",
		},
		{
			ID: "list_exposure_score_by_machine_group", Client: "ListExposureScoreByMachineGroup", Method: "GET", Path: "/api/exposureScore/ByMachineGroups", Doc: "get-machine-group-exposure-score.md",
			Success: 200,
			Roles:   "Score.Read.All", Delegated: "Score.Read", State: "prerelease-notice",
		},
		{
			ID: "get_device_secure_score", Client: "GetDeviceSecureScore", Method: "GET", Path: "/api/configurationScore", Doc: "get-device-secure-score.md",
			Success: 200,
			Roles:   "Score.Read.All", Delegated: "Score.Read",
		},
	})
}
