package mdecore

import (
	"encoding/json"
	"strings"
)

// AlertSeverity is how bad an alert is. Unknown values are kept.
type AlertSeverity string

// The severities of an alert.
const (
	SeverityUnSpecified   AlertSeverity = "UnSpecified"
	SeverityInformational AlertSeverity = "Informational"
	SeverityLow           AlertSeverity = "Low"
	SeverityMedium        AlertSeverity = "Medium"
	SeverityHigh          AlertSeverity = "High"
)

// AlertStatus is how far an alert has been dealt with. Unknown values are kept.
type AlertStatus string

// The states of an alert.
const (
	AlertStatusUnknown    AlertStatus = "Unknown"
	AlertStatusNew        AlertStatus = "New"
	AlertStatusInProgress AlertStatus = "InProgress"
	AlertStatusResolved   AlertStatus = "Resolved"
)

// AlertClassification is an analyst's verdict. Unknown values are kept.
type AlertClassification string

// The verdicts on an alert.
const (
	ClassificationTruePositive                  AlertClassification = "TruePositive"
	ClassificationInformationalExpectedActivity AlertClassification = "InformationalExpectedActivity"
	ClassificationFalsePositive                 AlertClassification = "FalsePositive"
)

// AlertDetermination refines a classification. Unknown values are kept. Compare with Same, because two of them have two
// names.
type AlertDetermination string

// The determinations of an alert. Which ones go with which classification is on the page alerts.md. update-alert.md calls
// ConfirmedUserActivity ConfirmedActivity and Clean NotMalicious; both names are understood.
const (
	DeterminationMultiStagedAttack         AlertDetermination = "MultiStagedAttack"
	DeterminationMaliciousUserActivity     AlertDetermination = "MaliciousUserActivity"
	DeterminationCompromisedUser           AlertDetermination = "CompromisedUser"
	DeterminationMalware                   AlertDetermination = "Malware"
	DeterminationPhishing                  AlertDetermination = "Phishing"
	DeterminationUnwantedSoftware          AlertDetermination = "UnwantedSoftware"
	DeterminationSecurityTesting           AlertDetermination = "SecurityTesting"
	DeterminationLineOfBusinessApplication AlertDetermination = "LineOfBusinessApplication"
	DeterminationConfirmedUserActivity     AlertDetermination = "ConfirmedUserActivity"
	DeterminationConfirmedActivity         AlertDetermination = "ConfirmedActivity"
	DeterminationClean                     AlertDetermination = "Clean"
	DeterminationNotMalicious              AlertDetermination = "NotMalicious"
	DeterminationInsufficientData          AlertDetermination = "InsufficientData"
	DeterminationOther                     AlertDetermination = "Other"
)

// usual is the name that alerts.md gives a determination.
func (d AlertDetermination) usual() AlertDetermination {
	switch d {
	case DeterminationConfirmedActivity:
		return DeterminationConfirmedUserActivity
	case DeterminationNotMalicious:
		return DeterminationClean
	default:
		return d
	}
}

// Same reports whether two determinations mean the same, whichever of its names each goes by.
func (d AlertDetermination) Same(other AlertDetermination) bool { return d.usual() == other.usual() }

// Alert is the alert resource (alerts.md). Titles, names and comments in it are written by others, attackers included.
type Alert struct {
	ID                 string              `json:"id"`
	Title              string              `json:"title"`
	Description        string              `json:"description"`
	AlertCreationTime  Time                `json:"alertCreationTime"`
	FirstEventTime     Time                `json:"firstEventTime"`
	LastEventTime      Time                `json:"lastEventTime"`
	LastUpdateTime     Time                `json:"lastUpdateTime"`
	ResolvedTime       Time                `json:"resolvedTime"`
	IncidentID         Int                 `json:"incidentId"`
	InvestigationID    Int                 `json:"investigationId"`
	InvestigationState InvestigationState  `json:"investigationState"`
	AssignedTo         string              `json:"assignedTo"`
	RbacGroupName      string              `json:"rbacGroupName"`
	MitreTechniques    Strings             `json:"mitreTechniques"`
	RelatedUser        *RelatedUser        `json:"relatedUser"`
	Severity           AlertSeverity       `json:"severity"`
	Status             AlertStatus         `json:"status"`
	Classification     AlertClassification `json:"classification"`
	Determination      AlertDetermination  `json:"determination"`
	Category           string              `json:"category"`
	DetectionSource    string              `json:"detectionSource"`
	DetectorID         string              `json:"detectorId"`
	ThreatFamilyName   string              `json:"threatFamilyName"`
	ThreatName         string              `json:"threatName"`
	MachineID          string              `json:"machineId"`
	ComputerDNSName    string              `json:"computerDnsName"`
	AadTenantID        string              `json:"aadTenantId"`
	Comments           []AlertComment      `json:"comments"`
	// Evidence is filled by GetAlert, and by ListAlerts when the query asks for it.
	Evidence []AlertEvidence `json:"evidence"`
}

