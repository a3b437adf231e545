package mdesim

import (
	"slices"
	"strings"
	"time"
)

// procEvent is a process that ran on a device, with what it did.
type procEvent struct {
	at          time.Time
	user        LogonUser
	file        executable
	pid         int64
	line        string
	parent      executable
	parentPID   int64
	parentLine  string
	connections []netEvent
	files       []fileEvent
	registry    []registryEvent
	other       []otherEvent
}

// executable is an executable file; its sums are those that an alert states, or
// empty.
type executable struct{ name, folder, sha1, sha256 string }

// netEvent is a network connection that a process made.
type netEvent struct {
	at   time.Time
	ip   string
	url  string
	port int64
}

// sums finds the file of an event. A query meets the same few files on every
// device, so that they are remembered.
func (h *hunt) sums(e executable) knownFile {
	known, ok := h.files[e]
	if !ok {
		known = fileAt(e)
		h.files[e] = known
	}
	return known
}

func (e executable) full() string { return fullPath(e.folder, e.name) }

// fileEvent is a file that a process wrote, or renamed when it had another name
// before.
type fileEvent struct {
	at           time.Time
	name, folder string
	previous     string
	origin       fileOrigin
}

// fileOrigin is where a file came from: an address, or another device by way of a
// share.
type fileOrigin struct {
	url, referrer, ip        string
	sourceIP, account, share string
}

func explorer() executable { return executable{name: "explorer.exe", folder: `C:\Windows`} }

