package mdecore

import (
	"context"
	"iter"
)

// recommendationArg is a recommendation id, such as va-_-microsoft-_-edge.
func recommendationArg(id string) arg {
	return arg{id, checkCompound("recommendation id", id, "it must look like va-_-microsoft-_-edge or sca-_-scid-2010")}
}

// ListRecommendations iterates over the security recommendations of the tenant. They can be filtered on id,
// productName, vendor, recommendedVersion, recommendationCategory, subCategory, severityScore, remediationType,
// recommendedProgram, recommendedVendor and status. Documentation page: get-all-recommendations.md.
//
//mde:op GET /api/recommendations roles=SecurityRecommendation.Read.All
func (c *Client) ListRecommendations(ctx context.Context, q Query) iter.Seq2[*Recommendation, error] {
	return list[Recommendation](ctx, c, q.call(call{op: "ListRecommendations"}), q.Page)
}

// GetRecommendation returns one security recommendation. Documentation page: get-recommendation-by-id.md.
//
//mde:op GET /api/recommendations/{recommendation_id} roles=SecurityRecommendation.Read.All
func (c *Client) GetRecommendation(ctx context.Context, recommendationID string) (*Recommendation, error) {
	return named(ctx, c, call{op: "GetRecommendation", args: args{recommendationArg(recommendationID)}}, "recommendation", func(r *Recommendation) string { return r.ID })
}

// ListRecommendationMachines iterates over the machines that have not followed a recommendation. Documentation page:
// get-recommendation-machines.md.
//
//mde:op GET /api/recommendations/{recommendation_id}/machineReferences roles=SecurityRecommendation.Read.All
func (c *Client) ListRecommendationMachines(ctx context.Context, recommendationID string) iter.Seq2[*MachineReference, error] {
	return list[MachineReference](ctx, c, call{op: "ListRecommendationMachines", args: args{recommendationArg(recommendationID)}}, Page{})
}

// ListRecommendationVulnerabilities iterates over the vulnerabilities that following a recommendation removes.
// Documentation page: get-recommendation-vulnerabilities.md.
//
//mde:op GET /api/recommendations/{recommendation_id}/vulnerabilities roles=Vulnerability.Read.All
func (c *Client) ListRecommendationVulnerabilities(ctx context.Context, recommendationID string) iter.Seq2[*Vulnerability, error] {
	return list[Vulnerability](ctx, c, call{op: "ListRecommendationVulnerabilities", args: args{recommendationArg(recommendationID)}}, Page{})
}

// GetRecommendationSoftware returns the product that a recommendation is about: one object, although the page's title
// speaks of a list. Documentation page: list-recommendation-software.md.
//
//mde:op GET /api/recommendations/{recommendation_id}/software roles=Software.Read.All,SecurityRecommendation.Read.All
func (c *Client) GetRecommendationSoftware(ctx context.Context, recommendationID string) (*Software, error) {
	return fetch[Software](ctx, c, call{op: "GetRecommendationSoftware", args: args{recommendationArg(recommendationID)}})
}

// ListMachineRecommendations iterates over the recommendations that a machine has not followed. Documentation page:
// get-security-recommendations.md.
//
//mde:op GET /api/machines/{machine_id}/recommendations roles=SecurityRecommendation.Read.All
func (c *Client) ListMachineRecommendations(ctx context.Context, machineID string) iter.Seq2[*Recommendation, error] {
	return list[Recommendation](ctx, c, call{op: "ListMachineRecommendations", args: args{machineArg(machineID)}}, Page{})
}
