package tools

import (
	"fmt"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

// deviceTools lists the toolset devices.
func deviceTools() []declaration {
	return []declaration{findDevices(), getDevice(), tagDevices(), setDeviceValue(), listActionsTool(), getAction(), mdeGet()}
}

type findDevicesIn struct {
	NamePrefix string   `json:"name_prefix,omitempty" jsonschema:"Start of name" form:"word"`
	IP         string   `json:"ip,omitempty" jsonschema:"IP, or 10.0.0.1@2h"`
	Tag        string   `json:"tag,omitempty" jsonschema:"Tag, or start*"`
	Health     string   `json:"health,omitempty" jsonschema:"e.g. Inactive" form:"word"`
	Risk       string   `json:"risk,omitempty" jsonschema:"e.g. High" form:"word"`
	OS         string   `json:"os,omitempty" jsonschema:"Windows11" form:"word"`
	Seen       string   `json:"seen,omitempty" jsonschema:"e.g. 7d" form:"age"`
	Where      []string `json:"where,omitempty" jsonschema:"Or exposure=High, value=Low, group=12"`
	listing
}

type findDevicesOut struct {
	Devices []deviceView `json:"devices" jsonschema:"matching devices"`
	paged
}

func findDevices() declaration {
	return spec[findDevicesIn, findDevicesOut]{
		name: "find_devices", title: "Find devices", toolset: Devices, surface: Default, risk: approvals.RiskRead,
		summary:    "Find devices by all of these filters.",
		positional: []string{"name_prefix"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists: "devices", read: readDevices,
	}
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
