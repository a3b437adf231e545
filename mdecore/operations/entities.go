package operations

// files is the family files.
func files() []Operation {
	return of("files", []Operation{
		{
			ID: "get_file", Client: "GetFile", Method: "GET", Path: "/api/files/{file_id}", Doc: "get-file-information.md",
			Success: 200,
			Roles:   "File.Read.All", Delegated: "File.Read.All", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "list_file_alerts", Client: "ListFileAlerts", Method: "GET", Path: "/api/files/{file_id}/alerts", Doc: "get-file-related-alerts.md",
			Success: 200,
			Roles:   "Alert.ReadWrite.All Alert.Read.All", Delegated: "Alert.ReadWrite Alert.Read", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "list_file_machines", Client: "ListFileMachines", Method: "GET", Path: "/api/files/{file_id}/machines", Doc: "get-file-related-machines.md",
			Success: 200,
			Roles:   "Machine.ReadWrite.All Machine.Read.All", Delegated: "Machine.ReadWrite Machine.Read", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "get_file_stats", Client: "GetFileStats", Method: "GET", Path: "/api/files/{file_id}/stats", Doc: "get-file-statistics.md",
			Success: 200, Query: "lookBackHours",
			Roles: "File.Read.All", Delegated: "File.Read.All", PerMinute: 100, PerHour: 1500,
		},
	})
}

// ips is the family ips.
func ips() []Operation {
	return of("ips", []Operation{
		{
			ID: "list_ip_alerts", Client: "ListIPAlerts", Method: "GET", Path: "/api/ips/{ip}/alerts", Doc: "get-ip-related-alerts.md",
			Success: 200,
			Roles:   "Alert.Read.All Alert.ReadWrite.All", Delegated: "Alert.Read Alert.ReadWrite", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "get_ip_stats", Client: "GetIPStats", Method: "GET", Path: "/api/ips/{ip}/stats", Doc: "get-ip-statistics.md",
			Success: 200, Query: "lookBackHours",
			Roles: "Ip.Read.All", Delegated: "Ip.Read.All", PerMinute: 100, PerHour: 1500,
		},
	})
}

// domains is the family domains.
func domains() []Operation {
	return of("domains", []Operation{
		{
			ID: "list_domain_alerts", Client: "ListDomainAlerts", Method: "GET", Path: "/api/domains/{domain}/alerts", Doc: "get-domain-related-alerts.md",
			Success: 200,
			Roles:   "Alert.ReadWrite.All Alert.Read.All", Delegated: "Alert.ReadWrite Alert.Read", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "list_domain_machines", Client: "ListDomainMachines", Method: "GET", Path: "/api/domains/{domain}/machines", Doc: "get-domain-related-machines.md",
			Success: 200,
			Roles:   "Machine.ReadWrite.All Machine.Read.All", Delegated: "Machine.ReadWrite Machine.Read", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "get_domain_stats", Client: "GetDomainStats", Method: "GET", Path: "/api/domains/{domain}/stats", Doc: "get-domain-statistics.md",
			Success: 200, Query: "lookBackHours",
			Roles: "URL.Read.All", Delegated: "URL.Read.All", PerMinute: 100, PerHour: 1500,
		},
	})
}

// users is the family users.
func users() []Operation {
	return of("users", []Operation{
		{
			ID: "list_user_alerts", Client: "ListUserAlerts", Method: "GET", Path: "/api/users/{user_id}/alerts", Doc: "get-user-related-alerts.md",
			Success: 200,
			Roles:   "Alert.Read.All Alert.ReadWrite.All", Delegated: "Alert.Read Alert.ReadWrite", PerMinute: 100, PerHour: 1500,
		},
		{
			ID: "list_user_machines", Client: "ListUserMachines", Method: "GET", Path: "/api/users/{user_id}/machines", Doc: "get-user-related-machines.md",
			Success: 200,
			Roles:   "Machine.ReadWrite.All Machine.Read.All", Delegated: "Machine.ReadWrite Machine.Read", PerMinute: 100, PerHour: 1500,
		},
	})
}
