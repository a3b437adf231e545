package mdecore

// RecommendationCategory is what a recommendation is about. Unknown values are kept.
type RecommendationCategory string

// The categories of recommendations.
const (
	RecommendationAccounts         RecommendationCategory = "Accounts"
	RecommendationApplication      RecommendationCategory = "Application"
	RecommendationNetwork          RecommendationCategory = "Network"
	RecommendationOS               RecommendationCategory = "OS"
	RecommendationSecurityControls RecommendationCategory = "SecurityControls"
)

// RemediationType is how a recommendation is followed. Unknown values are kept.
type RemediationType string

// The ways to follow a recommendation.
const (
	RemediationConfigurationChange RemediationType = "ConfigurationChange"
	RemediationUpdate              RemediationType = "Update"
	RemediationUpgrade             RemediationType = "Upgrade"
	RemediationUninstall           RemediationType = "Uninstall"
)

// RecommendationStatus says whether the tenant made an exception. Unknown values are kept.
type RecommendationStatus string

// The states of a recommendation.
const (
	RecommendationActive    RecommendationStatus = "Active"
	RecommendationException RecommendationStatus = "Exception"
)

// Recommendation is the recommendation resource (recommendation.md).
type Recommendation struct {
	// ID begins with va-_- for a product (va-_-google-_-chrome) and with sca-_- for a configuration (sca-_-scid-2010).
	ID                 string `json:"id"`
	ProductName        string `json:"productName"`
	RecommendationName string `json:"recommendationName"`
	// Weaknesses is the number of vulnerabilities that following it removes.
	Weaknesses         Int    `json:"weaknesses"`
	Vendor             string `json:"vendor"`
	RecommendedVersion string `json:"recommendedVersion"`
	// RecommendedProgram and RecommendedVendor name what to change to; the samples mostly leave them out.
	RecommendedProgram     string                 `json:"recommendedProgram"`
	RecommendedVendor      string                 `json:"recommendedVendor"`
	RecommendationCategory RecommendationCategory `json:"recommendationCategory"`
	SubCategory            string                 `json:"subCategory"`
	// SeverityScore is what a configuration can add to the secure score, 1 to 10; 0 for software.
	SeverityScore Float `json:"severityScore"`
	PublicExploit bool  `json:"publicExploit"`
	ActiveAlert   bool  `json:"activeAlert"`
	// AssociatedThreats are ids of threat analytics reports.
	AssociatedThreats []string             `json:"associatedThreats"`
	RemediationType   RemediationType      `json:"remediationType"`
	Status            RecommendationStatus `json:"status"`
	// ConfigScoreImpact and ExposureImpact are what following it does to the secure score and to the exposure score.
	ConfigScoreImpact    Float `json:"configScoreImpact"`
	ExposureImpact       Float `json:"exposureImpact"`
	TotalMachineCount    Int   `json:"totalMachineCount"`
	ExposedMachinesCount Int   `json:"exposedMachinesCount"`
	// NonProductivityImpactedAssets is how many machines can follow it without a user noticing.
	NonProductivityImpactedAssets Int    `json:"nonProductivityImpactedAssets"`
	RelatedComponent              string `json:"relatedComponent"`
	ExposedCriticalDevices        Int    `json:"exposedCriticalDevices"`
	// HasUnpatchableCVE and Tags are not in the page's table, but in its samples.
	HasUnpatchableCVE bool `json:"hasUnpatchableCve"`
	// Tags are remarks such as internetFacing.
	Tags []string `json:"tags"`
}
