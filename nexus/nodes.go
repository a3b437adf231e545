package nexus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"
)

const (
	routeNodes  = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.NetworkCloud/bareMetalMachines"
	routeReport = routeNodes + "/{bareMetalMachineName}/runDataExtractsRestricted"

	// reportCommand is the extract that holds the agent's report.
	reportCommand = "mde-agent-information"
)

// The bounds of the time that a node may take for a report (limitTimeSeconds).
const (
	MinReportTime = time.Minute
	MaxReportTime = 4 * time.Hour
)

// ListNodes lists the nodes of a cluster as it was read, from its managed resource group. Nodes there that name another
// cluster are left out. A failure is yielded once and ends the list: whoever sees no error has seen everything.
// Operation BareMetalMachines_ListByResourceGroup.
func (c *Client) ListNodes(ctx context.Context, of *Cluster) iter.Seq2[*Node, error] {
	const op = "ListNodes"
	if err := checkNodesOf(of); err != nil {
		return func(yield func(*Node, error) bool) { yield(nil, refuse(op, err)) }
	}
	group := of.ManagedResourceGroup
	what := call{
		op: op, method: http.MethodGet, route: routeNodes, permission: permitReadNodes,
		path:    "/subscriptions/" + of.ID.Subscription + "/resourceGroups/" + group + "/providers/" + provider + "/" + string(KindNode),
		missing: fmt.Sprintf("the managed resource group %s of cluster %s, which holds its nodes, is not there or this application may not see it", group, of.ID.Name),
	}
	return list(ctx, c, of.ID.Subscription, what, func(w *nodeWire, _ string) (*Node, error) {
		node, err := w.node()
		if err != nil {
			return nil, err
		}
		if !strings.EqualFold(node.ID.Subscription, of.ID.Subscription) || !strings.EqualFold(node.ID.ResourceGroup, group) {
			return nil, fmt.Errorf("it holds the node %s, which is somewhere else than was asked for", node.ID)
		}
		if other, err := ParseID(w.Properties.ClusterID); err == nil && !other.Same(of.ID) {
			return nil, nil
		}
		return node, nil
	})
}

// checkNodesOf refuses a cluster whose nodes can't be told.
func checkNodesOf(of *Cluster) error {
	if of == nil {
		return errors.New("nodes are listed of a cluster that was read before; none is given")
	}
	if err := checkID(of.ID, KindCluster); err != nil {
		return err
	}
	if of.ManagedResourceGroup == "" {
		return fmt.Errorf("the cluster %s names no managed resource group, so that its nodes can't be found", of.ID.Name)
	}
	return checkResourceGroup(of.ManagedResourceGroup)
}

// reportRequest is the body of runDataExtractsRestricted.
type reportRequest struct {
	Commands         []reportCommandWire `json:"commands"`
	LimitTimeSeconds int64               `json:"limitTimeSeconds"`
}

type reportCommandWire struct {
	Command string `json:"command"`
}

// StartReport has a node write the report of its agent (runDataExtractsRestricted, mde-agent-information). limit is 1 min to
// 4 h, in whole seconds. The unrestricted extract is never used instead: it would go round the right that restricts this one.
// Operation BareMetalMachines_RunDataExtractsRestricted.
func (c *Client) StartReport(ctx context.Context, node ID, limit time.Duration) (Accepted, error) {
	const op = "StartReport"
	err := checkID(node, KindNode)
	if err == nil && (limit < MinReportTime || limit > MaxReportTime) {
		err = fmt.Errorf("the time limit %s is not allowed: give the node between %s and %s", limit, MinReportTime, MaxReportTime)
	}
	if err != nil {
		return Accepted{}, refuse(op, err)
	}
	return c.start(ctx, call{
		op: op, method: http.MethodPost, route: routeReport, path: node.String() + "/runDataExtractsRestricted", version: versionBase,
		body:       reportRequest{[]reportCommandWire{{reportCommand}}, int64(limit / time.Second)},
		permission: permitReport,
		missing:    fmt.Sprintf("there is no node %s in resource group %s of subscription %s that this application may see", node.Name, node.ResourceGroup, node.Subscription),
	}, node)
}

// nodeWire is what is read of a node's JSON, and all of it: what is not here never gets past the decoder.
type nodeWire struct {
	ID         string
	Properties *struct {
		ClusterID               string
		MachineName             string
		KubernetesNodeName      string
		PowerState              string
		ReadyState              string
		ProvisioningState       string
		DetailedStatus          string
		CordonStatus            string
		MachineRoles            []string
		RackID                  string
		RuntimeProtectionStatus protectionWire
	}
}

// protectionWire is runtimeProtectionStatus.
type protectionWire struct {
	DefinitionsVersion                    string
	DefinitionsLastUpdated                moment
	ScanStartedTime, ScanCompletedTime    moment
	ScanScheduledTime                     moment
	EnforcementLevel                      string
	AgentHealthStatus, AgentLicenseStatus string
	DefinitionUpdateMode                  string
	AgentHealthStatusIssues               []string
}

// node makes a Node.
func (w *nodeWire) node() (*Node, error) {
	id, err := ParseID(w.ID)
	switch {
	case err != nil:
		return nil, err
	case id.Kind != KindNode:
		return nil, fmt.Errorf("%s is not a node", id)
	case w.Properties == nil:
		return nil, fmt.Errorf("the node %s has no properties", id.Name)
	}
	p := w.Properties
	return &Node{
		ID: id, MachineName: word(p.MachineName), KubernetesName: word(p.KubernetesNodeName), Cluster: line(p.ClusterID, maxMessage),
		PowerState: word(p.PowerState), ReadyState: word(p.ReadyState), ProvisioningState: word(p.ProvisioningState),
		DetailedStatus: word(p.DetailedStatus), CordonStatus: word(p.CordonStatus),
		Roles: words(p.MachineRoles), Rack: word(p.RackID[strings.LastIndexByte(p.RackID, '/')+1:]), Protection: p.RuntimeProtectionStatus.protection(),
	}, nil
}

func (w protectionWire) protection() Protection {
	return Protection{
		DefinitionsVersion: word(w.DefinitionsVersion), DefinitionsUpdated: w.DefinitionsLastUpdated.Time,
		ScanStarted: w.ScanStartedTime.Time, ScanCompleted: w.ScanCompletedTime.Time, ScanScheduled: w.ScanScheduledTime.Time,
		Level: readLevel(w.EnforcementLevel, ""), Health: word(w.AgentHealthStatus), Licence: word(w.AgentLicenseStatus),
		DefinitionUpdateMode: word(w.DefinitionUpdateMode), Issues: words(w.AgentHealthStatusIssues),
	}
}

// maxWords is how many of a node's roles and issues are kept.
const maxWords = 50

func words(texts []string) (out []string) {
	for _, t := range texts[:min(len(texts), maxWords)] {
		out = append(out, word(t))
	}
	return out
}
