package mdesim

import "strings"

// machineVulnerability is a CVE in a product on a device (documentation:
// get-all-vulnerabilities-by-machines.md).
type machineVulnerability struct {
	ID             string   `json:"id"`
	CVEID          string   `json:"cveId"`
	MachineID      string   `json:"machineId"`
	FixingKBID     Nullable `json:"fixingKbId"`
	ProductName    string   `json:"productName"`
	ProductVendor  string   `json:"productVendor"`
	ProductVersion string   `json:"productVersion"`
	Severity       string   `json:"severity"`
}

// key is the id: device, CVE, product, version and update.
func (m machineFinding) key() string {
	return strings.Join([]string{m.device.ID, m.weakness.id, m.vendor, m.name, m.version(), m.kb()}, "-_-")
}

func (m machineFinding) body() machineVulnerability {
	return machineVulnerability{
		ID: m.key(), CVEID: m.weakness.id, MachineID: m.device.ID, FixingKBID: Nullable(m.kb()),
		ProductName: m.name, ProductVendor: m.vendor, ProductVersion: m.version(), Severity: m.weakness.severity,
	}
}

func machineVulnerabilitySchema() schema[machineFinding] {
	str := propertyType{kind: kindString}
	return schema[machineFinding]{
		"id":             {str, func(m machineFinding) any { return m.key() }},
		"cveId":          {str, func(m machineFinding) any { return m.weakness.id }},
		"machineId":      {str, func(m machineFinding) any { return m.device.ID }},
		"fixingKbId":     {str, func(m machineFinding) any { return text(m.kb()) }},
		"productName":    {str, func(m machineFinding) any { return m.name }},
		"productVersion": {str, func(m machineFinding) any { return m.version() }},
		"severity":       {enum(severities()...), func(m machineFinding) any { return m.weakness.severity }},
		"productVendor":  {str, func(m machineFinding) any { return m.vendor }},
	}
}

func machinesVulnerabilities(c *call) response {
	return listing[machineFinding]{
		context: "Collection(microsoft.windowsDefenderATP.api.PublicAssetVulnerabilityDto)",
		schema:  machineVulnerabilitySchema(),
		wire:    func(m machineFinding, _ bool) any { return m.body() },
	}.serve(c, c.t.survey().rows())
}
