package mdesim

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// readBaselines is taken from the export's page; the lists' pages name no
// permission.
func readBaselines() permissions {
	return anyOf("SecurityBaselinesAssessment.Read.All", "SecurityBaselinesAssessment.Read")
}

func baselineRoutes() []route {
	return append(inventories{
		op: "export_baseline_compliance_assessment", pages: "baselineComplianceAssessmentByMachine", files: "BaselineComplianceAssessmentExport",
		doc: "export-security-baseline-assessment.md", p: readBaselines(), e: inventoryExport("AssetBaselineAssessment", "BaselineAssessmentExport", baselineRows),
	}.routes(),
		on(http.MethodGet, "list_baseline_configurations", "/api/baselineConfigurations", "get-security-baselines-assessment-configurations.md",
			readBaselines(), listBaselineConfigurations),
		on(http.MethodGet, "list_baseline_profiles", "/api/baselineProfiles", "get-security-baselines-assessment-profiles.md",
			readBaselines(), listBaselineProfiles),
	)
}

// baselineProfile is the baselineProfile resource; on are the platforms that it is
// for, which the resource says in words.
type baselineProfile struct {
	ID                     string    `json:"id"`
	Name                   string    `json:"name"`
	Description            string    `json:"description"`
	Benchmark              string    `json:"benchmark"`
	Version                string    `json:"version"`
	OperatingSystem        string    `json:"operatingSystem"`
	OperatingSystemVersion string    `json:"operatingSystemVersion"`
	Status                 bool      `json:"status"`
	ComplianceLevel        string    `json:"complianceLevel"`
	SettingsNumber         int       `json:"settingsNumber"`
	CreatedBy              string    `json:"createdBy"`
	LastUpdatedBy          Nullable  `json:"lastUpdatedBy"`
	CreatedOnTimestampUTC  time.Time `json:"createdOnTimestampUTC"`
	LastUpdateTimestampUTC time.Time `json:"lastUpdateTimestampUTC"`
	PassedDevices          int       `json:"passedDevices"`
	TotalDevices           int       `json:"totalDevices"`
	platform, release      string
}

// covers reports whether a profile is held against a device.
func (p baselineProfile) covers(d *device) bool {
	return p.Status && d.managed() && d.OSPlatform == p.platform && (p.release == "" || string(d.Version) == p.release)
}

// baselineConfiguration is the baselineConfiguration resource; found is what a
// device has that does not comply, and salt varies which ones do not.
type baselineConfiguration struct {
	ID               string   `json:"id"`
	UniqueID         string   `json:"uniqueId"`
	BenchmarkName    string   `json:"benchmarkName"`
	BenchmarkVersion string   `json:"benchmarkVersion"`
	Name             string   `json:"name"`
	Description      string   `json:"description"`
	Category         string   `json:"category"`
	ComplianceLevels []string `json:"complianceLevels"`
	CCE              string   `json:"cce"`
	Rationale        string   `json:"rationale"`
	Remediation      string   `json:"remediation"`
	RecommendedValue []string `json:"recommendedValue"`
	Source           []string `json:"source"`
	IsCustom         bool     `json:"isCustom"`
	good, bad        string
	met              int // percent of devices that comply
	salt             uint64
}

// complies reports whether a device follows a configuration.
func (b *baselineConfiguration) complies(hash uint64) bool {
	return int(scramble(hash^b.salt)%100) < b.met
}

// of reports whether a configuration belongs to a profile's benchmark.
func (b *baselineConfiguration) of(p baselineProfile) bool {
	return b.BenchmarkName == p.Benchmark && b.BenchmarkVersion == p.Version
}

// assetBaseline is the assetBaselineAssessment resource.
type assetBaseline struct {
	ID              string `json:"id"`
	ConfigurationID string `json:"configurationId"`
	asset
	ProfileID                       string    `json:"profileId"`
	OSPlatform                      string    `json:"osPlatform"`
	OSVersion                       string    `json:"osVersion"`
	IsApplicable                    bool      `json:"isApplicable"`
	IsCompliant                     bool      `json:"isCompliant"`
	DataCollectionTimeOffset        time.Time `json:"dataCollectionTimeOffset"`
	ComplianceCalculationTimeOffset time.Time `json:"complianceCalculationTimeOffset"`
	RecommendedValue                []string  `json:"recommendedValue"`
	CurrentValue                    []string  `json:"currentValue"`
	Source                          []string  `json:"source"`
}

