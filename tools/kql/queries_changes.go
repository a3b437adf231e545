package kql

import "slices"

// changeLeg begins a part of the queries about changes to a device.
func changeLeg(table string) []line {
	return slices.Concat(always("    ("+table+"\n    | where Timestamp >= since"), when("device", "    | where DeviceId == device"))
}

// changed ends such a part with the columns that all have in common.
func changed(sign, object, detail string) []line {
	return always("    | project Timestamp, DeviceId, DeviceName, Sign = " + sign + ", Object = " + object + ", Detail = " + detail + `,
        InitiatingProcessFileName, InitiatingProcessCommandLine, InitiatingProcessAccountDomain, InitiatingProcessAccountName)`)
}

// and goes on to the next part of a union.
func and(lines []line) []line {
	lines[len(lines)-1].text += ","
	return lines
}

// persistence is what starts again by itself: run keys, services, tasks, subscriptions, accounts, start-up files.
func persistence() Query {
	return Query{
		Name: "persistence", Summary: "what was set to start again by itself on a device: run keys, services, tasks, WMI, start-up files, new accounts",
		Params: []Accepts{byDevice(true)},
		Window: 7 * day, Rows: 1000,
		lines: slices.Concat(
			always("union"),
			changeLeg("DeviceRegistryEvents"),
			always(`
    | where ActionType in ("RegistryKeyCreated", "RegistryValueSet")
    | where RegistryKey contains @"\CurrentVersion\Run" or RegistryKey contains @"\Policies\Explorer\Run"
        or RegistryKey contains @"\Active Setup\Installed Components" or RegistryKey contains @"\Schedule\TaskCache\Tree"
        or RegistryKey contains @"\Image File Execution Options" and RegistryValueName in~ ("Debugger", "GlobalFlag")
        or RegistryKey endswith @"\CurrentVersion\Winlogon" and RegistryValueName in~ ("Shell", "Userinit")
        or RegistryKey endswith @"\CurrentVersion\Windows" and RegistryValueName in~ ("AppInit_DLLs", "Load")
        or RegistryKey contains @"\Services\" and RegistryValueName in~ ("ImagePath", "ServiceDll")`),
			and(changed(`"registry"`, "RegistryKey", `strcat(RegistryValueName, " = ", RegistryValueData)`)),
			changeLeg("DeviceEvents"),
			always(`
    | where ActionType in ("ScheduledTaskCreated", "ScheduledTaskUpdated", "ServiceInstalled", "WmiBindEventFilterToConsumer", "UserAccountCreated",
        "UserAccountAddedToLocalGroup")`),
			and(changed("ActionType", `strcat(FolderPath, AccountName)`, "tostring(AdditionalFields)")),
			changeLeg("DeviceFileEvents"),
			always(`
    | where ActionType in ("FileCreated", "FileModified", "FileRenamed")
    | where FolderPath contains @"\Start Menu\Programs\Startup" or FolderPath startswith "/etc/cron" or FolderPath startswith "/var/spool/cron"
        or FolderPath startswith "/etc/systemd/system" or FolderPath contains "/LaunchAgents/" or FolderPath contains "/LaunchDaemons/"
        or FolderPath contains "/.config/autostart/" or FolderPath startswith "/etc/profile.d" or FileName =~ "authorized_keys"`),
			and(changed(`"file"`, "FolderPath", "SHA1")),
			changeLeg("DeviceProcessEvents"),
			always(`
    | where FileName in~ ("schtasks.exe", "at.exe") and ProcessCommandLine has "create"
        or FileName =~ "sc.exe" and ProcessCommandLine has_any ("create", "config")
        or FileName in~ ("net.exe", "net1.exe") and ProcessCommandLine has "add" and ProcessCommandLine has_any ("user", "localgroup")
        or FileName in~ ("crontab", "systemctl", "launchctl") and ProcessCommandLine has_any ("crontab", "enable", "load", "bootstrap")`),
			changed(`"process"`, "FileName", "ProcessCommandLine"),
			last(),
		),
	}
}

// tampering is what weakens protection, logs and recovery.
func tampering() Query {
	return Query{
		Name: "tampering", Summary: "attempts to weaken protection, logs or recovery: tamper protection events, Defender's settings, commands that stop or clear",
		Params: []Accepts{byDevice(false)},
		Window: 7 * day, Rows: 1000,
		lines: slices.Concat(
			always("union"),
			changeLeg("DeviceEvents"),
			always(`
    | where ActionType in ("TamperingAttempt", "SecurityLogCleared", "AuditPolicyModification", "FirewallServiceStopped")`),
			and(changed("ActionType", "RegistryKey", "tostring(AdditionalFields)")),
			changeLeg("DeviceRegistryEvents"),
			always(`
    | where ActionType in ("RegistryValueSet", "RegistryValueDeleted", "RegistryKeyDeleted")
    | where RegistryKey contains @"\Windows Defender" and (RegistryValueName startswith "Disable" or RegistryValueName in~ ("TamperProtection", "SpynetReporting"))
        or RegistryKey contains @"\Windows Defender\Exclusions"
        or RegistryKey contains @"\Services\" and RegistryValueName =~ "Start"
            and RegistryKey has_any ("WinDefend", "Sense", "WdFilter", "WdBoot", "WdNisSvc", "MDCoreSvc", "EventLog")`),
			and(changed(`"registry"`, "RegistryKey", `strcat(RegistryValueName, " = ", RegistryValueData)`)),
			changeLeg("DeviceProcessEvents"),
			always(`
    | where ProcessCommandLine has_any ("Set-MpPreference", "Add-MpPreference", "Remove-MpPreference") and ProcessCommandLine has_any ("true", "1", "ExclusionPath",
            "ExclusionProcess", "ExclusionExtension", "Disabled", "DisableRealtimeMonitoring")
        or FileName in~ ("sc.exe", "net.exe", "net1.exe", "taskkill.exe", "systemctl", "launchctl") and ProcessCommandLine has_any ("WinDefend", "Sense",
            "WdFilter", "WdBoot", "WdNisSvc", "MsSense", "MsMpEng", "mdatp", "wdav", "EventLog")
            and ProcessCommandLine has_any ("stop", "delete", "config", "disable", "unload", "bootout", "taskkill", "im")
        or FileName =~ "fltmc.exe" and ProcessCommandLine has "unload"
        or FileName =~ "MpCmdRun.exe" and ProcessCommandLine has "RemoveDefinitions"
        or FileName =~ "wevtutil.exe" and ProcessCommandLine has_any ("cl", "clear-log")
        or FileName =~ "auditpol.exe" and ProcessCommandLine has_any ("clear", "disable", "remove")
        or FileName =~ "netsh.exe" and ProcessCommandLine has "advfirewall" and ProcessCommandLine has "off"
        or FileName =~ "vssadmin.exe" and ProcessCommandLine has_any ("delete", "resize")
        or FileName =~ "wmic.exe" and ProcessCommandLine has "shadowcopy" and ProcessCommandLine has "delete"
        or FileName =~ "bcdedit.exe" and ProcessCommandLine has_any ("recoveryenabled", "ignoreallfailures")
        or FileName =~ "wbadmin.exe" and ProcessCommandLine has "delete"`),
			changed(`"process"`, "FileName", "ProcessCommandLine"),
			last(),
		),
	}
}
