package mdesim

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// PutDeviceFile puts a file on a device, where a live response can collect it.
func (t *Tenant) PutDeviceFile(machineID, path string, content []byte) {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.storage.files == nil {
		t.storage.files = map[string][]deviceFile{}
	}
	t.storage.files[machineID] = append(t.storage.files[machineID], deviceFile{path, bytes.Clone(content)})
}

// deviceFiles are all files of a device, later ones before earlier ones of the
// same path: seeded, put there, and written by sessions; the caller holds t.mu.
func (t *Tenant) deviceFiles(d *device, now time.Time) []deviceFile {
	files := append(seededFiles(d), t.storage.files[d.ID]...)
	for _, s := range t.storage.sessions[d.ID] {
		for i, status := range s.statuses(t, now) {
			if status.CommandStatus == commandCompleted {
				files = append(files, s.outcomes[i].writes...)
			}
		}
	}
	return files
}

// findFile returns the content that a path has last. Windows does not tell upper
// from lower case.
func findFile(d *device, files []deviceFile, path string) ([]byte, bool) {
	for i := len(files) - 1; i >= 0; i-- {
		if files[i].path == path || d.runsWindows() && strings.EqualFold(files[i].path, path) {
			return files[i].content, true
		}
	}
	return nil, false
}

// workFolder is where PutFile puts a file.
func (d *device) workFolder() string {
	if d.runsWindows() {
		return `C:\ProgramData\Microsoft\Windows Defender Advanced Threat Protection\Downloads\`
	}
	return "/opt/microsoft/mdatp/downloads/"
}

// seededFiles are on every device.
func seededFiles(d *device) []deviceFile {
	label, _, _ := strings.Cut(d.ComputerDNSName, ".")
	hosts := "127.0.0.1 localhost\n" + string(d.LastIPAddress) + " " + d.ComputerDNSName + " " + label + "\n"
	about, err := json.MarshalIndent(d.Machine, "", "  ")
	if err != nil {
		panic("mdesim: " + err.Error()) // a Machine always encodes
	}
	if d.runsWindows() {
		return []deviceFile{
			{`C:\Windows\System32\drivers\etc\hosts`, []byte(hosts)},
			{`C:\ProgramData\mdesim\device.json`, about},
		}
	}
	return []deviceFile{{"/etc/hosts", []byte(hosts)}, {"/etc/hostname", []byte(label + "\n")}, {"/var/lib/mdesim/device.json", about}}
}
