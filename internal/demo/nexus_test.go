package demo

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheStoryOfANexusClusterIsToldAsItHappens(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, Story(t.Context(), Options{StepLimit: patience, In: strings.NewReader(""), Out: &out, Nexus: true}), out.String())
	inOrder(t, out.String(),
		"1. A cluster whose runtime protection is off", "edge-lab is at Disabled: service off",
		"2. A scan is refused before anything is sent", "nexus_set_enforcement_level enables it", "accepted by Azure so far: 0",
		"3. The level is raised", "needs approval by 1 of", "edge-lab is at OnDemand", "accepted by Azure so far: 1",
		"4. The cluster itself confirms it", "service on",
		"5. All nodes are scanned", "handed the request to the nodes",
		"6. The scan has ended when the nodes say so", "4 done",
		"7. The reports are collected", "is partial", "three reports could be read",
		"8. The scans of one node", "full scan, succeeded",
		"9. The threats on all nodes", "Trojan:Linux/Simulated.A",
		"10. To take protection away", "needs approval by 2 of", "LOWERS the protection of 4 nodes", "with 1 of 2 approvals nothing is changed", "edge-lab is at Passive",
		"11. The audit is verified", "All of it happened as told",
	)
}

func TestTheTerminalPlaysTheStoryOfANexusCluster(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, Terminal(t.Context(), Options{StepLimit: patience, In: strings.NewReader("/mde nexus status edge-lab\n"), Out: &out, Nexus: true}), out.String())
	inOrder(t, out.String(),
		"@alice> /mde nexus clusters", "edge-lab", "Disabled",
		"@alice> /mde nexus scan edge-lab", "nexus_set_enforcement_level enables it",
		"@alice> /mde nexus level edge-lab OnDemand", "Approval needed: nexus set enforcement level",
		"@bob> 1", "edge-lab is at OnDemand",
		"@alice> /mde nexus progress edge-lab", "4 done",
		"@alice> /mde nexus collect edge-lab", "Partly done", "the report can't be",
		"@alice> /mde nexus threats edge-lab", "Trojan:Linux/Simulated.A",
		"@alice> /mde nexus status edge-lab", "edge-lab is at OnDemand: service on", // and then whoever sits there goes on
	)
}
