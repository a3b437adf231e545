package tools

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

type listSoftwareIn struct {
	Name       string `json:"name,omitempty" jsonschema:"Start of the name" range:"0,200"`
	Vendor     string `json:"vendor,omitempty" jsonschema:"Start of the vendor" range:"0,200"`
	Device     string `json:"device,omitempty" jsonschema:"Only what this device has" form:"device"`
	Vulnerable bool   `json:"vulnerable,omitempty" jsonschema:"Only with known weaknesses"`
	listing
}

// softwareView is a product of the inventory. Its names are untrusted text.
type softwareView struct {
	ID         string  `json:"id" jsonschema:"untrusted text: software id"`
	Name       string  `json:"name" schema:"omit" jsonschema:"untrusted text: product"`
	Vendor     string  `json:"vendor" schema:"omit" jsonschema:"untrusted text: vendor"`
	Weaknesses int     `json:"weaknesses" jsonschema:"known vulnerabilities"`
	Exploit    bool    `json:"public_exploit" schema:"omit" jsonschema:"whether one has a public exploit"`
	Alert      bool    `json:"active_alert" schema:"omit" jsonschema:"whether an alert involves it"`
	Exposed    int     `json:"exposed_devices" schema:"omit" jsonschema:"vulnerable devices of the tenant"`
	Impact     float64 `json:"impact" schema:"omit" jsonschema:"share in the exposure score"`
}

func viewOfSoftware(p *mdecore.Software) softwareView {
	return softwareView{
		ID: clean(p.ID, 200), Name: clean(p.Name, 120), Vendor: clean(p.Vendor, 120), Weaknesses: int(p.Weaknesses), Exploit: p.PublicExploit,
		Alert: p.ActiveAlert, Exposed: int(p.ExposedMachines), Impact: float64(p.ImpactScore),
	}
}

func (v softwareView) line() string {
	exploit := ""
	if v.Exploit {
		exploit = ", public exploit"
	}
	return fmt.Sprintf("%s (weaknesses %d%s, exposed devices %d)", v.ID, v.Weaknesses, exploit, v.Exposed)
}

type listSoftwareOut struct {
	Software []softwareView `json:"software" jsonschema:"greatest impact first"`
	paged
}

