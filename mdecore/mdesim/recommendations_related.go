package mdesim

import "net/http"

// exposes reports whether a device is one that the advice is about and that has
// not followed it.
func (a advice) exposes(d *device) bool {
	if a.control != nil {
		v, ok := inventoryOf(d)
		return ok && a.control.applies(v) && !a.control.met(v)
	}
	found := false
	eachInstalled(d, func(i installed) { found = found || i.product == a.product && len(i.release.open) > 0 })
	return found
}

// exposedTo are the devices that an advice is for.
func (s *survey) exposedTo(a advice) []machineReference {
	var out []machineReference
	for _, d := range s.devices {
		if a.exposes(d) {
			out = append(out, referenceTo(d))
		}
	}
	return out
}

func recommendationMachines(c *call) response {
	s := c.t.survey()
	a, ok := c.advice(s)
	if !ok {
		return c.noRecommendation()
	}
	return all(c, "MachineReferences", s.exposedTo(a))
}

// recommendationVulnerabilities is empty for a configuration.
func recommendationVulnerabilities(c *call) response {
	s := c.t.survey()
	a, ok := c.advice(s)
	if !ok {
		return c.noRecommendation()
	}
	var found []*weakness
	if a.product != nil {
		found = s.weaknesses(a.product)
	}
	return all(c, vulnerabilityDTO, s.vulnerabilities(found))
}

// recommendationSoftware is one object, and not found for a configuration.
func recommendationSoftware(c *call) response {
	view := c.t.inventoryView()
	a, ok := c.advice(view.survey)
	switch {
	case !ok:
		return c.noRecommendation()
	case a.product == nil:
		return c.t.problem(http.StatusNotFound, "ResourceNotFound", "Recommendation "+c.id+" is about a configuration and has no software")
	}
	out := view.software(a.product)
	out.Context = c.metadata("Analytics.Contracts.PublicAPI.PublicProductDto")
	return c.t.ok(http.StatusOK, out)
}

// machineRecommendations are the tenant's recommendations that expose a device.
func machineRecommendations(c *call) response {
	d, ok := c.t.byID(c.id)
	if !ok {
		return c.noMachine()
	}
	view := c.t.inventoryView()
	var out []*recommendation
	for _, a := range view.advices() {
		if a.exposes(d) {
			out = append(out, view.recommendation(a))
		}
	}
	return all(c, "Recommendations", out)
}
