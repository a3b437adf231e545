package nexus_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus"
)

func TestIDs(t *testing.T) {
	t.Parallel()
	id := parseID(t, strings.ToUpper(nodePath))
	require.Equal(t, nexus.ID{Subscription: subscription, ResourceGroup: "SITE-MANAGED", Kind: nexus.KindNode, Name: "RACK1CONTROL01"}, id)
	require.True(t, id.Same(parseID(t, nodePath)))
	require.False(t, id.Same(parseID(t, nodePath+"2")))
	for _, text := range []string{
		"", "/", nodePath + "/", nodePath + "/x", nodePath + "?x", nodesPath, nodesPath + "/", nodesPath + "/..", nodesPath + "/a b", " " + nodePath, nodePath + "\n",
		"https://management.azure.com" + nodePath, strings.Replace(nodePath, subscription, "x", 1), strings.Replace(nodePath, "site-managed", "..", 1),
		strings.Replace(nodePath, "site-managed", ".", 1), strings.Replace(nodePath, "site-managed", "a.", 1), strings.Replace(nodePath, "site-managed", strings.Repeat("a", 91), 1),
		strings.Replace(nodePath, "site-managed", "a/b", 1), strings.Replace(nodePath, "bareMetalMachines", "racks", 1), strings.Replace(nodePath, "Microsoft.NetworkCloud", "MicrosoftxNetworkCloud", 1),
	} {
		_, err := nexus.ParseID(text)
		require.ErrorContains(t, err, "it looks like /subscriptions/<GUID>/", text)
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for from, cases := range map[nexus.Level]map[nexus.Level][]nexus.Capability{
		nexus.RealTime: {
			nexus.RealTime: nil, nexus.OnDemand: {nexus.CapRealTime}, nexus.Passive: {nexus.CapRealTime, nexus.CapRemedy},
			nexus.Disabled: {nexus.CapService, nexus.CapRealTime, nexus.CapScan, nexus.CapRemedy},
		},
		nexus.OnDemand: {nexus.RealTime: nil, nexus.Audit: {nexus.CapRemedy}},
		nexus.Audit:    {nexus.OnDemand: {nexus.CapRealTime}, nexus.RealTime: nil},
		nexus.Disabled: {nexus.Passive: nil, nexus.Disabled: nil},
	} {
		for to, want := range cases {
			lost, known := nexus.Lost(from, to)
			require.True(t, known)
			require.Equal(t, want, lost, "%s to %s", from, to)
		}
	}
	for _, change := range [][2]nexus.Level{{"Paranoid", nexus.RealTime}, {nexus.Disabled, "Paranoid"}, {"", nexus.RealTime}} {
		_, known := nexus.Lost(change[0], change[1])
		require.False(t, known)
	}
	for text, want := range map[string]nexus.Level{" realtime ": nexus.RealTime, "ONDEMAND": nexus.OnDemand, "Disabled": nexus.Disabled} {
		got, err := nexus.ParseLevel(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for text, says := range map[string]string{"pasive": "did you mean Passive?", "audit": "no longer documented", "": "levels: Disabled, Passive, OnDemand, RealTime"} {
		_, err := nexus.ParseLevel(text)
		require.ErrorContains(t, err, says)
	}
	require.False(t, nexus.Audit.Settable())
}
