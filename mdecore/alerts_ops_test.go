package mdecore_test

import (
	"context"

	"github.com/mde-ops/mde-ops/mdecore"
)

func alertOperations() map[string]operation {
	return map[string]operation{
		"GetAlert": withID(alertID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.GetAlert(ctx, id)
			return err
		}),
		"ListAlerts": operation{good: func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.ListAlerts(ctx, mdecore.AlertsQuery{}))
		}}.refusing(func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.ListAlerts(ctx, mdecore.AlertsQuery{Page: mdecore.Page{Top: -1}}))
		}),
	}
}
