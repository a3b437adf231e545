package tools

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// finding is what preflight says about one device: why it can't be acted on, and what an approver should know.
type finding struct {
	refused  []string
	warnings []string
}

func (f *finding) refuse(format string, args ...any) {
	f.refused = append(f.refused, fmt.Sprintf(format, args...))
}

func (f *finding) warn(format string, args ...any) {
	f.warnings = append(f.warnings, fmt.Sprintf(format, args...))
}

// common checks what every action on a device that Defender manages needs: a sensor, and no open action of the types.
func (f *finding) common(m *mdecore.Machine, actions []*mdecore.MachineAction, types ...mdecore.ActionType) {
	if !m.Onboarded() {
		f.refuse("is not onboarded (onboardingStatus %s), so Defender can't reach it", quoted(string(m.OnboardingStatus), 40))
	}
	f.nothingOpen(actions, types...)
	if m.HealthStatus != mdecore.HealthActive {
		f.warn("%s reports health %s: the action may stay Pending and time out", label(m), quoted(string(m.HealthStatus), 40))
	}
}

// nothingOpen refuses a device with an action of the types under way: two of them would cross.
func (f *finding) nothingOpen(actions []*mdecore.MachineAction, types ...mdecore.ActionType) {
	if open := openOf(actions, types...); open != nil {
		f.refuse("already has an open action: %s %s is %s; wait for it, or stop it with cancel_action",
			clean(string(open.Type), 40), clean(open.ID, 60), clean(string(open.Status), 40))
	}
}

// valuable warns of a high-value device, with what the action may do to it.
func (f *finding) valuable(m *mdecore.Machine, what string) {
	if highValue(m) {
		f.warn("%s is a high-value device (value %s, tags %s): %s",
			label(m), quoted(string(m.DeviceValue), 40), quoted(strings.Join(m.MachineTags, " "), 120), what)
	}
}

// onlyOn refuses a device whose system an action is not documented for; documented is the list for the reader.
func (f *finding) onlyOn(supported bool, m *mdecore.Machine, what, documented string) {
	if !supported {
		f.refuse("can't be %s: it runs %s. Documented are %s", what, quoted(strings.TrimSpace(m.OSPlatform+" "+m.Version), 80), documented)
	}
}

// isolate checks that a device can be isolated that far (isolate-machine.md).
func (f *finding) isolate(m *mdecore.Machine, actions []*mdecore.MachineAction, kind mdecore.IsolationType) {
	if kind == mdecore.IsolationUnManagedDevice {
		f.contain(m, actions)
		return
	}
	f.common(m, actions, isolationTypes()...)
	if !canIsolate(m, kind) {
		f.refuse("can't be isolated as %s: it runs %s. Full needs Windows 10 1703 or newer, Windows 11, Windows Server 2012 R2 or newer, or Linux; "+
			"Selective needs Windows 10 1709 or newer or Windows 11", kind, quoted(strings.TrimSpace(m.OSPlatform+" "+m.Version), 80))
	}
	f.valuable(m, "isolating it may stop services that others need")
	if isolationOf(actions) == isolated {
		f.warn("%s is already isolated", label(m))
	}
}

// contain checks that a device can be contained: the devices that Defender manages stop talking with it. Only one that is
// known not to be managed can be.
func (f *finding) contain(m *mdecore.Machine, actions []*mdecore.MachineAction) {
	if !unmanaged(m) {
		f.refuse("can't be contained: its onboardingStatus is %s, and only devices that Defender knows and doesn't manage are contained; use Full or Selective",
			quoted(string(m.OnboardingStatus), 40))
	}
	f.nothingOpen(actions, isolationTypes()...)
	f.valuable(m, "the devices that Defender manages will not talk with it")
	f.warn("%s: how a contained device is released by the API is not documented. release_devices tries it; what is refused there is undone in the Defender portal", label(m))
	if isolationOf(actions) == isolated {
		f.warn("%s is already isolated or contained", label(m))
	}
}

