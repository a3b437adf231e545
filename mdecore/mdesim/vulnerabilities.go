package mdesim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

func vulnerabilityRoutes() []route {
	p := anyOf("Vulnerability.Read.All", "Vulnerability.Read")
	return []route{
		on(http.MethodGet, "list_vulnerabilities", "/api/vulnerabilities", "get-all-vulnerabilities.md", p, listVulnerabilities),
		on(http.MethodGet, "list_vulnerabilities_by_machine_and_software", "/api/vulnerabilities/machinesVulnerabilities",
			"get-all-vulnerabilities-by-machines.md", p, machinesVulnerabilities),
		on(http.MethodGet, "get_vulnerability", "/api/vulnerabilities/{cve_id}", "get-vulnerability-by-id.md", p, getVulnerability),
		on(http.MethodGet, "list_vulnerability_machines", "/api/vulnerabilities/{cve_id}/machineReferences", "get-machines-by-vulnerability.md",
			p, vulnerabilityMachines),
		on(http.MethodGet, "list_machine_vulnerabilities", "/api/machines/{machine_id}/vulnerabilities", "get-discovered-vulnerabilities.md",
			p, machineVulnerabilities).limited(50, 1500),
	}
}

// vulnerabilityDTO is the type of the lists that hang on something else.
const vulnerabilityDTO = "Collection(Analytics.Contracts.PublicAPI.PublicVulnerabilityDto)"

// vulnerability is a CVE (documentation: vulnerability.md).
type vulnerability struct {
	Context           string    `json:"@odata.context,omitempty"`
	ID                string    `json:"id"`
	Name              string    `json:"name"`
	Description       string    `json:"description"`
	Severity          string    `json:"severity"`
	CVSSV3            float64   `json:"cvssV3"`
	CVSSVector        string    `json:"cvssVector"`
	ExposedMachines   int       `json:"exposedMachines"`
	PublishedOn       time.Time `json:"publishedOn"`
	UpdatedOn         time.Time `json:"updatedOn"`
	PublicExploit     bool      `json:"publicExploit"`
	ExploitVerified   bool      `json:"exploitVerified"`
	ExploitInKit      bool      `json:"exploitInKit"`
	ExploitTypes      []string  `json:"exploitTypes"`
	ExploitURIs       []string  `json:"exploitUris"`
	CVESupportability string    `json:"CveSupportability"`
	EPSS              float64   `json:"EPSS"`
}

func (s *survey) vulnerability(w *weakness) *vulnerability {
	out := &vulnerability{
		ID: w.id, Name: w.id, Description: w.summary, Severity: w.severity, CVSSV3: w.score, CVSSVector: w.vector,
		ExposedMachines: s.cves[w.at], PublishedOn: day(w.published), UpdatedOn: day(w.published).AddDate(0, 0, 30),
		PublicExploit: w.exploited(), ExploitVerified: w.exploit == "verified" || w.exploit == "kit", ExploitInKit: w.exploit == "kit",
		ExploitTypes: append([]string{}, w.exploitTypes...), ExploitURIs: []string{}, CVESupportability: "Supported", EPSS: w.epss,
	}
	if w.exploited() {
		out.ExploitURIs = append(out.ExploitURIs, "https://exploits.example/"+strings.ToLower(w.id))
	}
	return out
}

// day reads a day of the catalogue.
func day(text string) time.Time {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic("mdesim: " + err.Error())
	}
	return at
}

func (s *survey) vulnerabilities(list []*weakness) []*vulnerability {
	out := make([]*vulnerability, 0, len(list))
	for _, w := range list {
		out = append(out, s.vulnerability(w))
	}
	return out
}

// maxVulnerabilities is the documented limit of $top for this list alone.
const maxVulnerabilities = 8000

func vulnerabilitySchema() schema[*vulnerability] {
	str, at := propertyType{kind: kindString}, propertyType{kind: kindTime}
	return schema[*vulnerability]{
		"id":          {str, func(v *vulnerability) any { return v.ID }},
		"name":        {str, func(v *vulnerability) any { return v.Name }},
		"description": {str, func(v *vulnerability) any { return v.Description }},
		"cvssV3":      {decimal(), func(v *vulnerability) any { return v.CVSSV3 }},
		"publishedOn": {at, func(v *vulnerability) any { return v.PublishedOn }},
		"severity":    {enum(severities()...), func(v *vulnerability) any { return v.Severity }},
		"updatedOn":   {at, func(v *vulnerability) any { return v.UpdatedOn }},
	}
}

// decimal is the type of a property with a fraction.
func decimal() propertyType { return propertyType{kind: kindFloat} }

func severities() []string { return []string{"Low", "Medium", "High", "Critical"} }

// listVulnerabilities lists the CVEs that some device has.
func listVulnerabilities(c *call) response {
	if o, err := readOptions(c.r.URL.RawQuery, nil); err == nil && o.top > maxVulnerabilities {
		return c.t.problem(http.StatusBadRequest, "ODataError", "the limit of 8000 for $top was exceeded")
	}
	s, items := c.t.survey(), []*vulnerability{}
	for _, w := range world().cves {
		if s.cves[w.at] > 0 {
			items = append(items, s.vulnerability(w))
		}
	}
	return listing[*vulnerability]{
		context: "Vulnerabilities", schema: vulnerabilitySchema(), wire: func(v *vulnerability, _ bool) any { return v },
	}.serve(c, items)
}

// getVulnerability also knows CVEs that no device has.
func getVulnerability(c *call) response {
	w, ok := world().byCVE[strings.ToUpper(c.id)]
	if !ok {
		return c.noVulnerability()
	}
	out := c.t.survey().vulnerability(w)
	out.Context = c.metadata("Vulnerabilities/$entity")
	return c.t.ok(http.StatusOK, out)
}

func (c *call) noVulnerability() response {
	return c.t.problem(http.StatusNotFound, "ResourceNotFound", "Vulnerability "+c.id+" was not found")
}

func vulnerabilityMachines(c *call) response {
	w, ok := world().byCVE[strings.ToUpper(c.id)]
	if !ok {
		return c.noVulnerability()
	}
	return all(c, "MachineReferences", c.t.survey().machines(func(i installed) bool { return slices.Contains(i.release.open, w) }))
}

// machineVulnerabilities lists each CVE of a device once, in however many
// products it is.
func machineVulnerabilities(c *call) response {
	d, ok := c.t.byID(c.id)
	if !ok {
		return c.noMachine()
	}
	s := c.t.survey()
	var out []*vulnerability
	for _, f := range c.t.vulnerabilitiesOn(d) {
		if len(out) == 0 || out[len(out)-1].ID != f.id {
			out = append(out, s.vulnerability(f.weakness))
		}
	}
	return all(c, vulnerabilityDTO, out)
}
