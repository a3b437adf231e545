package mdesim

// Vectors that several CVEs share.
const (
	vectorRemote     = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
	vectorRemoteHard = "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:H"
	vectorLure       = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H"
	vectorFile       = "CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H"
	vectorElevate    = "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"
	vectorDisclose   = "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:N/A:N"
)

// cve is a row of the table below; its severity follows from its score.
func cve(id string, score float64, published, exploit string, epss float64, vector, summary string, types ...string) *weakness {
	w := &weakness{
		id: id, summary: summary, score: score, vector: vector, published: published,
		exploit: exploit, epss: epss, exploitTypes: types, severity: "Low",
	}
	switch {
	case score >= 9:
		w.severity = "Critical"
	case score >= 7:
		w.severity = "High"
	case score >= 4:
		w.severity = "Medium"
	}
	return w
}

// The values of exploitTypes that the documentation names.
const (
	typeElevation = "Local privilege escalation"
	typeDenial    = "Denial of service"
	typeLocal     = "Local"
)

// knownCVEs are the CVEs of the catalogue.
func knownCVEs() []*weakness { return append(windowsCVEs(), applicationCVEs()...) }

func windowsCVEs() []*weakness {
	return []*weakness{
		cve("CVE-2022-30190", 7.8, "2022-06-01", "kit", 0.93, vectorFile, "The Windows support diagnostic tool runs code when it is called from a document.", typeLocal),
		cve("CVE-2024-43451", 6.5, "2024-11-12", "verified", 0.9, vectorDisclose, "Windows gives an NTLMv2 hash away when a file is touched."),
		cve("CVE-2024-43573", 6.5, "2024-10-08", "public", 0.4, vectorDisclose, "The MSHTML platform of Windows shows a page under a false name."),
		cve("CVE-2024-43639", 9.8, "2024-11-12", "", 0.05, vectorRemote, "The Windows KDC proxy lets an unauthenticated caller run code."),
		cve("CVE-2024-49039", 8.8, "2024-11-12", "verified", 0.3, vectorElevate, "The Windows task scheduler lets a contained program raise its rights.", typeElevation),
		cve("CVE-2024-49112", 9.8, "2024-12-10", "", 0.7, vectorRemote, "The LDAP service of Windows lets an unauthenticated caller run code."),
		cve("CVE-2024-49138", 7.8, "2024-12-10", "kit", 0.6, vectorElevate, "The common log file system driver of Windows lets a program become SYSTEM.", typeElevation, typeLocal),
		cve("CVE-2025-21298", 9.8, "2025-01-14", "public", 0.6, vectorRemote, "Windows OLE runs code when a prepared message is shown."),
		cve("CVE-2025-21311", 9.8, "2025-01-14", "", 0.03, vectorRemote, "NTLMv1 of Windows lets a remote caller raise its rights."),
		cve("CVE-2025-21333", 7.8, "2025-01-14", "verified", 0.5, vectorElevate, "A Hyper-V driver of Windows lets a program become SYSTEM.", typeElevation),
	}
}

