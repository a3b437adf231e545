package mdecore_test

import (
	"context"
	"strings"

	"github.com/mde-ops/mde-ops/mdecore"
)

func machineActionOperations() map[string]operation {
	return map[string]operation{
		"GetMachineAction": withID(actionID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.GetMachineAction(ctx, id)
			return err
		}),
		"ListMachineActions": operation{good: func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.ListMachineActions(ctx, mdecore.Query{}))
		}}.refusing(func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.ListMachineActions(ctx, mdecore.Query{Page: mdecore.Page{Top: -5}}))
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
		"RestrictCodeExecution": onMachine(func(ctx context.Context, c *mdecore.Client, id, comment string) error {
			_, err := c.RestrictCodeExecution(ctx, id, mdecore.RestrictRequest{Comment: comment})
			return err
		}),
		"UnrestrictCodeExecution": onMachine(func(ctx context.Context, c *mdecore.Client, id, comment string) error {
			_, err := c.UnrestrictCodeExecution(ctx, id, mdecore.UnrestrictRequest{Comment: comment})
			return err
		}),
		"RunAntiVirusScan": onMachine(func(ctx context.Context, c *mdecore.Client, id, comment string) error {
			_, err := c.RunAntiVirusScan(ctx, id, mdecore.ScanRequest{Comment: comment, ScanType: mdecore.ScanQuick})
			return err
		}).refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.RunAntiVirusScan(ctx, machineID, mdecore.ScanRequest{Comment: "why", ScanType: "quick"})
			return err
		}),
		"StopAndQuarantineFile": onMachine(func(ctx context.Context, c *mdecore.Client, id, comment string) error {
			_, err := c.StopAndQuarantineFile(ctx, id, mdecore.QuarantineRequest{Comment: comment, SHA1: fileSHA1})
			return err
		}).refusing(badSums()...),
		"CollectInvestigationPackage": onMachine(func(ctx context.Context, c *mdecore.Client, id, comment string) error {
			_, err := c.CollectInvestigationPackage(ctx, id, mdecore.PackageRequest{Comment: comment})
			return err
		}),
		"OffboardMachine": onMachine(func(ctx context.Context, c *mdecore.Client, id, comment string) error {
			_, err := c.OffboardMachine(ctx, id, mdecore.OffboardRequest{Comment: comment})
			return err
		}),
		"CancelMachineAction": withID(actionID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.CancelMachineAction(ctx, id, mdecore.CancelRequest{})
			return err
		}).changing(),
	}
}

// onMachine is a write on a machine that wants a comment.
func onMachine(do func(ctx context.Context, c *mdecore.Client, id, comment string) error) operation {
	op := withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error { return do(ctx, c, id, "why") }).changing()
	for _, comment := range []string{"", " \n", "\xff", strings.Repeat("x", 4001)} {
		op = op.refusing(func(ctx context.Context, c *mdecore.Client) error { return do(ctx, c, machineID, comment) })
	}
	return op.refusing(func(ctx context.Context, c *mdecore.Client) error { return do(ctx, c, "host01.contoso.com", "why") })
}

// badSums are quarantines of what is no SHA-1.
func badSums() (bad []func(context.Context, *mdecore.Client) error) {
	for _, sum := range []string{"", fileSHA1[1:], fileSHA1 + "00", strings.Repeat("g", 40), strings.Repeat("a", 64), " " + fileSHA1[1:]} {
		bad = append(bad, func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.StopAndQuarantineFile(ctx, machineID, mdecore.QuarantineRequest{Comment: "why", SHA1: sum})
			return err
		})
	}
	return bad
}

func machineActionSamples() map[string]any {
	return map[string]any{"get_machine_action": new(mdecore.MachineAction), "list_machine_actions": new(mdecore.MachineAction)}
}

func machineActionResources() map[string]any {
	return map[string]any{"machineAction": mdecore.MachineAction{}, "relatedFileInfo": mdecore.RelatedFileInfo{}}
}

func machineActionRequests() map[string]any {
	return map[string]any{
		"isolate_machine": mdecore.IsolateRequest{}, "unisolate_machine": mdecore.UnisolateRequest{}, "cancel_machine_action": mdecore.CancelRequest{},
		"restrict_code_execution": mdecore.RestrictRequest{}, "unrestrict_code_execution": mdecore.UnrestrictRequest{},
		"run_antivirus_scan": mdecore.ScanRequest{}, "stop_and_quarantine_file": mdecore.QuarantineRequest{},
		"collect_investigation_package": mdecore.PackageRequest{}, "offboard_machine": mdecore.OffboardRequest{},
	}
}
