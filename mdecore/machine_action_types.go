package mdecore

import (
	"encoding/json"
	"strings"
)

// IsolationType says how far a machine is cut off.
type IsolationType string

// The kinds of isolation (isolate-machine.md).
const (
	// IsolationFull cuts everything but the line to Defender: Windows 10 1703 or newer, Windows 11, supported Linux.
	IsolationFull IsolationType = "Full"
	// IsolationSelective leaves Outlook, Teams and Skype: Windows 10 1709 or newer, Windows 11.
	IsolationSelective IsolationType = "Selective"
	// IsolationUnManagedDevice contains a device that Defender does not manage.
	IsolationUnManagedDevice IsolationType = "UnManagedDevice"
)

// ScanType says how thoroughly a machine is scanned.
type ScanType string

// The kinds of antivirus scan (run-av-scan.md).
const (
	ScanQuick ScanType = "Quick"
	ScanFull  ScanType = "Full"
)

// ActionType is what a machine action does. Unknown values are kept.
type ActionType string

// The types of machine actions.
const (
	ActionRunAntiVirusScan            ActionType = "RunAntiVirusScan"
	ActionOffboard                    ActionType = "Offboard"
	ActionLiveResponse                ActionType = "LiveResponse"
	ActionCollectInvestigationPackage ActionType = "CollectInvestigationPackage"
	ActionIsolate                     ActionType = "Isolate"
	ActionUnisolate                   ActionType = "Unisolate"
	ActionStopAndQuarantineFile       ActionType = "StopAndQuarantineFile"
	ActionRestrictCodeExecution       ActionType = "RestrictCodeExecution"
	ActionUnrestrictCodeExecution     ActionType = "UnrestrictCodeExecution"
)

// known is the documented spelling of a type, if it is a documented one.
func (a ActionType) known() (ActionType, bool) {
	for _, known := range []ActionType{
		ActionRunAntiVirusScan, ActionOffboard, ActionLiveResponse, ActionCollectInvestigationPackage, ActionIsolate, ActionUnisolate,
		ActionStopAndQuarantineFile, ActionRestrictCodeExecution, ActionUnrestrictCodeExecution,
	} {
		if strings.EqualFold(string(a), string(known)) {
			return known, true
		}
	}
	return a, false
}

// ActionStatus is how far a machine action has come. Unknown values are kept and count as not final.
type ActionStatus string

// The states of a machine action.
const (
	ActionPending    ActionStatus = "Pending"
	ActionInProgress ActionStatus = "InProgress"
	ActionSucceeded  ActionStatus = "Succeeded"
	ActionFailed     ActionStatus = "Failed"
	ActionTimeOut    ActionStatus = "TimeOut"
	ActionCancelled  ActionStatus = "Cancelled"
)

// Terminal reports whether the status is final. The American spelling of Cancelled is accepted too.
func (s ActionStatus) Terminal() bool {
	switch s {
	case ActionSucceeded, ActionFailed, ActionTimeOut, ActionCancelled, "Canceled":
		return true
	default:
		return false
	}
}

// MachineAction is the machineAction resource (machineaction.md): something asked of a machine, and how it went.
type MachineAction struct {
	// ID is a GUID.
	ID   string     `json:"id"`
	Type ActionType `json:"type"`
	// Scope is Full or Selective for isolation, Quick or Full for a scan.
	Scope     string `json:"scope"`
	Title     string `json:"title"`
	Requestor string `json:"requestor"`
	// RequestorComment is the comment of the request, by which we find our own actions again.
	RequestorComment        string           `json:"requestorComment"`
	RequestSource           string           `json:"requestSource"`
	ExternalID              string           `json:"externalID"`
	Status                  ActionStatus     `json:"status"`
	MachineID               string           `json:"machineId"`
	ComputerDNSName         string           `json:"computerDnsName"`
	CreationDateTimeUTC     Time             `json:"creationDateTimeUtc"`
	LastUpdateDateTimeUTC   Time             `json:"lastUpdateDateTimeUtc"`
	CancellationRequestor   string           `json:"cancellationRequestor"`
	CancellationComment     string           `json:"cancellationComment"`
	CancellationDateTimeUTC Time             `json:"cancellationDateTimeUtc"`
	Commands                []CommandStatus  `json:"commands"`
	RelatedFileInfo         *RelatedFileInfo `json:"relatedFileInfo"`
	ErrorHResult            Int              `json:"errorHResult"`
}

// FileIdentifierType says which hash names a file. Unknown values are kept.
type FileIdentifierType string

// The kinds of hashes.
const (
	FileIdentifierSHA1   FileIdentifierType = "Sha1"
	FileIdentifierSHA256 FileIdentifierType = "Sha256"
	FileIdentifierMD5    FileIdentifierType = "Md5"
)

// RelatedFileInfo is the file that an action is about.
type RelatedFileInfo struct {
	FileIdentifier     string             `json:"fileIdentifier"`
	FileIdentifierType FileIdentifierType `json:"fileIdentifierType"`
}

// CommandStatus is how one live response command went.
type CommandStatus struct {
	Index         Int          `json:"index"`
	StartTime     Time         `json:"startTime"`
	EndTime       Time         `json:"endTime"`
	CommandStatus CommandState `json:"commandStatus"`
	Errors        []string     `json:"errors"`
	Command       *Command     `json:"command"`
}

// Command is a live response command.
type Command struct {
	Type   CommandType    `json:"type"`
	Params []CommandParam `json:"params"`
}

// CommandParam is one parameter of a live response command.
type CommandParam struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// UnmarshalJSON reads an action. Lists spell the time of the last update lastUpdateTimeUtc, single answers
// lastUpdateDateTimeUtc.
func (a *MachineAction) UnmarshalJSON(data []byte) error {
	type plain MachineAction
	wire := struct {
		*plain
		LastUpdateTimeUTC Time `json:"lastUpdateTimeUtc"`
	}{plain: (*plain)(a)}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	if a.LastUpdateDateTimeUTC.IsZero() {
		a.LastUpdateDateTimeUTC = wire.LastUpdateTimeUTC
	}
	return nil
}