func applicationCVEs() []*weakness {
	return []*weakness{
		cve("CVE-2021-44228", 10, "2021-12-10", "kit", 0.97, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", "Log4j looks up names in logged text and runs code that it fetches."),
		cve("CVE-2021-44832", 6.6, "2021-12-28", "", 0.02, vectorRemoteHard, "Log4j runs code for whoever can change its configuration."),
		cve("CVE-2021-45046", 9, "2021-12-14", "public", 0.94, vectorRemoteHard, "The first fix of the lookup flaw of Log4j is incomplete.", typeDenial),
		cve("CVE-2023-32784", 7.5, "2023-05-15", "public", 0.2, vectorDisclose, "KeePass leaves its master password readable in memory.", typeLocal),
		cve("CVE-2023-38831", 7.8, "2023-08-23", "kit", 0.94, vectorFile, "WinRAR runs a program when a harmless looking file of an archive is opened."),
		cve("CVE-2023-40031", 7.8, "2023-08-25", "public", 0.01, vectorFile, "Notepad++ writes past a buffer when it converts a prepared file."),
		cve("CVE-2024-1086", 7.8, "2024-01-31", "verified", 0.85, vectorElevate, "The netfilter part of the Linux kernel frees memory twice, and a program can become root.", typeElevation, typeLocal),
		cve("CVE-2024-6119", 7.5, "2024-09-03", "", 0.02, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "OpenSSL reads a wrong address when it compares names of certificates.", typeDenial),
		cve("CVE-2024-6387", 8.1, "2024-07-01", "public", 0.6, vectorRemoteHard, "A race in the signal handler of the OpenSSH server lets a remote caller run code as root."),
		cve("CVE-2024-7971", 8.8, "2024-08-21", "verified", 0.3, vectorLure, "The V8 engine confuses types, and a prepared page can corrupt memory."),
		cve("CVE-2024-9680", 9.8, "2024-10-09", "verified", 0.4, vectorRemote, "Firefox uses freed memory in animation timelines, and a prepared page can run code."),
		cve("CVE-2024-9954", 8.8, "2024-10-15", "", 0.01, vectorLure, "The AI part of Chromium uses freed memory."),
		cve("CVE-2024-11477", 7.8, "2024-11-22", "", 0.05, vectorFile, "7-Zip computes a wrong length while it unpacks Zstandard data."),
		cve("CVE-2024-11691", 8.8, "2024-11-26", "", 0.01, vectorLure, "WebGL of Firefox corrupts memory on some graphics chips."),
		cve("CVE-2024-11699", 8.8, "2024-11-26", "", 0.01, vectorLure, "Memory safety faults of Firefox, some of which may run code."),
		cve("CVE-2024-12692", 8.8, "2024-12-18", "", 0.01, vectorLure, "The V8 engine confuses types."),
		cve("CVE-2024-12694", 8.8, "2024-12-18", "", 0.01, vectorLure, "Compositing of Chromium uses freed memory."),
		cve("CVE-2024-21147", 7.4, "2024-07-16", "", 0.01, "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:N", "The Hotspot part of Java lets a remote caller read and change data."),
		cve("CVE-2024-24691", 9.6, "2024-02-13", "", 0.02, "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:H/I:H/A:H", "Zoom for Windows checks input badly, and a caller can raise its rights.", typeElevation),
		cve("CVE-2024-31497", 5.9, "2024-04-15", "public", 0.02, "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:N/A:N", "PuTTY's nonces are biased, and an ECDSA key can be computed from signatures."),
		cve("CVE-2024-32002", 9, "2024-05-14", "public", 0.7, "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:C/C:H/I:H/A:H", "Git runs a hook of a prepared repository while it is cloned."),
		cve("CVE-2024-38475", 9.1, "2024-07-01", "public", 0.93, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:N", "Rewrite rules of the Apache HTTP Server map addresses to files that are not meant to be served."),
		cve("CVE-2024-41869", 7.8, "2024-09-10", "public", 0.03, vectorFile, "Acrobat Reader uses freed memory when a prepared file is opened."),
		cve("CVE-2024-44308", 8.8, "2024-11-19", "verified", 0.05, vectorLure, "JavaScriptCore runs code of a prepared page."),
		cve("CVE-2024-44309", 6.1, "2024-11-19", "verified", 0.03, "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "WebKit mixes up the cookies of sites."),
		cve("CVE-2024-46461", 8, "2024-09-25", "", 0.01, vectorFile, "VLC writes past a buffer when it opens a prepared stream.", typeDenial),
		cve("CVE-2024-49030", 7.8, "2024-11-12", "", 0.02, vectorFile, "Excel runs code of a prepared workbook."),
		cve("CVE-2024-49530", 7.8, "2024-12-10", "", 0.01, vectorFile, "Acrobat Reader uses freed memory when a prepared file is opened."),
		cve("CVE-2024-50264", 7.8, "2024-11-19", "public", 0.01, vectorElevate, "Virtual sockets of the Linux kernel leave a stale pointer.", typeElevation),
		cve("CVE-2024-5535", 9.1, "2024-06-27", "", 0.05, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:H", "OpenSSL reads past a buffer when it chooses a protocol."),
		cve("CVE-2025-0411", 7, "2025-01-25", "verified", 0.5, "CVSS:3.1/AV:L/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:H", "7-Zip drops the mark of the web from files that it unpacks."),
		cve("CVE-2025-21362", 7.8, "2025-01-14", "", 0.02, vectorFile, "Excel runs code of a prepared workbook.", typeLocal),
		cve("CVE-2025-22230", 7.8, "2025-03-25", "", 0.001, vectorElevate, "VMware Tools for Windows lets a guest user pass its access control.", typeElevation),
	}
}
