package mdesim

import (
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/mdecore/mdesim/kql"
)

// registryEvent is a value of the registry that a process set; without a previous
// one it is new.
type registryEvent struct {
	at              time.Time
	key, name, kind string
	data, previous  string
}

// otherEvent is what a process did that has no table of its own; the value is that
// of the registry which it is about, if any.
type otherEvent struct {
	at     time.Time
	action string
	value  registryEvent
	fields map[string]any
}

// Kinds of values, in the words of the hunting schema.
const (
	registryText  = "String"
	registryDword = "Dword"
)

// userHive is the part of the registry that is the account's own.
func userHive(u LogonUser) string { return `HKEY_CURRENT_USER\` + sidOf(u) + `\SOFTWARE` }

const (
	machinePolicies = `HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows Defender`
	realTimeKey     = `HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows Defender\Real-Time Protection`
)

// browserState is what a browser notes of itself when it starts: of no interest to a
// hunter, as most of the table.
func browserState(u LogonUser, at time.Time) []registryEvent {
	return []registryEvent{{at.Add(2 * time.Second), userHive(u) + `\Microsoft\Edge\BLBeacon`, "state", registryDword, "1", "2"}}
}

// commandRun is a command that PowerShell ran.
func commandRun(at time.Time, command string) []otherEvent {
	return []otherEvent{{at: at.Add(time.Second), action: "PowerShellCommand", fields: map[string]any{"Command": command}}}
}

// downloaded is a file that a browser fetched and then gave its name.
func downloaded(at time.Time, name, folder string) []fileEvent {
	origin := fileOrigin{url: "https://intranet.contoso.com/reports/" + name, referrer: "https://intranet.contoso.com/reports", ip: "192.0.2.80"}
	return []fileEvent{
		{at: at, name: name, folder: folder, origin: origin},
		{at: at.Add(time.Second), name: name, folder: folder, previous: "Unconfirmed 482190.crdownload", origin: origin},
	}
}

// fetched says of the files of a process that they came from where it connected to.
func (p *procEvent) fetched() {
	var origin fileOrigin
	for _, c := range p.connections {
		origin.ip, origin.url = orDefault(origin.ip, c.ip), orDefault(origin.url, c.url)
	}
	for i := range p.files {
		p.files[i].origin = origin
		if origin.url == "" && origin.ip != "" {
			p.files[i].origin.url = "http://" + origin.ip + "/" + p.files[i].name
		}
	}
}

// marked adds what a suspicious process leaves on its own device besides files: how
// it will start again, and what it did to the protection.
func (p procEvent) marked() procEvent {
	at := func(s time.Duration) time.Time { return p.at.Add(s * time.Second) }
	switch strings.ToLower(p.file.name) {
	case "rundll32.exe":
		off := registryEvent{key: realTimeKey, name: "DisableRealtimeMonitoring", data: "1"}
		p.registry = []registryEvent{p.runKey()}
		p.other = []otherEvent{{at(10), "TamperingAttempt", off, map[string]any{
			"Status": "Blocked", "TamperingAction": "RegistryModification", "Target": off.key + `\` + off.name,
			"OriginalValue": "0", "TamperingAttemptedValue": off.data,
		}}}
	case "regsvr32.exe":
		p.registry = []registryEvent{p.runKey()}
	case "schtasks.exe":
		p.other = []otherEvent{{at: at(1), action: "ScheduledTaskCreated", fields: map[string]any{
			"TaskName": `\updater`, "SubjectUserName": p.user.AccountName, "SubjectDomainName": p.user.AccountDomain,
		}}}
	case "vssadmin.exe":
		p.registry = []registryEvent{{at(5), machinePolicies, "DisableAntiSpyware", registryDword, "1", "0"}}
		p.other = []otherEvent{{at: at(8), action: "SecurityLogCleared"}}
	}
	return p
}

// runKey has a process start again whenever its account signs in.
func (p procEvent) runKey() registryEvent {
	return registryEvent{
		at: p.at.Add(5 * time.Second), key: userHive(p.user) + `\Microsoft\Windows\CurrentVersion\Run`, name: "Updater", kind: registryText, data: p.line,
	}
}

func registryColumns() []kql.Column {
	return huntColumns(`Timestamp:datetime DeviceId DeviceName ActionType RegistryKey RegistryValueType RegistryValueName RegistryValueData
		PreviousRegistryKey PreviousRegistryValueName PreviousRegistryValueData` + initiatingColumns)
}

func (h *hunt) registryEvents(d *device) [][]any {
	var out [][]any
	for _, p := range h.story(d) {
		for _, v := range p.registry {
			key, name := "", ""
			if v.previous != "" {
				key, name = v.key, v.name
			}
			row := []any{v.at, d.ID, d.ComputerDNSName, "RegistryValueSet", v.key, v.kind, v.name, v.data, key, name, v.previous}
			out = append(out, append(row, h.initiating(p, d, 800+len(out))...))
		}
	}
	return out
}

func otherColumns() []kql.Column {
	return huntColumns(`Timestamp:datetime DeviceId DeviceName ActionType FileName FolderPath SHA1 SHA256 MD5 FileSize:long AccountDomain AccountName
		AccountSid RemoteUrl RemoteDeviceName ProcessId:long ProcessCommandLine RegistryKey RegistryValueName RegistryValueData RemoteIP
		RemotePort:long AdditionalFields` + initiatingColumns)
}

// otherEvents is the table of what fits no other. None of its events here is about
// a file, another process or a connection, so that those columns are empty.
func (h *hunt) otherEvents(d *device) [][]any {
	var out [][]any
	for _, p := range h.story(d) {
		for _, e := range p.other {
			fields := ""
			if e.fields != nil {
				fields = jsonText(e.fields)
			}
			row := []any{
				e.at, d.ID, d.ComputerDNSName, e.action, "", "", "", "", "", nil, p.user.AccountDomain, p.user.AccountName, sidOf(p.user),
				"", "", nil, "", e.value.key, e.value.name, e.value.data, "", nil, fields,
			}
			out = append(out, append(row, h.initiating(p, d, 900+len(out))...))
		}
	}
	return out
}
