package mdesim

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// assetConfiguration is the assetConfiguration resource.
type assetConfiguration struct {
	asset
	OSPlatform               string `json:"osPlatform"`
	OSVersion                string `json:"osVersion"`
	Timestamp                string `json:"timestamp"`
	ConfigurationID          string `json:"configurationId"`
	ConfigurationCategory    string `json:"configurationCategory"`
	ConfigurationSubcategory string `json:"configurationSubcategory"`
	ConfigurationImpact      int    `json:"configurationImpact"`
	IsCompliant              bool   `json:"isCompliant"`
	IsApplicable             bool   `json:"isApplicable"`
	IsExpectedUserImpact     bool   `json:"isExpectedUserImpact"`
	ConfigurationName        string `json:"configurationName"`
	RecommendationReference  string `json:"recommendationReference"`
}

// onboardingControl is the configuration that a device without a sensor lacks; nothing
// else is known about such a device.
func onboardingControl() control {
	return control{scid: "scid-20000", title: "Onboard devices to Microsoft Defender for Endpoint", category: "SecurityControls", subcategory: "Onboard Devices", points: 9}
}

// configurationRows are the secure configurations of a device.
func configurationRows(t *Tenant, d *device) []any {
	var out []any
	version := systemVersion(t.softwareOn(d), d)
	add := func(c *control, compliant bool) {
		out = append(out, assetConfiguration{
			asset: assetOf(d), OSPlatform: d.OSPlatform, OSVersion: version, Timestamp: d.LastSeen.UTC().Format("2006-01-02 15:04:05.000"),
			ConfigurationID: c.scid, ConfigurationCategory: strings.Replace(c.category, "SecurityControls", "Security controls", 1),
			ConfigurationSubcategory: c.subcategory, ConfigurationImpact: c.points, IsCompliant: compliant, IsApplicable: true,
			IsExpectedUserImpact: c.points < 6, ConfigurationName: c.title, RecommendationReference: c.id(),
		})
	}
	for _, c := range t.configurationsOn(d) {
		add(c.control, c.compliant)
	}
	if d.managed() || d.OnboardingStatus == "CanBeOnboarded" {
		c := onboardingControl()
		add(&c, d.managed())
	}
	return out
}

// whereabouts is where a product was found on a device.
type whereabouts struct {
	DiskPaths     []string `json:"diskPaths"`
	RegistryPaths []string `json:"registryPaths"`
}

