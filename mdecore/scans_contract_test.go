package mdecore_test

import "github.com/mde-ops/mde-ops/mdecore"

func scanSamples() map[string]any {
	return map[string]any{
		"list_scan_definitions": new(mdecore.ScanDefinition), "create_scan_definition": new(mdecore.ScanDefinition),
		"update_scan_definition": new(mdecore.ScanDefinition), "list_scan_agents": new(mdecore.ScanAgent), "get_scan_agent": new(mdecore.ScanAgent),
		"get_scan_history_by_definition": new(mdecore.ScanHistoryByDefinition), "get_scan_history_by_session": new(mdecore.ScanHistoryBySession),
	}
}

func scanResources() map[string]any {
	return map[string]any{
		"scanDefinition": mdecore.ScanDefinition{}, "scanAuthenticationParams": mdecore.ScanAuthenticationParams{}, "scannerAgent": mdecore.ScannerAgent{},
		"scanAgent": mdecore.ScanAgent{}, "scanHistoryByDefinition": mdecore.ScanHistoryByDefinition{}, "scanHistoryBySession": mdecore.ScanHistoryBySession{},
	}
}

func scanRequests() map[string]any {
	return map[string]any{
		"create_scan_definition": mdecore.CreateScanDefinitionRequest{}, "update_scan_definition": mdecore.UpdateScanDefinitionRequest{},
		"batch_delete_scan_definitions":  mdecore.BatchDeleteScanDefinitionsRequest{},
		"get_scan_history_by_definition": mdecore.ScanHistoryByDefinitionRequest{}, "get_scan_history_by_session": mdecore.ScanHistoryBySessionRequest{},
	}
}
