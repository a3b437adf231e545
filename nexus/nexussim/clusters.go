package nexussim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (c *call) listClusters() response {
	rows := []any{}
	for _, cl := range c.a.clusters {
		if c.group == "" || strings.EqualFold(c.group, cl.seed.ResourceGroup) {
			rows = append(rows, c.clusterBody(cl))
		}
	}
	if c.group != "" && !c.a.hasGroup(c.group) {
		return c.noGroup()
	}
	return c.page(rows)
}

func (c *call) cluster() *cluster {
	i := slices.IndexFunc(c.a.clusters, func(cl *cluster) bool {
		return strings.EqualFold(cl.seed.Name, c.name) && strings.EqualFold(cl.seed.ResourceGroup, c.group)
	})
	if i < 0 {
		return nil
	}
	return c.a.clusters[i]
}

func (c *call) getCluster() response {
	cl := c.cluster()
	if cl == nil {
		return c.notFound("clusters")
	}
	return answer(http.StatusOK, c.clusterBody(cl))
}

// clusterBody is a cluster as Resource Manager gives it, with what a real one has and a client has no use for.
func (c *call) clusterBody(cl *cluster) map[string]any {
	s, protection := cl.seed, map[string]any{"enforcementLevel": cl.seed.Level}
	if c.newer() {
		protection["definitionUpdateMode"] = s.UpdateMode
	}
	provisioning := s.Provisioning
	if c.a.busy(cl) {
		provisioning = "Updating"
	}
	properties := map[string]any{
		"clusterConnectionStatus": s.Connection, "clusterManagerConnectionStatus": s.Manager, "clusterType": "MultiRack",
		"clusterVersion": s.Version, "detailedStatus": s.Detailed, "detailedStatusMessage": "Cluster is " + strings.ToLower(s.Detailed),
		"provisioningState":                 provisioning,
		"managedResourceGroupConfiguration": map[string]any{"location": s.Location, "name": s.ManagedGroup},
		"runtimeProtectionConfiguration":    protection,
		"clusterServicePrincipal":           map[string]any{"applicationId": "12345678-1234-1234-1234-123456789012", "password": secretPassword},
	}
	if settings := c.outputSettings(s); settings != nil {
		properties["commandOutputSettings"] = settings
	}
	if !s.OldRuntime && c.version >= Version2509 {
		properties["actionStates"] = c.actionStates(cl)
	}
	return map[string]any{
		"id": cl.id(c.a.Subscription), "name": s.Name, "type": "Microsoft.NetworkCloud/clusters", "location": s.Location, "kind": "AzureLocal",
		"etag": cl.etag(), "tags": map[string]string{"owner": "site team"}, "properties": properties,
	}
}

// outputSettings are the customer's containers; nil where the cluster manager's storage is used.
func (c *call) outputSettings(s Cluster) map[string]any {
	if !s.OwnStorage {
		return nil
	}
	identity := map[string]any{"identityType": "SystemAssignedIdentity"}
	settings := map[string]any{"containerUrl": c.container(usualContainer) + "?restype=container", "associatedIdentity": identity}
	if s.Override && c.version >= Version2509 {
		settings["overrides"] = []any{
			map[string]any{"commandOutputType": "StorageRunReadCommands", "containerUrl": c.container("storage-output"), "associatedIdentity": identity},
			map[string]any{"commandOutputType": "BareMetalMachineRunDataExtractsRestricted", "containerUrl": c.container(overrideContainer), "associatedIdentity": identity},
		}
	}
	return settings
}

// actionStates are the latest actions by type; a scan is all there can be.
func (c *call) actionStates(cl *cluster) []any {
	o := cl.scan
	if o == nil {
		return []any{}
	}
	state := func(extra map[string]any) map[string]any {
		status, message := "InProgress", ""
		switch {
		case o.done && o.fails != "":
			status, message = "Failed", o.fails
		case o.done:
			status, message = "Completed", "The request was distributed to the cluster"
		}
		extra["startTime"], extra["status"] = o.begun.Format(time.RFC3339), status
		if o.done {
			extra["endTime"], extra["message"] = o.ends.Format(time.RFC3339), message
		}
		return extra
	}
	return []any{state(map[string]any{
		"actionType": "Microsoft.NetworkCloud/clusters/ScanRuntime/action", "correlationId": o.correlation,
		"stepStates": []any{state(map[string]any{"stepName": "DistributeRequest"})},
	})}
}

