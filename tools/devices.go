package tools

import (
	"context"
	"fmt"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

type findDevicesIn struct {
	NamePrefix string `json:"name_prefix,omitempty" jsonschema:"Start of the DNS name" form:"word" range:"0,253"`
	Health     string `json:"health,omitempty" jsonschema:"Sensor health" enum:"Active,Inactive,ImpairedCommunication,NoSensorData,NoSensorDataImpairedCommunication,Unknown"`
	Risk       string `json:"risk,omitempty" jsonschema:"Risk score" enum:"None,Informational,Low,Medium,High"`
	OS         string `json:"os,omitempty" jsonschema:"osPlatform, e.g. Windows11" form:"word" range:"0,60"`
	Tag        string `json:"tag,omitempty" jsonschema:"Exact tag" range:"0,200"`
	Limit      int    `json:"limit,omitempty" jsonschema:"Most devices to return" range:"1,200" default:"20"`
}

type findDevicesOut struct {
	Devices []deviceView `json:"devices" jsonschema:"matching devices"`
	Count   int          `json:"count" jsonschema:"how many are listed"`
	More    bool         `json:"more" jsonschema:"true when more match than are listed"`
}

func findDevices() declaration {
	return spec[findDevicesIn, findDevicesOut]{
		name: "find_devices", title: "Find devices", toolset: Devices, risk: approvals.RiskRead,
		summary:    "Find devices by start of name, health, risk, OS or tag; all filters must match. For one known device use get_device.",
		positional: []string{"name_prefix"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		read:  readDevices,
	}
}

func readDevices(ctx context.Context, s *session, in findDevicesIn) (findDevicesOut, string, error) {
	out := findDevicesOut{Devices: []deviceView{}}
	query := mdecore.Query{Filter: mdecore.Filter(in.filter()), Page: mdecore.Page{Top: in.Limit + 1}} // one more tells whether there are more
	for m, err := range s.reader.ListMachines(ctx, query) {
		if mdecore.IsNotFound(err) {
			break // the API's answer for an empty tenant
		}
		if err != nil {
			return findDevicesOut{}, "", err
		}
		if len(out.Devices) == in.Limit {
			out.More = true
			break
		}
		out.Devices = append(out.Devices, viewOfDevice(m))
	}
	out.Count = len(out.Devices)
	return out, out.text(), nil
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
	fmt.Fprintf(&b, "%s:", counted(o.Count, "device", o.More))
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
		name: "get_device", title: "Get a device", toolset: Devices, risk: approvals.RiskRead,
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
