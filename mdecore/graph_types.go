package mdecore

// Incident is the incident resource of Microsoft Graph (security-incident.md). Names, descriptions, comments and tags in
// it are written by others, attackers included.
type Incident struct {
	ID             string `json:"id"`
	IncidentWebURL string `json:"incidentWebUrl"`
	// RedirectIncidentID is the incident that this one was merged into.
	RedirectIncidentID string              `json:"redirectIncidentId"`
	TenantID           string              `json:"tenantId"`
	DisplayName        string              `json:"displayName"`
	Description        string              `json:"description"`
	Summary            string              `json:"summary"`
	CreatedDateTime    Time                `json:"createdDateTime"`
	LastUpdateDateTime Time                `json:"lastUpdateDateTime"`
	LastModifiedBy     string              `json:"lastModifiedBy"`
	AssignedTo         string              `json:"assignedTo"`
	Status             IncidentStatus      `json:"status"`
	Severity           GraphSeverity       `json:"severity"`
	Classification     GraphClassification `json:"classification"`
	Determination      GraphDetermination  `json:"determination"`
	ResolvingComment   string              `json:"resolvingComment"`
	CustomTags         Strings             `json:"customTags"`
	SystemTags         Strings             `json:"systemTags"`
	Comments           []GraphComment      `json:"comments"`
	// Alerts is filled only when it was asked for.
	Alerts []AlertV2 `json:"alerts,omitempty"`
}

// AlertV2 is the alert resource of Microsoft Graph (security-alert.md). Its id is that of the Defender for Endpoint API
// for alerts of that service. Titles, names and comments in it are written by others, attackers included.
type AlertV2 struct {
	ID string `json:"id"`
	// ProviderAlertID is the id in the product that raised the alert.
	ProviderAlertID       string              `json:"providerAlertId"`
	IncidentID            ID                  `json:"incidentId"`
	Status                GraphAlertStatus    `json:"status"`
	Severity              GraphSeverity       `json:"severity"`
	Classification        GraphClassification `json:"classification"`
	Determination         GraphDetermination  `json:"determination"`
	ServiceSource         string              `json:"serviceSource"`
	DetectionSource       string              `json:"detectionSource"`
	ProductName           string              `json:"productName"`
	DetectorID            string              `json:"detectorId"`
	TenantID              string              `json:"tenantId"`
	Title                 string              `json:"title"`
	Description           string              `json:"description"`
	RecommendedActions    string              `json:"recommendedActions"`
	Category              string              `json:"category"`
	AssignedTo            string              `json:"assignedTo"`
	AlertWebURL           string              `json:"alertWebUrl"`
	IncidentWebURL        string              `json:"incidentWebUrl"`
	ActorDisplayName      string              `json:"actorDisplayName"`
	ThreatDisplayName     string              `json:"threatDisplayName"`
	ThreatFamilyName      string              `json:"threatFamilyName"`
	MitreTechniques       Strings             `json:"mitreTechniques"`
	CreatedDateTime       Time                `json:"createdDateTime"`
	LastUpdateDateTime    Time                `json:"lastUpdateDateTime"`
	ResolvedDateTime      Time                `json:"resolvedDateTime"`
	FirstActivityDateTime Time                `json:"firstActivityDateTime"`
	LastActivityDateTime  Time                `json:"lastActivityDateTime"`
	SystemTags            Strings             `json:"systemTags"`
	Comments              []GraphComment      `json:"comments"`
	Evidence              []AlertV2Evidence   `json:"evidence"`
}

// GraphComment is what an analyst wrote on an alert or incident (security-alertcomment.md). The pages of alerts and
// incidents show other names for author and time than the comment's own page; both are read.
type GraphComment struct {
	Comment              string `json:"comment"`
	CreatedByDisplayName string `json:"createdByDisplayName,omitempty"`
	CreatedDateTime      Time   `json:"createdDateTime,omitzero"`
	CreatedBy            string `json:"createdBy,omitempty"`
	CreatedTime          Time   `json:"createdTime,omitzero"`
}

