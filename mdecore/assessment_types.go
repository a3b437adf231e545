package mdecore

// ExportFiles is the exportFiles resource (get-assessment-methods-properties.md): where the files of an export lie. They
// hold JSON objects, one a line, packed with gzip: read them with ExportRows.
type ExportFiles struct {
	// ExportFiles are signed links without a further sign-in, good for an hour unless asked otherwise.
	ExportFiles []Link `json:"exportFiles"`
	// GeneratedTime is when the service made the files; it does so every few hours, not at the call.
	GeneratedTime Time `json:"generatedTime"`
}

// ConfigurationCategory is the kind of a secure configuration. Unknown values are kept.
type ConfigurationCategory string

// The categories of secure configurations.
const (
	ConfigurationApplication      ConfigurationCategory = "Application"
	ConfigurationOS               ConfigurationCategory = "OS"
	ConfigurationNetwork          ConfigurationCategory = "Network"
	ConfigurationAccounts         ConfigurationCategory = "Accounts"
	ConfigurationSecurityControls ConfigurationCategory = "Security controls"
)

// AssetConfiguration is the assetConfiguration resource (get-assessment-secure-config.md): one configuration of one
// device.
type AssetConfiguration struct {
	DeviceID string `json:"deviceId"`
	// DeviceName is the fully qualified name; it can be empty.
	DeviceName    string `json:"deviceName"`
	RbacGroupID   ID     `json:"rbacGroupId"`
	RbacGroupName string `json:"rbacGroupName"`
	OSPlatform    string `json:"osPlatform"`
	OSVersion     string `json:"osVersion"`
	// Timestamp is when the configuration was last seen on the device.
	Timestamp                Time                  `json:"timestamp"`
	ConfigurationID          string                `json:"configurationId"`
	ConfigurationCategory    ConfigurationCategory `json:"configurationCategory"`
	ConfigurationSubcategory string                `json:"configurationSubcategory"`
	// ConfigurationImpact is 1 to 10.
	ConfigurationImpact     Float  `json:"configurationImpact"`
	ConfigurationName       string `json:"configurationName"`
	IsApplicable            bool   `json:"isApplicable"`
	IsCompliant             bool   `json:"isCompliant"`
	IsExpectedUserImpact    bool   `json:"isExpectedUserImpact"`
	RecommendationReference string `json:"recommendationReference"`
}

// EndOfSupportStatus says whether a product's maker still mends it. Unknown values are kept.
type EndOfSupportStatus string

// The states of support.
const (
	SupportNone                EndOfSupportStatus = "None"
	SupportVersionEnded        EndOfSupportStatus = "EOS Version"
	SupportVersionEndUpcoming  EndOfSupportStatus = "Upcoming EOS Version"
	SupportSoftwareEnded       EndOfSupportStatus = "EOS Software"
	SupportSoftwareEndUpcoming EndOfSupportStatus = "Upcoming EOS Software"
)

// AssetSoftware is the assetSoftware resource (get-assessment-software-inventory.md): one version of a product on one
// device.
type AssetSoftware struct {
	DeviceID                   string             `json:"deviceId"`
	DeviceName                 string             `json:"deviceName"`
	RbacGroupID                ID                 `json:"rbacGroupId"`
	RbacGroupName              string             `json:"rbacGroupName"`
	OSPlatform                 string             `json:"osPlatform"`
	SoftwareVendor             string             `json:"softwareVendor"`
	SoftwareName               string             `json:"softwareName"`
	SoftwareVersion            string             `json:"softwareVersion"`
	NumberOfWeaknesses         Int                `json:"numberOfWeaknesses"`
	DiskPaths                  Texts              `json:"diskPaths"`
	RegistryPaths              Texts              `json:"registryPaths"`
	SoftwareFirstSeenTimestamp Time               `json:"softwareFirstSeenTimestamp"`
	EndOfSupportStatus         EndOfSupportStatus `json:"endOfSupportStatus"`
	EndOfSupportDate           Time               `json:"endOfSupportDate"`
}

// AssetNonCPESoftware is the assetNonCpeSoftware resource (get-assessment-non-cpe-software-inventory.md): a product on a
// device that has no official product code, so that nothing is known about its weaknesses.
type AssetNonCPESoftware struct {
	DeviceID                  string `json:"deviceId"`
	DeviceName                string `json:"deviceName"`
	RbacGroupID               ID     `json:"rbacGroupId"`
	RbacGroupName             string `json:"rbacGroupName"`
	OSPlatform                string `json:"osPlatform"`
	SoftwareVendor            string `json:"softwareVendor"`
	SoftwareName              string `json:"softwareName"`
	SoftwareVersion           string `json:"softwareVersion"`
	RegistryPath              string `json:"registryPath"`
	SoftwareLastSeenTimestamp Time   `json:"softwareLastSeenTimestamp"`
}

