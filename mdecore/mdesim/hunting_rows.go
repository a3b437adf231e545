package mdesim

import (
	"slices"

	"github.com/mde-ops/mde-ops/mdecore/mdesim/kql"
)

func processColumns() []kql.Column {
	return huntColumns(`Timestamp:datetime DeviceId DeviceName ActionType FileName FolderPath SHA1 SHA256 MD5 FileSize:long ProcessId:long
		ProcessCommandLine ProcessCreationTime:datetime AccountDomain AccountName AccountSid InitiatingProcessFileName
		InitiatingProcessFolderPath InitiatingProcessSHA1 InitiatingProcessSHA256 InitiatingProcessMD5 InitiatingProcessId:long
		InitiatingProcessCommandLine InitiatingProcessAccountDomain InitiatingProcessAccountName ReportId:long AdditionalFields`)
}

func (h *hunt) processEvents(d *device) [][]any {
	var out [][]any
	for i, p := range h.story(d) {
		sums, parent := h.sums(p.file), h.sums(p.parent)
		out = append(out, []any{
			p.at, d.ID, d.ComputerDNSName, "ProcessCreated", p.file.name, p.file.full(), sums.sha1, sums.sha256, sums.md5, sums.size(),
			p.pid, p.line, p.at, p.user.AccountDomain, p.user.AccountName, sidOf(p.user), p.parent.name, p.parent.full(), parent.sha1, parent.sha256,
			parent.md5, p.parentPID, p.parentLine, p.user.AccountDomain, p.user.AccountName, reportID(d, 100+i), "",
		})
	}
	return out
}

// initiatingColumns are the columns about the process that did something.
const initiatingColumns = ` InitiatingProcessFileName InitiatingProcessFolderPath InitiatingProcessSHA1 InitiatingProcessSHA256
	InitiatingProcessMD5 InitiatingProcessId:long InitiatingProcessCommandLine InitiatingProcessCreationTime:datetime
	InitiatingProcessAccountDomain InitiatingProcessAccountName ReportId:long`

func (h *hunt) initiating(p procEvent, d *device, i int) []any {
	sums := h.sums(p.file)
	return []any{
		p.file.name, p.file.full(), sums.sha1, sums.sha256, sums.md5, p.pid, p.line, p.at, p.user.AccountDomain, p.user.AccountName, reportID(d, i),
	}
}

func connectionColumns() []kql.Column {
	return huntColumns("Timestamp:datetime DeviceId DeviceName ActionType RemoteIP RemotePort:long RemoteUrl LocalIP LocalPort:long Protocol" + initiatingColumns)
}

func (h *hunt) networkEvents(d *device) [][]any {
	var out [][]any
	for _, p := range h.story(d) {
		for _, c := range p.connections {
			row := []any{c.at, d.ID, d.ComputerDNSName, "ConnectionSuccess", c.ip, c.port, c.url, string(d.LastIPAddress), 49152 + p.pid%16000, "Tcp"}
			out = append(out, append(row, h.initiating(p, d, 300+len(out))...))
		}
	}
	return out
}

func fileColumns() []kql.Column {
	return huntColumns(`Timestamp:datetime DeviceId DeviceName ActionType FileName FolderPath SHA1 SHA256 MD5 FileOriginUrl FileOriginReferrerUrl
		FileOriginIP PreviousFileName FileSize:long RequestProtocol RequestSourceIP RequestAccountName ShareName` + initiatingColumns)
}

func (h *hunt) fileEvents(d *device) [][]any {
	var out [][]any
	for _, p := range append(h.story(d), h.written(d)...) {
		for _, f := range p.files {
			action, protocol := "FileCreated", "Local"
			if f.previous != "" {
				action = "FileRenamed"
			}
			if f.origin.share != "" {
				protocol = "SMB"
			}
			file, from := executable{name: f.name, folder: f.folder}, f.origin
			sums := h.sums(file)
			row := []any{
				f.at, d.ID, d.ComputerDNSName, action, f.name, file.full(), sums.sha1, sums.sha256, sums.md5, from.url, from.referrer, from.ip,
				f.previous, sums.size(), protocol, from.sourceIP, from.account, from.share,
			}
			out = append(out, append(row, h.initiating(p, d, 600+len(out))...))
		}
	}
	return out
}

func alertInfoColumns() []kql.Column {
	return huntColumns("Timestamp:datetime AlertId Title Category Severity ServiceSource DetectionSource AttackTechniques")
}

const serviceName = "Microsoft Defender for Endpoint"

// sourceName is a detection source in the words of the hunting schema.
func sourceName(source string) string {
	switch source {
	case "WindowsDefenderAv":
		return "Antivirus"
	case "CustomerTI":
		return "Custom TI"
	}
	return "EDR"
}

func (h *hunt) alertInfo(a *Alert) [][]any {
	return [][]any{{
		a.AlertCreationTime, a.ID, a.Title, a.Category, a.Severity, serviceName, sourceName(a.DetectionSource), jsonText(a.MitreTechniques),
	}}
}

func alertEvidenceColumns() []kql.Column {
	return huntColumns(`Timestamp:datetime AlertId Title Categories AttackTechniques ServiceSource DetectionSource Severity EntityType
		EvidenceRole DeviceId DeviceName FileName FolderPath SHA1 SHA256 ProcessCommandLine RemoteIP RemoteUrl AccountName AccountDomain
		AccountUpn`)
}

// alertEvidence is the alert's device and its entities.
func (h *hunt) alertEvidence(a *Alert) [][]any {
	name := a.ComputerDNSName
	if d := h.device(a.MachineID); d != nil {
		name = d.ComputerDNSName
	}
	head := func(entity, role string) []any {
		return []any{
			a.AlertCreationTime, a.ID, a.Title, jsonText([]string{a.Category}), jsonText(a.MitreTechniques), serviceName, sourceName(a.DetectionSource),
			a.Severity, entity, role, a.MachineID, name,
		}
	}
	out := [][]any{append(head("Machine", "Impacted"), "", "", "", "", "", "", "", "", "", "")}
	for _, e := range a.Evidence {
		row := head(e.EntityType, "Related")
		for _, v := range []Nullable{e.FileName, e.FilePath, e.SHA1, e.SHA256, e.ProcessCommandLine, e.IPAddress, e.URL, e.AccountName, e.DomainName, e.UserPrincipalName} {
			row = append(row, string(v))
		}
		out = append(out, slices.Clip(row))
	}
	return out
}