// AlertV2Evidence is one entity of an alert (security-alertevidence.md). Which of the later fields it has depends on Type.
type AlertV2Evidence struct {
	// Type is the kind of entity, e.g. #microsoft.graph.security.deviceEvidence.
	Type                     string  `json:"@odata.type"`
	CreatedDateTime          Time    `json:"createdDateTime"`
	Verdict                  string  `json:"verdict"`
	RemediationStatus        string  `json:"remediationStatus"`
	RemediationStatusDetails string  `json:"remediationStatusDetails"`
	Roles                    Strings `json:"roles"`
	DetailedRoles            Strings `json:"detailedRoles"`
	Tags                     Strings `json:"tags"`

	// MDEDeviceID is the machine id of the Defender for Endpoint API, on devices, files and processes.
	MDEDeviceID       string             `json:"mdeDeviceId,omitempty"`
	AzureADDeviceID   string             `json:"azureAdDeviceId,omitempty"`
	DeviceDNSName     string             `json:"deviceDnsName,omitempty"`
	OSPlatform        string             `json:"osPlatform,omitempty"`
	OSBuild           Int                `json:"osBuild,omitempty"`
	Version           string             `json:"version,omitempty"`
	HealthStatus      string             `json:"healthStatus,omitempty"`
	RiskScore         string             `json:"riskScore,omitempty"`
	RbacGroupID       Int                `json:"rbacGroupId,omitempty"`
	RbacGroupName     string             `json:"rbacGroupName,omitempty"`
	OnboardingStatus  string             `json:"onboardingStatus,omitempty"`
	DefenderAVStatus  string             `json:"defenderAvStatus,omitempty"`
	FirstSeenDateTime Time               `json:"firstSeenDateTime,omitzero"`
	IPInterfaces      Strings            `json:"ipInterfaces,omitempty"`
	LoggedOnUsers     []GraphUserAccount `json:"loggedOnUsers,omitempty"`

	DetectionStatus string     `json:"detectionStatus,omitempty"`
	FileDetails     *GraphFile `json:"fileDetails,omitempty"`

	ProcessID                     Int               `json:"processId,omitempty"`
	ParentProcessID               Int               `json:"parentProcessId,omitempty"`
	ProcessCommandLine            string            `json:"processCommandLine,omitempty"`
	ProcessCreationDateTime       Time              `json:"processCreationDateTime,omitzero"`
	ParentProcessCreationDateTime Time              `json:"parentProcessCreationDateTime,omitzero"`
	ImageFile                     *GraphFile        `json:"imageFile,omitempty"`
	ParentProcessImageFile        *GraphFile        `json:"parentProcessImageFile,omitempty"`
	UserAccount                   *GraphUserAccount `json:"userAccount,omitempty"`

	IPAddress         string `json:"ipAddress,omitempty"`
	CountryLetterCode string `json:"countryLetterCode,omitempty"`
	URL               string `json:"url,omitempty"`

	RegistryKey       string `json:"registryKey,omitempty"`
	RegistryHive      string `json:"registryHive,omitempty"`
	RegistryValue     string `json:"registryValue,omitempty"`
	RegistryValueName string `json:"registryValueName,omitempty"`
	RegistryValueType string `json:"registryValueType,omitempty"`
}

// GraphFile is a file in an alert's evidence (security-filedetails.md).
type GraphFile struct {
	SHA1          string `json:"sha1"`
	SHA256        string `json:"sha256"`
	FileName      string `json:"fileName"`
	FilePath      string `json:"filePath"`
	FileSize      Int    `json:"fileSize"`
	FilePublisher string `json:"filePublisher"`
	Signer        string `json:"signer"`
	Issuer        string `json:"issuer"`
}

// GraphUserAccount is an account in an alert's evidence (security-useraccount.md).
type GraphUserAccount struct {
	AccountName       string `json:"accountName"`
	DomainName        string `json:"domainName"`
	UserSID           string `json:"userSid"`
	AzureADUserID     string `json:"azureAdUserId"`
	UserPrincipalName string `json:"userPrincipalName"`
	DisplayName       string `json:"displayName"`
}