func listSoftware() declaration {
	return spec[listSoftwareIn, listSoftwareOut]{
		name: "list_software", title: "List software", toolset: Exposure, surface: InToolset, risk: approvals.RiskRead,
		summary:    "List software of the tenant or a device. get_software names the devices of one.",
		positional: []string{"name"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists: "software", read: readSoftwareList,
	}
}

func readSoftwareList(ctx context.Context, s *session, in listSoftwareIn) (listSoftwareOut, string, error) {
	var out listSoftwareOut
	device, err := s.deviceID(ctx, in.Device)
	if err != nil {
		return out, "", err
	}
	from := s.reader.ListMachineSoftware(ctx, device)
	if device == "" {
		from = s.reader.ListSoftware(ctx, mdecore.Query{Filter: mdecore.Filter(in.filter()), Page: mdecore.Page{Top: exposureRead + 1}})
	}
	all, more, err := gathered(where(from, in.wants), exposureRead)
	if err != nil {
		return out, "", err
	}
	slices.SortStableFunc(all, func(a, b *mdecore.Software) int {
		return cmp.Or(cmp.Compare(b.ImpactScore, a.ImpactScore), cmp.Compare(b.Weaknesses, a.Weaknesses), cmp.Compare(a.ID, b.ID))
	})
	if out.Software, out.paged, err = allRows(s, in.listing, each(all), viewOfSoftware); err != nil {
		return out, "", err
	}
	if more {
		out.Note = fmt.Sprintf("only the first %d products are looked through; filter by name or vendor", exposureRead)
	}
	return out, manyOf(out.paged, "product", "products") + ":" + shortList(out.Software, softwareView.line), nil
}

// filter is the OData expression of the arguments; the inventory's names are in small letters.
func (in listSoftwareIn) filter() string {
	var f filter
	if in.Name != "" {
		f.add("startswith(name," + literal(strings.ToLower(in.Name)) + ")")
	}
	if in.Vendor != "" {
		f.add("startswith(vendor," + literal(strings.ToLower(in.Vendor)) + ")")
	}
	return f.String()
}

// wants is filter again, for the list that takes none.
func (in listSoftwareIn) wants(p *mdecore.Software) bool {
	return strings.HasPrefix(strings.ToLower(p.Name), strings.ToLower(in.Name)) && strings.HasPrefix(strings.ToLower(p.Vendor), strings.ToLower(in.Vendor)) &&
		(!in.Vulnerable || p.Weaknesses > 0)
}

// software is one product of the inventory.
func (s *session) software(ctx context.Context, id string) (*mdecore.Software, error) {
	p, err := s.reader.GetSoftware(ctx, id)
	return existing(p, err, "software", id, "list_software")
}

type getSoftwareIn struct {
	ID string `json:"id" jsonschema:"Software id, e.g. microsoft-_-edge" range:"1,300"`
	listing
}

type getSoftwareOut struct {
	Software        softwareView        `json:"software" schema:"omit" jsonschema:"the product"`
	Versions        []versionView       `json:"versions,omitempty" schema:"omit" jsonschema:"untrusted text: installed versions"`
	Vulnerabilities []vulnerabilityView `json:"vulnerabilities,omitempty" schema:"omit" jsonschema:"untrusted text: its vulnerabilities, the worst first"`
	MissingKBs      []kbView            `json:"missing_kbs,omitempty" schema:"omit" jsonschema:"untrusted text: Windows updates that it lacks"`
	Devices         []exposedDevice     `json:"devices" jsonschema:"devices that have it, in whatever version"`
	paged
}

type versionView struct {
	Version    string `json:"version" jsonschema:"untrusted text: version"`
	Installed  int    `json:"installations" jsonschema:"installations"`
	Weaknesses int    `json:"weaknesses" jsonschema:"known vulnerabilities"`
}

type kbView struct {
	KB      string `json:"kb" jsonschema:"number"`
	Name    string `json:"name" jsonschema:"untrusted text: title"`
	Devices int    `json:"devices" jsonschema:"devices that lack it"`
	CVEs    int    `json:"cves" jsonschema:"CVEs that it fixes"`
}

func getSoftware() declaration {
	return spec[getSoftwareIn, getSoftwareOut]{
		name: "get_software", title: "Get software", toolset: Exposure, surface: InToolset, risk: approvals.RiskRead,
		summary:    "Read one product: versions, worst vulnerabilities, missing Windows updates, devices.",
		positional: []string{"id"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists: "devices", read: readSoftware,
	}
}

func readSoftware(ctx context.Context, s *session, in getSoftwareIn) (getSoftwareOut, string, error) {
	id := strings.ToLower(in.ID)
	p, err := s.software(ctx, id)
	if err != nil {
		return getSoftwareOut{}, "", err
	}
	out := getSoftwareOut{Software: viewOfSoftware(p)}
	if out.Devices, out.paged, err = allRows(s, in.listing, s.reader.ListSoftwareMachines(ctx, id), viewOfReference); err == nil && in.Cursor == "" {
		err = out.readParts(ctx, s.reader, id)
	}
	return out, out.Software.line() + ". Devices:" + shortList(out.Devices, exposedDevice.line), err
}

// readParts fills the short lists, which only the first page has.
func (o *getSoftwareOut) readParts(ctx context.Context, reader *mdecore.Client, id string) error {
	var left []string
	versions, err := inPart(&left, "versions", reader.ListSoftwareVersionDistribution(ctx, id), func(a, b *mdecore.VersionDistribution) int {
		return cmp.Compare(b.Installations, a.Installations)
	})
	if err != nil {
		return err
	}
	cves, err := inPart(&left, "vulnerabilities", reader.ListSoftwareVulnerabilities(ctx, id), worse)
	if err != nil {
		return err
	}
	kbs, err := inPart(&left, "missing_kbs", reader.ListSoftwareMissingKBs(ctx, id), func(a, b *mdecore.MissingKB) int {
		return cmp.Compare(b.CVEAddressed, a.CVEAddressed)
	})
	o.Versions = viewed(versions, exposureShown, func(v *mdecore.VersionDistribution) versionView {
		return versionView{Version: clean(v.Version, 80), Installed: int(v.Installations), Weaknesses: int(v.Vulnerabilities)}
	})
	o.Vulnerabilities = viewed(cves, exposureShown, viewOfVulnerability)
	o.MissingKBs = viewed(kbs, exposureShown, func(k *mdecore.MissingKB) kbView {
		return kbView{KB: clean(string(k.ID), 40), Name: clean(k.Name, 160), Devices: int(k.MachineMissedOn), CVEs: int(k.CVEAddressed)}
	})
	o.Note = strings.Join(left, "; ")
	return err
}

// inPart reads a list that is shown in part, what counts most first, and says in left what is not shown.
func inPart[T any](left *[]string, name string, from iter.Seq2[T, error], order func(a, b T) int) ([]T, error) {
	all, more, err := gathered(from, exposureRead)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, order)
	switch {
	case more:
		*left = append(*left, fmt.Sprintf("%s: %d of more than %d", name, exposureShown, exposureRead))
	case len(all) > exposureShown:
		*left = append(*left, fmt.Sprintf("%s: %d of %d", name, exposureShown, len(all)))
	}
	return all, nil
}
