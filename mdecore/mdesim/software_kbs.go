package mdesim

import (
	"slices"
	"strings"
)

// missingKBBody is an update that is missing (documentation:
// get-missing-kbs-machine.md). Its numbers are about what was asked for: one
// machine, or the machines and CVEs of one product.
type missingKBBody struct {
	ID              string   `json:"id"`
	Name            string   `json:"name"`
	ProductsNames   []string `json:"productsNames"`
	URL             string   `json:"url"`
	MachineMissedOn int      `json:"machineMissedOn"`
	CVEAddressed    int      `json:"cveAddressed"`
}

// kbContext is the type of the lists of updates.
const kbContext = "Collection(microsoft.windowsDefenderATP.api.PublicProductFixDto)"

func (k missingKB) body(missedOn int) missingKBBody {
	out := missingKBBody{ID: k.id, Name: k.name, URL: k.url(), MachineMissedOn: missedOn, CVEAddressed: len(k.fixes)}
	for _, p := range k.products {
		out.ProductsNames = append(out.ProductsNames, p.name)
	}
	return out
}

func machineMissingKBs(c *call) response {
	d, ok := c.t.byID(c.id)
	if !ok {
		return c.noMachine()
	}
	var out []missingKBBody
	for _, k := range c.t.missingKBsOn(d) {
		out = append(out, k.body(1))
	}
	return all(c, kbContext, out)
}

func softwareMissingKBs(c *call) response {
	s := c.t.survey()
	p, ok := c.product(s)
	if !ok {
		return c.noSoftware()
	}
	counts := map[string]int{}
	var out []missingKB
	for i, n := range s.products[p.at].releases {
		if n == 0 {
			continue
		}
		for _, k := range missing([]installed{{p, &p.releases[i]}}) {
			if counts[k.id] += n; counts[k.id] == n {
				out = append(out, k)
			}
		}
	}
	slices.SortFunc(out, func(a, b missingKB) int { return strings.Compare(a.id, b.id) })
	bodies := make([]missingKBBody, 0, len(out))
	for _, k := range out {
		bodies = append(bodies, k.body(counts[k.id]))
	}
	return all(c, kbContext, bodies)
}
