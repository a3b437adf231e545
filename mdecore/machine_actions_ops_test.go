package mdecore_test

import (
	"context"

	"github.com/mde-ops/mde-ops/mdecore"
)

func machineActionOperations() map[string]operation {
	return map[string]operation{
		"GetMachineAction": withID(actionID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.GetMachineAction(ctx, id)
			return err
		}),
		"ListMachineActions": operation{good: func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.ListMachineActions(ctx, mdecore.MachineActionsQuery{}))
		}}.refusing(func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.ListMachineActions(ctx, mdecore.MachineActionsQuery{Page: mdecore.Page{Top: -5}}))
		}),
		"WaitMachineAction": withID(actionID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.WaitMachineAction(ctx, id, mdecore.WaitOptions{})
			return err
		}),
		"IsolateMachine": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.IsolateMachine(ctx, id, mdecore.IsolateRequest{Comment: "why", IsolationType: mdecore.IsolationFull})
			return err
		}).changing().refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.IsolateMachine(ctx, "host01", mdecore.IsolateRequest{Comment: "why", IsolationType: mdecore.IsolationFull})
			return err
		}, func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.IsolateMachine(ctx, machineID, mdecore.IsolateRequest{IsolationType: mdecore.IsolationFull})
			return err
		}),
		"UnisolateMachine": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.UnisolateMachine(ctx, id, mdecore.UnisolateRequest{Comment: "why"})
			return err
		}).changing().refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.UnisolateMachine(ctx, machineID+"/isolate?", mdecore.UnisolateRequest{Comment: "why"})
			return err
		}),
		"CancelMachineAction": withID(actionID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.CancelMachineAction(ctx, id, mdecore.CancelRequest{})
			return err
		}).changing(),
	}
}
