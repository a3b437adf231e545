package tools

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

type listVulnerabilitiesIn struct {
	Severity string `json:"severity,omitempty" jsonschema:"Severity" enum:"Low,Medium,High,Critical"`
	CVE      string `json:"cve,omitempty" jsonschema:"CVE id" form:"word" range:"0,60"`
	Device   string `json:"device,omitempty" jsonschema:"Only of this device" form:"device"`
	Product  string `json:"product,omitempty" jsonschema:"Only of this software id" range:"0,300"`
	Exploit  bool   `json:"exploit,omitempty" jsonschema:"Only with a public exploit"`
	listing
}

// vulnerabilityView is a vulnerability as callers see it.
type vulnerabilityView struct {
	CVE       string    `json:"cve" jsonschema:"CVE id"`
	Severity  string    `json:"severity" schema:"omit" jsonschema:"severity"`
	CVSS      float64   `json:"cvss,omitempty" schema:"omit" jsonschema:"CVSS v3 base score"`
	EPSS      float64   `json:"epss,omitempty" schema:"omit" jsonschema:"how likely an exploit is, 0 to 1"`
	Exploit   string    `json:"exploit,omitempty" jsonschema:"none, public, verified or in a kit"`
	Exposed   int       `json:"exposed_devices,omitempty" schema:"omit" jsonschema:"devices that have it"`
	Published time.Time `json:"published,omitzero" schema:"omit" jsonschema:"when it was published"`
	Product   string    `json:"product,omitempty" schema:"omit" jsonschema:"untrusted text: software id"`
	Version   string    `json:"version,omitempty" schema:"omit" jsonschema:"untrusted text: installed version"`
	FixingKB  string    `json:"fixing_kb,omitempty" schema:"omit" jsonschema:"Windows update that fixes it"`
}

func viewOfVulnerability(v *mdecore.Vulnerability) vulnerabilityView {
	return vulnerabilityView{
		CVE: clean(v.ID, 60), Severity: clean(string(v.Severity), 40), CVSS: float64(v.CVSSV3), EPSS: float64(v.EPSS), Exploit: cmp.Or(exploitOf(v), "none"),
		Exposed: int(v.ExposedMachines), Published: v.PublishedOn.Time,
	}
}

func exploitable(v *mdecore.Vulnerability) bool { return exploitOf(v) != "" }

type listVulnerabilitiesOut struct {
	Vulnerabilities []vulnerabilityView `json:"vulnerabilities" jsonschema:"untrusted text; of a device or product the worst come first"`
	paged
}

