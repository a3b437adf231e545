package mdecore

// InvestigationState is how far an automated investigation is. Unknown values are kept.
type InvestigationState string

// The states of an automated investigation.
const (
	InvestigationUnknown                InvestigationState = "Unknown"
	InvestigationTerminated             InvestigationState = "Terminated"
	InvestigationSuccessfullyRemediated InvestigationState = "SuccessfullyRemediated"
	InvestigationBenign                 InvestigationState = "Benign"
	InvestigationFailed                 InvestigationState = "Failed"
	InvestigationPartiallyRemediated    InvestigationState = "PartiallyRemediated"
	InvestigationRunning                InvestigationState = "Running"
	InvestigationPendingApproval        InvestigationState = "PendingApproval"
	InvestigationPendingResource        InvestigationState = "PendingResource"
	InvestigationPartiallyInvestigated  InvestigationState = "PartiallyInvestigated"
	InvestigationTerminatedByUser       InvestigationState = "TerminatedByUser"
	InvestigationTerminatedBySystem     InvestigationState = "TerminatedBySystem"
	InvestigationQueued                 InvestigationState = "Queued"
	InvestigationInnerFailure           InvestigationState = "InnerFailure"
	InvestigationPreexistingAlert       InvestigationState = "PreexistingAlert"
	InvestigationUnsupportedOS          InvestigationState = "UnsupportedOs"
	InvestigationUnsupportedAlertType   InvestigationState = "UnsupportedAlertType"
	InvestigationSuppressedAlert        InvestigationState = "SuppressedAlert"
)

// Investigation is the investigation resource (investigation.md): an automated investigation of one machine.
type Investigation struct {
	// ID is a number, written as a text; Alert.InvestigationID is the same number.
	ID        ID   `json:"id"`
	StartTime Time `json:"startTime"`
	// EndTime is zero while the investigation goes on.
	EndTime         Time               `json:"endTime"`
	State           InvestigationState `json:"state"`
	CancelledBy     string             `json:"cancelledBy"`
	StatusDetails   string             `json:"statusDetails"`
	MachineID       string             `json:"machineId"`
	ComputerDNSName string             `json:"computerDnsName"`
	// TriggeringAlertID is empty for an investigation that was started by hand.
	TriggeringAlertID string `json:"triggeringAlertId"`
}
