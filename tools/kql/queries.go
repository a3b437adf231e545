package kql

import (
	"slices"
	"time"
)

const day = 24 * time.Hour

// the parameters that queries share.
func byDevice(required bool) Accepts {
	return Accepts{Name: "device", Type: Device, Required: required}
}

func byHash() Accepts { return Accepts{Name: "hash", Type: Hash} }

func byFileName() Accepts { return Accepts{Name: "file_name", Type: String} }

func byIP() Accepts { return Accepts{Name: "ip", Type: IP} }

func byAccount() Accepts { return Accepts{Name: "account", Type: Account} }

// filters are the lines about device and account that event tables have in common; prefix is that of the account's columns.
func filters(indent, prefix string) []line {
	return slices.Concat(
		when("device", indent+"| where DeviceId == device"),
		when("account", indent+"| where "+prefix+"AccountName =~ account and (isempty(account_domain) or "+prefix+"AccountDomain =~ account_domain)"),
	)
}

// remoteIP takes an IPv4 address in the form that the sensor also writes, as one of IPv6.
const remoteIP = `| where RemoteIP in (ip, strcat("::ffff:", ip))`

// processTree is the processes of a device: with a file or a process id, those, their parents and their children.
func processTree() Query {
	return Query{
		Name: "process_tree", Summary: "processes of a device with their parents; with a file or process id, that process, its parent and its children",
		Params: []Accepts{byDevice(true), {Name: "pid", Type: Int}, byFileName(), byHash(), byAccount()},
		Window: day, Rows: 2000,
		lines: slices.Concat(
			always("DeviceProcessEvents\n| where Timestamp >= since"),
			filters("", ""),
			when("pid", "| where ProcessId == pid or InitiatingProcessId == pid"),
			when("file_name", "| where FileName =~ file_name or InitiatingProcessFileName =~ file_name"),
			when("hash", "| where {hash} == hash or InitiatingProcess{hash} == hash"),
			always(`
| project Timestamp, DeviceId, DeviceName, ProcessId, FileName, FolderPath, SHA1, ProcessCommandLine, AccountDomain, AccountName,
    InitiatingProcessId, InitiatingProcessFileName, InitiatingProcessCommandLine`),
			last(),
		),
	}
}

// networkConnections is who connected where, by what.
func networkConnections() Query {
	return Query{
		Name: "network_connections", Summary: "network connections, with the process and account that made them",
		Params: []Accepts{byDevice(false), byIP(), {Name: "domain", Type: Domain}, byFileName(), byHash(), byAccount()},
		AnyOf:  []string{"device", "ip", "domain", "file_name", "hash", "account"},
		Window: 7 * day, Rows: 2000,
		lines: slices.Concat(
			always("DeviceNetworkEvents\n| where Timestamp >= since"),
			filters("", "InitiatingProcess"),
			when("ip", remoteIP),
			when("domain", "| where RemoteUrl has domain"),
			when("file_name", "| where InitiatingProcessFileName =~ file_name"),
			when("hash", "| where InitiatingProcess{hash} == hash"),
			always(`
| project Timestamp, DeviceId, DeviceName, ActionType, RemoteIP, RemotePort, RemoteUrl, LocalIP, LocalPort, Protocol,
    InitiatingProcessFileName, InitiatingProcessFolderPath, InitiatingProcessSHA1, InitiatingProcessId, InitiatingProcessCommandLine,
    InitiatingProcessAccountDomain, InitiatingProcessAccountName`),
			last(),
		),
	}
}

