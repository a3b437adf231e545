package mdesim

import "time"

// visitedName is the server that intruders go on to.
const visitedName = "srv-file01.contoso.com"

// visit is a process of one device that went on to another device.
type visit struct {
	from *device
	p    procEvent
}

// Steps of a visit, after the start of its process. They are over within a minute,
// when the alert is raised, so that no isolation comes between them.
const (
	visitConnects = 15 * time.Second
	visitFails    = 20 * time.Second
	visitSignsIn  = 30 * time.Second
	visitWrites   = 40 * time.Second
)

// carried is what a process takes along to another device, into which share; empty
// for a process that stays where it is.
func (p procEvent) carried() (file fileEvent, share string) {
	switch p.file.name {
	case "PsExec.exe":
		return fileEvent{name: "PSEXESVC.exe", folder: `C:\Windows`}, "ADMIN$"
	case "rundll32.exe":
		for _, f := range dropped(p) {
			return f, "C$"
		}
	}
	return fileEvent{}, ""
}

// visited is the server, unless the tenant is too small to have it.
func (h *hunt) visited() *device {
	for _, d := range h.devices {
		if d.ComputerDNSName == visitedName {
			return d
		}
	}
	return nil
}

// goesOn adds the connection by which a process reaches another device.
func (h *hunt) goesOn(p procEvent, d *device) procEvent {
	if _, share := p.carried(); share == "" {
		return p
	}
	if to := h.visited(); to != nil && to != d {
		p.connections = append(p.connections, netEvent{at: p.at.Add(visitConnects), ip: string(to.LastIPAddress), url: to.ComputerDNSName, port: 445})
	}
	return p
}

// visitsOf is the visits to a device, in the order of the alerts about them.
func (h *hunt) visitsOf(d *device) []visit {
	if d.ComputerDNSName != visitedName || d != h.visited() {
		return nil
	}
	var out []visit
	for _, a := range h.all {
		from := h.device(a.MachineID)
		if from == nil || from == d {
			continue
		}
		for _, p := range suspiciousProcesses(a, from) {
			if _, share := p.carried(); share != "" {
				out = append(out, visit{from, p})
			}
		}
	}
	return out
}

// signInsFromElsewhere is what visits leave among the sign-ins: a guess that fails,
// then the account whose ticket the process has.
func (h *hunt) signInsFromElsewhere(d *device) []signIn {
	var out []signIn
	for _, v := range h.visitsOf(d) {
		s := signIn{kind: "Network", remoteIP: string(v.from.LastIPAddress), remoteHostname: v.from.ComputerDNSName}
		guess, own := s, s
		guess.at, guess.protocol, guess.failure = v.p.at.Add(visitFails), "NTLM", "InvalidUserNameOrPassword"
		guess.user = LogonUser{AccountName: "administrator", AccountDomain: v.p.user.AccountDomain}
		own.at, own.protocol, own.user = v.p.at.Add(visitSignsIn), "Kerberos", v.p.user
		own.session = int64(hash64(v.from.ID+v.p.at.UTC().String()) % 1_000_000)
		out = append(out, guess, own)
	}
	return out
}

// written is what visits leave among the files of a device: its own system writes
// them, for the account at the other end.
func (h *hunt) written(d *device) []procEvent {
	kernel := procEvent{
		at: d.FirstSeen, user: LogonUser{AccountName: "system", AccountDomain: "nt authority"}, pid: 4,
		file: executable{name: "ntoskrnl.exe", folder: windowsFolder},
	}
	for _, v := range h.visitsOf(d) {
		f, share := v.p.carried()
		f.at = v.p.at.Add(visitWrites)
		f.origin = fileOrigin{sourceIP: string(v.from.LastIPAddress), account: v.p.user.AccountName, share: share}
		kernel.files = append(kernel.files, f)
	}
	return []procEvent{kernel}
}
