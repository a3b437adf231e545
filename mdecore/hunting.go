package mdecore

import (
	"context"
	"log/slog"
)

// HuntingAPI is one of the two services that run hunting queries.
type HuntingAPI string

// The hunting services.
const (
	// HuntingGraph is Microsoft Graph: the default, and the one that stays.
	HuntingGraph HuntingAPI = "graph"
	// HuntingMDE is the Defender for Endpoint API's own.
	//
	// Deprecated: its retirement began in January 2026 and it stops working about 31 January 2027 (MC1220762). Use
	// HuntingGraph.
	HuntingMDE HuntingAPI = "mde"
)

// ParseHuntingAPI reads the name of a hunting service; "" means HuntingGraph.
func ParseHuntingAPI(name string) (HuntingAPI, error) {
	switch api := HuntingAPI(name); api {
	case "":
		return HuntingGraph, nil
	case HuntingGraph, HuntingMDE:
		return api, nil
	}
	return "", invalid("hunting API", name, "it must be graph or mde")
}

// Hunt runs a query on the service that is chosen, Microsoft Graph for "". The older service knows no timespan: a query
// with one is refused, because it would answer for more time than was asked.
func (c *Client) Hunt(ctx context.Context, api HuntingAPI, q HuntingQuery) (*HuntingResults, error) {
	api, err := ParseHuntingAPI(string(api))
	switch {
	case err != nil:
		return nil, refuse("Hunt", err)
	case api == HuntingGraph:
		return c.RunHuntingQuery(ctx, q)
	case q.Timespan != "":
		return nil, refuse("Hunt", invalid("timespan", q.Timespan, "the older hunting API takes none: write it into the query, e.g. where Timestamp > ago(7d)"))
	}
	return c.RunAdvancedQuery(ctx, AdvancedQueryRequest{Query: q.Query})
}

// RunHuntingQuery runs a hunting query on Microsoft Graph, over the data of at most 30 days. The answer has at most
// 100,000 rows; see HuntingResults.Truncated. A query changes nothing. Documentation page:
// security-security-runhuntingquery.md.
//
//mde:op POST /v1.0/security/runHuntingQuery roles=ThreatHunting.Read.All
func (c *Client) RunHuntingQuery(ctx context.Context, q HuntingQuery) (*HuntingResults, error) {
	const op = "RunHuntingQuery"
	got, err := fetch[HuntingResults](ctx, c, call{op: op, body: q, invalid: q.check()})
	if err != nil {
		return nil, err
	}
	return got.complete(op)
}

// RunAdvancedQuery runs a hunting query on the Defender for Endpoint API. It warns the client's logger, because the
// operation is going away. Documentation page: run-advanced-query-api.md.
//
// Deprecated: its retirement began in January 2026 and it stops working about 31 January 2027 (MC1220762). Use
// RunHuntingQuery, which needs the permission ThreatHunting.Read.All of Microsoft Graph.
//
//mde:op POST /api/advancedqueries/run roles=AdvancedQuery.Read.All
func (c *Client) RunAdvancedQuery(ctx context.Context, req AdvancedQueryRequest) (*HuntingResults, error) {
	const op = "RunAdvancedQuery"
	c.warnOfOldHunting(ctx)
	got, err := fetch[QueryResponse](ctx, c, call{op: op, body: req, invalid: checkQuery(req.Query)})
	if err != nil {
		return nil, err
	}
	return (&HuntingResults{Schema: got.Schema, Results: got.Results}).complete(op)
}

// complete refuses an answer without a schema: it would pass for a query that found nothing.
func (r *HuntingResults) complete(op string) (*HuntingResults, error) {
	if r.Schema == nil {
		return nil, &Error{Op: op, Message: "the service's answer has no schema, so it is not the answer to a query"}
	}
	return r, nil
}

// warnOfOldHunting says in the log until when the older hunting service works.
func (c *Client) warnOfOldHunting(ctx context.Context) {
	c.warnOnce(ctx, "hunting", "the Defender for Endpoint hunting API is being retired: hunt through Microsoft Graph instead",
		slog.String("op", "RunAdvancedQuery"), slog.String("stops_working", "about 2027-01-31"), slog.String("notice", "MC1220762"),
		slog.String("permission_needed", "ThreatHunting.Read.All"))
}