// usualProcesses is what a person's device does on any day: a mail program, a browser, a
// shell, and the system's own service. Devices without a person do nothing that
// the sensor tells of.
func usualProcesses(d *device, now time.Time) []procEvent {
	if len(d.users) == 0 {
		return nil
	}
	if !d.runsWindows() {
		return unixUsual(d, now)
	}
	end := d.lastEvent(now)
	user := d.users[0]
	system := LogonUser{AccountName: "system", AccountDomain: "nt authority"}
	powershell := executable{name: "powershell.exe", folder: windowsFolder + `\WindowsPowerShell\v1.0`}
	mail, browser := executable{name: "OUTLOOK.EXE", folder: officePrograms}, executable{name: "msedge.exe", folder: edgePrograms}
	web := func(at time.Time, ip, url string) []netEvent { return []netEvent{{at.Add(time.Second), ip, url, 443}} }
	started := func(ago time.Duration) time.Time { return end.Add(-ago) }
	events := []procEvent{
		{at: started(8 * time.Hour), user: system, file: executable{name: "svchost.exe", folder: windowsFolder}, line: "svchost.exe -k netsvcs -p", parent: executable{name: "services.exe", folder: windowsFolder}},
		{at: started(7 * time.Hour), user: user, file: explorer(), line: "explorer.exe", parent: executable{name: "userinit.exe", folder: windowsFolder}},
		{at: started(6 * time.Hour), user: user, file: mail, line: `"OUTLOOK.EXE" /recycle`, parent: explorer(), connections: web(started(6*time.Hour), "192.0.2.10", "outlook.office365.com")},
		{at: started(5 * time.Hour), user: user, file: browser, line: `"msedge.exe" --profile-directory=Default`, parent: explorer(), connections: web(started(5*time.Hour), "192.0.2.80", "intranet.contoso.com")},
		{at: started(3 * time.Hour), user: user, file: powershell, line: "powershell.exe -NoProfile Get-Service", parent: explorer()},
	}
	events[3].files = downloaded(events[3].at.Add(time.Minute), "report.pdf", `C:\Users\`+user.AccountName+`\Downloads`)
	events[3].registry = browserState(user, events[3].at)
	events[4].other = commandRun(events[4].at, "Get-Service")
	return numbered(events, d)
}

// unixUsual is the same for Linux and macOS.
func unixUsual(d *device, now time.Time) []procEvent {
	end, user := d.lastEvent(now), d.users[0]
	init := executable{name: "systemd", folder: "/usr/lib/systemd"}
	if d.OSPlatform == "macOS" {
		init = executable{name: "launchd", folder: "/sbin"}
	}
	root := LogonUser{AccountName: "root", AccountDomain: user.AccountDomain}
	return numbered([]procEvent{
		{at: end.Add(-8 * time.Hour), user: root, file: executable{name: "sshd", folder: "/usr/sbin"}, line: "/usr/sbin/sshd -D", parent: init},
		{at: end.Add(-4 * time.Hour), user: user, file: executable{name: "bash", folder: "/usr/bin"}, line: "-bash", parent: executable{name: "sshd", folder: "/usr/sbin"}},
	}, d)
}

// lastEvent is when the device was last heard of.
func (d *device) lastEvent(now time.Time) time.Time {
	if d.LastSeen.After(now) {
		return now
	}
	return d.LastSeen
}

// numbered gives processes ids that stay the same from query to query.
func numbered(events []procEvent, d *device) []procEvent {
	base := int64(hash64(d.ID+"/pid")%2000) * 4
	for i := range events {
		events[i].pid, events[i].parentPID = base+2000+int64(i)*316, base+1200
		if events[i].parentLine == "" {
			events[i].parentLine = events[i].parent.name
		}
	}
	return events
}

// suspiciousProcesses is the processes that an alert is about: those of its evidence, or
// one that goes with its title.
func suspiciousProcesses(a *Alert, d *device) []procEvent {
	var out []procEvent
	for _, e := range a.Evidence {
		if e.EntityType != "Process" || e.ProcessID == nil {
			continue
		}
		p := procEvent{
			at: a.FirstEventTime, pid: *e.ProcessID, line: string(e.ProcessCommandLine), user: userOf(a, d),
			file:   executable{string(e.FileName), string(e.FilePath), string(e.SHA1), string(e.SHA256)},
			parent: executable{name: string(e.ParentProcessFileName), folder: orDefault(string(e.ParentProcessFilePath), officePrograms)},
		}
		if e.ProcessCreationTime != nil {
			p.at = *e.ProcessCreationTime
		}
		if e.ParentProcessID != nil {
			p.parentPID = *e.ParentProcessID
		}
		p.parentLine = p.parent.name
		out = append(out, p)
	}
	if len(out) == 0 {
		return typicalProcesses(a, d)
	}
	for _, e := range a.Evidence {
		switch e.EntityType {
		case "Ip":
			out[0].connections = append(out[0].connections, netEvent{at: out[0].at, ip: string(e.IPAddress), port: 443})
		case "Url":
			out[0].connections = append(out[0].connections, netEvent{at: out[0].at, url: string(e.URL), port: 443})
		case "File":
			out[0].files = append(out[0].files, fileEvent{at: out[0].at, name: string(e.FileName), folder: string(e.FilePath)})
		}
	}
	out[0].files = append(out[0].files, dropped(out[0])...)
	out[0].fetched()
	return out
}

// dropped is the library that a process was told to load: something wrote it
// shortly before.
func dropped(p procEvent) []fileEvent {
	for word := range strings.FieldsSeq(p.line) {
		file, _, _ := strings.Cut(word, ",")
		if i := strings.LastIndexByte(file, '\\'); i > 0 && strings.HasSuffix(strings.ToLower(file), ".dll") {
			return []fileEvent{{at: p.at.Add(-30 * time.Second), name: file[i+1:], folder: file[:i]}}
		}
	}
	return nil
}

// typicalProcesses makes the process of an alert that came without one.
func typicalProcesses(a *Alert, d *device) []procEvent {
	name, line := "", ""
	switch {
	case strings.HasPrefix(a.Title, "Suspicious PowerShell"):
		name, line = "powershell.exe", "powershell.exe -nop -w hidden -enc SQBFAFgA"
	case strings.HasPrefix(a.Title, "Possible lateral movement"):
		name, line = "PsExec.exe", `PsExec.exe \\srv-file01 -s cmd.exe`
	case strings.HasPrefix(a.Title, "Ransomware-linked"):
		name, line = "vssadmin.exe", "vssadmin.exe delete shadows /all /quiet"
	case strings.HasPrefix(a.Title, "Suspicious account discovery"):
		name, line = "net.exe", `net.exe group "Domain Admins" /domain`
	case strings.HasPrefix(a.Title, "Anomalous scheduled task"):
		name, line = "schtasks.exe", `schtasks.exe /create /tn updater /sc minute /tr c:\users\public\update.exe`
	default:
		return nil
	}
	file, _ := knownFileNamed(name)
	return []procEvent{{
		at: a.FirstEventTime, file: executable{name: name, folder: file.folder}, line: line, user: userOf(a, d),
		pid: 4000 + int64(hash64(a.ID)%9000)*4, parent: executable{name: "cmd.exe", folder: windowsFolder}, parentLine: "cmd.exe", parentPID: 3000,
	}}
}

// userOf is the account that an alert is about.
func userOf(a *Alert, d *device) LogonUser {
	if a.RelatedUser != nil {
		return LogonUser{AccountName: a.RelatedUser.UserName, AccountDomain: a.RelatedUser.DomainName}
	}
	if len(d.users) > 0 {
		return d.users[0]
	}
	return LogonUser{AccountName: "system", AccountDomain: "nt authority"}
}

// maxBeacons limits how often a beaconing process is shown to have called home.
const maxBeacons = 60

// beacons repeats the connections of a process once a minute, until now, or until
// the device was isolated: a device that is cut off connects nowhere.
func beacons(p procEvent, until time.Time) procEvent {
	var out []netEvent
	for _, c := range p.connections {
		for i := range maxBeacons {
			at := c.at.Add(time.Duration(i) * time.Minute)
			if at.After(until) {
				break
			}
			out = append(out, netEvent{at, c.ip, c.url, c.port})
		}
	}
	p.connections = out
	return p
}

// story is every process of a device in order of time.
func (h *hunt) story(d *device) []procEvent {
	events := usualProcesses(d, h.now)
	until := h.now
	if since, ok := h.isolated[d.ID]; ok {
		until = since
	}
	for _, a := range h.alerts[d.ID] {
		for _, p := range suspiciousProcesses(a, d) {
			events = append(events, h.goesOn(beacons(p, until).marked(), d))
		}
	}
	slices.SortStableFunc(events, func(a, b procEvent) int { return a.at.Compare(b.at) })
	return events
}
