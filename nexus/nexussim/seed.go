package nexussim

import (
	"fmt"
	"time"
)

// Cluster is what a cluster is, as it is seeded and as [Azure.SetCluster] changes it.
type Cluster struct {
	Name, ResourceGroup, Location string
	// ManagedGroup is the resource group of its nodes.
	ManagedGroup string
	// Level is the enforcement level; UpdateMode Automatic or None.
	Level, UpdateMode string
	// Connection, Manager, Provisioning and Detailed are the cluster's states. Default Connected, Connected, Succeeded, Running.
	Connection, Manager, Provisioning, Detailed string
	Version                                     string
	// OldRuntime reports no actionStates.
	OldRuntime bool
	// OwnStorage has results written to the customer's own container, where a token opens them; otherwise to the cluster
	// manager's, with a signed link.
	OwnStorage bool
	// Override has results of restricted extracts written to another container than the usual one.
	Override bool
	Nodes    []Node
}

// Node is a bare-metal machine, as it is seeded and as [Azure.SetNode] changes it.
type Node struct {
	// Name is the resource's, Machine the host's and Kubernetes the Kubernetes node's name.
	Name, Machine, Kubernetes string
	// Power, Ready, Provisioning, Health and Licence are On, True, Succeeded, Healthy and Licensed unless set.
	Power, Ready, Provisioning, Health, Licence string
	Issues                                      []string
	// Level is the node's own, the cluster's when empty.
	Level string
	// Definitions are when its definitions were updated; Scanned when its last scan ended. Both may be zero.
	Definitions, Scanned time.Time
	// Threats are what its agent reports.
	Threats []Threat
	// Result is what becomes of the report that is asked for.
	Result Result
	// Size is the report's size in bytes before packing, Azure.ReportSize when zero.
	Size int
	// Unknown says that its agent states no id in Defender for Endpoint.
	Unknown bool
	// Spare machines belong to no cluster.
	Spare bool
}

// Threat is something that a node's agent found.
type Threat struct {
	ID, Name, Type, Severity, Path string
	// Statuses is its history, the latest last.
	Statuses []string
	At       time.Time
}

// Result is what becomes of a report that is asked for.
type Result string

// The results. The zero value is a tar.gz with the report in it.
const (
	ResultArchive   Result = ""
	ResultZipped    Result = "zip in a tar.gz"
	ResultPlain     Result = "plain JSON"
	ResultCut       Result = "JSON cut in the middle"
	ResultTraversal Result = "a name that leads out of the archive"
	ResultBomb      Result = "an archive that grows without end"
	ResultEmpty     Result = "an archive without a report"
	ResultDamaged   Result = "a damaged archive"
	ResultHash      Result = "a Content-MD5 that is another's"
	ResultGone      Result = "result gone"
	ResultForeign   Result = "result on another host"
	ResultTimeLimit Result = "time limit, and Succeeded"  // exit code 252
	ResultTimedOut  Result = "time limit, and Failed"     // exit code 252
	ResultExit      Result = "another exit code"          // exit code 1
	ResultFailed    Result = "the operation fails"        // Failed in a 200
	ResultCanceled  Result = "the operation is canceled"  // Canceled
	ResultLost      Result = "the operation is forgotten" // 404
	ResultStopped   Result = "the agent is stopped"       // sections are missing and null
)

// DefaultClusters are the clusters of a zero [Azure]: contoso-cluster, which is as it should be but for some nodes, edge-lab,
// which is not protected, and legacy-site with an older runtime.
func DefaultClusters() []Cluster {
	day := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	contoso := Cluster{
		Name: "contoso-cluster", ResourceGroup: "contoso-cluster-rg", ManagedGroup: "contoso-cluster-managed-rg", Location: "eastus",
		Level: "OnDemand", UpdateMode: "Automatic", Version: "4.4.1", OwnStorage: true, Nodes: Nodes(1, 2, 6, day),
	}
	contoso.Nodes[2].Threats = []Threat{{
		ID: "6b1f5c4e-0d6a-4a58-9f2f-0c5b7b1f2a10", Name: "Virus:DOS/EICAR_Test_File", Type: "virus", Severity: "severe",
		Path: "/var/tmp/eicar.com", Statuses: []string{"detected", "quarantined"}, At: day.Add(-time.Hour),
	}}
	contoso.Nodes[3].Level = "Passive"
	contoso.Nodes[5].Power, contoso.Nodes[5].Ready = "Off", "False"
	contoso.Nodes[6].Health, contoso.Nodes[6].Issues = "Unhealthy", []string{"definitions out of date"}
	contoso.Nodes[6].Definitions = day.AddDate(0, 0, -30)
	contoso.Nodes[7].Ready = "False"
	return []Cluster{
		contoso,
		{
			Name: "edge-lab", ResourceGroup: "lab-rg", ManagedGroup: "edge-lab-managed-rg", Location: "westus", Level: "Disabled",
			UpdateMode: "None", Version: "4.4.1", OwnStorage: true, Nodes: Nodes(2, 1, 3, time.Time{}),
		},
		{
			Name: "legacy-site", ResourceGroup: "contoso-cluster-rg", ManagedGroup: "legacy-site-managed-rg", Location: "eastus",
			Level: "Passive", UpdateMode: "None", Version: "3.12.4", OldRuntime: true, OwnStorage: true, Nodes: Nodes(3, 1, 3, day),
		},
	}
}

// Nodes makes nodes of one rack, so many for control and for computing: rack1control01 with the machine name r01c001 and so on.
func Nodes(rack, control, compute int, scanned time.Time) []Node {
	var out []Node
	for i := range control + compute {
		role, n := "control", i+1
		if i >= control {
			role, n = "compute", i-control+1
		}
		out = append(out, Node{
			Name: fmt.Sprintf("rack%d%s%02d", rack, role, n), Machine: fmt.Sprintf("r%02d%s%03d", rack, letter(role), n),
			Kubernetes: fmt.Sprintf("rack%d-%s-%d", rack, role, n), Definitions: scanned, Scanned: scanned,
		})
	}
	return out
}

// letter tells control machines from computing ones, which begin alike.
func letter(role string) string {
	if role == "control" {
		return "c"
	}
	return "w"
}
