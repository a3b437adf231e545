package mdesim

import (
	"fmt"
	"net/http"
	"time"
)

// assessmentState is what exports keep.
type assessmentState struct {
	exports int // how many were made, for the names of their files
}

// export is an inventory of all devices, which is read in pages or as files. Its
// rows follow from the devices, so both ways show the same.
type export struct {
	resource string // in @odata.context
	folder   string // of the files
	hours    int    // life of the links unless asked otherwise
	maxHours int
	changes  bool // it wants sinceTime
	// rows are the rows of one device; since is zero for a whole inventory.
	rows func(t *Tenant, d *device, since time.Time) []any
}

// The documented lives of the links: most pages were revised to the shorter one.
const (
	linkHours, maxLinkHours         = 1, 6
	linkHoursLong, maxLinkHoursLong = 3, 24
)

// inventoryExport is an export with the usual life of links.
func inventoryExport(resource, folder string, rows func(t *Tenant, d *device) []any) export {
	return export{
		resource: resource, folder: folder, hours: linkHours, maxHours: maxLinkHours,
		rows: func(t *Tenant, d *device, _ time.Time) []any { return rows(t, d) },
	}
}

// long gives the links of an export the longer life.
func (e export) long() export {
	e.hours, e.maxHours = linkHoursLong, maxLinkHoursLong
	return e
}

func readSoftware() permissions { return anyOf("Software.Read.All", "Software.Read") }

func readWeaknesses() permissions { return anyOf("Vulnerability.Read.All", "Vulnerability.Read") }

// inventories declares an export that has two operations: pages and files.
type inventories struct {
	op, pages, files, doc string // files is also the path's last segment
	machines              string // the second segment of the path of the pages, when it is not machines
	p                     permissions
	e                     export
}

func (i inventories) routes() []route {
	return []route{
		on(http.MethodGet, i.op, "/api/"+orDefault(i.machines, "machines")+"/"+i.pages, i.doc, i.p, i.e.page).limited(30, 1000),
		on(http.MethodGet, i.op+"_files", "/api/machines/"+i.files, i.doc, i.p, i.e.links).limited(5, 20),
	}
}

// assessments are the exports of this family that are read both ways.
func assessments() []inventories {
	return []inventories{
		{
			op: "export_secure_config_assessment", pages: "SecureConfigurationsAssessmentByMachine", files: "SecureConfigurationsAssessmentExport",
			doc: "get-assessment-secure-config.md", p: readWeaknesses(), e: inventoryExport("AssetConfiguration", "ScaExport", configurationRows),
		},
		{
			op: "export_software_inventory_assessment", pages: "SoftwareInventoryByMachine", files: "SoftwareInventoryExport",
			doc: "get-assessment-software-inventory.md", p: readSoftware(), e: inventoryExport("AssetSoftware", "SoftwareInventory", softwareRows),
		},
		{
			op: "export_non_cpe_software_inventory_assessment", pages: "SoftwareInventoryNoProductCodeByMachine", files: "SoftwareInventoryNonCpeExport",
			doc: "get-assessment-non-cpe-software-inventory.md", p: readSoftware(),
			e: inventoryExport("AssetNonCpeSoftware", "NonCpeSoftwareInventory", nonCPERows),
		},
		{
			op: "export_software_vulnerabilities_assessment", pages: "SoftwareVulnerabilitiesByMachine", files: "SoftwareVulnerabilitiesExport",
			doc: "get-assessment-software-vulnerabilities.md", p: readWeaknesses(), e: inventoryExport("AssetVulnerability", "VaExport", weaknessRows),
		},
		{
			op: "export_browser_extensions_assessment", pages: "BrowserExtensionsInventoryByMachine", files: "browserextensionsinventoryExport",
			doc: "get-assessment-browser-extensions.md", p: readSoftware(), machines: "Machines",
			e: inventoryExport("AssetBrowserExtension", "BrowserExtensions", extensionRows),
		},
		{
			op: "export_certificate_assessment", pages: "certificateAssessmentByMachine", files: "certificateAssessmentExport",
			doc: "export-certificate-inventory-assessment.md", p: readWeaknesses(),
			e: inventoryExport("AssetCertificateAssessment", "CertificateAssessmentExport", certificateRows).long(),
		},
		{
			op: "export_hardware_firmware_assessment", pages: "HardwareFirmwareInventoryByMachine", files: "HardwareFirmwareInventoryExport",
			doc: "export-firmware-hardware-assessment.md", p: readSoftware(), e: inventoryExport("AssetHardwareFirmware", "FirmwareHardwareExport", hardwareRows),
		},
	}
}

func assessmentRoutes() []route {
	var out []route
	for _, i := range assessments() {
		out = append(out, i.routes()...)
	}
	delta := export{resource: "DeltaAssetVulnerability", changes: true, rows: changeRows}
	return append(out,
		on(http.MethodGet, "export_software_vulnerabilities_delta", "/api/machines/SoftwareVulnerabilityChangesByMachine",
			"get-assessment-software-vulnerabilities.md", readWeaknesses(), delta.page).limited(30, 1000),
		on(http.MethodGet, "export_information_gathering_files", "/api/Machines/InfoGatheringExport",
			"get-assessment-information-gathering.md", readWeaknesses(), gathering().links).limited(5, 20),
		on(http.MethodGet, "list_browser_extension_permissions", "/api/browserextensions/permissionsinfo",
			"get-browser-extensions-permission-info.md", readSoftware(), listExtensionPermissions),
	)
}

// asset is what the rows of most exports begin with.
type asset struct {
	DeviceID      string   `json:"deviceId"`
	RBACGroupID   int64    `json:"rbacGroupId"`
	RBACGroupName string   `json:"rbacGroupName"`
	DeviceName    Nullable `json:"deviceName"`
}

func assetOf(d *device) asset {
	return asset{DeviceID: d.ID, RBACGroupID: d.RBACGroupID, RBACGroupName: orDefault(d.RBACGroupName, "Unassigned"), DeviceName: Nullable(d.ComputerDNSName)}
}

// metadataOf is the @odata.context of an export's resource.
func (e export) metadataOf(list bool) string {
	name := "microsoft.windowsDefenderATP.api." + e.resource
	if list {
		return "Collection(" + name + ")"
	}
	return name
}

// spaced writes a time as the exports do: without a zone, with a space.
func spaced(at time.Time) string { return at.UTC().Format(time.DateTime) }

// dice is a number of a device that is always the same for the same purpose.
func (d *device) dice(purpose string) uint64 { return hash64(purpose + "/" + d.ID) }

// systemVersion is the version of a device's operating system as inventories
// write it.
func systemVersion(software []installed, d *device) string {
	for _, i := range software {
		if i.category == "OS" && d.runsWindows() {
			return i.version()
		}
	}
	if d.OSBuild != nil {
		return fmt.Sprintf("10.0.%d", *d.OSBuild)
	}
	return string(d.Version)
}
