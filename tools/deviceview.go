package tools

import (
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// deviceView is a device as callers see it. Names, tags and group names in it are untrusted text.
type deviceView struct {
	ID         string    `json:"id" jsonschema:"device id"`
	Name       string    `json:"name" jsonschema:"untrusted text: DNS name"`
	OS         string    `json:"os" schema:"omit" jsonschema:"osPlatform"`
	Version    string    `json:"version,omitempty" schema:"omit" jsonschema:"OS version"`
	Health     string    `json:"health" schema:"omit" jsonschema:"healthStatus of the sensor"`
	Onboarding string    `json:"onboarding" schema:"omit" jsonschema:"onboardingStatus"`
	Risk       string    `json:"risk,omitempty" schema:"omit" jsonschema:"riskScore"`
	Exposure   string    `json:"exposure,omitempty" schema:"omit" jsonschema:"exposureLevel"`
	Value      string    `json:"value,omitempty" schema:"omit" jsonschema:"deviceValue"`
	Group      string    `json:"group,omitempty" schema:"omit" jsonschema:"untrusted text: device group"`
	GroupID    string    `json:"group_id,omitempty" schema:"omit" jsonschema:"rbacGroupId"`
	Tags       []string  `json:"tags" jsonschema:"untrusted text"`
	IP         string    `json:"ip,omitempty" schema:"omit" jsonschema:"last internal IP"`
	ExternalIP string    `json:"external_ip,omitempty" schema:"omit" jsonschema:"last external IP"`
	AADID      string    `json:"aad_device_id,omitempty" schema:"omit" jsonschema:"Entra device id"`
	FirstSeen  time.Time `json:"first_seen,omitzero" schema:"omit" jsonschema:"first report"`
	LastSeen   time.Time `json:"last_seen,omitzero" schema:"omit" jsonschema:"last full report, about once a day"`
}

func viewOfDevice(m *mdecore.Machine) deviceView {
	return deviceView{
		ID: clean(m.ID, 60), Name: clean(m.ComputerDNSName, 260), OS: clean(m.OSPlatform, 60), Version: clean(m.Version, 60),
		Health: clean(string(m.HealthStatus), 60), Onboarding: clean(string(m.OnboardingStatus), 60),
		Risk: clean(string(m.RiskScore), 60), Exposure: clean(string(m.ExposureLevel), 60), Value: clean(string(m.DeviceValue), 60),
		Group: clean(m.RbacGroupName, 120), GroupID: clean(string(m.RbacGroupID), 20), Tags: cleanAll(m.MachineTags), IP: clean(m.LastIPAddress, 60),
		ExternalIP: clean(m.LastExternalIPAddress, 60), AADID: clean(m.AadDeviceID, 60),
		FirstSeen: m.FirstSeen.Time, LastSeen: m.LastSeen.Time,
	}
}

// targetOf freezes a device into a plan's target. It keeps the API's own text: the plan is what gets approved.
func targetOf(m *mdecore.Machine) approvals.Target {
	return approvals.Target{
		ID: m.ID, Kind: "device", Name: m.ComputerDNSName, OS: strings.TrimSpace(m.OSPlatform + " " + m.Version), Group: m.RbacGroupName,
		Value: string(m.DeviceValue), Health: string(m.HealthStatus), Risk: string(m.RiskScore), Exposure: string(m.ExposureLevel),
		Onboarding: string(m.OnboardingStatus), Tags: m.MachineTags, LastSeen: m.LastSeen.Time,
	}
}

// label is how a device is called in our own sentences: its name made harmless, or its id. A name that may only look like
// another one is followed by the id.
func label(m *mdecore.Machine) string {
	switch {
	case m.ComputerDNSName == "":
		return m.ID
	case !plainName(m.ComputerDNSName):
		return exposed(m.ComputerDNSName) + " (id " + m.ID + ")"
	}
	return clean(m.ComputerDNSName, 120)
}

// line is a device in one line, for texts.
func (d deviceView) line() string {
	seen := "never seen"
	if !d.LastSeen.IsZero() {
		seen = "last seen " + d.LastSeen.UTC().Format(time.RFC3339)
	}
	tags := ""
	if len(d.Tags) > 0 {
		tags = ", tags " + strings.Join(d.Tags, " ")
	}
	return fmt.Sprintf("%s (id %s, %s, %s, %s, %s%s)", d.Name, d.ID, d.OS, d.Health, d.Onboarding, seen, tags)
}
