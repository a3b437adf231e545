package operations

// graph is the family graph.
func graph() []Operation {
	return of("graph", []Operation{
		{
			ID: "run_hunting_query", Client: "RunHuntingQuery", Graph: true, Method: "POST", Path: "/v1.0/security/runHuntingQuery", Doc: "security-security-runhuntingquery.md",
			Success: 200, Required: "Query",
			Roles: "ThreatHunting.Read.All", Delegated: "ThreatHunting.Read.All", PerMinute: 45,
		},
		{
			ID: "list_incidents", Client: "ListIncidents", Graph: true, Method: "GET", Path: "/v1.0/security/incidents", Doc: "security-list-incidents.md",
			Success: 200, Filter: "assignedTo classification createdDateTime determination lastUpdateDateTime severity status", Expand: "alerts", MaxTop: 50,
			Roles: "SecurityIncident.Read.All SecurityIncident.ReadWrite.All", Delegated: "SecurityIncident.Read.All SecurityIncident.ReadWrite.All",
		},
		{
			ID: "get_incident", Client: "GetIncident", Graph: true, Method: "GET", Path: "/v1.0/security/incidents/{incident_id}", Doc: "security-incident-get.md",
			Success: 200, Expand: "alerts",
			Roles: "SecurityIncident.Read.All SecurityIncident.ReadWrite.All", Delegated: "SecurityIncident.Read.All SecurityIncident.ReadWrite.All",
		},
		{
			ID: "update_incident", Client: "UpdateIncident", Graph: true, Method: "PATCH", Path: "/v1.0/security/incidents/{incident_id}", Doc: "security-incident-update.md",
			Success: 200,
			Roles:   "SecurityIncident.ReadWrite.All", Delegated: "SecurityIncident.ReadWrite.All",
		},
		{
			ID: "list_alerts_v2", Client: "ListAlertsV2", Graph: true, Method: "GET", Path: "/v1.0/security/alerts_v2", Doc: "security-list-alerts_v2.md",
			Success: 200, Filter: "assignedTo classification determination createdDateTime lastUpdateDateTime severity serviceSource status", MaxTop: 100,
			Roles: "SecurityAlert.Read.All SecurityAlert.ReadWrite.All", Delegated: "SecurityAlert.Read.All SecurityAlert.ReadWrite.All",
		},
		{
			ID: "get_alert_v2", Client: "GetAlertV2", Graph: true, Method: "GET", Path: "/v1.0/security/alerts_v2/{alert_id}", Doc: "security-alert-get.md",
			Success: 200,
			Roles:   "SecurityAlert.Read.All SecurityAlert.ReadWrite.All", Delegated: "SecurityAlert.Read.All SecurityAlert.ReadWrite.All",
		},
		{
			ID: "update_alert_v2", Client: "UpdateAlertV2", Graph: true, Method: "PATCH", Path: "/v1.0/security/alerts_v2/{alert_id}", Doc: "security-alert-update.md",
			Success: 200,
			Roles:   "SecurityAlert.ReadWrite.All", Delegated: "SecurityAlert.ReadWrite.All",
		},
	})
}
