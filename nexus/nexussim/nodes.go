package nexussim

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// What nodes and clusters hold and nobody may be shown. Secrets lists the values.
const (
	secretAddress     = "redfish+https://10.246.14.250/redfish/v1/Systems/1"
	secretBMCUser     = "bmc-root-user"
	secretPassword    = "bmc-vault-secret-name"
	secretMAC         = "00:00:4f:00:57:ad"
	secretBootMAC     = "00:00:4e:00:58:af"
	secretCertificate = "-----BEGIN CERTIFICATE-----simulated"
	secretRotation    = "https://vault.example/secrets/YourSecretName"
)

// Secrets are values in the answers about nodes and clusters that a client must let nobody see.
func Secrets() []string {
	return []string{secretAddress, secretBMCUser, secretPassword, secretMAC, secretBootMAC, secretCertificate, secretRotation}
}

// owned finds the cluster and node that the path names.
func (c *call) owned() (*cluster, *node) {
	for _, cl := range c.a.clusters {
		for _, n := range cl.nodes {
			if strings.EqualFold(cl.seed.ManagedGroup, c.group) && strings.EqualFold(n.seed.Name, c.name) {
				return cl, n
			}
		}
	}
	return nil, nil
}

func (c *call) listNodes() response {
	rows := []any{}
	for _, cl := range c.a.clusters {
		for _, n := range cl.nodes {
			if strings.EqualFold(cl.seed.ManagedGroup, c.group) {
				rows = append(rows, c.nodeBody(cl, n))
			}
		}
	}
	if !c.a.hasGroup(c.group) {
		return c.noGroup()
	}
	return c.page(rows)
}

func (c *call) getNode() response {
	cl, n := c.owned()
	if n == nil {
		return c.notFound("bareMetalMachines")
	}
	return answer(http.StatusOK, c.nodeBody(cl, n))
}

func (c *call) nodeBody(cl *cluster, n *node) map[string]any {
	s := n.seed
	role := "platform.afo-nc.microsoft.com/compute=true"
	if strings.Contains(s.Name, "control") {
		role = "platform.afo-nc.microsoft.com/control-plane=true"
	}
	properties := map[string]any{
		"machineName": s.Machine, "kubernetesNodeName": s.Kubernetes, "machineRoles": []string{role},
		"powerState": s.Power, "readyState": s.Ready, "provisioningState": s.Provisioning, "detailedStatus": "Provisioned", "cordonStatus": "Uncordoned",
		"rackId":                  "/subscriptions/" + c.a.Subscription + "/resourceGroups/" + cl.seed.ManagedGroup + "/providers/Microsoft.NetworkCloud/racks/rack1",
		"runtimeProtectionStatus": c.protection(cl, n),
		"bmcConnectionString":     secretAddress, "bmcCredentials": map[string]any{"username": secretBMCUser, "password": secretPassword},
		"bmcMacAddress": secretMAC, "bootMacAddress": secretBootMAC, "caCertificate": map[string]any{"value": secretCertificate},
		"secretRotationStatus": []any{map[string]any{"secretArchiveReference": map[string]any{"keyVaultUri": secretRotation}}},
	}
	if !s.Spare {
		properties["clusterId"] = cl.id(c.a.Subscription)
	}
	return map[string]any{
		"id": cl.nodeID(c.a.Subscription, n), "name": s.Name, "type": "Microsoft.NetworkCloud/bareMetalMachines", "location": cl.seed.Location,
		"properties": properties,
	}
}

// protection is the state of a node's agent, as far as the api-version tells it.
func (c *call) protection(cl *cluster, n *node) map[string]any {
	p := map[string]any{}
	set := func(key string, at time.Time) {
		if !at.IsZero() && !at.After(c.a.now()) {
			p[key] = at.UTC().Format("2006-01-02T15:04:05.000Z")
		}
	}
	set("definitionsLastUpdated", n.seed.Definitions)
	set("scanStartedTime", n.started)
	if !n.ended.Before(n.started) {
		set("scanCompletedTime", n.ended)
	}
	if n.ended.After(c.a.now()) && !n.seed.Scanned.IsZero() {
		set("scanCompletedTime", n.seed.Scanned) // the one before
	}
	p["definitionsVersion"] = "1.445.120.0"
	if c.newer() {
		p["agentHealthStatus"], p["agentLicenseStatus"], p["definitionUpdateMode"] = n.seed.Health, n.seed.Licence, cl.seed.UpdateMode
		p["agentHealthStatusIssues"], p["enforcementLevel"] = append([]string{}, n.seed.Issues...), cl.level(n)
	}
	return p
}

// extractRequest is the body of runDataExtracts and runDataExtractsRestricted.
type extractRequest struct {
	Commands []struct {
		Command   string   `json:"command"`
		Arguments []string `json:"arguments"`
	} `json:"commands"`
	LimitTimeSeconds int64 `json:"limitTimeSeconds"`
}

// extract is the older action, which no longer has the agent's report.
func (c *call) extract() response {
	if c.version < Version2509 {
		return c.run("mde-agent-information")
	}
	return c.run("hardware-support-data-collection")
}

func (c *call) extractRestricted() response {
	if c.version < Version2509 {
		return problem(http.StatusNotFound, "InvalidResourceType", "The action runDataExtractsRestricted is not known to API version '"+c.version+"'.")
	}
	return c.run("mde-agent-information")
}

// run begins a command on a node.
func (c *call) run(allowed string) response {
	cl, n := c.owned()
	if n == nil {
		return c.notFound("bareMetalMachines")
	}
	var asked extractRequest
	switch err := json.Unmarshal(c.body, &asked); {
	case err != nil || len(asked.Commands) != 1:
		return problem(http.StatusBadRequest, "InvalidRequestContent", "One command must be given.")
	case asked.Commands[0].Command != allowed:
		return problem(http.StatusBadRequest, "InvalidParameter", "The command '"+asked.Commands[0].Command+"' is not allowed here.")
	case asked.LimitTimeSeconds < 60 || asked.LimitTimeSeconds > 14400:
		return problem(http.StatusBadRequest, "InvalidParameter", "The limitTimeSeconds must be between 60 and 14400.")
	case n.busy != nil:
		return problem(http.StatusConflict, "AnotherOperationInProgress", "Another action runs on the machine.")
	case n.seed.Power != "On" || n.seed.Ready != "True":
		return problem(http.StatusConflict, "MachineNotReady", "The machine is not ready.")
	}
	n.busy = c.a.begin(operation{kind: "report", resource: cl.nodeID(c.a.Subscription, n), correlation: c.correlation(), cluster: cl, node: n})
	return c.effect(c.accepted(n.busy), n.busy, "")
}