// fileOrigin is how a file came to devices: the oldest first, because the first sighting is the answer.
func fileOrigin() Query {
	return Query{
		Name: "file_origin", Summary: "where a file came from: download address, share or process that wrote it, oldest first",
		Params: []Accepts{byDevice(false), byHash(), byFileName()},
		AnyOf:  []string{"hash", "file_name"},
		Window: Kept, Rows: 1000, OldestFirst: true,
		lines: slices.Concat(
			always("DeviceFileEvents\n| where Timestamp >= since"),
			when("device", "| where DeviceId == device"),
			when("hash", "| where {hash} == hash"),
			when("file_name", "| where FileName =~ file_name"),
			always(`
| where ActionType in ("FileCreated", "FileModified", "FileRenamed")
| project Timestamp, DeviceId, DeviceName, ActionType, FileName, FolderPath, PreviousFileName, SHA1, SHA256, FileOriginUrl, FileOriginReferrerUrl,
    FileOriginIP, RequestProtocol, RequestSourceIP, RequestAccountName, ShareName, InitiatingProcessFileName, InitiatingProcessFolderPath,
    InitiatingProcessSHA1, InitiatingProcessCommandLine, InitiatingProcessAccountDomain, InitiatingProcessAccountName`),
			last(),
		),
	}
}

// logons is who signed in where, and who failed to.
func logons() Query {
	return Query{
		Name: "logons", Summary: "sign-ins and failed sign-ins, with where they came from",
		Params: []Accepts{byDevice(false), byAccount(), byIP()},
		AnyOf:  []string{"device", "account", "ip"},
		Window: 7 * day, Rows: 2000,
		lines: slices.Concat(
			always("DeviceLogonEvents\n| where Timestamp >= since"),
			filters("", ""),
			when("ip", remoteIP),
			always(`
| project Timestamp, DeviceId, DeviceName, ActionType, FailureReason, LogonType, Protocol, AccountDomain, AccountName, AccountSid, IsLocalAdmin,
    RemoteIP, RemoteDeviceName`),
			last(),
		),
	}
}

// lateralMovement is how somebody may have come to a device from another one, or gone on from it.
func lateralMovement() Query {
	leg := func(table, prefix string) []line {
		return slices.Concat(always("    ("+table+"\n    | where Timestamp >= since"), filters("    ", prefix))
	}
	return Query{
		Name: "lateral_movement", Summary: "sign-ins from other devices, connections to their management ports, and tools of remote execution",
		Params: []Accepts{byDevice(false), byAccount(), byIP()},
		AnyOf:  []string{"device", "account", "ip"},
		Window: 7 * day, Rows: 1000,
		lines: slices.Concat(
			always("union"),
			leg("DeviceLogonEvents", ""),
			always(`
    | where ActionType == "LogonSuccess" and LogonType in~ ("Network", "RemoteInteractive", "CachedRemoteInteractive")
    | where isnotempty(RemoteDeviceName) or isnotempty(RemoteIP) and RemoteIP !in ("127.0.0.1", "::1", "-")
    | project Timestamp, DeviceId, DeviceName, Sign = strcat("logon ", LogonType), AccountDomain, AccountName, RemoteIP, Detail = RemoteDeviceName),`),
			leg("DeviceNetworkEvents", "InitiatingProcess"),
			always(`
    | where ActionType == "ConnectionSuccess" and RemotePort in (22, 135, 445, 3389, 5985, 5986)
    | summarize Timestamp = max(Timestamp), Connections = count() by DeviceId, DeviceName, RemoteIP, RemotePort, InitiatingProcessFileName,
        InitiatingProcessAccountDomain, InitiatingProcessAccountName
    | project Timestamp, DeviceId, DeviceName, Sign = strcat("connections to port ", tostring(RemotePort)), AccountDomain = InitiatingProcessAccountDomain,
        AccountName = InitiatingProcessAccountName, RemoteIP, Detail = strcat(tostring(Connections), " by ", InitiatingProcessFileName)),`),
			leg("DeviceProcessEvents", ""),
			always(`
    | where FileName in~ ("PsExec.exe", "PsExec64.exe", "PSEXESVC.exe", "PAExec.exe", "winrs.exe", "mstsc.exe")
        or FileName =~ "wmic.exe" and ProcessCommandLine contains "/node"
        or InitiatingProcessFileName in~ ("PSEXESVC.exe", "WmiPrvSE.exe", "wsmprovhost.exe", "winrshost.exe")
    | project Timestamp, DeviceId, DeviceName, Sign = strcat("process ", FileName), AccountDomain, AccountName, RemoteIP = "",
        Detail = strcat(InitiatingProcessFileName, " started ", ProcessCommandLine))`),
			when("ip", remoteIP),
			last(),
		),
	}
}