// unmanaged reports whether Defender says that it does not manage a device. A status that is not known says nothing.
func unmanaged(m *mdecore.Machine) bool {
	return slices.ContainsFunc([]mdecore.OnboardingStatus{
		mdecore.OnboardingCanBeOnboarded, mdecore.OnboardingUnsupported, mdecore.OnboardingInsufficientInfo,
	}, func(s mdecore.OnboardingStatus) bool { return strings.EqualFold(string(s), string(m.OnboardingStatus)) })
}

// release checks that a device can be released.
func (f *finding) release(m *mdecore.Machine, actions []*mdecore.MachineAction) {
	now := inForceOf(actions, isolationTypes()...)
	if unmanaged(m) && now != nil && now.Type == mdecore.ActionIsolate && now.Scope == string(mdecore.IsolationUnManagedDevice) {
		f.nothingOpen(actions, isolationTypes()...)
		f.warn("%s is contained, not isolated: how that is undone by the API is not documented", label(m))
		return
	}
	f.common(m, actions, isolationTypes()...)
	if isolationOf(actions) == notIsolated {
		f.warn("%s does not look isolated: no isolation among its machine actions is in force", label(m))
	}
}

// highValue reports whether the tenant marked a device as one that others depend on.
func highValue(m *mdecore.Machine) bool {
	return m.DeviceValue == mdecore.DeviceValueHigh || slices.ContainsFunc(m.MachineTags, func(t string) bool {
		t = strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(t))
		return t == "tier0"
	})
}

// canIsolate applies the page's constraints. A platform that is not known can't be isolated.
func canIsolate(m *mdecore.Machine, kind mdecore.IsolationType) bool {
	full, selective := false, false
	switch platform := strings.ToLower(m.OSPlatform); {
	case windowsClient(m, 1703):
		full, selective = true, windowsClient(m, 1709)
	case slices.Contains(servers(), platform), slices.Contains(linuxes(), platform):
		full = true
	}
	switch kind {
	case mdecore.IsolationFull:
		return full
	case mdecore.IsolationSelective:
		return selective
	case mdecore.IsolationUnManagedDevice: // not by system, but by onboarding: contain
	}
	return false
}

// windowsClient reports whether a device runs Windows 11, or Windows 10 of that release or newer.
func windowsClient(m *mdecore.Machine, release int) bool {
	platform := strings.ToLower(m.OSPlatform)
	return platform == "windows11" || platform == "windows10" && releaseOf(m.Version) >= release
}

// releaseOf orders Windows 10 releases: "1709" is 1709, "20H2" is 2020. What can't be read is 0.
func releaseOf(version string) int {
	if n, err := strconv.Atoi(version); err == nil {
		return n
	}
	if year, half, ok := strings.Cut(strings.ToUpper(version), "H"); ok && (half == "1" || half == "2") {
		if n, err := strconv.Atoi(year); err == nil && n >= 20 && n < 100 {
			return 2000 + n
		}
	}
	return 0
}

func servers() []string {
	return []string{"windowsserver2012r2", "windowsserver2016", "windowsserver2019", "windowsserver2022", "windowsserver2025"}
}

// linuxes are the supported distributions, as osPlatform names them.
func linuxes() []string {
	return []string{
		"linux", "ubuntu", "redhatenterpriselinux", "debian", "centos", "suse", "oraclelinux", "fedora", "amazonlinux", "rocky",
		"almalinux", "mariner",
	}
}

// preflight checks every device. One that can't be acted on refuses the whole plan, because half of what was asked for is
// something else than what was asked for.
func preflight(devices []*mdecore.Machine, check func(*finding, *mdecore.Machine)) ([]string, error) {
	var problems Problems
	refused := 0
	warnings := lookalikes(devices)
	for _, m := range devices {
		var f finding
		check(&f, m)
		warnings = append(warnings, f.warnings...)
		if len(f.refused) > 0 {
			refused++
		}
		for _, text := range f.refused {
			problems = append(problems, problem("", "%s (%s) %s", label(m), m.ID, text))
		}
	}
	if refused > 0 {
		return nil, approvals.Refuse(approvals.KindInvalid, problems, "Nothing was sent, because preflight refuses %d of %d devices: %s",
			refused, len(devices), problems.Error())
	}
	return warnings, nil
}
