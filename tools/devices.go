package tools

import (
	"context"
	"fmt"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// deviceTools lists the toolset devices.
func deviceTools() []declaration { return []declaration{findDevices(), getDevice()} }

type findDevicesIn struct {
	NamePrefix string `json:"name_prefix,omitempty" jsonschema:"Start of the DNS name" form:"word" range:"0,253"`
	Health     string `json:"health,omitempty" jsonschema:"Sensor health" enum:"Active,Inactive,ImpairedCommunication,NoSensorData,NoSensorDataImpairedCommunication,Unknown"`
	Risk       string `json:"risk,omitempty" jsonschema:"Risk score" enum:"None,Informational,Low,Medium,High"`
	OS         string `json:"os,omitempty" jsonschema:"osPlatform, e.g. Windows11" form:"word" range:"0,60"`
	Tag        string `json:"tag,omitempty" jsonschema:"Exact tag" range:"0,200"`
	listing
}

type findDevicesOut struct {
	Devices []deviceView `json:"devices" jsonschema:"matching devices"`
	paged
}

func findDevices() declaration {
	return spec[findDevicesIn, findDevicesOut]{
		name: "find_devices", title: "Find devices", toolset: Devices, surface: Default, risk: approvals.RiskRead,
		summary:    "Find devices by start of name, health, risk, OS or tag; all filters must match. For one known device use get_device.",
		positional: []string{"name_prefix"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists: "devices", read: readDevices,
	}
}

func readDevices(ctx context.Context, s *session, in findDevicesIn) (findDevicesOut, string, error) {
	page, err := s.upstream(in.listing)
	if err != nil {
		return findDevicesOut{}, "", err
	}
	found := s.reader.ListMachines(ctx, mdecore.Query{Filter: mdecore.Filter(in.filter()), Page: page})
	var out findDevicesOut
	out.Devices, out.paged, err = rows(s, in.listing, found, viewOfDevice)
	return out, out.text(), err
}

// filter is the OData expression of the arguments. Every value is quoted here, because some hold free text.
func (in findDevicesIn) filter() string {
	var f filter
	if in.NamePrefix != "" {
		f.add("startswith(computerDnsName," + literal(strings.ToLower(in.NamePrefix)) + ")")
	}
	f.eq("healthStatus", in.Health)
	f.eq("riskScore", in.Risk)
	f.eq("osPlatform", in.OS)
	if in.Tag != "" {
		f.add("machineTags/any(tag:tag eq " + literal(in.Tag) + ")")
	}
	return f.String()
}

func (o findDevicesOut) text() string {
	if o.Count == 0 {
		return "No device matches."
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", counted(o.Count, "device", o.Cursor != ""))
	for i, d := range o.Devices {
		if i == 20 {
			fmt.Fprintf(&b, "\n- and %d more in the structured result", o.Count-i)
			break
		}
		b.WriteString("\n- " + d.line())
	}
	return b.String()
}

type getDeviceIn struct {
	Device string `json:"device" jsonschema:"Device id, full or short DNS name, IP it has now, or Entra device id" form:"device"`
}

type getDeviceOut struct {
	Device    deviceView   `json:"device" jsonschema:"the device"`
	Isolation string       `json:"isolation" jsonschema:"isolated, not isolated, isolating or releasing, by its machine actions"`
	Actions   []actionView `json:"recent_actions" jsonschema:"latest machine actions, newest first"`
}

func getDevice() declaration {
	return spec[getDeviceIn, getDeviceOut]{
		name: "get_device", title: "Get a device", toolset: Devices, surface: Default, risk: approvals.RiskRead,
		summary:    "Read one device, whether it is isolated and its latest machine actions. An ambiguous name is refused with the candidates.",
		positional: []string{"device"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		read:  readDevice,
	}
}

func readDevice(ctx context.Context, s *session, in getDeviceIn) (getDeviceOut, string, error) {
	found, err := s.resolve(ctx, []string{in.Device})
	if err != nil {
		return getDeviceOut{}, "", err
	}
	actions, err := s.actionsOf(ctx, found)
	if err != nil {
		return getDeviceOut{}, "", err
	}
	of := actions[found[0].ID]
	out := getDeviceOut{Device: viewOfDevice(found[0]), Isolation: string(isolationOf(of)), Actions: []actionView{}}
	for i, a := range of {
		if i == 10 {
			break
		}
		out.Actions = append(out.Actions, viewOfAction(a))
	}
	return out, out.Device.line() + ". Isolation: " + out.Isolation + ".", nil
}

// counted is "3 devices", or "the first 3 devices" when there are more.
func counted(n int, noun string, more bool) string {
	text := fmt.Sprintf("%d %ss", n, noun)
	if n == 1 {
		text = "1 " + noun
	}
	if more {
		return "The first " + text + "; more match"
	}
	return text
}