func listVulnerabilities() declaration {
	return spec[listVulnerabilitiesIn, listVulnerabilitiesOut]{
		name: "list_vulnerabilities", title: "List vulnerabilities", toolset: Exposure, surface: InToolset, risk: approvals.RiskRead,
		summary:    "List vulnerabilities (CVEs) of the tenant, a device or a product. get_vulnerability names the devices of one.",
		positional: []string{"severity"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists: "vulnerabilities", read: readVulnerabilities,
	}
}

func readVulnerabilities(ctx context.Context, s *session, in listVulnerabilitiesIn) (listVulnerabilitiesOut, string, error) {
	device, err := s.deviceID(ctx, in.Device)
	if err != nil {
		return listVulnerabilitiesOut{}, "", err
	}
	if in.Product = strings.ToLower(in.Product); in.Product != "" {
		if _, err := s.software(ctx, in.Product); err != nil {
			return listVulnerabilitiesOut{}, "", err
		}
	}
	var out listVulnerabilitiesOut
	switch {
	case device != "" && in.Product != "":
		out, err = s.installedVulnerabilities(ctx, in, device)
	case device != "":
		out, err = s.worstFirst(in, s.reader.ListMachineVulnerabilities(ctx, device))
	case in.Product != "":
		out, err = s.worstFirst(in, s.reader.ListSoftwareVulnerabilities(ctx, in.Product))
	default:
		out, err = s.tenantVulnerabilities(ctx, in)
	}
	if err != nil {
		return out, "", err
	}
	if out.Count == 0 {
		return out, "No vulnerability matches.", nil
	}
	return out, manyOf(out.paged, "vulnerability", "vulnerabilities") + ":" + shortList(out.Vulnerabilities, vulnerabilityView.line), nil
}

// wants reports whether a vulnerability is one that the call asks for.
func (in listVulnerabilitiesIn) wants(v *mdecore.Vulnerability) bool {
	return (in.Severity == "" || strings.EqualFold(string(v.Severity), in.Severity)) && (in.CVE == "" || strings.EqualFold(v.ID, in.CVE)) &&
		(!in.Exploit || exploitable(v))
}

// tenantVulnerabilities is a page of the tenant's list, in its own order.
func (s *session) tenantVulnerabilities(ctx context.Context, in listVulnerabilitiesIn) (out listVulnerabilitiesOut, err error) {
	var f filter
	f.eq("severity", in.Severity)
	f.eq("id", strings.ToUpper(in.CVE))
	q := mdecore.Query{Filter: mdecore.Filter(f.String())}
	if in.Exploit { // nothing that the API filters on
		found := where(s.reader.ListVulnerabilities(ctx, q), exploitable)
		out.Vulnerabilities, out.paged, err = allRows(s, in.listing, found, viewOfVulnerability)
		return out, err
	}
	if q.Page, err = s.upstream(in.listing); err != nil {
		return out, err
	}
	out.Vulnerabilities, out.paged, err = rows(s, in.listing, s.reader.ListVulnerabilities(ctx, q), viewOfVulnerability)
	return out, err
}

// worstFirst is a page of a list that the API gives whole.
func (s *session) worstFirst(in listVulnerabilitiesIn, from iter.Seq2[*mdecore.Vulnerability, error]) (out listVulnerabilitiesOut, err error) {
	all, more, err := gathered(where(from, in.wants), exposureRead)
	if err != nil {
		return out, err
	}
	slices.SortStableFunc(all, worse)
	out.Vulnerabilities, out.paged, err = allRows(s, in.listing, each(all), viewOfVulnerability)
	if more {
		out.Note = fmt.Sprintf("only the first %d are looked through; filter by severity", exposureRead)
	}
	return out, err
}

// worse orders by exploit, then by score.
func worse(a, b *mdecore.Vulnerability) int {
	ranks := []string{"in a kit", "verified", "public", ""}
	if d := slices.Index(ranks, exploitOf(a)) - slices.Index(ranks, exploitOf(b)); d != 0 {
		return d
	}
	switch {
	case a.CVSSV3 > b.CVSSV3:
		return -1
	case a.CVSSV3 < b.CVSSV3:
		return 1
	}
	return strings.Compare(a.ID, b.ID)
}

// installedVulnerabilities is those of one product on one device, by version. That list knows neither scores nor exploits.
func (s *session) installedVulnerabilities(ctx context.Context, in listVulnerabilitiesIn, device string) (out listVulnerabilitiesOut, err error) {
	vendor, name, ok := strings.Cut(in.Product, "-_-")
	if in.Exploit || !ok {
		return out, approvals.Refuse(approvals.KindInvalid, nil,
			"device with product: needs a software id such as microsoft-_-edge and no exploit, which that list does not know; leave product out to filter a device by exploit")
	}
	var f filter
	f.eq("machineId", device)
	f.eq("productVendor", vendor)
	f.eq("productName", name)
	f.eq("severity", in.Severity)
	f.eq("cveId", strings.ToUpper(in.CVE))
	page, err := s.upstream(in.listing)
	if err != nil {
		return out, err
	}
	found := s.reader.ListVulnerabilitiesByMachineAndSoftware(ctx, mdecore.Query{Filter: mdecore.Filter(f.String()), Page: page})
	out.Vulnerabilities, out.paged, err = rows(s, in.listing, found, func(v *mdecore.MachineVulnerability) vulnerabilityView {
		return vulnerabilityView{
			CVE: clean(v.CVEID, 60), Severity: clean(string(v.Severity), 40), Product: clean(v.ProductVendor+"-_-"+v.ProductName, 200),
			Version: clean(v.ProductVersion, 80), FixingKB: clean(string(v.FixingKBID), 40),
		}
	})
	return out, err
}

// line is a vulnerability in one line, for texts.
func (v vulnerabilityView) line() string {
	text := fmt.Sprintf("%s (%s", v.CVE, v.Severity)
	if v.CVSS > 0 {
		text += fmt.Sprintf(" %.1f", v.CVSS)
	}
	if v.Exploit != "" && v.Exploit != "none" {
		text += ", exploit " + v.Exploit
	}
	if v.Product != "" {
		text += ", " + v.Product + " " + v.Version
	}
	if v.Exposed > 0 {
		text += ", " + counted(v.Exposed, "device", false)
	}
	return text + ")"
}

type getVulnerabilityIn struct {
	CVE string `json:"cve" jsonschema:"CVE id" form:"word" range:"1,60"`
	listing
}

type getVulnerabilityOut struct {
	Vulnerability vulnerabilityView `json:"vulnerability" schema:"omit" jsonschema:"the vulnerability"`
	Description   string            `json:"description,omitempty" schema:"omit" jsonschema:"untrusted text: what it is"`
	Vector        string            `json:"cvss_vector,omitempty" schema:"omit" jsonschema:"CVSS vector"`
	Software      []affected        `json:"software,omitempty" schema:"omit" jsonschema:"untrusted text: products here that have it"`
	Devices       []exposedDevice   `json:"devices" jsonschema:"devices that have it"`
	paged
}

// affected is a version of a product that has a vulnerability.
type affected struct {
	Product  string `json:"product" jsonschema:"untrusted text: software id"`
	Version  string `json:"version" jsonschema:"untrusted text: version"`
	Devices  int    `json:"devices" jsonschema:"devices"`
	FixingKB string `json:"fixing_kb,omitempty" jsonschema:"Windows update that fixes it"`
}

func getVulnerability() declaration {
	return spec[getVulnerabilityIn, getVulnerabilityOut]{
		name: "get_vulnerability", title: "Get a vulnerability", toolset: Exposure, surface: InToolset, risk: approvals.RiskRead,
		summary:    "Read one vulnerability: what it is, software and devices that have it.",
		positional: []string{"cve"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists: "devices", read: readVulnerability,
	}
}

func readVulnerability(ctx context.Context, s *session, in getVulnerabilityIn) (getVulnerabilityOut, string, error) {
	cve := strings.ToUpper(in.CVE)
	v, err := s.reader.GetVulnerability(ctx, cve)
	if v, err = existing(v, err, "vulnerability", cve, "list_vulnerabilities"); err != nil {
		return getVulnerabilityOut{}, "", err
	}
	out := getVulnerabilityOut{Vulnerability: viewOfVulnerability(v), Description: clean(v.Description, 1500), Vector: clean(v.CVSSVector, 120)}
	out.Devices, out.paged, err = allRows(s, in.listing, s.reader.ListVulnerabilityMachines(ctx, cve), viewOfReference)
	if err == nil && in.Cursor == "" {
		err = out.readSoftware(ctx, s, cve)
	}
	return out, out.Vulnerability.line() + ". Devices:" + shortList(out.Devices, exposedDevice.line), err
}

// readSoftware counts the devices of each version of a product that has a vulnerability.
func (o *getVulnerabilityOut) readSoftware(ctx context.Context, s *session, cve string) error {
	const most = 2000
	var f filter
	f.eq("cveId", cve)
	q := mdecore.Query{Filter: mdecore.Filter(f.String()), Page: mdecore.Page{Top: most + 1}}
	all, more, err := gathered(s.reader.ListVulnerabilitiesByMachineAndSoftware(ctx, q), most)
	if err != nil {
		return err
	}
	counts := map[affected]int{}
	for _, v := range all {
		counts[affected{Product: clean(v.ProductVendor+"-_-"+v.ProductName, 200), Version: clean(v.ProductVersion, 80), FixingKB: clean(string(v.FixingKBID), 40)}]++
	}
	for a, n := range counts {
		a.Devices = n
		o.Software = append(o.Software, a)
	}
	slices.SortFunc(o.Software, func(a, b affected) int {
		if a.Devices != b.Devices {
			return b.Devices - a.Devices
		}
		return strings.Compare(a.Product+"\x00"+a.Version+"\x00"+a.FixingKB, b.Product+"\x00"+b.Version+"\x00"+b.FixingKB)
	})
	var left []string
	if n := len(o.Software); n > exposureShown {
		o.Software = o.Software[:exposureShown]
		left = append(left, fmt.Sprintf("software: the %d of %d versions that most devices have", exposureShown, n))
	}
	if more {
		left = append(left, fmt.Sprintf("software: counted among the first %d installations", most))
	}
	o.Note = strings.Join(left, "; ")
	return nil
}
