package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

type deviceValueIn struct {
	Devices []string `json:"devices" jsonschema:"One or many: device id, DNS name, IP or Entra device id" form:"device"`
	Value   string   `json:"value" jsonschema:"What they are worth" enum:"Low,Normal,High"`
	asking
}

// valueStep is what a frozen step of set_device_value holds.
type valueStep struct {
	Value mdecore.DeviceValue `json:"value"`
}

func setDeviceValue() declaration {
	return spec[deviceValueIn, requestView]{
		name: "set_device_value", title: "Set the value of devices", toolset: Devices, surface: InToolset, risk: approvals.RiskAnnotate,
		summary:    "Ask to set what devices are worth to the organisation, which weighs in exposure scores. Makes a request that a person confirms.",
		positional: []string{"devices"}, untrusted: true,
		hints: Annotations{Destructive: true, Idempotent: true, OpenWorld: true},
		plan:  planDeviceValue, performs: atOnce(writeDeviceValue, deviceValueDone),
	}
}

func planDeviceValue(ctx context.Context, s *session, in deviceValueIn) (approvals.Plan, error) {
	devices, err := s.resolve(ctx, in.Devices)
	if err != nil {
		return approvals.Plan{}, err
	}
	value := mdecore.DeviceValue(in.Value)
	args, err := canonical(valueStep{value})
	if err != nil {
		return approvals.Plan{}, err
	}
	plan := approvals.Plan{Warnings: lookalikes(devices)}
	var already, changed []*mdecore.Machine
	for _, m := range devices {
		if m.DeviceValue == value {
			already = append(already, m)
			continue
		}
		if m.DeviceValue == mdecore.DeviceValueHigh {
			plan.Warnings = append(plan.Warnings, label(m)+" has value High now: without it plans no longer warn that others depend on it")
		}
		changed = append(changed, m)
		plan.Targets = append(plan.Targets, targetOf(m))
		plan.Steps = append(plan.Steps, approvals.Step{
			Action: "set_value", Target: m.ID, Args: args,
			Summary: fmt.Sprintf("set value %s of %s (now %s)", in.Value, label(m), quoted(string(m.DeviceValue), 40)),
		})
	}
	if len(changed) == 0 {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent, because there is nothing to do: the value is %s already on %s", in.Value, naming(already))
	}
	if len(already) > 0 {
		plan.Warnings = append(plan.Warnings, "left as it is, because its value is "+in.Value+" already: "+naming(already))
	}
	plan.Preview = "Set value " + in.Value + " of " + naming(changed)
	return plan, nil
}

// valueOf reads a step, and refuses one without a documented value.
func valueOf(t worker.Task) (mdecore.DeviceValue, error) {
	var step valueStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return "", err
	}
	switch step.Value {
	case mdecore.DeviceValueLow, mdecore.DeviceValueNormal, mdecore.DeviceValueHigh:
		return step.Value, nil
	}
	return "", fmt.Errorf("%s is no value of a device", quoted(string(step.Value), 40))
}

func writeDeviceValue(ctx context.Context, with hands, t worker.Task) error {
	value, err := valueOf(t)
	if err != nil {
		return damaged(t, err)
	}
	m, err := with.writer.SetDeviceValue(ctx, t.Step.Target, mdecore.DeviceValueRequest{DeviceValue: value})
	if err == nil && m.DeviceValue != value {
		err = fmt.Errorf("the answer came, but the device's value in it is %s", quoted(string(m.DeviceValue), 40))
	}
	return err
}

// deviceValueDone reports whether the device has the value. It had another one when the plan was made, and to set it twice is
// the same as once.
func deviceValueDone(ctx context.Context, with hands, t worker.Task, _ time.Time) (bool, error) {
	value, err := valueOf(t)
	if err != nil {
		return false, err
	}
	m, err := with.reader.GetMachine(ctx, t.Step.Target)
	if err != nil {
		return false, err
	}
	return m.DeviceValue == value, nil
}
