package mdesim

import (
	"math/bits"
	"slices"
	"strings"
)

// managed reports whether Defender sees into a device; without that there is no
// inventory.
func (d *device) managed() bool { return strings.EqualFold(d.OnboardingStatus, "onboarded") }

// platformFamily sorts operating systems; "" is one without an inventory.
func platformFamily(os string) string {
	switch {
	case strings.HasPrefix(os, "WindowsServer"):
		return "server"
	case strings.HasPrefix(os, "Windows"):
		return "client"
	case slices.Contains([]string{"Ubuntu", "RedHatEnterpriseLinux", "Debian", "CentOS", "SUSE", "SUSELinux", "OracleLinux", "Linux"}, os):
		return "linux"
	case os == "macOS", os == "iOS", os == "Android":
		return os
	}
	return ""
}

// runs reports whether something is for a platform, by its name or its family.
func runs(platforms []string, v inventory) bool {
	return slices.Contains(platforms, v.os) || slices.Contains(platforms, v.family)
}

// inventory is how the software of one device is chosen.
type inventory struct {
	os, family, version string
	hash                uint64
	lag                 int // how far behind the device is patched
}

// inventoryOf prepares a device; false when it has none.
func inventoryOf(d *device) (inventory, bool) {
	if !d.managed() {
		return inventory{}, false
	}
	family := platformFamily(d.OSPlatform)
	if family == "" {
		return inventory{}, false
	}
	v := inventory{os: d.OSPlatform, family: family, version: string(d.Version), hash: hash64("software/" + d.ID)}
	switch d.ExposureLevel {
	case "None":
		v.lag = -99
	case "Low":
		v.lag = -1
	case "High":
		v.lag = 1
	}
	return v, true
}

// find returns the release of a product that the device has, or nil.
func (v inventory) find(p *product) *release {
	if !runs(p.platforms, v) {
		return nil
	}
	choice := scramble(v.hash ^ p.salt)
	if int(choice%100) >= p.share {
		return nil
	}
	newest := p.newest(v.version)
	// Half of the devices are up to date, a quarter is one release behind, and so on; exposure shifts this.
	behind := max(0, bits.TrailingZeros64(choice>>8)+v.lag)
	return p.before(newest, behind)
}

// newest returns the last release for a device version. A version without a
// branch of its own has the last release of all.
func (p *product) newest(version string) *release {
	for i := len(p.releases) - 1; i >= 0; i-- {
		if branch := p.releases[i].branch; branch == "" || branch == version {
			return &p.releases[i]
		}
	}
	return &p.releases[len(p.releases)-1]
}

// before goes back in a release's branch.
func (p *product) before(r *release, steps int) *release {
	for i := r.at - 1; i >= 0 && steps > 0; i-- {
		if p.releases[i].branch == r.branch {
			r = &p.releases[i]
			steps--
		}
	}
	return r
}

// scramble spreads the bits of x (the finalizer of SplitMix64).
func scramble(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// eachInstalled calls visit for every product of a device, ordered by id.
func eachInstalled(d *device, visit func(installed)) {
	if v, ok := inventoryOf(d); ok {
		v.each(visit)
	}
}

// each calls visit for every product of the device, ordered by id.
func (v inventory) each(visit func(installed)) {
	for _, p := range world().products {
		if r := v.find(p); r != nil {
			visit(installed{p, r})
		}
	}
}

// softwareOn is the software of a device, ordered by id. A device that is not
// onboarded has none.
func (t *Tenant) softwareOn(d *device) []installed {
	var out []installed
	eachInstalled(d, func(i installed) { out = append(out, i) })
	return out
}

// vulnerabilitiesOn is the CVEs of a device, ordered by CVE and product. A CVE in
// two products is two findings.
func (t *Tenant) vulnerabilitiesOn(d *device) []finding {
	var out []finding
	eachInstalled(d, func(i installed) {
		for _, w := range i.release.open {
			f := finding{weakness: w, installed: i}
			if fix := i.release.fix(w.id); fix != nil {
				f.kb = fix.kb
			}
			out = append(out, f)
		}
	})
	slices.SortStableFunc(out, func(a, b finding) int { return a.at - b.at })
	return out
}

// missingKBsOn is the updates that a device lacks, ordered by number. Only
// Windows and what is updated with it has any.
func (t *Tenant) missingKBsOn(d *device) []missingKB {
	return missing(t.softwareOn(d))
}

// missing is the updates that installations lack.
func missing(software []installed) []missingKB {
	var out []missingKB
	for _, i := range software {
		for _, later := range i.release.newer {
			if later.kb == "" {
				continue
			}
			at := slices.IndexFunc(out, func(k missingKB) bool { return k.id == later.kb })
			if at < 0 {
				at, out = len(out), append(out, missingKB{id: later.kb, name: later.kbName})
			}
			k := &out[at]
			if !slices.Contains(k.products, i.product) {
				k.products = append(k.products, i.product)
			}
			for _, w := range later.fixed {
				if !slices.Contains(k.fixes, w) {
					k.fixes = append(k.fixes, w)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b missingKB) int { return strings.Compare(a.id, b.id) })
	return out
}

// configurationsOn is the configuration controls that apply to a device, ordered
// by number, and whether it meets them.
func (t *Tenant) configurationsOn(d *device) []configured {
	v, ok := inventoryOf(d)
	if !ok {
		return nil
	}
	var out []configured
	for _, c := range world().controls {
		if c.applies(v) {
			out = append(out, configured{c, c.met(v)})
		}
	}
	return out
}
