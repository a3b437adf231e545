package mdesim

import (
	"net/http"
	"slices"
	"strings"
)

func recommendationRoutes() []route {
	p := anyOf("SecurityRecommendation.Read.All", "SecurityRecommendation.Read")
	const one = "/api/recommendations/{recommendation_id}"
	return []route{
		on(http.MethodGet, "list_recommendations", "/api/recommendations", "get-all-recommendations.md", p, listRecommendations),
		on(http.MethodGet, "get_recommendation", one, "get-recommendation-by-id.md", p, getRecommendation),
		on(http.MethodGet, "list_recommendation_machines", one+"/machineReferences", "get-recommendation-machines.md", p, recommendationMachines),
		on(http.MethodGet, "list_recommendation_vulnerabilities", one+"/vulnerabilities", "get-recommendation-vulnerabilities.md",
			anyOf("Vulnerability.Read.All", "Vulnerability.Read"), recommendationVulnerabilities),
		on(http.MethodGet, "get_recommendation_software", one+"/software", "list-recommendation-software.md",
			anyOf("Software.Read.All SecurityRecommendation.Read.All", "SecurityRecommendation.Read"), recommendationSoftware),
		on(http.MethodGet, "list_machine_recommendations", "/api/machines/{machine_id}/recommendations", "get-security-recommendations.md",
			p, machineRecommendations),
	}
}

// recommendation is what to do about a product or a configuration
// (documentation: recommendation.md).
type recommendation struct {
	Context                       string   `json:"@odata.context,omitempty"`
	ID                            string   `json:"id"`
	ProductName                   string   `json:"productName"`
	RecommendationName            string   `json:"recommendationName"`
	Weaknesses                    int      `json:"weaknesses"`
	Vendor                        string   `json:"vendor"`
	RecommendedVersion            string   `json:"recommendedVersion"`
	RecommendedVendor             string   `json:"recommendedVendor"`
	RecommendedProgram            string   `json:"recommendedProgram"`
	RecommendationCategory        string   `json:"recommendationCategory"`
	SubCategory                   string   `json:"subCategory"`
	SeverityScore                 float64  `json:"severityScore"`
	PublicExploit                 bool     `json:"publicExploit"`
	ActiveAlert                   bool     `json:"activeAlert"`
	AssociatedThreats             []string `json:"associatedThreats"`
	RemediationType               string   `json:"remediationType"`
	Status                        string   `json:"status"`
	ConfigScoreImpact             float64  `json:"configScoreImpact"`
	ExposureImpact                float64  `json:"exposureImpact"`
	TotalMachineCount             int      `json:"totalMachineCount"`
	ExposedMachinesCount          int      `json:"exposedMachinesCount"`
	NonProductivityImpactedAssets int      `json:"nonProductivityImpactedAssets"`
	RelatedComponent              string   `json:"relatedComponent"`
	HasUnpatchableCVE             bool     `json:"hasUnpatchableCve"`
	Tags                          []string `json:"tags"`
	ExposedCriticalDevices        int      `json:"exposedCriticalDevices"`
}

// recommendationPrefix begins the ids of recommendations about products.
const recommendationPrefix = "va-_-"

// advice is what a recommendation is about: a product or a control.
type advice struct {
	product *product
	control *control
	at      int // of the control
}

func (a advice) id() string {
	if a.control != nil {
		return a.control.id()
	}
	return recommendationPrefix + a.product.id()
}

// tally is the devices that the advice is about.
func (s *survey) tally(a advice) tally {
	if a.control != nil {
		return s.controls[a.at]
	}
	return s.products[a.product.at]
}

// advices are the recommendations of the tenant: what exposes at least one device,
// ordered by id.
func (s *survey) advices() []advice {
	var out []advice
	for i, c := range world().controls {
		out = append(out, advice{control: c, at: i})
	}
	for _, p := range world().products {
		out = append(out, advice{product: p})
	}
	out = slices.DeleteFunc(out, func(a advice) bool { return s.tally(a).exposed == 0 })
	slices.SortFunc(out, func(a, b advice) int { return strings.Compare(a.id(), b.id()) })
	return out
}

// advice finds the path's recommendation.
func (c *call) advice(s *survey) (advice, bool) {
	for _, a := range s.advices() {
		if strings.EqualFold(a.id(), c.id) {
			return a, true
		}
	}
	return advice{}, false
}

