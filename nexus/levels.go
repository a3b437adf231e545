package nexus

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/internal/nearest"
)

// Level is an enforcement level of runtime protection (runtimeProtectionConfiguration.enforcementLevel). The service may
// name others than are listed here; they are kept as read.
type Level string

// The levels that the service documents. [Disabled] is its default.
const (
	Disabled Level = "Disabled"
	Passive  Level = "Passive"
	OnDemand Level = "OnDemand"
	Audit    Level = "Audit" // read only: today's guide no longer lists it
	RealTime Level = "RealTime"
)

// Capability is something that a level does.
type Capability string

// The capabilities, in the order in which they are told.
const (
	CapService  Capability = "the Defender service"
	CapRealTime Capability = "real-time protection"
	CapScan     Capability = "scanning"
	CapRemedy   Capability = "remediation"
)

// SettableLevels are the levels that can be set, from the least to the most protection.
func SettableLevels() []Level { return []Level{Disabled, Passive, OnDemand, RealTime} }

// Settable reports whether l can be set.
func (l Level) Settable() bool { return slices.Contains(SettableLevels(), l) }

// Capabilities are what a level does; false for a level that is not known.
func (l Level) Capabilities() ([]Capability, bool) {
	switch l {
	case Disabled:
		return nil, true
	case Passive:
		return []Capability{CapService, CapScan}, true
	case OnDemand:
		return []Capability{CapService, CapScan, CapRemedy}, true
	case Audit:
		return []Capability{CapService, CapRealTime, CapScan}, true
	case RealTime:
		return []Capability{CapService, CapRealTime, CapScan, CapRemedy}, true
	}
	return nil, false
}

// Lost are the capabilities that a change takes away; there is no total order of levels. What is lost from a level that is
// not known can't be told: known is false then, and the change has to be taken for a lowering.
func Lost(from, to Level) (lost []Capability, known bool) {
	had, ok := from.Capabilities()
	has, known := to.Capabilities()
	if !ok || !known {
		return nil, false
	}
	for _, c := range had {
		if !slices.Contains(has, c) {
			lost = append(lost, c)
		}
	}
	return lost, true
}

// ParseLevel reads a level to set, in any case. Its error offers the nearest one.
func ParseLevel(text string) (Level, error) {
	var names []string
	for _, l := range SettableLevels() {
		if strings.EqualFold(strings.TrimSpace(text), string(l)) {
			return l, nil
		}
		names = append(names, string(l))
	}
	all := strings.Join(names, ", ")
	if strings.EqualFold(strings.TrimSpace(text), string(Audit)) {
		return "", fmt.Errorf("the level %s can be read and not set, because it is no longer documented: set %s", Audit, all)
	}
	hint := ""
	if near, ok := nearest.Word(text, names); ok {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return "", fmt.Errorf("the enforcement level %q is unknown%s (levels: %s)", text, hint, all)
}

// AllCapabilities are all capabilities, in the order in which they are told.
func AllCapabilities() []Capability {
	return []Capability{CapService, CapRealTime, CapScan, CapRemedy}
}
