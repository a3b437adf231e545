package nexus_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus"
)

func TestANodeIsReadWhole(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"value":[`+nodeBody("rack1control01", `
		"clusterId":"`+clusterPath+`","machineName":"r01c001","kubernetesNodeName":"node01","powerState":"On","readyState":"True","provisioningState":"Succeeded",
		"detailedStatus":"Provisioned","cordonStatus":"Uncordoned","machineRoles":["role=\u0007true"],"rackId":"/x/racks/rack1",
		"runtimeProtectionStatus":{"definitionsVersion":"1.2.3","definitionsLastUpdated":"2026-11-20T08:00:00Z","scanStartedTime":"2026-11-20T09:00:00+01:00",
			"scanCompletedTime":"","scanScheduledTime":null,"enforcementLevel":"Passive","agentHealthStatus":"Unhealthy","agentHealthStatusIssues":["a\nb"],
			"agentLicenseStatus":"Licensed","definitionUpdateMode":"Automatic"}`)+`]}`))
	got, err := collect(s.client(t).ListNodes(t.Context(), siteCluster(t)))
	require.NoError(t, err)
	require.Equal(t, []*nexus.Node{{
		ID: parseID(t, nodePath), MachineName: "r01c001", KubernetesName: "node01", Cluster: clusterPath,
		PowerState: "On", ReadyState: "True", ProvisioningState: "Succeeded", DetailedStatus: "Provisioned", CordonStatus: "Uncordoned",
		Roles: []string{"role=true"}, Rack: "rack1",
		Protection: nexus.Protection{
			DefinitionsVersion: "1.2.3", DefinitionsUpdated: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC), ScanStarted: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC),
			Level: nexus.Passive, Health: "Unhealthy", Licence: "Licensed", DefinitionUpdateMode: "Automatic", Issues: []string{"a b"},
		},
	}}, got)
	require.Empty(t, got[0].Unfit())
	require.Equal(t, nodesPath, s.received()[0].path)
}

func TestOnlyTheClustersOwnNodesAreListed(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"value":[`+
		nodeBody("mine1", `"clusterId":"`+clusterPath+`"`)+`,`+nodeBody("other1", `"clusterId":"`+clusterPath+`2"`)+`,`+
		nodeBody("spare1", "")+`]}`))
	got, err := collect(s.client(t).ListNodes(t.Context(), siteCluster(t)))
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, "mine1", got[0].ID.Name)
	require.Equal(t, "spare1", got[1].ID.Name)
	require.Empty(t, got[1].Cluster)
}

func TestNodesFromElsewhereAreRefused(t *testing.T) {
	t.Parallel()
	for body, says := range map[string]string{
		clusterBody(""): "is not a node",
		`{"id":"/subscriptions/` + subscription + `/resourceGroups/other/providers/Microsoft.NetworkCloud/bareMetalMachines/n1","properties":{}}`: "somewhere else than was asked for",
		`{"id":"` + nodePath + `"}`: "has no properties",
		`{}`:                        "not the resource id",
	} {
		s := newService(t, answer(200, `{"value":[`+body+`]}`))
		_, err := collect(s.client(t).ListNodes(t.Context(), siteCluster(t)))
		require.ErrorContains(t, err, says)
	}
}

func TestWhyNothingIsCollectedFromANode(t *testing.T) {
	t.Parallel()
	fit := nexus.Node{PowerState: "On", ReadyState: "True", ProvisioningState: "Succeeded"}
	require.Empty(t, fit.Unfit())
	off, unready, unprovisioned := fit, fit, fit
	off.PowerState, unready.ReadyState, unprovisioned.ProvisioningState = "Off", "", "Provisioning"
	require.Equal(t, "its power state is Off", off.Unfit())
	require.Equal(t, "it is not ready (readyState not stated)", unready.Unfit())
	require.Equal(t, "its provisioning state is Provisioning", unprovisioned.Unfit())
}

// A node's answer holds what opens its management controller. Nothing of that has a place to be read into.
func TestNothingSecretOfANodeIsRead(t *testing.T) {
	t.Parallel()
	secret := func(n int) string { return fmt.Sprintf("SECRET-%d", n) }
	s := newService(t, answer(200, `{"value":[`+nodeBody("n1", fmt.Sprintf(`
		"machineName":"r01c001","bmcCredentials":{"username":%q,"password":%q},"bmcConnectionString":%q,"bmcMacAddress":%q,"bootMacAddress":%q,
		"caCertificate":{"hash":%q,"value":%q},"secretRotationStatus":[{"secretArchiveReference":{"keyVaultUri":%q,"secretName":%q}}],
		"oamIpv4Address":%q,"serialNumber":%q,"serviceTag":%q,"hybridAksClustersAssociatedIds":[%q]`,
		secret(1), secret(2), secret(3), secret(4), secret(5), secret(6), secret(7), secret(8), secret(9), secret(10), secret(11), secret(12), secret(13)))+`]}`))
	got, err := collect(s.client(t).ListNodes(t.Context(), siteCluster(t)))
	require.NoError(t, err)
	require.Equal(t, "r01c001", got[0].MachineName)
	written, err := json.Marshal(got)
	require.NoError(t, err)
	require.NotContains(t, string(written), "SECRET")
	require.NotContains(t, fmt.Sprintf("%#v", *got[0]), "SECRET")
}
