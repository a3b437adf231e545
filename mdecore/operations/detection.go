package operations

// alerts is the family alerts.
func alerts() []Operation {
	return of("alerts", []Operation{
		{
			ID: "list_alerts", Client: "ListAlerts", Method: "GET", Path: "/api/alerts", Doc: "get-alerts.md",
			Success: 200, Filter: "alertCreationTime lastUpdateTime incidentId InvestigationId id assignedTo detectionSource lastEventTime status severity category", Expand: "evidence", MaxTop: 10000,
			Roles: "Alert.ReadWrite.All Alert.Read.All", Delegated: "Alert.ReadWrite Alert.Read", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "get_alert", Client: "GetAlert", Method: "GET", Path: "/api/alerts/{alert_id}", Doc: "get-alert-info-by-id.md",
			Success: 200,
			Roles:   "Alert.ReadWrite.All Alert.Read.All", Delegated: "Alert.ReadWrite Alert.Read", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "update_alert", Client: "UpdateAlert", Method: "PATCH", Path: "/api/alerts/{alert_id}", Doc: "update-alert.md",
			Success: 200,
			Roles:   "Alert.ReadWrite.All", Delegated: "Alert.ReadWrite", PerMinute: 100, PerHour: 1500, Destructive: true,
		},
		{
			ID: "batch_update_alerts", Client: "BatchUpdateAlerts", Method: "POST", Path: "/api/alerts/batchUpdate", Doc: "batch-update-alerts.md",
			Success: 200, Required: "alertIds",
			Roles: "Alert.ReadWrite.All", Delegated: "Alert.ReadWrite", PerMinute: 10, PerHour: 500, Destructive: true,
		},
		{
			ID: "create_alert_by_reference", Client: "CreateAlertByReference", Method: "POST", Path: "/api/alerts/CreateAlertByReference", Doc: "create-alert-by-reference.md",
			Success: 200, Required: "eventTime reportId machineId severity title description recommendedAction category",
			Roles: "Alert.ReadWrite.All", Delegated: "Alert.ReadWrite", PerMinute: 15, Destructive: true,
		},
		{
			ID: "list_alert_domains", Client: "ListAlertDomains", Method: "GET", Path: "/api/alerts/{alert_id}/domains", Doc: "get-alert-related-domain-info.md",
			Success: 200,
			Roles:   "URL.Read.All", Delegated: "URL.Read.All", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "list_alert_files", Client: "ListAlertFiles", Method: "GET", Path: "/api/alerts/{alert_id}/files", Doc: "get-alert-related-files-info.md",
			Success: 200,
			Roles:   "File.Read.All", Delegated: "File.Read.All", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "list_alert_ips", Client: "ListAlertIPs", Method: "GET", Path: "/api/alerts/{alert_id}/ips", Doc: "get-alert-related-ip-info.md",
			Success: 200,
			Roles:   "Ip.Read.All", Delegated: "Ip.Read.All", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "get_alert_machine", Client: "GetAlertMachine", Method: "GET", Path: "/api/alerts/{alert_id}/machine", Doc: "get-alert-related-machine-info.md",
			Success: 200,
			Roles:   "Machine.Read.All Machine.ReadWrite.All", Delegated: "Machine.Read Machine.ReadWrite", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "get_alert_user", Client: "GetAlertUser", Method: "GET", Path: "/api/alerts/{alert_id}/user", Doc: "get-alert-related-user-info.md",
			Success: 200,
			Roles:   "User.Read.All", Delegated: "User.Read.All", PerMinute: 100, PerHour: 1500,
		},
	})
}

// hunting is the family hunting.
func hunting() []Operation {
	return of("hunting", []Operation{
		{
			ID: "run_advanced_query", Client: "RunAdvancedQuery", Method: "POST", Path: "/api/advancedqueries/run", Doc: "run-advanced-query-api.md",
			Success: 200, Required: "Query",
			Roles: "AdvancedQuery.Read.All", Delegated: "AdvancedQuery.Read", PerMinute: 45, PerHour: 1500, State: "deprecated",
		},
	})
}

// investigations is the family investigations.
func investigations() []Operation {
	return of("investigations", []Operation{
		{
			ID: "start_investigation", Client: "StartInvestigation", Method: "POST", Path: "/api/machines/{machine_id}/startInvestigation", Doc: "initiate-autoir-investigation.md",
			Success: 201, Required: "Comment",
			Roles: "Alert.ReadWrite.All", Delegated: "Alert.ReadWrite", PerHour: 50, State: "deprecated", Destructive: true,
		},
		{
			ID: "list_investigations", Client: "ListInvestigations", Method: "GET", Path: "/api/investigations", Doc: "get-investigation-collection.md",
			Success: 200, Filter: "startTime id state machineId triggeringAlertId", MaxTop: 10000,
			Roles: "Alert.ReadWrite.All Alert.Read.All", Delegated: "Alert.ReadWrite Alert.Read", PerMinute: 100, PerHour: 1500, State: "deprecated",
		},
		{
			ID: "get_investigation", Client: "GetInvestigation", Method: "GET", Path: "/api/investigations/{investigation_id}", Doc: "get-investigation-object.md",
			Success: 200,
			Roles:   "Alert.ReadWrite.All Alert.Read.All", Delegated: "Alert.ReadWrite Alert.Read", PerMinute: 100, PerHour: 1500, State: "deprecated",
		},
	})
}

// indicators is the family indicators.
func indicators() []Operation {
	return of("indicators", []Operation{
		{
			ID: "list_indicators", Client: "ListIndicators", Method: "GET", Path: "/api/indicators", Doc: "get-ti-indicators-collection.md",
			Success: 200, Filter: "application createdByDisplayName expirationTime generateAlert title rbacGroupNames rbacGroupIds indicatorValue indicatorType creationTimeDateTimeUtc createdBy action severity", MaxTop: 10000,
			Roles: "Ti.ReadWrite Ti.ReadWrite.All", Delegated: "Ti.ReadWrite", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "submit_indicator", Client: "SubmitIndicator", Method: "POST", Path: "/api/indicators", Doc: "post-ti-indicator.md",
			Success: 200, Required: "indicatorValue indicatorType action title description",
			Roles: "Ti.ReadWrite.All Ti.ReadWrite", Delegated: "Ti.ReadWrite", PerMinute: 100, PerHour: 1500, Destructive: true,
		},
		{
			ID: "import_indicators", Client: "ImportIndicators", Method: "POST", Path: "/api/indicators/import", Doc: "import-ti-indicators.md",
			Success: 200, Required: "Indicators",
			Roles: "Ti.ReadWrite.All Ti.ReadWrite", Delegated: "Ti.ReadWrite", PerMinute: 30, Destructive: true,
		},
		{
			ID: "batch_delete_indicators", Client: "BatchDeleteIndicators", Method: "POST", Path: "/api/indicators/BatchDelete", Doc: "batch-delete-ti-indicators.md",
			Success: 204, Required: "IndicatorIds",
			Roles: "Ti.ReadWrite.All", PerMinute: 30, PerHour: 1500, Destructive: true,
		},
		{
			ID: "delete_indicator", Client: "DeleteIndicator", Method: "DELETE", Path: "/api/indicators/{indicator_id}", Doc: "delete-ti-indicator-by-id.md",
			Success: 204,
			Roles:   "Ti.ReadWrite.All Ti.ReadWrite", PerMinute: 100, PerHour: 1500, Destructive: true,
		},
	})
}
