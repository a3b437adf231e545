package mdesim

import (
	"slices"
	"strings"
	"sync"
)

// The software world of a tenant: products and their releases, the CVEs that a
// release fixes, and configuration controls. What a device has follows from its
// id, platform and exposure level whenever it is asked for, because a fleet of
// 50,000 devices with a dozen products each is cheaper to derive than to keep.
//
// For other families: softwareOn, vulnerabilitiesOn, missingKBsOn and
// configurationsOn say what a device has; all agree with each other and with the
// lists of software, vulnerabilities and recommendations.

// product is a product of the catalogue.
type product struct {
	vendor, name string // as in the id, e.g. microsoft and edge_chromium-based
	title        string // for people
	on           string // platforms and families it runs on, with spaces between
	share        int    // percent of those devices that have it
	file         string // its main program, "" for operating systems and libraries
	category     string // recommendationCategory: Application or OS
	internet     bool   // handles content from the internet
	endOfSupport string // day that the whole product's support ends, or ""
	unfixed      string // CVEs that no release fixes
	releases     []release

	at        int      // place in the catalogue
	salt      uint64   // varies the choice between products
	platforms []string // on, split
}

// release is a version of a product. Releases of a branch are in order: the last
// one is what the branch is updated to.
type release struct {
	branch  string // the device version that it is for; "" for any
	version string
	kb      string // number of the update that brings it, or ""
	kbName  string
	fixes   string // CVEs that it fixes, with spaces between

	fixed []*weakness // fixes, looked up
	open  []*weakness // CVEs that this version still has
	newer []*release  // later releases of the same branch
	at    int         // place among the product's releases
}

func (p *product) id() string { return p.vendor + "-_-" + p.name }

// weakness is a CVE.
type weakness struct {
	id, summary  string
	severity     string
	score        float64
	vector       string
	published    string // a day
	exploit      string // "" none, "public", "verified" or "kit"
	exploitTypes []string
	epss         float64
	at           int
}

// exploited reports whether an exploit is public.
func (w *weakness) exploited() bool { return w.exploit != "" }

// installed is a product on a device.
type installed struct {
	*product
	release *release
}

func (i installed) version() string { return i.release.version }

// finding is a CVE on a device, in the product that has it. kb is the number of
// the update that fixes it, "" when there is none or it is no Windows update.
type finding struct {
	*weakness
	installed
	kb string
}

// missingKB is an update that a device lacks.
type missingKB struct {
	id, name string
	products []*product
	fixes    []*weakness
}

// url is where the update can be fetched.
func (k missingKB) url() string {
	return "https://catalog.update.microsoft.com/v7/site/Search.aspx?q=KB" + k.id
}

// configured is a configuration control on a device.
type configured struct {
	*control
	compliant bool
}

// catalogue is the same for all tenants, and read only.
type catalogue struct {
	products []*product
	byID     map[string]*product
	cves     []*weakness
	byCVE    map[string]*weakness
	controls []*control
}

var world = sync.OnceValue(newCatalogue)

func newCatalogue() *catalogue {
	c := &catalogue{
		products: slices.Concat(windowsProducts(), windowsApplications(), otherProducts()),
		byID:     map[string]*product{}, cves: knownCVEs(), byCVE: map[string]*weakness{}, controls: knownControls(),
	}
	slices.SortFunc(c.products, func(a, b *product) int { return strings.Compare(a.id(), b.id()) })
	slices.SortFunc(c.cves, func(a, b *weakness) int { return strings.Compare(a.id, b.id) })
	for i, w := range c.cves {
		w.at, c.byCVE[w.id] = i, w
	}
	for i, p := range c.products {
		p.at, p.salt, c.byID[p.id()] = i, hash64("product/"+p.id()), p
		p.platforms = strings.Fields(p.on)
		c.link(p)
	}
	return c
}

// link works out which CVEs each release still has.
func (c *catalogue) link(p *product) {
	for i := range p.releases {
		r := &p.releases[i]
		r.at, r.fixed, r.open = i, c.named(r.fixes), c.named(p.unfixed)
	}
	for i := range p.releases {
		r := &p.releases[i]
		for j := i + 1; j < len(p.releases); j++ {
			if later := &p.releases[j]; later.branch == r.branch {
				r.newer, r.open = append(r.newer, later), append(r.open, later.fixed...)
			}
		}
	}
}

// named looks CVEs up. One that the table lacks is a mistake of this package.
func (c *catalogue) named(ids string) []*weakness {
	var out []*weakness
	for _, id := range strings.Fields(ids) {
		w, ok := c.byCVE[id]
		if !ok {
			panic("mdesim: the catalogue lacks " + id)
		}
		out = append(out, w)
	}
	return out
}

// fix returns the release that rids this one of a CVE; nil when none does.
func (r *release) fix(id string) *release {
	for _, later := range r.newer {
		if slices.ContainsFunc(later.fixed, func(w *weakness) bool { return w.id == id }) {
			return later
		}
	}
	return nil
}
