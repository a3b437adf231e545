package mdecore

// AVMode is the mode of Microsoft Defender Antivirus: a number written as a string. Unknown values are kept.
type AVMode string

// The modes of the antivirus. The empty string means other, like AVOther.
const (
	AVActive       AVMode = "0"
	AVPassive      AVMode = "1"
	AVDisabled     AVMode = "2"
	AVOther        AVMode = "3"
	AVEDRBlocked   AVMode = "4"
	AVPassiveAudit AVMode = "5"
)

// Name is the mode in a word, e.g. Active; the number itself when it is not known.
func (m AVMode) Name() string {
	switch m {
	case AVActive:
		return "Active"
	case AVPassive:
		return "Passive"
	case AVDisabled:
		return "Disabled"
	case AVOther, "":
		return "Other"
	case AVEDRBlocked:
		return "EDRBlocked"
	case AVPassiveAudit:
		return "PassiveAudit"
	}
	return string(m)
}

// ScanResult is how an antivirus scan ended; empty when there was none. Unknown values are kept.
type ScanResult string

// The results of scans.
const (
	ScanResultCompleted ScanResult = "Completed"
	ScanResultCanceled  ScanResult = "Canceled"
	ScanResultFailed    ScanResult = "Failed"
)

// UpToDate says whether a part of the antivirus is: a word, not a boolean. Unknown values are kept.
type UpToDate string

// The answers to whether something is up to date.
const (
	UpToDateTrue    UpToDate = "True"
	UpToDateFalse   UpToDate = "False"
	UpToDateUnknown UpToDate = "Unknown"
)

// OSKind is the kind of an operating system. Unknown values are kept.
type OSKind string

// The kinds of operating systems.
const (
	OSKindWindows OSKind = "windows"
	OSKindMac     OSKind = "mac"
	OSKindLinux   OSKind = "linux"
)

// DeviceAVInfo is the deviceAvInfo resource (device-health-api-methods-properties.md): the state of the antivirus of one
// device.
type DeviceAVInfo struct {
	ID                    string     `json:"id"`
	MachineID             string     `json:"machineId"`
	ComputerDNSName       string     `json:"computerDnsName"`
	OSKind                OSKind     `json:"osKind"`
	OSPlatform            string     `json:"osPlatform"`
	OSVersion             string     `json:"osVersion"`
	AVMode                AVMode     `json:"avMode"`
	AVSignatureVersion    string     `json:"avSignatureVersion"`
	AVEngineVersion       string     `json:"avEngineVersion"`
	AVPlatformVersion     string     `json:"avPlatformVersion"`
	LastSeenTime          Time       `json:"lastSeenTime"`
	QuickScanResult       ScanResult `json:"quickScanResult"`
	QuickScanError        string     `json:"quickScanError"`
	QuickScanTime         Time       `json:"quickScanTime"`
	FullScanResult        ScanResult `json:"fullScanResult"`
	FullScanError         string     `json:"fullScanError"`
	FullScanTime          Time       `json:"fullScanTime"`
	DataRefreshTimestamp  Time       `json:"dataRefreshTimestamp"`
	AVEngineUpdateTime    Time       `json:"avEngineUpdateTime"`
	AVSignatureUpdateTime Time       `json:"avSignatureUpdateTime"`
	AVPlatformUpdateTime  Time       `json:"avPlatformUpdateTime"`
	AVIsSignatureUpToDate UpToDate   `json:"avIsSignatureUpToDate"`
	AVIsEngineUpToDate    UpToDate   `json:"avIsEngineUpToDate"`
	AVIsPlatformUpToDate  UpToDate   `json:"avIsPlatformUpToDate"`
	// AVSignaturePublishTime is when the security intelligence was released.
	AVSignaturePublishTime Time   `json:"avSignaturePublishTime"`
	RbacGroupName          string `json:"rbacGroupName"`
	RbacGroupID            ID     `json:"rbacGroupId"`
}

// UnmarshalJSON implements json.Unmarshaler: a number is taken as well.
func (m *AVMode) UnmarshalJSON(data []byte) error {
	var id ID
	err := id.UnmarshalJSON(data)
	*m = AVMode(id)
	return err
}
