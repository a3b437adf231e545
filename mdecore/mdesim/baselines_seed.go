package mdesim

import (
	"sync"
	"time"
)

// baselineProfiles are the profiles that the tenant has set up. One of them is
// switched off, so nothing is held against it.
func baselineProfiles() []baselineProfile {
	const corporate, member = "Level 1 (L1) - Corporate/Enterprise Environment (general use)", "Level 1 - Member Server"
	made := time.Date(2026, 2, 3, 10, 30, 0, 0, time.UTC)
	profile := func(id, name, version, os, release, level, platform string) baselineProfile {
		return baselineProfile{
			ID: id, Name: name, Description: "Hardening of " + os, Benchmark: "CIS", Version: version, OperatingSystem: os, OperatingSystemVersion: release,
			Status: true, ComplianceLevel: level, CreatedBy: "alice@contoso.com", CreatedOnTimestampUTC: made, LastUpdateTimestampUTC: made,
			platform: platform, release: release,
		}
	}
	out := []baselineProfile{
		profile("02bcbb9d-d197-479e-811e-1cd5a6f9f8fa", "Windows 11 CIS profile", "3.0.0-windows_11", "Windows 11", "23H2", corporate, "Windows11"),
		profile("9e1b90be-e83e-485b-a5ec-4a429412e734", "Windows Server 2022 CIS profile", "2.0.0-windows_server_2022", "Windows Server 2022", "21H2", member, "WindowsServer2022"),
		profile("c1d5c2c8-2f4b-4d0c-93a5-7f6a0d3a2f11", "Windows 10 CIS profile", "3.0.0-windows_10", "Windows 10", "22H2", corporate, "Windows10"),
	}
	out[1].LastUpdatedBy, out[1].LastUpdateTimestampUTC = "bob@contoso.com", made.AddDate(0, 3, 0)
	out[2].Status = false
	return out
}

// rule is a row of a benchmark in short form.
type rule struct {
	id, category, cce, name, source, want, good, bad string
	met                                              int
}

// rules are common to the benchmarks.
func rules() []rule {
	const firewall = `hkey_local_machine\software\policies\microsoft\windowsfirewall\`
	return []rule{
		{"1.1.1", "Password Policy", "CCE-37166-6", "Ensure 'Enforce password history' is set to '24 or more password(s)'", "password_hist_len", "Greater than or equal '24'", "24", "12", 90},
		{"1.1.4", "Password Policy", "CCE-36534-6", "Ensure 'Minimum password length' is set to '14 or more character(s)'", "min_passwd_len", "Greater than or equal '14'", "14", "8", 75},
		{"1.2.1", "Account Lockout Policy", "CCE-37034-6", "Ensure 'Account lockout duration' is set to '15 or more minute(s)'", "lockout_duration", "Greater than or equal '15'", "30", "5", 85},
		{"9.1.1", "Domain Profile", "CCE-36062-8", "Ensure 'Windows Firewall: Domain: Firewall state' is set to 'On'", firewall + `domainprofile\enablefirewall`, "Equals '1'", "1", "0", 95},
		{"9.3.9", "Public Profile", "CCE-35116-3", "Ensure 'Windows Firewall: Public: Logging: Log dropped packets' is set to 'Yes'", firewall + `publicprofile\logging\logdroppedpackets`, "Equals '1'", "1", "0", 60},
		{"18.4.3", "MS Security Guide", "CCE-36009-9", "Ensure 'Configure SMB v1 server' is set to 'Disabled'", `hkey_local_machine\system\currentcontrolset\services\lanmanserver\parameters\smb1`, "Equals '0'", "0", "1", 92},
	}
}

// benchmarks are the configurations of each benchmark that a profile is made of.
var benchmarks = sync.OnceValue(func() []*baselineConfiguration {
	var out []*baselineConfiguration
	for _, p := range baselineProfiles() {
		for _, r := range rules() {
			unique := p.Benchmark + "_" + p.Version + "_" + r.id
			out = append(out, &baselineConfiguration{
				ID: r.id, UniqueID: unique, BenchmarkName: p.Benchmark, BenchmarkVersion: p.Version, Name: "(L1) " + r.name, Category: r.category, CCE: r.cce,
				Description: "<p>" + r.name + "</p>", Rationale: "<p>Attackers use a weaker setting.</p>", Remediation: "<p>Set it by group policy.</p>",
				ComplianceLevels: []string{p.ComplianceLevel}, RecommendedValue: []string{r.want}, Source: []string{r.source},
				good: r.good, bad: r.bad, met: r.met, salt: hash64("baseline/" + unique),
			})
		}
	}
	return out
})
