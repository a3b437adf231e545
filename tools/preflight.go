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

// common checks what isolation and release both need.
func (f *finding) common(m *mdecore.Machine, actions []*mdecore.MachineAction) {
	if !m.Onboarded() {
		f.refuse("is not onboarded (onboardingStatus %s), so Defender can't reach it", quoted(string(m.OnboardingStatus), 40))
	}
	if open := openIsolation(actions); open != nil {
		f.refuse("already has an open action: %s %s is %s; wait for it, or stop it with cancel_action",
			clean(string(open.Type), 40), clean(open.ID, 60), clean(string(open.Status), 40))
	}
	if m.HealthStatus != mdecore.HealthActive {
		f.warn("%s reports health %s: the action may stay Pending and time out", label(m), quoted(string(m.HealthStatus), 40))
	}
}

// isolate checks that a device can be isolated that far (isolate-machine.md).
func (f *finding) isolate(m *mdecore.Machine, actions []*mdecore.MachineAction, kind mdecore.IsolationType) {
	f.common(m, actions)
	if !canIsolate(m, kind) {
		f.refuse("can't be isolated as %s: it runs %s. Full needs Windows 10 1703 or newer, Windows 11, Windows Server 2012 R2 or newer, or Linux; "+
			"Selective needs Windows 10 1709 or newer or Windows 11", kind, quoted(strings.TrimSpace(m.OSPlatform+" "+m.Version), 80))
	}
	if highValue(m) {
		f.warn("%s is a high-value device (value %s, tags %s): isolating it may stop services that others need",
			label(m), quoted(string(m.DeviceValue), 40), quoted(strings.Join(m.MachineTags, " "), 120))
	}
	if isolationOf(actions) == isolated {
		f.warn("%s is already isolated", label(m))
	}
}

// release checks that a device can be released.
func (f *finding) release(m *mdecore.Machine, actions []*mdecore.MachineAction) {
	f.common(m, actions)
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
	case platform == "windows11":
		full, selective = true, true
	case platform == "windows10":
		full, selective = releaseOf(m.Version) >= 1703, releaseOf(m.Version) >= 1709
	case slices.Contains(servers(), platform), slices.Contains(linuxes(), platform):
		full = true
	}
	switch kind {
	case mdecore.IsolationFull:
		return full
	case mdecore.IsolationSelective:
		return selective
	case mdecore.IsolationUnManagedDevice: // contains a device that Defender doesn't manage: another tool's matter
	}
	return false
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