// ExploitabilityLevel says how near an exploit of a weakness is. Unknown values are kept.
type ExploitabilityLevel string

// The levels of exploitability, in rising order.
const (
	NoExploit         ExploitabilityLevel = "NoExploit"
	ExploitIsPublic   ExploitabilityLevel = "ExploitIsPublic"
	ExploitIsVerified ExploitabilityLevel = "ExploitIsVerified"
	ExploitIsInKit    ExploitabilityLevel = "ExploitIsInKit"
)

// AssetVulnerability is the assetVulnerability resource (get-assessment-software-vulnerabilities.md): one weakness of one
// version of a product on one device. A product without known weaknesses has one row with an empty CVEID.
type AssetVulnerability struct {
	ID                           string              `json:"id"`
	DeviceID                     string              `json:"deviceId"`
	DeviceName                   string              `json:"deviceName"`
	RbacGroupID                  ID                  `json:"rbacGroupId"`
	RbacGroupName                string              `json:"rbacGroupName"`
	OSPlatform                   string              `json:"osPlatform"`
	OSVersion                    string              `json:"osVersion"`
	OSArchitecture               string              `json:"osArchitecture"`
	SoftwareVendor               string              `json:"softwareVendor"`
	SoftwareName                 string              `json:"softwareName"`
	SoftwareVersion              string              `json:"softwareVersion"`
	CVEID                        string              `json:"cveId"`
	CVSSScore                    Float               `json:"cvssScore"`
	VulnerabilitySeverityLevel   string              `json:"vulnerabilitySeverityLevel"`
	ExploitabilityLevel          ExploitabilityLevel `json:"exploitabilityLevel"`
	RecommendationReference      string              `json:"recommendationReference"`
	RecommendedSecurityUpdate    string              `json:"recommendedSecurityUpdate"`
	RecommendedSecurityUpdateID  string              `json:"recommendedSecurityUpdateId"`
	RecommendedSecurityUpdateURL string              `json:"recommendedSecurityUpdateUrl"`
	SecurityUpdateAvailable      bool                `json:"securityUpdateAvailable"`
	DiskPaths                    Texts               `json:"diskPaths"`
	RegistryPaths                Texts               `json:"registryPaths"`
	FirstSeenTimestamp           Time                `json:"firstSeenTimestamp"`
	LastSeenTimestamp            Time                `json:"lastSeenTimestamp"`
}

// VulnerabilityChange says what happened to a weakness on a device. Unknown values are kept.
type VulnerabilityChange string

// The changes of a weakness. A new version with the same weakness is Fixed for the old version and New for the new one.
const (
	VulnerabilityNew     VulnerabilityChange = "New"
	VulnerabilityFixed   VulnerabilityChange = "Fixed"
	VulnerabilityUpdated VulnerabilityChange = "Updated"
)

// AssetVulnerabilityDelta is the assetVulnerabilityDelta resource (get-assessment-software-vulnerabilities.md): a change
// of one weakness on one device. A device that moved to another group appears twice, Fixed in the old and New in the new
// one: tell them apart by ID.
type AssetVulnerabilityDelta struct {
	ID                           string              `json:"id"`
	DeviceID                     string              `json:"deviceId"`
	DeviceName                   string              `json:"deviceName"`
	RbacGroupID                  ID                  `json:"rbacGroupId"`
	RbacGroupName                string              `json:"rbacGroupName"`
	OSPlatform                   string              `json:"osPlatform"`
	OSVersion                    string              `json:"osVersion"`
	OSArchitecture               string              `json:"osArchitecture"`
	SoftwareVendor               string              `json:"softwareVendor"`
	SoftwareName                 string              `json:"softwareName"`
	SoftwareVersion              string              `json:"softwareVersion"`
	CVEID                        string              `json:"cveId"`
	CVSSScore                    Float               `json:"cvssScore"`
	VulnerabilitySeverityLevel   string              `json:"vulnerabilitySeverityLevel"`
	ExploitabilityLevel          ExploitabilityLevel `json:"exploitabilityLevel"`
	RecommendationReference      string              `json:"recommendationReference"`
	RecommendedSecurityUpdate    string              `json:"recommendedSecurityUpdate"`
	RecommendedSecurityUpdateID  string              `json:"recommendedSecurityUpdateId"`
	RecommendedSecurityUpdateURL string              `json:"recommendedSecurityUpdateUrl"`
	DiskPaths                    Texts               `json:"diskPaths"`
	RegistryPaths                Texts               `json:"registryPaths"`
	FirstSeenTimestamp           Time                `json:"firstSeenTimestamp"`
	LastSeenTimestamp            Time                `json:"lastSeenTimestamp"`
	Status                       VulnerabilityChange `json:"status"`
	EventTimestamp               Time                `json:"eventTimestamp"`
	IsOnboarded                  bool                `json:"isOnboarded"`
}
