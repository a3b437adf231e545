package mdesim

// Versions, updates and what they fix follow the vendors' published releases, cut
// down to a few per product.

// monthly is a branch of Windows with four monthly updates, of which the first
// is the oldest that any device has.
func monthly(branch string, versions, kbs [4]string) []release {
	names := [...]string{"October 2024 Security Updates", "November 2024 Security Updates", "December 2024 Security Updates", "January 2025 Security Updates"}
	fixes := [...]string{
		"", "CVE-2024-43451 CVE-2024-43639 CVE-2024-49039", "CVE-2024-49112 CVE-2024-49138", "CVE-2025-21298 CVE-2025-21311 CVE-2025-21333",
	}
	out := make([]release, 0, len(versions))
	for i := range versions {
		out = append(out, release{branch: branch, version: versions[i], kb: kbs[i], kbName: names[i], fixes: fixes[i]})
	}
	return out
}

// build1607 and build1809 are shared by a client and a server of the same build.
func build1607(branch string) []release {
	return monthly(branch, [4]string{"10.0.14393.7428", "10.0.14393.7515", "10.0.14393.7606", "10.0.14393.7699"},
		[4]string{"5044293", "5046612", "5048671", "5049993"})
}

func build1809(branch string) []release {
	return monthly(branch, [4]string{"10.0.17763.6414", "10.0.17763.6532", "10.0.17763.6659", "10.0.17763.6775"},
		[4]string{"5044277", "5046615", "5048661", "5050008"})
}

// windowsProducts are the versions of Windows.
func windowsProducts() []*product {
	windows := func(name, title, on string, releases ...release) *product {
		return &product{vendor: "microsoft", name: name, title: title, on: on, share: 100, category: "OS", releases: releases}
	}
	win10 := append(build1607("1607"), release{branch: "1703", version: "10.0.15063.2679"})
	win10 = append(win10, build1809("1809")...)
	win10 = append(win10, monthly("22H2", [4]string{"10.0.19045.5011", "10.0.19045.5131", "10.0.19045.5247", "10.0.19045.5371"},
		[4]string{"5044273", "5046613", "5048652", "5049981"})...)
	old := windows("windows_7", "Windows 7", "Windows7", release{version: "6.1.7601.24545"})
	old.endOfSupport, old.unfixed = "2020-01-14", "CVE-2022-30190"
	return []*product{
		windows("windows_11", "Windows 11", "Windows11", monthly("", [4]string{"10.0.22631.4317", "10.0.22631.4460", "10.0.22631.4602", "10.0.22631.4751"},
			[4]string{"5044285", "5046633", "5048685", "5050021"})...),
		windows("windows_10", "Windows 10", "Windows10", win10...),
		windows("windows_server_2022", "Windows Server 2022", "WindowsServer2022", monthly("",
			[4]string{"10.0.20348.2762", "10.0.20348.2849", "10.0.20348.2966", "10.0.20348.3091"},
			[4]string{"5044281", "5046616", "5048654", "5049983"})...),
		windows("windows_server_2019", "Windows Server 2019", "WindowsServer2019", build1809("")...),
		windows("windows_server_2016", "Windows Server 2016", "WindowsServer2016", build1607("")...),
		windows("windows_server_2012_r2", "Windows Server 2012 R2", "WindowsServer2012R2",
			release{version: "6.3.9600.22221", kb: "5044343", kbName: "October 2024 Security Updates"},
			release{version: "6.3.9600.22267", kb: "5046682", kbName: "November 2024 Security Updates", fixes: "CVE-2024-43451 CVE-2024-43639"}),
		old,
		{
			vendor: "microsoft", name: "internet_explorer", title: "Internet Explorer", on: "WindowsServer2016 WindowsServer2019", share: 100,
			file: "iexplore.exe", category: "Application", internet: true, endOfSupport: "2022-06-15", releases: []release{
				{version: "11.0.14393.7515", kb: "5046612", kbName: "November 2024 Security Updates"},
				{version: "11.0.14393.7606", kb: "5048671", kbName: "December 2024 Security Updates", fixes: "CVE-2024-43573"},
			},
		},
	}
}

// application is a product without branches.
func application(vendor, name, title, on string, share int, file string, releases ...release) *product {
	return &product{vendor: vendor, name: name, title: title, on: on, share: share, file: file, category: "Application", releases: releases}
}

// online marks a product that handles content from the internet.
func (p *product) online() *product {
	p.internet = true
	return p
}

// to is a release that fixes CVEs.
func to(version, fixes string) release { return release{version: version, fixes: fixes} }

