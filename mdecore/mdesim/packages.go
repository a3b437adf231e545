package mdesim

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// packageLife is how long a link to a package is good; the page says only that it
// is short.
const packageLife = 10 * time.Minute

func packageRoutes() []route {
	return []route{
		on(http.MethodGet, "get_investigation_package_uri", "/api/machineactions/{action_id}/getPackageUri", "get-package-sas-uri.md",
			anyOf("Machine.ReadWrite.All Machine.CollectForensics", "Machine.CollectForensics"), packageURI).limited(2, 120),
	}
}

// packageURI links to a collected package (documentation: get-package-sas-uri.md).
// The link is wrapped in quotes of its own, as in the page's sample.
func packageURI(c *call) response {
	t := c.t
	t.mu.Lock()
	a, ok := t.action(c.id)
	var view MachineAction
	if ok {
		view = t.at(a, t.now())
	}
	t.mu.Unlock()
	switch {
	case !ok:
		return c.noAction()
	case view.Type != TypeCollectPackage || view.Status != StatusSucceeded:
		return t.problem(http.StatusNotFound, "ResourceNotFound", "There is no package of machine action "+view.ID+" ("+view.Type+", "+view.Status+")")
	}
	d, ok := t.byID(view.MachineID)
	if !ok {
		return c.noMachine()
	}
	m := d.copy()
	link := c.link(blob{
		name: "safedownload/" + view.ID + "/WDATP_Investigation_Package.zip", contentType: "application/zip", modified: view.LastUpdate,
		open: func() io.ReadSeeker { return bytes.NewReader(packageOf(m, view)) },
	}, packageLife)
	quoted, err := json.Marshal(link)
	if err != nil {
		panic("mdesim: " + err.Error()) // a string always encodes
	}
	// The page's sample writes & as it is.
	value := strings.ReplaceAll(string(quoted), `\u0026`, "&")
	return t.ok(http.StatusOK, map[string]string{"@odata.context": c.metadata("Edm.String"), "value": value})
}

// packageOf makes the zip file. It is the same each time, because a download that
// was cut goes on with a new answer.
func packageOf(m Machine, a MachineAction) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, entry := range packageEntries(m, a) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: entry.path, Method: zip.Deflate, Modified: a.LastUpdate})
		if err == nil {
			_, err = w.Write(entry.content)
		}
		if err != nil {
			panic("mdesim: " + err.Error()) // a buffer takes everything
		}
	}
	if err := z.Close(); err != nil {
		panic("mdesim: " + err.Error())
	}
	return out.Bytes()
}

// packageEntries are the folders that a real package has, filled from the device.
func packageEntries(m Machine, a MachineAction) []deviceFile {
	var network, connections strings.Builder
	network.WriteString("Interface,Address,MAC,Status\n")
	connections.WriteString("Proto,Local,Foreign,State\n")
	for i, ip := range m.IPAddresses {
		fmt.Fprintf(&network, "%d,%s,%s,%s\n", i+1, ip.IPAddress, ip.MACAddress, ip.OperationalStatus)
		fmt.Fprintf(&connections, "TCP,%s:%d,203.0.113.%d:443,ESTABLISHED\n", ip.IPAddress, 49152+hash64(m.ID+ip.IPAddress)%1000, 1+hash64(ip.IPAddress)%250)
	}
	build := "unknown"
	if m.OSBuild != nil {
		build = fmt.Sprint(*m.OSBuild)
	}
	text := func(path, content string) deviceFile { return deviceFile{path, []byte(content)} }
	return []deviceFile{
		text("Forensics Collection Summary.txt", "simulated package of "+m.ComputerDNSName+"\naction "+a.ID+"\ncollected "+a.LastUpdate.Format(time.RFC3339)+"\n"),
		text("System Information/SystemInformation.txt", fmt.Sprintf("Host Name: %s\nOS: %s %s\nBuild: %s\nProcessor: %s\n", m.ComputerDNSName, m.OSPlatform, m.Version, build, m.OSProcessor)),
		text("Network Connections/Interfaces.csv", network.String()),
		text("Network Connections/ActiveNetConnections.txt", connections.String()),
		text("Processes/Processes.csv", "PID,Name,Path\n4,System,\n812,svchost.exe,C:\\Windows\\System32\\svchost.exe\n3120,MsSense.exe,C:\\Program Files\\Windows Defender Advanced Threat Protection\\MsSense.exe\n"),
		text("Services/Services.csv", "Name,State\nSense,Running\nWinDefend,Running\n"),
		text("Autoruns/Autoruns.csv", "Key,Value\nHKLM\\Software\\Microsoft\\Windows\\CurrentVersion\\Run,SecurityHealthSystray.exe\n"),
		text("Scheduled Tasks/Tasks.csv", "Name,State\n\\Microsoft\\Windows\\Defrag\\ScheduledDefrag,Ready\n"),
	}
}
