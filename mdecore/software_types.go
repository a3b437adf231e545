package mdecore

// Software is the software resource (software.md): a product of the inventory.
type Software struct {
	// ID joins vendor and product, e.g. microsoft-_-edge.
	ID     string `json:"id"`
	Name   string `json:"name"`
	Vendor string `json:"vendor"`
	// Weaknesses is the number of known vulnerabilities.
	Weaknesses Int `json:"weaknesses"`
	// PublicExploit says that an exploit of one of them is public.
	PublicExploit bool `json:"publicExploit"`
	// ActiveAlert says that an alert involves the software.
	ActiveAlert bool `json:"activeAlert"`
	// ExposedMachines is how many machines have a vulnerable version; there can be more that have the software.
	ExposedMachines Int `json:"exposedMachines"`
	// ImpactScore is what the software adds to the exposure score.
	ImpactScore Float `json:"impactScore"`
}

// VersionDistribution is how often a version of a product is installed (get-software-ver-distribution.md).
type VersionDistribution struct {
	Version         string `json:"version"`
	Installations   Int    `json:"installations"`
	Vulnerabilities Int    `json:"vulnerabilities"`
}

// MachineReference names a machine in the lists that hang on something else
// (get-remediation-exposed-devices-activities.md).
type MachineReference struct {
	// ID is the machine id.
	ID              string `json:"id"`
	ComputerDNSName string `json:"computerDnsName"`
	OSPlatform      string `json:"osPlatform"`
	RbacGroupName   string `json:"rbacGroupName"`
}

// MissingKB is a Windows update that is missing (get-missing-kbs-machine.md). Its numbers are about what was asked for:
// one machine, or one product.
type MissingKB struct {
	// ID is the KB's number, without letters.
	ID ID `json:"id"`
	// Name is the update's title, e.g. "March 2020 Security Updates".
	Name          string   `json:"name"`
	ProductsNames []string `json:"productsNames"`
	// URL is where the update can be fetched.
	URL             string `json:"url"`
	MachineMissedOn Int    `json:"machineMissedOn"`
	// CVEAddressed is how many CVEs it fixes.
	CVEAddressed Int `json:"cveAddressed"`
}
