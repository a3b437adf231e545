package mdesim

import (
	"encoding/json"
	"time"
)

// Nullable is a string that travels as JSON null when it is empty, as optional
// properties do in the real API.
type Nullable string

// MarshalJSON writes null for the empty string.
func (n Nullable) MarshalJSON() ([]byte, error) {
	if n == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(n))
}

// Machine is a device in the API's own shape (documentation: machine.md).
type Machine struct {
	ID                    string      `json:"id"`
	ComputerDNSName       string      `json:"computerDnsName"`
	FirstSeen             time.Time   `json:"firstSeen"`
	LastSeen              time.Time   `json:"lastSeen"`
	OSPlatform            string      `json:"osPlatform"`
	OSProcessor           string      `json:"osProcessor"`
	OSArchitecture        string      `json:"osArchitecture"`
	OSBuild               *int64      `json:"osBuild"`
	Version               Nullable    `json:"version"`
	LastIPAddress         Nullable    `json:"lastIpAddress"`
	LastExternalIPAddress Nullable    `json:"lastExternalIpAddress"`
	HealthStatus          string      `json:"healthStatus"`
	OnboardingStatus      string      `json:"onboardingStatus"`
	DeviceValue           string      `json:"deviceValue"`
	RBACGroupID           int64       `json:"rbacGroupId"`
	RBACGroupName         string      `json:"rbacGroupName"`
	RiskScore             string      `json:"riskScore"`
	ExposureLevel         string      `json:"exposureLevel"`
	IsAADJoined           bool        `json:"isAadJoined"`
	AADDeviceID           Nullable    `json:"aadDeviceId"`
	MachineTags           []string    `json:"machineTags"`
	IPAddresses           []IPAddress `json:"ipAddresses"`
}

// IPAddress is one network interface of a [Machine].
type IPAddress struct {
	IPAddress         string `json:"ipAddress"`
	MACAddress        string `json:"macAddress"`
	OperationalStatus string `json:"operationalStatus"`
}

// Alert is an alert in the API's own shape (documentation: alerts.md).
type Alert struct {
	ID                 string         `json:"id"`
	IncidentID         *int64         `json:"incidentId"`
	InvestigationID    *int64         `json:"investigationId"`
	AssignedTo         Nullable       `json:"assignedTo"`
	Severity           string         `json:"severity"`
	Status             string         `json:"status"`
	Classification     Nullable       `json:"classification"`
	Determination      Nullable       `json:"determination"`
	InvestigationState Nullable       `json:"investigationState"`
	DetectionSource    string         `json:"detectionSource"`
	DetectorID         string         `json:"detectorId"`
	Category           string         `json:"category"`
	ThreatFamilyName   Nullable       `json:"threatFamilyName"`
	Title              string         `json:"title"`
	Description        string         `json:"description"`
	AlertCreationTime  time.Time      `json:"alertCreationTime"`
	FirstEventTime     time.Time      `json:"firstEventTime"`
	LastEventTime      time.Time      `json:"lastEventTime"`
	LastUpdateTime     time.Time      `json:"lastUpdateTime"`
	ResolvedTime       *time.Time     `json:"resolvedTime"`
	MachineID          string         `json:"machineId"`
	ComputerDNSName    string         `json:"computerDnsName"`
	RBACGroupName      string         `json:"rbacGroupName"`
	AADTenantID        string         `json:"aadTenantId"`
	ThreatName         Nullable       `json:"threatName"`
	MitreTechniques    []string       `json:"mitreTechniques"`
	RelatedUser        *RelatedUser   `json:"relatedUser"`
	Comments           []AlertComment `json:"comments"`
	Evidence           []Evidence     `json:"evidence"`
}

// RelatedUser is the account an [Alert] is about.
type RelatedUser struct {
	UserName   string `json:"userName"`
	DomainName string `json:"domainName"`
}

// AlertComment is an analyst's comment on an [Alert].
type AlertComment struct {
	Comment     string    `json:"comment"`
	CreatedBy   string    `json:"createdBy"`
	CreatedTime time.Time `json:"createdTime"`
}

