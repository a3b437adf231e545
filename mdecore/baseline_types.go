package mdecore

import "encoding/json"

// BaselineProfile is the baselineProfile resource (get-security-baselines-assessment-profiles.md): a choice of baseline
// configurations that devices of one operating system are held against.
type BaselineProfile struct {
	ID                     string `json:"id"`
	Name                   string `json:"name"`
	Description            string `json:"description"`
	Benchmark              string `json:"benchmark"`
	Version                string `json:"version"`
	OperatingSystem        string `json:"operatingSystem"`
	OperatingSystemVersion string `json:"operatingSystemVersion"`
	// Status says whether the profile is active.
	Status          bool   `json:"status"`
	ComplianceLevel string `json:"complianceLevel"`
	// SettingsNumber is how many configurations it has.
	SettingsNumber Int    `json:"settingsNumber"`
	CreatedBy      string `json:"createdBy"`
	LastUpdatedBy  string `json:"lastUpdatedBy"`
	// CreatedOnTimestampUTC and LastUpdateTimestampUTC carry the sample's names; the page's table calls them
	// createdOnTimeOffset and lastUpdateTimeOffset, which are read as well.
	CreatedOnTimestampUTC  Time `json:"createdOnTimestampUTC"`
	LastUpdateTimestampUTC Time `json:"lastUpdateTimestampUTC"`
	PassedDevices          Int  `json:"passedDevices"`
	TotalDevices           Int  `json:"totalDevices"`
}

// UnmarshalJSON implements json.Unmarshaler: the sample's names, or the table's.
func (p *BaselineProfile) UnmarshalJSON(data []byte) error {
	type plain BaselineProfile
	var table struct {
		CreatedOnTimeOffset  Time `json:"createdOnTimeOffset"`
		LastUpdateTimeOffset Time `json:"lastUpdateTimeOffset"`
	}
	*p = BaselineProfile{}
	if err := json.Unmarshal(data, (*plain)(p)); err != nil {
		return err
	}
	if err := json.Unmarshal(data, &table); err != nil {
		return err
	}
	if p.CreatedOnTimestampUTC.IsZero() {
		p.CreatedOnTimestampUTC = table.CreatedOnTimeOffset
	}
	if p.LastUpdateTimestampUTC.IsZero() {
		p.LastUpdateTimestampUTC = table.LastUpdateTimeOffset
	}
	return nil
}

// BaselineConfiguration is the baselineConfiguration resource (get-security-baselines-assessment-configurations.md): one
// rule of a benchmark.
type BaselineConfiguration struct {
	// ID is unique in its benchmark only, UniqueID among all.
	ID               string `json:"id"`
	UniqueID         string `json:"uniqueId"`
	BenchmarkName    string `json:"benchmarkName"`
	BenchmarkVersion string `json:"benchmarkVersion"`
	Name             string `json:"name"`
	// Description, Rationale and Remediation are HTML that others wrote. Rationale is missing for STIG.
	Description      string `json:"description"`
	Rationale        string `json:"rationale"`
	Remediation      string `json:"remediation"`
	Category         string `json:"category"`
	ComplianceLevels Texts  `json:"complianceLevels"`
	// CCE is the rule's Common Configuration Enumeration id.
	CCE ID `json:"cce"`
	// Source and RecommendedValue belong together, item by item.
	Source           Texts `json:"source"`
	RecommendedValue Texts `json:"recommendedValue"`
	IsCustom         bool  `json:"isCustom"`
}

// AssetBaselineAssessment is the assetBaselineAssessment resource (export-security-baseline-assessment.md): one
// configuration of one profile on one device.
type AssetBaselineAssessment struct {
	// ID is made of device, profile and configuration id.
	ID              string `json:"id"`
	DeviceID        string `json:"deviceId"`
	DeviceName      string `json:"deviceName"`
	RbacGroupID     ID     `json:"rbacGroupId"`
	RbacGroupName   string `json:"rbacGroupName"`
	ProfileID       string `json:"profileId"`
	ConfigurationID string `json:"configurationId"`
	OSPlatform      string `json:"osPlatform"`
	OSVersion       string `json:"osVersion"`
	IsApplicable    bool   `json:"isApplicable"`
	IsCompliant     bool   `json:"isCompliant"`
	// DataCollectionTimeOffset is when the device was looked at; it can be missing.
	DataCollectionTimeOffset        Time `json:"dataCollectionTimeOffset"`
	ComplianceCalculationTimeOffset Time `json:"complianceCalculationTimeOffset"`
	// RecommendedValue, CurrentValue and Source belong together, item by item.
	RecommendedValue Texts `json:"recommendedValue"`
	CurrentValue     Texts `json:"currentValue"`
	Source           Texts `json:"source"`
}