// windowsApplications are applications for Windows, some for others as well.
func windowsApplications() []*product {
	return []*product{
		application("microsoft", "edge_chromium-based", "Microsoft Edge Chromium-based", "client server", 95, "msedge.exe",
			to("127.0.2651.74", ""), to("128.0.2739.42", "CVE-2024-7971"), to("130.0.2849.46", "CVE-2024-9954"),
			to("131.0.2903.112", "CVE-2024-12692 CVE-2024-12694")).online(),
		application("google", "chrome", "Google Chrome", "client macOS", 70, "chrome.exe",
			to("127.0.6533.72", ""), to("128.0.6613.84", "CVE-2024-7971"), to("130.0.6723.58", "CVE-2024-9954"),
			to("131.0.6778.204", "CVE-2024-12692 CVE-2024-12694")).online(),
		application("mozilla", "firefox", "Mozilla Firefox", "client linux macOS", 25, "firefox.exe",
			to("130.0", ""), to("131.0.2", "CVE-2024-9680"), to("133.0", "CVE-2024-11691 CVE-2024-11699")).online(),
		application("microsoft", "office", "Microsoft Office", "client", 85, "winword.exe",
			to("16.0.17928.20216", ""), to("16.0.18129.20158", "CVE-2024-49030"), to("16.0.18324.20194", "CVE-2025-21362")),
		application("microsoft", "teams", "Microsoft Teams", "client macOS", 80, "ms-teams.exe", to("24231.512.3106.6573", ""), to("24295.605.3225.8804", "")),
		application("microsoft", "onedrive", "Microsoft OneDrive", "client", 80, "onedrive.exe", to("24.171.825.3", ""), to("24.201.1006.5", "")),
		application("microsoft", ".net_framework", "Microsoft .NET Framework", "client server", 100, "", to("4.8.9256.0", "")),
		application("microsoft", "powershell", "PowerShell", "server", 30, "pwsh.exe", to("7.4.4", ""), to("7.4.6", "")),
		application("microsoft", "visual_studio_code", "Visual Studio Code", "Windows11 macOS", 20, "code.exe", to("1.94.2", ""), to("1.95.3", "")),
		application("adobe", "acrobat_reader_dc", "Adobe Acrobat Reader DC", "client", 60, "acrord32.exe",
			to("24.002.20933", ""), to("24.003.20112", "CVE-2024-41869"), to("24.005.20307", "CVE-2024-49530")),
		application("7-zip", "7-zip", "7-Zip", "client server", 45, "7zfm.exe", to("23.01", ""), to("24.07", "CVE-2024-11477"), to("24.09", "CVE-2025-0411")),
		application("rarlab", "winrar", "WinRAR", "client", 15, "winrar.exe", to("6.22", ""), to("6.23", "CVE-2023-38831"), to("7.01", "")),
		application("notepad-plus-plus", "notepad++", "Notepad++", "client server", 30, "notepad++.exe",
			to("8.5.6", ""), to("8.5.7", "CVE-2023-40031"), to("8.7.1", "")),
		application("videolan", "vlc_media_player", "VLC media player", "client", 20, "vlc.exe", to("3.0.20", ""), to("3.0.21", "CVE-2024-46461")),
		application("putty", "putty", "PuTTY", "client server", 20, "putty.exe", to("0.80", ""), to("0.81", "CVE-2024-31497")),
		application("winscp", "winscp", "WinSCP", "client server", 12, "winscp.exe", to("6.3.2", ""), to("6.3.3", "CVE-2024-31497")),
		application("zoom", "workplace", "Zoom Workplace", "client macOS", 35, "zoom.exe", to("5.16.2", ""), to("5.16.5", "CVE-2024-24691"), to("6.2.5", "")).online(),
		application("git-scm", "git", "Git", "client server linux", 15, "git.exe", to("2.43.0", ""), to("2.45.1", "CVE-2024-32002")),
		application("oracle", "jre", "Oracle JRE", "client server", 20, "java.exe", to("8.0.4110", ""), to("8.0.4210", "CVE-2024-21147")),
		application("keepass", "keepass", "KeePass", "client", 12, "keepass.exe", to("2.53.1", ""), to("2.54", "CVE-2023-32784")),
		application("vmware", "tools", "VMware Tools", "server", 60, "vmtoolsd.exe", to("12.4.0", ""), to("12.5.1", "CVE-2025-22230")),
		application("apache", "log4j", "Apache Log4j", "server linux", 18, "",
			to("2.14.1", ""), to("2.15.0", "CVE-2021-44228"), to("2.16.0", "CVE-2021-45046"), to("2.17.1", "CVE-2021-44832")).online(),
	}
}

// otherProducts are for systems other than Windows.
func otherProducts() []*product {
	system := func(vendor, name, title, on string, releases ...release) *product {
		return &product{vendor: vendor, name: name, title: title, on: on, share: 100, category: "OS", releases: releases}
	}
	const apple = "CVE-2024-44308 CVE-2024-44309"
	return []*product{
		system("canonical", "ubuntu_linux", "Ubuntu", "Ubuntu", to("24.04", ""), to("24.04.1", "")),
		system("redhat", "enterprise_linux", "Red Hat Enterprise Linux", "RedHatEnterpriseLinux", to("9.4", "")),
		system("debian", "debian_linux", "Debian", "Debian", to("12.0", ""), to("12.8", "")),
		system("apple", "macos", "macOS", "macOS",
			release{branch: "14.6", version: "14.6"}, release{branch: "14.6", version: "14.7.1", fixes: apple},
			release{branch: "15.1", version: "15.1"}, release{branch: "15.1", version: "15.1.1", fixes: apple}),
		system("apple", "iphone_os", "iOS", "iOS", to("18.1", ""), to("18.1.1", apple)),
		system("google", "android", "Android", "Android", to("15", "")),
		application("linux", "linux_kernel", "Linux kernel", "linux", 100, "", to("6.6.14", ""), to("6.6.15", "CVE-2024-1086"), to("6.6.60", "CVE-2024-50264")),
		application("apple", "safari", "Safari", "macOS", 100, "safari", to("18.1", ""), to("18.1.1", apple)).online(),
		application("openssl", "openssl", "OpenSSL", "linux", 100, "openssl", to("3.0.13", ""), to("3.0.15", "CVE-2024-5535 CVE-2024-6119")),
		application("openbsd", "openssh", "OpenSSH", "linux", 95, "sshd", to("9.6", ""), to("9.8", "CVE-2024-6387")).online(),
		application("apache", "http_server", "Apache HTTP Server", "linux", 35, "httpd", to("2.4.59", ""), to("2.4.60", "CVE-2024-38475")).online(),
		application("sudo_project", "sudo", "sudo", "linux", 100, "sudo", to("1.9.15", "")),
	}
}