// AlertComment is an analyst's note on an alert.
type AlertComment struct {
	Comment     string `json:"comment"`
	CreatedBy   string `json:"createdBy"`
	CreatedTime Time   `json:"createdTime"`
}

// UnmarshalJSON accepts the samples' createdTime and the createTime of the documentation's table.
func (c *AlertComment) UnmarshalJSON(data []byte) error {
	type plain AlertComment
	var both struct {
		plain
		CreateTime Time `json:"createTime"`
	}
	if err := json.Unmarshal(data, &both); err != nil {
		return err
	}
	*c = AlertComment(both.plain)
	if c.CreatedTime.IsZero() {
		c.CreatedTime = both.CreateTime
	}
	return nil
}

// DetectionStatus is what was done about a piece of evidence. Unknown values are kept.
type DetectionStatus string

// DetectionDetected is the only state that the documentation shows.
const DetectionDetected DetectionStatus = "Detected"

// EntityType is what a piece of evidence is. Unknown values are kept.
type EntityType string

// The types of evidence that the documentation shows.
const (
	EntityUser    EntityType = "User"
	EntityProcess EntityType = "Process"
	EntityFile    EntityType = "File"
)

// AlertEvidence is one thing an alert is about. Which fields are set depends on EntityType.
type AlertEvidence struct {
	EntityType                EntityType `json:"entityType"`
	EvidenceCreationTime      Time       `json:"evidenceCreationTime"`
	SHA1                      string     `json:"sha1"`
	SHA256                    string     `json:"sha256"`
	FileName                  string     `json:"fileName"`
	FilePath                  string     `json:"filePath"`
	ProcessID                 Int        `json:"processId"`
	ProcessCommandLine        string     `json:"processCommandLine"`
	ProcessCreationTime       Time       `json:"processCreationTime"`
	ParentProcessID           Int        `json:"parentProcessId"`
	ParentProcessCreationTime Time       `json:"parentProcessCreationTime"`
	ParentProcessFileName     string     `json:"parentProcessFileName"`
	ParentProcessFilePath     string     `json:"parentProcessFilePath"`
	IPAddress                 string     `json:"ipAddress"`
	URL                       string     `json:"url"`
	RegistryKey               string     `json:"registryKey"`
	RegistryHive              string     `json:"registryHive"`
	RegistryValueType         string     `json:"registryValueType"`
	RegistryValue             string     `json:"registryValue"`
	AccountName               string     `json:"accountName"`
	DomainName                string     `json:"domainName"`
	UserSID                   string     `json:"userSid"`
	AadUserID                 string     `json:"aadUserId"`
	UserPrincipalName         string     `json:"userPrincipalName"`
	// DetectionStatus is empty where nothing was detected itself.
	DetectionStatus DetectionStatus `json:"detectionStatus"`
}

// RelatedUser is the person an alert is about.
type RelatedUser struct {
	UserName   string `json:"userName"`
	DomainName string `json:"domainName"`
}

// UnmarshalJSON accepts the object that answers hold and the string that the documentation's table promises.
func (u *RelatedUser) UnmarshalJSON(data []byte) error {
	*u = RelatedUser{}
	if len(data) > 0 && data[0] == '{' {
		type plain RelatedUser
		return json.Unmarshal(data, (*plain)(u))
	}
	text, _, err := jsonText(data)
	if domain, name, ok := strings.Cut(text, `\`); ok {
		u.DomainName, u.UserName = domain, name
	} else {
		u.UserName = text
	}
	return err
}
