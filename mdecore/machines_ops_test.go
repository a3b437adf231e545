package mdecore_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
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
			return drain(c.ListMachines(ctx, mdecore.Query{}))
		}}.refusing(func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.ListMachines(ctx, mdecore.Query{Page: mdecore.Page{Skip: -1}}))
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
		"FindMachineInfoByIP": operation{good: func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.FindMachineInfoByIP(ctx, netip.MustParseAddr("10.1.0.1"), time.Time{})
			return err
		}}.refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.FindMachineInfoByIP(ctx, netip.MustParseAddr("fe80::1%eth0"), time.Time{})
			return err
		}),
		"FindMachinesByTag": operation{good: func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.FindMachinesByTag(ctx, "vip", true))
		}}.refusing(badTags(func(ctx context.Context, c *mdecore.Client, tag string) error {
			return drain(c.FindMachinesByTag(ctx, tag, false))
		})...),
		"ListMachineLogonUsers": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			return drain(c.ListMachineLogonUsers(ctx, id))
		}),
		"ListMachineAlerts": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			return drain(c.ListMachineAlerts(ctx, id))
		}),
		"AddOrRemoveMachineTag": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.AddOrRemoveMachineTag(ctx, id, mdecore.MachineTagRequest{Value: "vip", Action: mdecore.TagAdd})
			return err
		}).changing().refusing(badTags(func(ctx context.Context, c *mdecore.Client, tag string) error {
			_, err := c.AddOrRemoveMachineTag(ctx, machineID, mdecore.MachineTagRequest{Value: tag, Action: mdecore.TagRemove})
			return err
		})...).refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.AddOrRemoveMachineTag(ctx, machineID, mdecore.MachineTagRequest{Value: "vip", Action: "add"})
			return err
		}),
		"AddOrRemoveTagForMultipleMachines": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.AddOrRemoveTagForMultipleMachines(ctx, mdecore.MachinesTagRequest{Value: "vip", Action: mdecore.TagAdd, MachineIDs: []string{id}})
			return err
		}).changing().refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.AddOrRemoveTagForMultipleMachines(ctx, mdecore.MachinesTagRequest{Value: "vip", Action: mdecore.TagAdd})
			return err
		}, func(ctx context.Context, c *mdecore.Client) error {
			ids := slices.Repeat([]string{machineID}, 501)
			_, err := c.AddOrRemoveTagForMultipleMachines(ctx, mdecore.MachinesTagRequest{Value: "vip", Action: mdecore.TagAdd, MachineIDs: ids})
			return err
		}),
		"TagMachines": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.TagMachines(ctx, mdecore.MachineTagRequest{Value: "vip", Action: mdecore.TagAdd}, []string{machineID, id})
			return err
		}).changing().answering(`{"value":[{"id":"`+machineID+`"}]}`).refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.TagMachines(ctx, mdecore.MachineTagRequest{Value: "vip"}, []string{machineID})
			return err
		}, func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.TagMachines(ctx, mdecore.MachineTagRequest{Value: "vip", Action: mdecore.TagAdd}, nil)
			return err
		}),
		"SetDeviceValue": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.SetDeviceValue(ctx, id, mdecore.DeviceValueRequest{DeviceValue: mdecore.DeviceValueHigh})
			return err
		}).changing().refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.SetDeviceValue(ctx, machineID, mdecore.DeviceValueRequest{DeviceValue: "high"})
			return err
		}),
		"UpdateMachine": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.UpdateMachine(ctx, id, mdecore.UpdateMachineRequest{MachineTags: []string{"vip"}})
			return err
		}).changing().refusing(badTags(func(ctx context.Context, c *mdecore.Client, tag string) error {
			_, err := c.UpdateMachine(ctx, machineID, mdecore.UpdateMachineRequest{MachineTags: []string{"vip", tag}})
			return err
		})...).refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.UpdateMachine(ctx, machineID, mdecore.UpdateMachineRequest{})
			return err
		}, func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.UpdateMachine(ctx, machineID, mdecore.UpdateMachineRequest{DeviceValue: "Highest"})
			return err
		}),
	}
}

// badTags are calls with what cannot be a tag.
func badTags(call func(ctx context.Context, c *mdecore.Client, tag string) error) (bad []func(context.Context, *mdecore.Client) error) {
	for _, tag := range []string{"", " ", " vip", "vip\n", "v\x00ip", "\xff", "vip\u200b", strings.Repeat("x", 201)} {
		bad = append(bad, func(ctx context.Context, c *mdecore.Client) error { return call(ctx, c, tag) })
	}
	return bad
}

func machineSamples() map[string]any {
	machine := new(mdecore.Machine)
	return map[string]any{
		"get_machine": machine, "list_machines": machine, "find_machine_info_by_ip": machine, "list_machine_logon_users": new(mdecore.User),
		"list_machine_alerts": new(mdecore.Int), // the page's only sample is the bare number of CountMachineAlerts
	}
}

func machineResources() map[string]any {
	return map[string]any{"machine": mdecore.Machine{}, "ipAddress": mdecore.IPAddress{}}
}

func machineRequests() map[string]any {
	return map[string]any{
		"add_or_remove_machine_tag": mdecore.MachineTagRequest{}, "add_or_remove_tag_for_multiple_machines": mdecore.MachinesTagRequest{},
		"set_device_value": mdecore.DeviceValueRequest{}, "update_machine": mdecore.UpdateMachineRequest{},
	}
}
