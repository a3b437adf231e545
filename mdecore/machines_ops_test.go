package mdecore_test

import (
	"context"
	"net/netip"
	"time"

	"github.com/mde-ops/mde-ops/mdecore"
)

func machineOperations() map[string]operation {
	return map[string]operation{
		"GetMachine": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.GetMachine(ctx, id)
			return err
		}).refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.GetMachine(ctx, "host01")
			return err
		}),
		"ListMachines": operation{good: func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.ListMachines(ctx, mdecore.MachinesQuery{}))
		}}.refusing(func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.ListMachines(ctx, mdecore.MachinesQuery{Page: mdecore.Page{Skip: -1}}))
		}),
		"FindMachinesByName": operation{good: func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.FindMachinesByName(ctx, "host01")
			return err
		}}.refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.FindMachinesByName(ctx, " ")
			return err
		}),
		"FindMachinesByAadDeviceID": withID(deviceID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.FindMachinesByAadDeviceID(ctx, id)
			return err
		}).refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.FindMachinesByAadDeviceID(ctx, deviceID+" or 1 eq 1")
			return err
		}),
		"FindMachinesByIP": operation{good: func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.FindMachinesByIP(ctx, netip.MustParseAddr("10.1.0.1"), time.Time{})
			return err
		}}.refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.FindMachinesByIP(ctx, netip.Addr{}, time.Time{})
			return err
		}),
	}
}
