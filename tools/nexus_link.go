package tools

import (
	"context"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/nexus/report"
)

const (
	// maxLinked is of how many nodes with threats the device in Defender is looked up, within linkLimit in all.
	maxLinked = 20
	linkLimit = 5 * time.Second
)

// How a device was found to be a node.
const (
	linkedByID   = "agent id"
	linkedByName = "machine name"
)

// statedDevice is the id in Defender that a node's agent states, in lower case; "" for none and for what is no device's id.
func statedDevice(h report.Health) string {
	if !deviceText().MatchString(h.EDRMachineID) {
		return ""
	}
	return strings.ToLower(h.EDRMachineID)
}

// linkNodes finds the devices in Defender that nodes are: by the id that a node's agent and no other states, or else by exactly
// the machine's name. What is not certain is left empty, and so is what can't be looked up in time.
func (s *session) linkNodes(ctx context.Context, nodes []threatNode, stating map[string]int) {
	ctx, cancel := context.WithTimeout(ctx, linkLimit)
	defer cancel()
	for i := range nodes[:min(len(nodes), maxLinked)] {
		n := &nodes[i]
		if stating[n.edr] > 1 {
			continue // two machines can't be one device
		}
		if m, by := s.deviceOfNode(ctx, n); m != nil {
			n.Device, n.DeviceName, n.LinkedBy = m.ID, clean(m.ComputerDNSName, 80), by
			n.OtherName = !strings.EqualFold(m.ComputerDNSName, n.machine)
		}
	}
}

// deviceOfNode is the device that a node is and how that is known, or nil.
func (s *session) deviceOfNode(ctx context.Context, n *threatNode) (m *mdecore.Machine, by string) {
	if n.edr != "" {
		if m, err := s.reader.GetMachine(ctx, n.edr); err == nil && strings.EqualFold(m.ID, n.edr) {
			return m, linkedByID
		}
		return nil, "" // another device of the same name would be another machine
	}
	named, err := parseRef(n.machine)
	if err != nil || named.kind != refName {
		return nil, ""
	}
	found, err := s.findAll(ctx, []ref{named})
	if err != nil || len(found) != 1 || len(found[0]) != 1 || !strings.EqualFold(found[0][0].ComputerDNSName, n.machine) {
		return nil, ""
	}
	return found[0][0], linkedByName
}
