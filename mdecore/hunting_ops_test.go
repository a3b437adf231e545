package mdecore_test

import (
	"context"

	"github.com/mde-ops/mde-ops/mdecore"
)

// huntingOperations are marked as changing although a query changes nothing: the pipeline sends no POST again after a
// server error, these included.
func huntingOperations() map[string]operation {
	graph := func(q mdecore.HuntingQuery) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error { _, err := c.RunHuntingQuery(ctx, q); return err }
	}
	old := func(query string) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.RunAdvancedQuery(ctx, mdecore.AdvancedQueryRequest{Query: query})
			return err
		}
	}
	runGraph := operation{good: graph(mdecore.HuntingQuery{Query: "DeviceInfo", Timespan: "P7D"})}.answering(`{"schema":[],"results":[]}`)
	runOld := operation{good: old("DeviceInfo")}.answering(`{"Schema":[],"Results":[]}`)
	for _, query := range badQueries() {
		runGraph, runOld = runGraph.refusing(graph(mdecore.HuntingQuery{Query: query})), runOld.refusing(old(query))
	}
	for _, span := range badTimespans() {
		runGraph = runGraph.refusing(graph(mdecore.HuntingQuery{Query: "DeviceInfo", Timespan: span}))
	}
	return map[string]operation{"RunHuntingQuery": runGraph.changing(), "RunAdvancedQuery": runOld.changing()}
}

func huntingSamples() map[string]any {
	return map[string]any{"run_advanced_query": new(mdecore.QueryResponse)}
}

func huntingResources() map[string]any {
	return map[string]any{"queryResponse": mdecore.QueryResponse{}}
}

func huntingRequests() map[string]any {
	return map[string]any{"run_advanced_query": mdecore.AdvancedQueryRequest{}}
}
