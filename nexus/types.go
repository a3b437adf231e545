package nexus

import "time"

// Cluster is what is read of a cluster (GET …/clusters/{name}).
type Cluster struct {
	ID       ID
	Location string
	// ETag guards a change against others' changes; empty when the service gave none.
	ETag string
	// Level is the enforcement level; [Disabled] when the cluster states none, which is the service's default.
	Level Level
	// DefinitionUpdateMode is Automatic or None; empty before api-version 2026-07-01.
	DefinitionUpdateMode string
	// ManagedResourceGroup is where the cluster's nodes are.
	ManagedResourceGroup string
	// ConnectionStatus (Connected, Disconnected, Timeout, Undefined), ManagerConnectionStatus (Connected, Unreachable),
	// ProvisioningState and DetailedStatus are the service's words, which may be others than are documented.
	ConnectionStatus, ManagerConnectionStatus, ProvisioningState, DetailedStatus, DetailedStatusMessage string
	// Version is the cluster's runtime version.
	Version string
	// Actions are the latest actions by type. It is nil where the runtime does not report them (before 2509.1).
	Actions []ActionState
	// ContainerURL is the customer's container that results of restricted extracts are written to; empty where the cluster
	// manager's own storage is used.
	ContainerURL string
	// APIVersion is the version that answered.
	APIVersion string
}

// ActionState is the latest action of a type on a cluster.
type ActionState struct {
	// Type is e.g. Microsoft.NetworkCloud/clusters/ScanRuntime/action; compare it without case.
	Type string
	// CorrelationID is Azure's id of the call that began it.
	CorrelationID string
	// Start and End are zero when not stated.
	Start, End time.Time
	// Status is Completed, InProgress or Failed; Message is the service's text.
	Status, Message string
	Steps           []StepState
}

// StepState is a step of an action.
type StepState struct {
	Name string
	// Start and End are zero when not stated.
	Start, End time.Time
	// Status is Completed, InProgress, Failed or NotStarted; Message is the service's text.
	Status, Message string
}

// Scan is the latest runtime scan of the cluster; false where none is reported.
func (c *Cluster) Scan() (ActionState, bool) {
	for _, a := range c.Actions {
		if isScan(a.Type) {
			return a, true
		}
	}
	return ActionState{}, false
}

// Node is what is read of a bare-metal machine: a safe list of its fields.
type Node struct {
	ID ID
	// MachineName is the operating system's host name, e.g. r01c001; it differs from ID.Name.
	MachineName string
	// KubernetesName is the name in the cluster's Kubernetes.
	KubernetesName string
	// Cluster is the cluster's resource id as text; empty for a spare machine.
	Cluster string
	// PowerState (On, Off), ReadyState (True, False), ProvisioningState, DetailedStatus and CordonStatus are the service's words.
	PowerState, ReadyState, ProvisioningState, DetailedStatus, CordonStatus string
	Roles                                                                   []string
	Rack                                                                    string
	Protection                                                              Protection
}

// Protection is the state of the agent on a node (runtimeProtectionStatus). Times are zero when not stated.
type Protection struct {
	DefinitionsVersion                        string
	DefinitionsUpdated                        time.Time
	ScanStarted, ScanCompleted, ScanScheduled time.Time
	// Level, Health (Healthy, Unhealthy), Licence (Licensed, Unlicensed), Issues and DefinitionUpdateMode are empty before
	// api-version 2026-07-01.
	Level                                 Level
	Health, Licence, DefinitionUpdateMode string
	Issues                                []string
}

// Unfit says why nothing can be collected from a node now; empty when it can.
func (n *Node) Unfit() string {
	switch {
	case n.PowerState != "On":
		return "its power state is " + orUnknown(n.PowerState)
	case n.ReadyState != "True":
		return "it is not ready (readyState " + orUnknown(n.ReadyState) + ")"
	case n.ProvisioningState != "Succeeded":
		return "its provisioning state is " + orUnknown(n.ProvisioningState)
	}
	return ""
}

func orUnknown(word string) string {
	if word == "" {
		return "not stated"
	}
	return word
}

// Accepted is the service's acceptance of a call that changes something.
type Accepted struct {
	// Operation is the path and query of the address at which the operation can be looked at with [Client.OperationStatus];
	// empty when the call was done at once. It is kept to ask again, and opens nothing without a token, but Azure Resource
	// Manager may have signed it: show [OperationName] instead.
	Operation string
	// RetryAfter is when to look first; zero when the service did not say.
	RetryAfter time.Duration
}

// OperationState is where a long operation stands.
type OperationState string

// The states of an operation.
const (
	Running   OperationState = "running"
	Succeeded OperationState = "succeeded"
	Failed    OperationState = "failed"
	Canceled  OperationState = "canceled"
)

// TimeLimitExit is the exit code of a command that reached its time limit.
const TimeLimitExit = "252"

// OperationStatus is one look at a long operation.
type OperationStatus struct {
	// State is ours, Status the service's own word.
	State  OperationState
	Status string
	// ResourceID is what the operation is on; empty when not stated.
	ResourceID string
	Start, End time.Time
	// Code and Message are the error's of an operation that failed.
	Code, Message string
	// ExitCode is the command's, as text; empty when there is none. [TimeLimitExit] is a reached time limit.
	ExitCode string
	// OutputHead is the beginning of the command's output. Untrusted text.
	OutputHead string
	// HasResult says that there is an address of a result; [Client.DownloadResult] asks for it anew.
	HasResult bool
	// RetryAfter is when to look again; zero when the service did not say.
	RetryAfter time.Duration
}

// Result describes a downloaded result.
type Result struct {
	// Bytes and SHA256 (hex) are of the result as it was sent.
	Bytes  int64
	SHA256 string
	// Host is where it came from.
	Host string
}