// patchCluster changes the enforcement level, and refuses everything else: what a client of this kind sends by mistake would
// replace tags and remove identities.
func (c *call) patchCluster() response {
	cl := c.cluster()
	if cl == nil {
		return c.notFound("clusters")
	}
	level, err := levelOf(c.body)
	if err != nil {
		return problem(http.StatusBadRequest, "InvalidRequestContent", err.Error())
	}
	switch want := c.r.Header.Get("If-Match"); {
	case want != "" && want != "*" && want != cl.etag():
		return problem(http.StatusPreconditionFailed, "PreconditionFailed", "The ETag in the If-Match header does not match that of the resource.")
	case c.a.busy(cl):
		return problem(http.StatusConflict, "AnotherOperationInProgress", "The cluster is being updated.")
	case cl.seed.Connection != "Connected":
		return problem(http.StatusConflict, "ClusterNotConnected", "The cluster is not connected.")
	}
	o := c.a.begin(operation{kind: "level", resource: cl.id(c.a.Subscription), correlation: c.correlation(), level: level, cluster: cl})
	if c.a.Form == AtOnce {
		o.ends = o.begun
		c.a.settle()
	}
	resp := c.accepted(o)
	body := c.clusterBody(cl)
	body["properties"].(map[string]any)["provisioningState"] = "Succeeded" // as the published example says it already
	resp.body = encode(body)
	return c.effect(resp, o, level)
}

// levelOf reads the body of a change.
func levelOf(body []byte) (string, error) {
	var all map[string]json.RawMessage
	var properties map[string]json.RawMessage
	var protection map[string]string
	if json.Unmarshal(body, &all) != nil || len(all) != 1 || json.Unmarshal(all["properties"], &properties) != nil || len(properties) != 1 ||
		json.Unmarshal(properties["runtimeProtectionConfiguration"], &protection) != nil {
		return "", fmt.Errorf("this simulator takes changes of properties.runtimeProtectionConfiguration alone")
	}
	level, ok := protection["enforcementLevel"]
	if !ok || len(protection) != 1 {
		return "", fmt.Errorf("the enforcementLevel, and nothing else, must be in runtimeProtectionConfiguration")
	}
	if !slices.Contains([]string{"Audit", "Disabled", "OnDemand", "Passive", "RealTime"}, level) {
		return "", fmt.Errorf("the value '%s' of enforcementLevel is not one of Audit, Disabled, OnDemand, Passive, RealTime", level)
	}
	return level, nil
}

// scanRuntime begins a scan. That the agent is off is told by the operation, as it is documented.
func (c *call) scanRuntime() response {
	cl := c.cluster()
	if cl == nil {
		return c.notFound("clusters")
	}
	var body struct {
		ScanActivity string `json:"scanActivity"`
	}
	if len(c.body) > 0 && (json.Unmarshal(c.body, &body) != nil || body.ScanActivity != "" && body.ScanActivity != "Scan" && body.ScanActivity != "Skip") {
		return problem(http.StatusBadRequest, "InvalidRequestContent", "The scanActivity must be Scan or Skip.")
	}
	if cl.scan != nil && !cl.scan.done {
		return problem(http.StatusConflict, "AnotherOperationInProgress", "A scan is being distributed.")
	}
	o := operation{kind: "scan", resource: cl.id(c.a.Subscription), correlation: c.correlation(), cluster: cl}
	if cl.seed.Level == "Disabled" {
		o.fails = "Runtime protection is not enabled on the cluster."
	}
	cl.scan = c.a.begin(o)
	return c.effect(c.accepted(cl.scan), cl.scan, "")
}

// effect notes a write that was accepted.
func (c *call) effect(resp response, o *operation, level string) response {
	e := Effect{
		At: o.begun, Kind: o.kind, Resource: o.resource, Level: level, Body: string(c.body), IfMatch: c.r.Header.Get("If-Match"),
		APIVersion: c.version, App: c.app,
	}
	c.a.effects = append(c.a.effects, e)
	resp.effect = &e
	return resp
}
