package mdesim

import (
	"crypto/sha1" // device ids look like SHA-1 sums; nothing is protected by this one
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Names that are seeded for a purpose. Each exists in every tenant that has its
// default number of devices.
const (
	NameHost            = "host01.contoso.com"              // unique, Windows 11, Active, onboarded
	NameAmbiguous       = "finance-laptop.contoso.com"      // two devices: one Active, one Inactive
	NameAmbiguousActive = "kiosk-lobby.contoso.com"         // two devices, both Active
	NameShortAmbiguous  = "hr-laptop02"                     // one device in contoso.com, one in fabrikam.com
	NameOffline         = "field-laptop04.contoso.com"      // looks Active, cannot be reached
	NameInactive        = "old-desk11.contoso.com"          // Inactive and cannot be reached
	NameOffboarded      = "retired01.contoso.com"           // was offboarded: CanBeOnboarded, Inactive
	NameUnmanaged       = "byod-laptop9.contoso.com"        // CanBeOnboarded, never was
	NameUnsupported     = "printer-3f.contoso.com"          // cannot be onboarded at all
	NameMac             = "design-mac01.contoso.com"        // macOS: isolation is not documented for it
	NameLinux           = "lnx-web01.contoso.com"           // Linux: Full isolation only
	NameTier0           = "dc01.contoso.com"                // domain controller, tagged tier-0
	NameVIP             = "ceo-laptop.contoso.com"          // tagged vip
	NameLookalike       = "host01\u200b.contoso.com"        // host01 with a zero-width space in it
	NameHostile         = "<!channel>`pc*<@U1>.contoso.com" // an attacker chose this name
	IPAmbiguous         = "10.99.0.9"                       // two devices behind one address
)

// deviceSpec is a seeded device in short form; empty fields take the usual value.
type deviceSpec struct {
	name, os, version     string
	health, onboarding    string
	tags                  []string
	value, risk, exposure string
	ip, user              string
	quiet                 time.Duration // since last seen; default two hours
	offline               bool
}

// hosts is the plain part of the cast: the workstations that stories are told of.
func hosts() []deviceSpec {
	out := []deviceSpec{{name: NameHost, risk: "High", exposure: "Medium", tags: []string{"workstation"}, user: "anna.berg"}}
	for i := 2; i <= 12; i++ {
		out = append(out, deviceSpec{name: fmt.Sprintf("host%02d.contoso.com", i), tags: []string{"workstation"}})
	}
	return out
}

// traps are names and addresses that invite acting on the wrong device.
func traps() []deviceSpec {
	const day = 24 * time.Hour
	return []deviceSpec{
		{name: NameAmbiguous, user: "fred.finch", tags: []string{"finance"}},
		{name: NameAmbiguous, user: "fred.finch", tags: []string{"finance"}, health: "Inactive", quiet: 40 * day, offline: true},
		{name: NameAmbiguousActive},
		{name: NameAmbiguousActive},
		{name: NameShortAmbiguous + ".contoso.com", user: "hanna.reed"},
		{name: NameShortAmbiguous + ".fabrikam.com", user: "hugo.rask"},
		{name: "host01-old.contoso.com", health: "Inactive", quiet: 90 * day, offline: true},
		{name: NameLookalike},
		{name: NameHostile},
		{name: "\u202emoc.osotnoc.50tsoh"},
		{name: "vdi-a01.contoso.com", ip: IPAmbiguous, tags: []string{"vdi"}},
		{name: "vdi-a02.contoso.com", ip: IPAmbiguous, tags: []string{"vdi"}},
		{name: NameOffline, quiet: 20 * time.Hour, offline: true},
		{name: NameInactive, health: "Inactive", quiet: 12 * day, offline: true},
		{name: NameOffboarded, health: "Inactive", onboarding: "CanBeOnboarded", quiet: 25 * day, offline: true, tags: []string{"offboarded"}},
		{name: "plant-hmi02.contoso.com", os: "Windows10", version: "1809", health: "ImpairedCommunication", quiet: 5 * day},
		{name: "plant-hmi03.contoso.com", os: "Windows10", version: "1809", health: "NoSensorData", quiet: 3 * day, offline: true},
		{name: "plant-hmi04.contoso.com", os: "Windows10", version: "1809", health: "NoSensorDataImpairedCommunication", quiet: 8 * day, offline: true},
	}
}

// critical are devices that policy treats with care.
func critical() []deviceSpec {
	tier0 := func(name string, tags ...string) deviceSpec {
		return deviceSpec{name: name, os: "WindowsServer2022", version: "21H2", value: "High", tags: append([]string{"tier-0"}, tags...)}
	}
	return []deviceSpec{
		tier0(NameTier0, "domain-controller"), tier0("dc02.contoso.com", "domain-controller"),
		tier0("pki01.contoso.com"), tier0("adfs01.contoso.com"),
		{name: NameVIP, value: "High", tags: []string{"vip"}, user: "carla.ostberg"},
		{name: "cfo-laptop.contoso.com", value: "High", tags: []string{"vip", "finance"}, user: "chris.fox"},
		{name: "srv-sql01.contoso.com", os: "WindowsServer2019", version: "1809", value: "High", tags: []string{"server", "production"}},
		{name: "srv-web01.contoso.com", os: "WindowsServer2022", version: "21H2", tags: []string{"server", "production"}, exposure: "High"},
		{name: "srv-file01.contoso.com", os: "WindowsServer2016", version: "1607", tags: []string{"server"}},
		{name: "srv-legacy01.contoso.com", os: "WindowsServer2012R2", version: "6.3", tags: []string{"server", "legacy"}},
	}
}

// foreign are other systems, old ones, and those that Defender does not manage.
func foreign() []deviceSpec {
	return []deviceSpec{
		{name: NameLinux, os: "Ubuntu", version: "24.4", tags: []string{"server", "linux"}},
		{name: "lnx-db01.contoso.com", os: "RedHatEnterpriseLinux", version: "9.4", tags: []string{"server", "linux"}},
		{name: "lnx-k8s01.contoso.com", os: "Debian", version: "12.0", tags: []string{"server", "linux"}},
		{name: NameMac, os: "macOS", version: "15.1", user: "dana.mills"},
		{name: "design-mac02.contoso.com", os: "macOS", version: "14.6"},
		{name: "iphone-anna", os: "iOS", version: "18.1", user: "anna.berg"},
		{name: "pixel-bob", os: "Android", version: "15"},
		{name: "lab-old7.contoso.com", os: "Windows7", version: "6.1", exposure: "High"},
		{name: "lab-old10.contoso.com", os: "Windows10", version: "1607", exposure: "High"},
		{name: "lab-1703.contoso.com", os: "Windows10", version: "1703"},
		{name: NameUnmanaged, os: "Windows10", version: "22H2", onboarding: "CanBeOnboarded", health: "Unknown"},
		{name: "byod-laptop10.contoso.com", onboarding: "CanBeOnboarded", health: "Unknown"},
		{name: NameUnsupported, os: "Other", onboarding: "Unsupported", health: "Unknown"},
		{name: "camera-gate", os: "Unknown", onboarding: "InsufficientInfo", health: "Unknown"},
	}
}

// crowd makes the i-th device of the rest of the fleet.
func crowd(i int, r *rand.Rand) deviceSpec {
	const day = 24 * time.Hour
	s := deviceSpec{quiet: time.Duration(r.Int64N(int64(20 * time.Hour)))}
	switch n := r.IntN(100); {
	case n < 45:
		s.name = fmt.Sprintf("wks%05d.contoso.com", i)
	case n < 65:
		s.name, s.os, s.version = fmt.Sprintf("wks%05d.contoso.com", i), "Windows10", "22H2"
	case n < 75:
		s.name, s.os, s.version, s.tags = fmt.Sprintf("srv%05d.contoso.com", i), "WindowsServer2022", "21H2", []string{"server"}
	case n < 83:
		s.name, s.os, s.version, s.tags = fmt.Sprintf("lnx%05d.contoso.com", i), "Ubuntu", "24.4", []string{"linux"}
	case n < 88:
		s.name, s.os, s.version = fmt.Sprintf("mac%05d.contoso.com", i), "macOS", "15.1"
	case n < 94:
		s.name, s.health, s.offline = fmt.Sprintf("wks%05d.contoso.com", i), "Inactive", true
		s.quiet = 8*day + time.Duration(r.Int64N(int64(60*day)))
	case n < 98:
		s.name, s.os, s.version = fmt.Sprintf("net%05d.contoso.com", i), "Windows10", "21H2"
		s.onboarding, s.health = "CanBeOnboarded", "Unknown"
	default:
		s.name, s.os, s.onboarding, s.health = fmt.Sprintf("iot%05d", i), "Other", "Unsupported", "Unknown"
	}
	levels := []string{"None", "Low", "Medium", "High"}
	s.risk, s.exposure = levels[r.IntN(4)], levels[1+r.IntN(3)]
	return s
}

// seed fills the tenant; it runs once, before any request.
func (t *Tenant) seed() {
	r := rand.New(rand.NewPCG(t.Seed, 3))
	specs := slices.Concat(hosts(), traps(), critical(), foreign())
	count := max(0, t.Devices)
	t.devices.list, t.devices.byID = make([]*device, 0, count), make(map[string]int, count)
	for i := range count {
		var spec deviceSpec
		if i < len(specs) {
			spec = specs[i]
		} else {
			spec = crowd(i, r)
		}
		d := t.build(i, spec)
		t.devices.byID[d.ID] = len(t.devices.list)
		t.devices.list = append(t.devices.list, d)
	}
	t.seedAlerts(r)
}

// build makes a device of its short form.
func (t *Tenant) build(i int, s deviceSpec) *device {
	now := t.now().Truncate(time.Second)
	key := fmt.Sprintf("mdesim/%d/%d", t.Seed, i)
	ip := orDefault(s.ip, fmt.Sprintf("10.%d.%d.%d", 1+i/62500, i/250%250, 1+i%250))
	mac := fmt.Sprintf("8CEC%08X", uint32(hash64(key+"/mac")))
	m := Machine{
		ID:              fmt.Sprintf("%x", sha1.Sum([]byte(key))),
		ComputerDNSName: s.name, FirstSeen: now.AddDate(0, -6, 0), LastSeen: now.Add(-orDefault(s.quiet, 2*time.Hour)),
		OSPlatform: orDefault(s.os, "Windows11"), OSProcessor: "x64", OSArchitecture: "64-bit",
		Version: Nullable(orDefault(s.version, "23H2")), LastIPAddress: Nullable(ip), LastExternalIPAddress: "203.0.113.7",
		HealthStatus: orDefault(s.health, "Active"), OnboardingStatus: orDefault(s.onboarding, "onboarded"),
		DeviceValue: orDefault(s.value, "Normal"), RBACGroupID: 140, RBACGroupName: "The-A-Team",
		RiskScore: orDefault(s.risk, "None"), ExposureLevel: orDefault(s.exposure, "Low"),
		MachineTags: append([]string{}, s.tags...),
		IPAddresses: []IPAddress{{IPAddress: ip, MACAddress: mac, OperationalStatus: "Up"}},
	}
	switch {
	case m.OnboardingStatus == "Unsupported" || m.OnboardingStatus == "InsufficientInfo":
		m.Version = ""
	case strings.HasPrefix(m.OSPlatform, "Windows"):
		build := int64(22631)
		m.OSBuild, m.IsAADJoined = &build, true
		m.AADDeviceID = Nullable(guidOf(hash64(key+"/aad"), hash64(key+"/aad2")))
	}
	return &device{Machine: m, offline: s.offline, users: logons(s, m)}
}

// logons is who uses a device: its named user, or one made of its name.
func logons(s deviceSpec, m Machine) []LogonUser {
	if m.OnboardingStatus != "onboarded" {
		return nil
	}
	name := s.user
	if name == "" {
		label, _, _ := strings.Cut(strings.ToValidUTF8(m.ComputerDNSName, ""), ".")
		name = "user." + strings.Map(onlyWord, label)
	}
	admin := slices.Contains(m.MachineTags, "domain-controller")
	return []LogonUser{{
		ID: "contoso\\" + name, AccountName: name, AccountDomain: "contoso", FirstSeen: m.FirstSeen,
		LastSeen: m.LastSeen, LogonTypes: "Interactive", IsDomainAdmin: admin,
	}}
}

func onlyWord(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
		return r
	}
	return -1
}

func hash64(s string) uint64 {
	sum := sha256.Sum256([]byte(s))
	return binary.BigEndian.Uint64(sum[:8])
}