// foundAt is the whereabouts of a product. Libraries and operating systems have no
// program of their own.
func foundAt(d *device, i installed) whereabouts {
	e := whereabouts{DiskPaths: []string{}, RegistryPaths: []string{}}
	windows := d.runsWindows()
	switch {
	case i.file == "":
	case windows:
		e.DiskPaths = append(e.DiskPaths, `C:\Program Files\`+i.title+`\`+i.file)
		e.RegistryPaths = append(e.RegistryPaths, `HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall\`+i.title)
	case d.OSPlatform == "macOS":
		e.DiskPaths = append(e.DiskPaths, "/Applications/"+i.file)
	default:
		e.DiskPaths = append(e.DiskPaths, "/usr/bin/"+i.file)
	}
	return e
}

// updatedAt is when a device got the release of a product that it has: within the
// 28 days before it was last seen.
func updatedAt(d *device, p *product) time.Time {
	const span = 28 * 24 * 3600
	return d.LastSeen.UTC().Truncate(time.Second).Add(-time.Duration(scramble(d.dice("update")^p.salt)%span) * time.Second)
}

// assetSoftware is the assetSoftware resource.
type assetSoftware struct {
	asset
	OSPlatform                 string   `json:"osPlatform"`
	SoftwareVendor             string   `json:"softwareVendor"`
	SoftwareName               string   `json:"softwareName"`
	SoftwareVersion            string   `json:"softwareVersion"`
	NumberOfWeaknesses         int      `json:"numberOfWeaknesses"`
	SoftwareFirstSeenTimestamp string   `json:"softwareFirstSeenTimestamp"`
	EndOfSupportStatus         string   `json:"endOfSupportStatus"`
	EndOfSupportDate           Nullable `json:"endOfSupportDate"`
	whereabouts
}

// softwareRows are the products of a device that have a product code.
func softwareRows(t *Tenant, d *device) []any {
	var out []any
	for _, i := range t.softwareOn(d) {
		row := assetSoftware{
			asset: assetOf(d), OSPlatform: d.OSPlatform, SoftwareVendor: i.vendor, SoftwareName: i.name, SoftwareVersion: i.version(),
			NumberOfWeaknesses: len(i.release.open), SoftwareFirstSeenTimestamp: spaced(updatedAt(d, i.product)), EndOfSupportStatus: "None",
			whereabouts: foundAt(d, i),
		}
		if ends, err := parseTime(i.endOfSupport); err == nil {
			row.EndOfSupportDate, row.EndOfSupportStatus = Nullable(ends.Format("2006-01-02T15:04:05+00:00")), "EOS Software"
			if t.now().Before(ends) {
				row.EndOfSupportStatus = "Upcoming EOS Software"
			}
		}
		out = append(out, row)
	}
	return out
}

// assetNonCPE is the assetNonCpeSoftware resource.
type assetNonCPE struct {
	asset
	OSPlatform                string   `json:"osPlatform"`
	SoftwareVendor            string   `json:"softwareVendor"`
	SoftwareName              string   `json:"softwareName"`
	SoftwareVersion           string   `json:"softwareVersion"`
	RegistryPath              Nullable `json:"registryPath"`
	SoftwareLastSeenTimestamp string   `json:"softwareLastSeenTimestamp"`
}

// uncodedProduct is a product without a product code.
type uncodedProduct struct {
	vendor, name string
	on           []string // families
	share        int      // percent of those devices that have it
	version      string
	salt         uint64
}

// uncoded are products without a product code: in-house programs and helpers.
var uncoded = sync.OnceValue(func() []uncodedProduct {
	out := []uncodedProduct{
		{vendor: "contoso", name: "warehouse_client", on: []string{"client"}, share: 30, version: "60.273.3"},
		{vendor: "contoso", name: "payroll_addin", on: []string{"client"}, share: 10, version: "4.2.0"},
		{vendor: "contoso", name: "backup_agent", on: []string{"server", "linux"}, share: 80, version: "2.11.31111.1"},
		{vendor: "contoso", name: "inventory_daemon", on: []string{"linux", "macOS"}, share: 50, version: "1.0.9"},
		{vendor: "intel", name: "intel®_software_installer", on: []string{"client"}, share: 25, version: "22.20.2.2"},
		{vendor: "microsoft", name: "vs_communitymsi", on: []string{"client"}, share: 8, version: "17.11.31111.1"},
	}
	for i := range out {
		out[i].salt = hash64("uncoded/" + out[i].vendor + "/" + out[i].name)
	}
	return out
})

// nonCPERows are the products of a device that have no product code.
func nonCPERows(_ *Tenant, d *device) []any {
	v, ok := inventoryOf(d)
	if !ok {
		return nil
	}
	var out []any
	for _, p := range uncoded() {
		if !runs(p.on, v) || int(scramble(v.hash^p.salt)%100) >= p.share {
			continue
		}
		row := assetNonCPE{
			asset: assetOf(d), OSPlatform: d.OSPlatform, SoftwareVendor: p.vendor, SoftwareName: p.name, SoftwareVersion: p.version,
			SoftwareLastSeenTimestamp: d.LastSeen.UTC().Format("2006-01-02 15:04:05.000"),
		}
		if d.runsWindows() {
			row.RegistryPath = Nullable(`HKEY_LOCAL_MACHINE\SOFTWARE\` + p.vendor + `\` + p.name)
		}
		out = append(out, row)
	}
	return out
}

// assetVulnerability is what assetVulnerability and its changes have in common.
type assetVulnerability struct {
	ID string `json:"id"`
	asset
	OSPlatform                   string   `json:"osPlatform"`
	OSVersion                    string   `json:"osVersion"`
	OSArchitecture               string   `json:"osArchitecture"`
	SoftwareVendor               string   `json:"softwareVendor"`
	SoftwareName                 string   `json:"softwareName"`
	SoftwareVersion              string   `json:"softwareVersion"`
	CVEID                        Nullable `json:"cveId"`
	CVSSScore                    *float64 `json:"cvssScore"`
	VulnerabilitySeverityLevel   Nullable `json:"vulnerabilitySeverityLevel"`
	RecommendedSecurityUpdate    Nullable `json:"recommendedSecurityUpdate"`
	RecommendedSecurityUpdateID  Nullable `json:"recommendedSecurityUpdateId"`
	RecommendedSecurityUpdateURL Nullable `json:"recommendedSecurityUpdateUrl"`
	whereabouts
	LastSeenTimestamp       string `json:"lastSeenTimestamp"`
	FirstSeenTimestamp      string `json:"firstSeenTimestamp"`
	ExploitabilityLevel     string `json:"exploitabilityLevel"`
	RecommendationReference string `json:"recommendationReference"`
}

// openVulnerability is the assetVulnerability resource.
type openVulnerability struct {
	assetVulnerability
	SecurityUpdateAvailable bool `json:"securityUpdateAvailable"`
}

// exploitability maps a CVE's exploit to the levels of the exports.
func exploitability(w *weakness) string {
	levels := map[string]string{"public": "ExploitIsPublic", "verified": "ExploitIsVerified", "kit": "ExploitIsInKit"}
	return orDefault(levels[w.exploit], "NoExploit")
}

// vulnerabilityOf is a CVE in a product on a device; w is nil for a product
// without any. system is the version of the device's operating system.
func vulnerabilityOf(d *device, system string, i installed, w *weakness) assetVulnerability {
	row := assetVulnerability{
		asset: assetOf(d), OSPlatform: d.OSPlatform, OSVersion: system, OSArchitecture: "x64", SoftwareVendor: i.vendor,
		SoftwareName: i.name, SoftwareVersion: i.version(), whereabouts: foundAt(d, i), LastSeenTimestamp: spaced(d.LastSeen),
		FirstSeenTimestamp: spaced(updatedAt(d, i.product)), ExploitabilityLevel: "NoExploit", RecommendationReference: "va-_-" + i.id(),
	}
	if w != nil {
		score := w.score
		row.CVEID, row.CVSSScore, row.VulnerabilitySeverityLevel, row.ExploitabilityLevel = Nullable(w.id), &score, Nullable(w.severity), exploitability(w)
		if fix := i.release.fix(w.id); fix != nil && fix.kb != "" {
			row.RecommendedSecurityUpdate, row.RecommendedSecurityUpdateID = Nullable(fix.kbName), Nullable(fix.kb)
			row.RecommendedSecurityUpdateURL = Nullable(missingKB{id: fix.kb}.url())
		}
	}
	row.ID = fmt.Sprintf("%s_%s_%s_%s_%s", d.ID, i.vendor, i.name, i.version(), row.CVEID)
	return row
}

// weaknessRows are the CVEs of a device. A product without any has a row without
// a CVE, as in the documented sample.
func weaknessRows(t *Tenant, d *device) []any {
	var out []any
	software := t.softwareOn(d)
	system := systemVersion(software, d)
	for _, i := range software {
		if len(i.release.open) == 0 {
			out = append(out, openVulnerability{assetVulnerability: vulnerabilityOf(d, system, i, nil)})
		}
		for _, w := range i.release.open {
			out = append(out, openVulnerability{vulnerabilityOf(d, system, i, w), i.release.fix(w.id) != nil})
		}
	}
	return out
}