// Evidence is one entity of an [Alert]; properties that do not apply to its
// entity type are null.
type Evidence struct {
	EntityType                string     `json:"entityType"`
	EvidenceCreationTime      time.Time  `json:"evidenceCreationTime"`
	SHA1                      Nullable   `json:"sha1"`
	SHA256                    Nullable   `json:"sha256"`
	FileName                  Nullable   `json:"fileName"`
	FilePath                  Nullable   `json:"filePath"`
	ProcessID                 *int64     `json:"processId"`
	ProcessCommandLine        Nullable   `json:"processCommandLine"`
	ProcessCreationTime       *time.Time `json:"processCreationTime"`
	ParentProcessID           *int64     `json:"parentProcessId"`
	ParentProcessCreationTime *time.Time `json:"parentProcessCreationTime"`
	ParentProcessFileName     Nullable   `json:"parentProcessFileName"`
	ParentProcessFilePath     Nullable   `json:"parentProcessFilePath"`
	IPAddress                 Nullable   `json:"ipAddress"`
	URL                       Nullable   `json:"url"`
	RegistryKey               Nullable   `json:"registryKey"`
	RegistryHive              Nullable   `json:"registryHive"`
	RegistryValueType         Nullable   `json:"registryValueType"`
	RegistryValue             Nullable   `json:"registryValue"`
	AccountName               Nullable   `json:"accountName"`
	DomainName                Nullable   `json:"domainName"`
	UserSID                   Nullable   `json:"userSid"`
	AADUserID                 Nullable   `json:"aadUserId"`
	UserPrincipalName         Nullable   `json:"userPrincipalName"`
	DetectionStatus           Nullable   `json:"detectionStatus"`
}

// LogonUser is an account seen on a device, in the eight properties that the
// documented sample shows (documentation: get-machine-log-on-users.md).
type LogonUser struct {
	ID                string    `json:"id"`
	AccountName       string    `json:"accountName"`
	AccountDomain     string    `json:"accountDomain"`
	FirstSeen         time.Time `json:"firstSeen"`
	LastSeen          time.Time `json:"lastSeen"`
	LogonTypes        string    `json:"logonTypes"`
	IsDomainAdmin     bool      `json:"isDomainAdmin"`
	IsOnlyNetworkUser bool      `json:"isOnlyNetworkUser"`
}

// MachineAction is an action in the API's own shape (documentation:
// machineaction.md). LastUpdate travels as lastUpdateDateTimeUtc on a single
// action and as lastUpdateTimeUtc in lists, because the documented samples
// differ in just that way.
type MachineAction struct {
	ID                  string          `json:"id"`
	Type                string          `json:"type"`
	Title               Nullable        `json:"title"`
	Scope               Nullable        `json:"scope"`
	Requestor           string          `json:"requestor"`
	RequestorComment    string          `json:"requestorComment"`
	RequestSource       string          `json:"requestSource"`
	ExternalID          Nullable        `json:"externalID"`
	Status              string          `json:"status"`
	MachineID           string          `json:"machineId"`
	ComputerDNSName     string          `json:"computerDnsName"`
	CreationTime        time.Time       `json:"creationDateTimeUtc"`
	LastUpdate          time.Time       `json:"-"`
	CancellationTime    *time.Time      `json:"cancellationDateTimeUtc"`
	CancellationBy      Nullable        `json:"cancellationRequestor"`
	CancellationComment Nullable        `json:"cancellationComment"`
	RelatedFileInfo     *RelatedFile    `json:"relatedFileInfo"`
	Commands            []CommandStatus `json:"commands"`
}

// single is a machine action as the single-action routes send it.
type single struct {
	Context string `json:"@odata.context"`
	MachineAction
	LastUpdate time.Time `json:"lastUpdateDateTimeUtc"`
}

// listed is a machine action as the list route sends it.
type listed struct {
	MachineAction
	LastUpdate time.Time `json:"lastUpdateTimeUtc"`
}
