package mdesim

import (
	"crypto/md5"  // sums of files that do not exist; nothing is protected by them
	"crypto/sha1" // likewise
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// knownFile is a file that Defender knows of.
type knownFile struct {
	name, folder      string
	sha1, sha256, md5 string
	publisher         string
	product           string
	threat            string // name of the threat; empty for what is harmless or not judged
	unsigned          bool
	// everywhere says that the file is part of Windows or Office; otherwise it is
	// on one of rare devices, or with rare 0 only where alerts say so.
	everywhere bool
	rare       uint64
}

const (
	windowsFolder  = `C:\Windows\System32`
	officePrograms = `C:\Program Files\Microsoft Office\root\Office16`
	edgePrograms   = `C:\Program Files (x86)\Microsoft\Edge\Application`
)

// knownFiles is the files of the seeded alerts and of every day, the same in every
// tenant.
var knownFiles = sync.OnceValue(func() []knownFile {
	windows := func(name, folder string) knownFile {
		return knownFile{name: name, folder: folder, publisher: "Microsoft Corporation", product: "Microsoft Windows Operating System", everywhere: true}
	}
	tool := func(name, folder string, rare uint64) knownFile {
		return knownFile{name: name, folder: folder, publisher: "Microsoft Corporation", product: "Sysinternals", rare: rare}
	}
	bad := func(name, folder, threat string) knownFile {
		return knownFile{name: name, folder: folder, threat: threat, unsigned: true}
	}
	unix := func(name, folder string) knownFile {
		return knownFile{name: name, folder: folder, unsigned: true, everywhere: true}
	}
	rundll, suspicious := windows("rundll32.exe", `C:\Windows\SysWOW64`), bad("suspicious.dll", `c:\temp`, "")
	// The sums of these two are those of the documented sample of an alert.
	rundll.sha1, rundll.sha256 = "ff836cfb1af40252bd2a2ea843032e99a5b262ed", "a4752c71d81afd3d5865d24ddb11a6b0c615062fcc448d24050c2172d2cbccd6"
	suspicious.sha1, suspicious.sha256 = "8563f95b2f8a284fc99da44500cd51a77c1ff36c", "dc0ade0c95d6db98882bc8fa6707e64353cd6f7767ff48d6a81a6c2aef21c608"
	all := []knownFile{
		rundll, suspicious,
		windows("svchost.exe", windowsFolder), windows("explorer.exe", `C:\Windows`), windows("cmd.exe", windowsFolder), windows("regsvr32.exe", windowsFolder),
		windows("powershell.exe", windowsFolder+`\WindowsPowerShell\v1.0`), windows("schtasks.exe", windowsFolder), windows("vssadmin.exe", windowsFolder),
		windows("net.exe", windowsFolder), windows("OUTLOOK.EXE", officePrograms), windows("WINWORD.EXE", officePrograms), windows("msedge.exe", edgePrograms),
		unix("sshd", "/usr/sbin"), unix("bash", "/usr/bin"),
		tool("PsExec.exe", windowsFolder, 60), tool("procdump64.exe", `C:\Tools`, 90),
		bad("svc-update.exe", `C:\ProgramData`, "Trojan:Win64/Meterpreter"), bad("updater.exe", `C:\Users\Public`, ""),
		bad("invoice-8841.docm", `C:\Users\Public\Downloads`, "TrojanDownloader:O97M/Emotet"), bad("lockit.exe", `C:\Windows\Temp`, "Ransom:Win32/Lockit"),
	}
	for i := range all {
		all[i] = all[i].summed()
	}
	return all
})

// summed fills in the sums that are not given: those of the file's path, because
// there is no content.
func (f knownFile) summed() knownFile {
	path := []byte(strings.ToLower(f.full()))
	f.sha1 = orDefault(f.sha1, fmt.Sprintf("%x", sha1.Sum(path)))
	f.sha256 = orDefault(f.sha256, fmt.Sprintf("%x", sha256.Sum256(path)))
	f.md5 = orDefault(f.md5, fmt.Sprintf("%x", md5.Sum(path)))
	return f
}

func (f knownFile) full() string { return fullPath(f.folder, f.name) }

// fullPath joins a folder and a name as their system does.
func fullPath(folder, name string) string {
	if strings.Contains(folder, "/") {
		return folder + "/" + name
	}
	return folder + `\` + name
}

// size is in bytes.
func (f knownFile) size() int64 { return int64(20_000 + hash64(f.sha1)%4_000_000) }

func (f knownFile) evidence(kind string, at time.Time) Evidence {
	return Evidence{
		EntityType: kind, EvidenceCreationTime: at, SHA1: Nullable(f.sha1), SHA256: Nullable(f.sha256),
		FileName: Nullable(f.name), FilePath: Nullable(f.folder), DetectionStatus: "Detected",
	}
}

// has reports whether a hash is one of the file's.
func (f knownFile) has(hash string) bool {
	return strings.EqualFold(f.sha1, hash) || strings.EqualFold(f.sha256, hash) || strings.EqualFold(f.md5, hash)
}

func knownFileNamed(name string) (knownFile, bool) {
	all := knownFiles()
	i := slices.IndexFunc(all, func(f knownFile) bool { return f.name == name })
	if i < 0 {
		return knownFile{}, false
	}
	return all[i], true
}

// fileOf is the file of an alert's evidence: a known one, or what the evidence
// itself says.
func (t *Tenant) fileOf(e Evidence) knownFile {
	return fileAt(executable{string(e.FileName), string(e.FilePath), string(e.SHA1), string(e.SHA256)})
}

// fileAt is the file of an event: a known one, by its SHA-1 or else by its path,
// or what the event itself says.
func fileAt(e executable) knownFile {
	for _, f := range knownFiles() {
		if f.has(e.sha1) || e.sha1 == "" && strings.EqualFold(f.full(), e.full()) {
			return f
		}
	}
	return knownFile{name: e.name, folder: e.folder, sha1: e.sha1, sha256: e.sha256, unsigned: true}.summed()
}

// file finds a file by any of its hashes, among the known ones and those that
// alerts name.
func (t *Tenant) file(hash string) (knownFile, bool) {
	for _, f := range knownFiles() {
		if f.has(hash) {
			return f, true
		}
	}
	for _, a := range t.alertSnapshot() {
		for _, e := range a.files() {
			if f := t.fileOf(e); f.has(hash) {
				return f, true
			}
		}
	}
	return knownFile{}, false
}

// sighting is that something was seen on a device, from when until when.
type sighting struct {
	device      *device
	first, last time.Time
}

// sightings collects where something was seen: on the devices of the alerts about
// it, and on those that match. Each device is there once, in the tenant's order.
func (t *Tenant) sightings(about func(*Alert) bool, on func(*device) bool) []sighting {
	byID := map[string]*sighting{}
	for _, a := range t.alertSnapshot() {
		if !about(a) {
			continue
		}
		s := byID[strings.ToLower(a.MachineID)]
		if s == nil {
			s = &sighting{first: a.FirstEventTime, last: a.LastEventTime}
			byID[strings.ToLower(a.MachineID)] = s
		}
		s.first, s.last = earlier(s.first, a.FirstEventTime), later(s.last, a.LastEventTime)
	}
	now := t.now()
	var out []sighting
	for _, d := range t.snapshot() {
		s := byID[strings.ToLower(d.ID)]
		if on(d) {
			first, last := d.FirstSeen, earlier(d.LastSeen, now)
			if s != nil {
				first, last = earlier(first, s.first), later(last, s.last)
			}
			s = &sighting{first: first, last: last}
		}
		if s != nil {
			out = append(out, sighting{d, s.first, s.last})
		}
	}
	return out
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// alertsAbout returns the alerts that a test holds for, newest first.
func (t *Tenant) alertsAbout(about func(*Alert) bool) []*Alert {
	var out []*Alert
	for _, a := range t.alertSnapshot() {
		if about(a) {
			out = append(out, a)
		}
	}
	return out
}

// about reports whether an alert names the file.
func (f knownFile) about(a *Alert) bool {
	return slices.ContainsFunc(a.Evidence, func(e Evidence) bool { return e.SHA1 != "" && f.has(string(e.SHA1)) })
}

// on reports whether the file is on a device, alerts aside.
func (f knownFile) on(d *device) bool {
	switch {
	case d.runsWindows() == strings.Contains(f.folder, "/") || len(d.users) == 0:
		return false
	case f.everywhere:
		return true
	}
	return f.rare > 0 && hash64(f.sha1+d.ID)%f.rare == 0
}

// runsWindows reports whether the device is a Windows client or server.
func (d *device) runsWindows() bool { return strings.HasPrefix(d.OSPlatform, "Windows") }

// remote is where devices connect to on any day: a host name and its address.
type remote struct{ host, ip string }

func usualRemotes() []remote {
	return []remote{
		{"outlook.office365.com", "192.0.2.10"},
		{"intranet.contoso.com", "192.0.2.80"},
		{"client.wns.windows.com", "192.0.2.20"},
		{"api.security.microsoft.com", "192.0.2.30"},
		{"www.example.com", "192.0.2.40"},
	}
}

// aboutIP and onIP say where an address was connected to: alerts name it, it is
// one of every day, or it belongs to a domain controller, which all devices of
// the domain talk to.
func aboutIP(ip netip.Addr) func(*Alert) bool {
	return func(a *Alert) bool {
		return slices.ContainsFunc(a.addresses(), func(s string) bool {
			have, err := netip.ParseAddr(s)
			return err == nil && have.Unmap() == ip
		})
	}
}

func (t *Tenant) onIP(ip netip.Addr) func(*device) bool {
	usual := slices.ContainsFunc(usualRemotes(), func(r remote) bool { return r.ip == ip.String() })
	controller := slices.ContainsFunc(t.snapshot(), func(d *device) bool {
		return slices.Contains(d.MachineTags, "domain-controller") && d.hasAddress(ip)
	})
	return func(d *device) bool {
		return len(d.users) > 0 && (usual || controller && d.runsWindows() && !d.hasAddress(ip))
	}
}

func aboutHost(host string) func(*Alert) bool {
	return func(a *Alert) bool { return slices.Contains(a.hosts(), host) }
}

func onHost(host string) func(*device) bool {
	usual := slices.ContainsFunc(usualRemotes(), func(r remote) bool { return r.host == host })
	return func(d *device) bool { return usual && len(d.users) > 0 }
}
