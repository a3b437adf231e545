package mdecore_test

import (
	"context"

	"github.com/mde-ops/mde-ops/mdecore"
)

const anInvestigation = `{"id":"63004","machineId":"` + machineID + `"}`

func investigationOperations() map[string]operation {
	return map[string]operation{
		"StartInvestigation": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.StartInvestigation(ctx, id, mdecore.StartInvestigationRequest{Comment: "why"})
			return err
		}).changing().answering(anInvestigation).refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.StartInvestigation(ctx, machineID, mdecore.StartInvestigationRequest{})
			return err
		}, func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.StartInvestigation(ctx, "host01", mdecore.StartInvestigationRequest{Comment: "why"})
			return err
		}),
		"ListInvestigations": operation{good: func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.ListInvestigations(ctx, mdecore.Query{}))
		}}.refusing(func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.ListInvestigations(ctx, mdecore.Query{Page: mdecore.Page{Skip: -1}}))
		}),
		"GetInvestigation": withID("63004", func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.GetInvestigation(ctx, id)
			return err
		}).answering(anInvestigation),
	}
}

func investigationSamples() map[string]any {
	return map[string]any{"list_investigations": new(mdecore.Investigation), "get_investigation": new(mdecore.Investigation)}
}

func investigationResources() map[string]any {
	return map[string]any{"investigation": mdecore.Investigation{}}
}

func investigationRequests() map[string]any {
	return map[string]any{"start_investigation": mdecore.StartInvestigationRequest{}}
}