func (v inventoryView) recommendation(a advice) *recommendation {
	count := v.tally(a)
	out := &recommendation{
		ID: a.id(), Status: "Active", AssociatedThreats: []string{}, Tags: []string{},
		TotalMachineCount: count.total, ExposedMachinesCount: count.exposed, ExposedCriticalDevices: count.critical, NonProductivityImpactedAssets: count.idle,
	}
	if a.control != nil {
		out.configuration(a.control, count)
	} else {
		out.update(a.product, v.software(a.product), v.weaknesses(a.product))
	}
	return out
}

// configuration fills in a recommendation about a control.
func (r *recommendation) configuration(c *control, count tally) {
	r.RecommendationName, r.RecommendationCategory, r.SubCategory, r.RelatedComponent = c.title, c.category, c.subcategory, orDefault(c.subcategory, c.category)
	r.RemediationType, r.SeverityScore = "ConfigurationChange", float64(c.points)
	r.ConfigScoreImpact = c.worth(count.exposed, count.total)
}

// update fills in a recommendation about a product.
func (r *recommendation) update(p *product, inventory *software, found []*weakness) {
	r.ProductName, r.Vendor, r.RelatedComponent = p.name, p.vendor, p.title
	r.RecommendationCategory, r.Weaknesses = p.category, len(found)
	r.PublicExploit, r.ActiveAlert, r.ExposureImpact = inventory.PublicExploit, inventory.ActiveAlert, inventory.ImpactScore
	r.RemediationType, r.RecommendedVersion = "Update", p.target()
	r.RecommendationName = "Update " + p.title
	if r.RecommendedVersion != "" {
		r.RecommendationName += " to version " + r.RecommendedVersion
	}
	if p.unfixed != "" {
		r.RemediationType, r.HasUnpatchableCVE, r.RecommendationName = "Upgrade", true, "Upgrade "+p.title
		if p.category == "Application" {
			r.RemediationType, r.RecommendationName = "Uninstall", "Uninstall "+p.title
		}
	}
	if p.internet {
		r.Tags = append(r.Tags, "internetFacing")
	}
	for _, w := range found {
		if w.exploit == "kit" {
			r.AssociatedThreats = append(r.AssociatedThreats, guidOf(hash64("threat/"+w.id), hash64("report/"+w.id)))
		}
	}
}

// target is the version to update to, "" when that depends on the device.
func (p *product) target() string {
	last := p.releases[len(p.releases)-1]
	if last.branch != "" || p.unfixed != "" {
		return ""
	}
	return last.version
}

func recommendationSchema() schema[*recommendation] {
	type of = *recommendation
	str := func(get func(of) string) property[of] {
		return property[of]{propertyType{kind: kindString}, func(r of) any { return get(r) }}
	}
	choice := func(get func(of) string, values ...string) property[of] {
		return property[of]{enum(values...), func(r of) any { return get(r) }}
	}
	return schema[of]{
		"id":                 str(func(r of) string { return r.ID }),
		"productName":        str(func(r of) string { return r.ProductName }),
		"vendor":             str(func(r of) string { return r.Vendor }),
		"recommendedVersion": str(func(r of) string { return r.RecommendedVersion }),
		"subCategory":        str(func(r of) string { return r.SubCategory }),
		"recommendedProgram": str(func(r of) string { return r.RecommendedProgram }),
		"recommendedVendor":  str(func(r of) string { return r.RecommendedVendor }),
		"severityScore":      {decimal(), func(r of) any { return r.SeverityScore }},
		"status":             choice(func(r of) string { return r.Status }, "Active", "Exception"),
		"remediationType": choice(func(r of) string { return r.RemediationType },
			"ConfigurationChange", "Update", "Upgrade", "Uninstall"),
		"recommendationCategory": choice(func(r of) string { return r.RecommendationCategory },
			"Accounts", "Application", "Network", "OS", "SecurityControls"),
	}
}

func listRecommendations(c *call) response {
	view, items := c.t.inventoryView(), []*recommendation{}
	for _, a := range view.advices() {
		items = append(items, view.recommendation(a))
	}
	return listing[*recommendation]{
		context: "Recommendations", schema: recommendationSchema(), wire: func(r *recommendation, _ bool) any { return r },
	}.serve(c, items)
}

func (c *call) noRecommendation() response {
	return c.t.problem(http.StatusNotFound, "ResourceNotFound", "Recommendation "+c.id+" was not found")
}

func getRecommendation(c *call) response {
	view := c.t.inventoryView()
	a, ok := c.advice(view.survey)
	if !ok {
		return c.noRecommendation()
	}
	out := view.recommendation(a)
	out.Context = c.metadata("Recommendations/$entity")
	return c.t.ok(http.StatusOK, out)
}
