package mdecore

import "strings"

// VulnerabilitySeverity is how bad a vulnerability is. Unknown values are kept.
type VulnerabilitySeverity string

// The severities of a vulnerability.
const (
	VulnerabilityLow      VulnerabilitySeverity = "Low"
	VulnerabilityMedium   VulnerabilitySeverity = "Medium"
	VulnerabilityHigh     VulnerabilitySeverity = "High"
	VulnerabilityCritical VulnerabilitySeverity = "Critical"
)

// CVESupportability says whether Defender can find a vulnerability on devices. Unknown values are kept, and the case
// varies: compare with strings.EqualFold.
type CVESupportability string

// The values of supportability.
const (
	CVESupported          CVESupportability = "Supported"
	CVENotSupported       CVESupportability = "Not Supported"
	CVESupportedInPremium CVESupportability = "SupportedInPremium"
)

// UnmarshalJSON implements json.Unmarshaler. The page calls the property a collection, the sample shows one string: of a
// list the values are joined with ", ".
func (s *CVESupportability) UnmarshalJSON(data []byte) error {
	var list Strings
	if err := list.UnmarshalJSON(data); err != nil {
		return err
	}
	*s = CVESupportability(strings.Join(list, ", "))
	return nil
}

// Vulnerability is the vulnerability resource (vulnerability.md). Descriptions are written by others.
type Vulnerability struct {
	// ID is the CVE id, or, before there is one, an id such as TVM-2020-0001.
	ID          string                `json:"id"`
	Name        string                `json:"name"`
	Description string                `json:"description"`
	Severity    VulnerabilitySeverity `json:"severity"`
	// CVSSV3 is the base score, 0 to 10.
	CVSSV3     Float  `json:"cvssV3"`
	CVSSVector string `json:"cvssVector"`
	// ExposedMachines is how many machines have it.
	ExposedMachines Int  `json:"exposedMachines"`
	PublishedOn     Time `json:"publishedOn"`
	UpdatedOn       Time `json:"updatedOn"`
	// PublicExploit says that an exploit is known, ExploitVerified that it works, ExploitInKit that it is part of a kit.
	PublicExploit   bool `json:"publicExploit"`
	ExploitVerified bool `json:"exploitVerified"`
	ExploitInKit    bool `json:"exploitInKit"`
	// ExploitTypes are effects, such as "Local privilege escalation" or "Denial of service".
	ExploitTypes []string `json:"exploitTypes"`
	// ExploitURIs are the sources of the exploits. Do not open them.
	ExploitURIs       []string          `json:"exploitUris"`
	CVESupportability CVESupportability `json:"CveSupportability"`
	// EPSS is how likely an exploit is, 0 to 1.
	EPSS Float `json:"EPSS"`
}

// MachineVulnerability is a vulnerability of one version of a product on one machine
// (get-all-vulnerabilities-by-machines.md).
type MachineVulnerability struct {
	// ID joins machine, CVE, vendor, product, version and KB with "-_-".
	ID        string `json:"id"`
	CVEID     string `json:"cveId"`
	MachineID string `json:"machineId"`
	// FixingKBID is the number of the Windows update that fixes it, "" when there is none.
	FixingKBID     ID                    `json:"fixingKbId"`
	ProductName    string                `json:"productName"`
	ProductVendor  string                `json:"productVendor"`
	ProductVersion string                `json:"productVersion"`
	Severity       VulnerabilitySeverity `json:"severity"`
}
