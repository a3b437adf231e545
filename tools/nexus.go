package tools

import (
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/nexus"
)

// NexusReader is where Nexus clusters are looked for.
type NexusReader struct {
	Client *nexus.Client
	// Subscriptions are the Azure subscriptions (GUIDs) whose clusters the tools know.
	Subscriptions []string
}

// nexusHands are what a step on a cluster or node may touch. To find and to follow, it has no writer.
type nexusHands struct {
	reader, writer *nexus.Client
	decodes        *decodes
	operations     *addressBook
}

// The kinds of targets of steps on Nexus.
const (
	kindCluster = "cluster"
	kindNode    = "node"
)

// namedByItsID refuses a cluster or node that is called otherwise than its resource id says: people read the name, and the step
// acts on the id. What a node's machine is called stands behind it.
func namedByItsID(t approvals.Target) error {
	id, err := nexus.ParseID(t.ID)
	kind := map[string]nexus.Kind{kindCluster: nexus.KindCluster, kindNode: nexus.KindNode}[t.Kind]
	if err != nil || id.Kind != kind || t.Name != id.Name && (t.Kind != kindNode || !strings.HasPrefix(t.Name, id.Name+" (")) {
		return approvals.Refuse(approvals.KindDenied, err, "target %s is not the %s %s that the plan says; ask again", quoted(t.ID, 200), t.Kind, quoted(t.Name, 120))
	}
	return nil
}

// nexusTools lists the toolset nexus.
func nexusTools() []declaration {
	return []declaration{
		nexusListClusters(), nexusGetRuntimeProtection(), nexusListNodes(), nexusSetEnforcementLevel(), nexusStartScan(), nexusScanProgress(),
		nexusCollectReports(), nexusGetReport(), nexusThreatSummary(),
	}
}

// nexusReader is the way to the clusters, or a refusal that says what is not set.
func (h *house) nexusReader() (*NexusReader, error) {
	if h.nexus == nil || h.nexus.Client == nil || len(h.nexus.Subscriptions) == 0 {
		return nil, approvals.Refuse(approvals.KindInvalid, nil,
			"no Nexus clusters are configured here: set MDE_NEXUS_SUBSCRIPTIONS to the ids of the Azure subscriptions that hold them (docs/nexus.md)")
	}
	return h.nexus, nil
}

// AzureActions are the permissions in Azure that a tool needs: reads for the reading application, works for the writing one.
// Both are empty for tools that ask nothing of Azure, and get_device does with what there is.
func AzureActions(tool string) (reads, works []string) {
	const (
		clusters = "Microsoft.NetworkCloud/clusters/read"
		nodes    = "Microsoft.NetworkCloud/bareMetalMachines/read"
		status   = "Microsoft.NetworkCloud/locations/operationStatuses/read"
	)
	switch tool {
	case "nexus_list_clusters":
		return []string{clusters}, nil
	case "nexus_get_runtime_protection", "nexus_list_nodes", "nexus_scan_progress", "nexus_get_report", "nexus_threat_summary":
		return []string{clusters, nodes}, nil
	case "nexus_set_enforcement_level":
		return []string{clusters, nodes, status}, []string{clusters, "Microsoft.NetworkCloud/clusters/write"}
	case "nexus_start_scan":
		return []string{clusters, nodes, status}, []string{clusters, "Microsoft.NetworkCloud/clusters/scanRuntime/action"}
	case "nexus_collect_reports":
		return []string{clusters, nodes, status}, []string{"Microsoft.NetworkCloud/bareMetalMachines/runDataExtractsRestricted/action"}
	}
	return nil, nil
}