// baselineRows are the configurations of all profiles that a device is held
// against.
func baselineRows(t *Tenant, d *device) []any {
	var out []any
	hash, system := d.dice("baseline"), ""
	for _, p := range baselineProfiles() {
		if !p.covers(d) {
			continue
		}
		if system == "" {
			system = systemVersion(t.softwareOn(d), d)
		}
		for _, b := range benchmarks() {
			if !b.of(p) {
				continue
			}
			row := assetBaseline{
				ID: d.ID + "_" + p.ID + "_" + b.ID, ConfigurationID: b.ID, asset: assetOf(d), ProfileID: p.ID, OSPlatform: d.OSPlatform, OSVersion: system,
				IsApplicable: true, IsCompliant: b.complies(hash), DataCollectionTimeOffset: d.LastSeen, ComplianceCalculationTimeOffset: d.LastSeen.Add(time.Hour),
				RecommendedValue: b.RecommendedValue, CurrentValue: []string{b.bad}, Source: b.Source,
			}
			if row.IsCompliant {
				row.CurrentValue = []string{b.good}
			}
			out = append(out, row)
		}
	}
	return out
}

// countedProfiles are the profiles with their counts of devices, which are those
// of the rows above.
func countedProfiles(t *Tenant) []baselineProfile {
	profiles := baselineProfiles()
	devices := t.snapshot()
	for i := range profiles {
		p := &profiles[i]
		var own []*baselineConfiguration
		for _, b := range benchmarks() {
			if b.of(*p) {
				own = append(own, b)
			}
		}
		p.SettingsNumber = len(own)
		for _, d := range devices {
			if !p.covers(d) {
				continue
			}
			p.TotalDevices++
			hash := d.dice("baseline")
			if !slices.ContainsFunc(own, func(b *baselineConfiguration) bool { return !b.complies(hash) }) {
				p.PassedDevices++
			}
		}
	}
	return profiles
}

func listBaselineProfiles(c *call) response {
	str, num := propertyType{kind: kindString}, propertyType{kind: kindInt}
	return listing[baselineProfile]{
		context: "Collection(microsoft.windowsDefenderATP.api.PublicBaselineProfileDto)",
		schema: schema[baselineProfile]{
			"id":                     {propertyType{kind: kindGUID}, func(p baselineProfile) any { return p.ID }},
			"name":                   {str, func(p baselineProfile) any { return p.Name }},
			"operatingSystem":        {str, func(p baselineProfile) any { return p.OperatingSystem }},
			"operatingSystemVersion": {str, func(p baselineProfile) any { return p.OperatingSystemVersion }},
			"status":                 {propertyType{kind: kindBool}, func(p baselineProfile) any { return strconv.FormatBool(p.Status) }},
			"settingsNumber":         {num, func(p baselineProfile) any { return int64(p.SettingsNumber) }},
			"passedDevices":          {num, func(p baselineProfile) any { return int64(p.PassedDevices) }},
			"totalDevices":           {num, func(p baselineProfile) any { return int64(p.TotalDevices) }},
		},
		wire: func(p baselineProfile, _ bool) any { return p },
	}.serve(c, countedProfiles(c.t))
}

func listBaselineConfigurations(c *call) response {
	str := propertyType{kind: kindString}
	return listing[*baselineConfiguration]{
		context: "BaselineConfigurations",
		schema: schema[*baselineConfiguration]{
			"id":       {str, func(b *baselineConfiguration) any { return b.ID }},
			"category": {str, func(b *baselineConfiguration) any { return b.Category }},
			"name":     {str, func(b *baselineConfiguration) any { return b.Name }},
			"CCE":      {str, func(b *baselineConfiguration) any { return b.CCE }},
		},
		wire: func(b *baselineConfiguration, _ bool) any { return b },
	}.serve(c, benchmarks())
}
