package mdesim

import (
	"net/http"
	"slices"
	"strings"
)

func softwareRoutes() []route {
	p := anyOf("Software.Read.All", "Software.Read")
	vulnerability := anyOf("Vulnerability.Read.All", "Vulnerability.Read")
	return []route{
		on(http.MethodGet, "list_software", "/api/Software", "get-software.md", p, listSoftware),
		on(http.MethodGet, "get_software", "/api/Software/{software_id}", "get-software-by-id.md", p, getSoftware),
		on(http.MethodGet, "list_software_version_distribution", "/api/Software/{software_id}/distributions", "get-software-ver-distribution.md", p, softwareDistribution),
		on(http.MethodGet, "list_software_machines", "/api/Software/{software_id}/machineReferences", "get-machines-by-software.md", p, softwareMachines),
		on(http.MethodGet, "list_software_vulnerabilities", "/api/Software/{software_id}/vulnerabilities", "get-vuln-by-software.md", vulnerability, softwareVulnerabilities),
		on(http.MethodGet, "list_software_missing_kbs", "/api/Software/{software_id}/getmissingkbs", "get-missing-kbs-software.md", p, softwareMissingKBs),
		on(http.MethodGet, "list_machine_software", "/api/machines/{machine_id}/software", "get-installed-software.md", p, machineSoftware),
		on(http.MethodGet, "list_machine_missing_kbs", "/api/machines/{machine_id}/getmissingkbs", "get-missing-kbs-machine.md",
			anyOf("Software.Read.All", ""), machineMissingKBs),
	}
}

// software is a product of the inventory (documentation: software.md).
type software struct {
	Context         string  `json:"@odata.context,omitempty"`
	ID              string  `json:"id"`
	Name            string  `json:"name"`
	Vendor          string  `json:"vendor"`
	Weaknesses      int     `json:"weaknesses"`
	PublicExploit   bool    `json:"publicExploit"`
	ActiveAlert     bool    `json:"activeAlert"`
	ExposedMachines int     `json:"exposedMachines"`
	ImpactScore     float64 `json:"impactScore"`
}

// inventoryView makes the API's shapes out of the counts.
type inventoryView struct {
	*survey
	programs map[string]bool
}

func (t *Tenant) inventoryView() inventoryView {
	return inventoryView{t.survey(), t.programsInAlerts()}
}

func (v inventoryView) software(p *product) *software {
	weaknesses, count := v.weaknesses(p), v.products[p.at]
	return &software{
		ID: p.id(), Name: p.name, Vendor: p.vendor, Weaknesses: len(weaknesses), PublicExploit: slices.ContainsFunc(weaknesses, (*weakness).exploited),
		ActiveAlert: v.programs[p.file], ExposedMachines: count.exposed, ImpactScore: count.impact,
	}
}

func softwareSchema() schema[*software] {
	str := propertyType{kind: kindString}
	return schema[*software]{
		"id":     {str, func(s *software) any { return s.ID }},
		"name":   {str, func(s *software) any { return s.Name }},
		"vendor": {str, func(s *software) any { return s.Vendor }},
	}
}

func listSoftware(c *call) response {
	view, items := c.t.inventoryView(), []*software{}
	for _, p := range world().products {
		if view.products[p.at].total > 0 {
			items = append(items, view.software(p))
		}
	}
	return listing[*software]{
		context: "Software", schema: softwareSchema(), wire: func(s *software, _ bool) any { return s },
	}.serve(c, items)
}

// product finds the path's software among what is installed.
func (c *call) product(s *survey) (*product, bool) {
	p, ok := world().byID[strings.ToLower(c.id)]
	return p, ok && s.products[p.at].total > 0
}

func (c *call) noSoftware() response {
	return c.t.problem(http.StatusNotFound, "ResourceNotFound", "Software "+c.id+" was not found")
}

func getSoftware(c *call) response {
	view := c.t.inventoryView()
	p, ok := c.product(view.survey)
	if !ok {
		return c.noSoftware()
	}
	out := view.software(p)
	out.Context = c.metadata("Software/$entity")
	return c.t.ok(http.StatusOK, out)
}

// all answers with a list whose page documents no query options; such options are
// refused rather than ignored.
func all[T any](c *call, context string, items []T) response {
	for name := range c.r.URL.Query() {
		if strings.HasPrefix(name, "$") {
			return c.t.problem(http.StatusBadRequest, "ODataError", "the query option '"+name+"' is not supported")
		}
	}
	if items == nil {
		items = []T{}
	}
	return c.list(context, items, "")
}

// distribution is how often a version is installed.
type distribution struct {
	Version         string `json:"version"`
	Installations   int    `json:"installations"`
	Vulnerabilities int    `json:"vulnerabilities"`
}

func softwareDistribution(c *call) response {
	s := c.t.survey()
	p, ok := c.product(s)
	if !ok {
		return c.noSoftware()
	}
	var out []distribution
	for i, n := range s.products[p.at].releases {
		if n > 0 {
			out = append(out, distribution{p.releases[i].version, n, len(p.releases[i].open)})
		}
	}
	return all(c, "Distributions", out)
}

func softwareMachines(c *call) response {
	s := c.t.survey()
	p, ok := c.product(s)
	if !ok {
		return c.noSoftware()
	}
	return all(c, "MachineReferences", s.machines(func(i installed) bool { return i.product == p }))
}

func softwareVulnerabilities(c *call) response {
	s := c.t.survey()
	p, ok := c.product(s)
	if !ok {
		return c.noSoftware()
	}
	return all(c, vulnerabilityDTO, s.vulnerabilities(s.weaknesses(p)))
}

func machineSoftware(c *call) response {
	d, ok := c.t.byID(c.id)
	if !ok {
		return c.noMachine()
	}
	view := c.t.inventoryView()
	var out []*software
	for _, i := range c.t.softwareOn(d) {
		out = append(out, view.software(i.product))
	}
	return all(c, "Software", out)
}
