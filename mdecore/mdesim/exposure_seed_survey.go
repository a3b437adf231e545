package mdesim

import (
	"math"
	"slices"
	"strings"
	"sync"
)

// exposureState is software, vulnerabilities, recommendations and remediation.
type exposureState struct {
	counted *survey // of the devices that it was made for
	tasks   []remediationTask
}

// survey is the counts over all devices, from which every number of these
// families comes.
type survey struct {
	devices  []*device
	managed  int
	products []tally
	cves     []int // devices that have it
	controls []tally
	groups   map[string]*groupTally
	rows     func() []machineFinding
}

// tally counts devices by product, or by control.
type tally struct {
	total    int     // that have the product, or that the control is for
	exposed  int     // that have a vulnerable version, or fail the control
	critical int     // exposed and of high value
	idle     int     // exposed, and nobody works on them
	releases []int   // total by release
	impact   float64 // part of the exposure score
}

// groupTally is the exposure of the devices of a group.
type groupTally struct {
	id      int64
	devices int
	sum     float64
}

// machineFinding is a CVE of a device.
type machineFinding struct {
	device *device
	installed
	weakness *weakness
}

// kb is the number of the update that fixes it, or "".
func (m machineFinding) kb() string {
	if fix := m.release.fix(m.weakness.id); fix != nil {
		return fix.kb
	}
	return ""
}

// survey counts the devices, once for each state of the fleet.
func (t *Tenant) survey() *survey {
	devices := t.snapshot()
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.exposure.counted; s != nil && sameSlice(s.devices, devices) {
		return s
	}
	t.exposure.counted = newSurvey(devices)
	return t.exposure.counted
}

// sameSlice reports whether two slices share their elements. The fleet's slice is
// replaced on every change.
func sameSlice[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func newSurvey(devices []*device) *survey {
	w := world()
	s := &survey{
		devices: devices, products: make([]tally, len(w.products)), cves: make([]int, len(w.cves)), controls: make([]tally, len(w.controls)),
		groups: map[string]*groupTally{},
	}
	for i, p := range w.products {
		s.products[i].releases = make([]int, len(p.releases))
	}
	seen := make([]*device, len(w.cves))
	for _, d := range devices {
		s.add(d, seen)
	}
	for i := range s.products {
		s.products[i].impact *= 100 / float64(max(1, s.managed))
	}
	s.rows = sync.OnceValue(s.findings)
	return s
}

// add counts a device. seen is the device that each CVE was counted for last,
// because a device that has a CVE twice is one device.
func (s *survey) add(d *device, seen []*device) {
	v, ok := inventoryOf(d)
	if !ok {
		return
	}
	s.managed++
	parts, whole := make([]float64, 0, 8), 0.0
	found := make([]int, 0, 8)
	v.each(func(i installed) {
		count := &s.products[i.at]
		count.releases[i.release.at]++
		count.add(d, len(i.release.open) > 0)
		part := 0.0
		for _, w := range i.release.open {
			part += w.weight()
			if seen[w.at] != d {
				seen[w.at] = d
				s.cves[w.at]++
			}
		}
		if part > 0 {
			parts, found, whole = append(parts, part), append(found, i.at), whole+part
		}
	})
	for i, c := range world().controls {
		if c.applies(v) {
			s.controls[i].add(d, !c.met(v))
		}
	}
	exposure := 1 - math.Exp(-whole/60)
	for i, at := range found {
		s.products[at].impact += exposure * parts[i] / whole
	}
	s.group(d).sum += exposure
}

// group is the tally of a device's group, with the device counted.
func (s *survey) group(d *device) *groupTally {
	name := orDefault(d.RBACGroupName, "UnassignedGroup")
	g := s.groups[name]
	if g == nil {
		g = &groupTally{id: d.RBACGroupID}
		s.groups[name] = g
	}
	g.devices++
	return g
}

func (c *tally) add(d *device, exposed bool) {
	c.total++
	if !exposed {
		return
	}
	c.exposed++
	if d.DeviceValue == "High" {
		c.critical++
	}
	if d.HealthStatus == "Inactive" {
		c.idle++
	}
}

// weight is what a CVE adds to the exposure of a device that has it.
func (w *weakness) weight() float64 {
	if w.exploited() {
		return w.score * w.score / 5
	}
	return w.score * w.score / 10
}

// findings are the CVEs of all devices, by device, product and CVE.
func (s *survey) findings() []machineFinding {
	var out []machineFinding
	for _, d := range s.devices {
		eachInstalled(d, func(i installed) {
			for _, w := range i.release.open {
				out = append(out, machineFinding{d, i, w})
			}
		})
	}
	return out
}

// weaknesses are the CVEs that the installed versions of a product have.
func (s *survey) weaknesses(p *product) []*weakness {
	var out []*weakness
	for i, n := range s.products[p.at].releases {
		if n == 0 {
			continue
		}
		for _, w := range p.releases[i].open {
			if !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	slices.SortFunc(out, func(a, b *weakness) int { return a.at - b.at })
	return out
}

// machines are the devices for which keep holds of one of their installations.
func (s *survey) machines(keep func(installed) bool) []machineReference {
	out := []machineReference{}
	for _, d := range s.devices {
		found := false
		eachInstalled(d, func(i installed) { found = found || keep(i) })
		if found {
			out = append(out, referenceTo(d))
		}
	}
	return out
}

// machineReference names a device (documentation: get-machines-by-software.md).
type machineReference struct {
	ID              string `json:"id"`
	ComputerDNSName string `json:"computerDnsName"`
	OSPlatform      string `json:"osPlatform"`
	RBACGroupName   string `json:"rbacGroupName"`
}

func referenceTo(d *device) machineReference {
	return machineReference{d.ID, d.ComputerDNSName, d.OSPlatform, d.RBACGroupName}
}

// programsInAlerts are the programs, in lower case, that open alerts name in
// their evidence.
func (t *Tenant) programsInAlerts() map[string]bool {
	t.mu.Lock()
	alerts := t.alerts
	t.mu.Unlock()
	out := map[string]bool{}
	for _, a := range alerts {
		if a.Status == "Resolved" {
			continue
		}
		for _, e := range a.Evidence {
			out[strings.ToLower(string(e.FileName))] = true
			out[strings.ToLower(string(e.ParentProcessFileName))] = true
		}
	}
	delete(out, "")
	return out
}
