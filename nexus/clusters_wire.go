package nexus

import (
	"errors"
	"fmt"
	"strings"
)

// clusterWire is what is read of a cluster's JSON.
type clusterWire struct {
	ID         string
	Location   string
	ETag       string
	Properties *struct {
		RuntimeProtectionConfiguration struct {
			EnforcementLevel, DefinitionUpdateMode string
		}
		ManagedResourceGroupConfiguration struct{ Name string }
		ClusterConnectionStatus           string
		ClusterManagerConnectionStatus    string
		ProvisioningState                 string
		DetailedStatus                    string
		DetailedStatusMessage             string
		ClusterVersion                    string
		ActionStates                      []actionWire
		CommandOutputSettings             outputWire
	}
}

// actionWire is an entry of actionStates.
type actionWire struct {
	ActionType, CorrelationID, Status, Message string
	StartTime, EndTime                         moment
	StepStates                                 []stepWire
}

type stepWire struct {
	StepName, Status, Message string
	StartTime, EndTime        moment
}

// outputWire is commandOutputSettings: where commands write their output.
type outputWire struct {
	ContainerURL string
	Overrides    []struct{ CommandOutputType, ContainerURL string }
}

// restrictedOutput is the commandOutputType of restricted extracts.
const restrictedOutput = "BareMetalMachineRunDataExtractsRestricted"

// container is where restricted extracts are written to, without a query, which could be a signature.
func (w outputWire) container() string {
	address := w.ContainerURL
	for _, o := range w.Overrides {
		if strings.EqualFold(o.CommandOutputType, restrictedOutput) && o.ContainerURL != "" {
			address = o.ContainerURL
			break
		}
	}
	address, _, _ = strings.Cut(strings.TrimSpace(address), "#")
	address, _, _ = strings.Cut(address, "?")
	return strings.TrimRight(address, "/")
}

// cluster makes a Cluster of what was read with an api-version.
func (w *clusterWire) cluster(version string) (*Cluster, error) {
	id, err := ParseID(w.ID)
	switch {
	case err != nil:
		return nil, err
	case id.Kind != KindCluster:
		return nil, fmt.Errorf("%s is not a cluster", id)
	case w.Properties == nil:
		return nil, errors.New("the cluster has no properties")
	}
	p := w.Properties
	return &Cluster{
		ID: id, Location: word(w.Location), ETag: w.ETag, APIVersion: version,
		Level: readLevel(p.RuntimeProtectionConfiguration.EnforcementLevel, Disabled), DefinitionUpdateMode: word(p.RuntimeProtectionConfiguration.DefinitionUpdateMode),
		ManagedResourceGroup: word(p.ManagedResourceGroupConfiguration.Name),
		ConnectionStatus:     word(p.ClusterConnectionStatus), ManagerConnectionStatus: word(p.ClusterManagerConnectionStatus),
		ProvisioningState: word(p.ProvisioningState), DetailedStatus: word(p.DetailedStatus), DetailedStatusMessage: line(p.DetailedStatusMessage, maxMessage),
		Version: word(p.ClusterVersion), Actions: readActions(p.ActionStates), ContainerURL: p.CommandOutputSettings.container(),
	}, nil
}

// readLevel is a level as the service states it; one that is known is spelled as it is here.
func readLevel(text string, absent Level) Level {
	text = word(text)
	if text == "" {
		return absent
	}
	for _, known := range append(SettableLevels(), Audit) {
		if strings.EqualFold(text, string(known)) {
			return known
		}
	}
	return Level(text)
}

// readActions keeps the difference between no actions (empty) and none reported (nil).
func readActions(states []actionWire) []ActionState {
	if states == nil {
		return nil
	}
	out := make([]ActionState, 0, len(states))
	for _, s := range states {
		a := ActionState{
			Type: word(s.ActionType), CorrelationID: word(s.CorrelationID), Start: s.StartTime.Time, End: s.EndTime.Time,
			Status: word(s.Status), Message: line(s.Message, maxMessage),
		}
		for _, step := range s.StepStates {
			a.Steps = append(a.Steps, StepState{
				Name: word(step.StepName), Start: step.StartTime.Time, End: step.EndTime.Time,
				Status: word(step.Status), Message: line(step.Message, maxMessage),
			})
		}
		out = append(out, a)
	}
	return out
}

// isScan reports whether an action's type is the runtime scan's. Its spelling differs from the path's in case.
func isScan(action string) bool {
	return strings.EqualFold(action, provider+"/clusters/scanRuntime/action")
}
