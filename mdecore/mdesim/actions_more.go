package mdesim

import (
	"net/http"
	"strings"
	"time"
)

// runScan starts an antivirus scan (documentation: run-av-scan.md). A quick one
// takes twice, a full one ten times as long as other actions.
func runScan(c *call) response {
	d, body, failed := c.target("ScanType")
	if failed != nil {
		return *failed
	}
	if bad := required(body, "ScanType"); bad != nil {
		return c.bad(bad)
	}
	long := map[string]time.Duration{"Quick": 2, "Full": 10}[body["ScanType"]]
	if long == 0 {
		return c.bad(&fault400{"InvalidInput", "'" + body["ScanType"] + "' is not a scan type: use Quick or Full"})
	}
	if bad := d.needs("An antivirus scan", d.windowsClient("1709") || d.linux() || d.OSPlatform == "macOS"); bad != nil {
		return c.bad(bad)
	}
	return c.start(d, order{kind: TypeScan, scope: body["ScanType"], comment: body["Comment"], running: long * c.t.ActionRunning})
}

// quarantineFile stops a file and quarantines it (documentation:
// stop-and-quarantine-file.md).
func quarantineFile(c *call) response {
	d, body, failed := c.target("Sha1")
	if failed != nil {
		return *failed
	}
	if bad := required(body, "Sha1"); bad != nil {
		return c.bad(bad)
	}
	sum := strings.ToLower(body["Sha1"])
	if !isHash(sum, 40) {
		return c.bad(&fault400{"InvalidHashValue", "'" + body["Sha1"] + "' is not a SHA-1"})
	}
	if bad := d.needs("Stop and quarantine", d.windowsClient("1703")); bad != nil {
		return c.bad(bad)
	}
	return c.start(d, order{kind: TypeQuarantine, comment: body["Comment"], file: &RelatedFile{sum, "Sha1"}})
}

// Quarantined reports whether a file, named by its SHA-1, was stopped and
// quarantined on a device.
func (t *Tenant) Quarantined(machineID, sha1 string) bool {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for _, a := range t.byMachine[machineID] {
		if a.file != nil && strings.EqualFold(a.file.FileIdentifier, sha1) && t.at(a, now).Status == StatusSucceeded {
			return true
		}
	}
	return false
}

// collectPackage starts to collect an investigation package (documentation:
// collect-investigation-package.md). It takes three times as long as other
// actions.
func collectPackage(c *call) response {
	d, body, failed := c.target()
	if failed != nil {
		return *failed
	}
	if bad := d.notManaged(); bad != nil {
		return c.bad(bad)
	}
	return c.start(d, order{kind: TypeCollectPackage, comment: body["Comment"], running: 3 * c.t.ActionRunning})
}

// offboardMachine offboards a device (documentation: offboard-machine-api.md,
// which answers 200 where the other actions answer 201). When it has succeeded
// the device is one that can be onboarded and reports nothing any more.
func offboardMachine(c *call) response {
	d, body, failed := c.target()
	if failed != nil {
		return *failed
	}
	if bad := d.needs("Offboarding", d.windowsClient("1703") || d.windowsServer(2012)); bad != nil {
		return c.bad(bad)
	}
	return c.start(d, order{kind: TypeOffboard, comment: body["Comment"], status: http.StatusOK, done: func(d *device) {
		d.OnboardingStatus, d.HealthStatus, d.offline = "CanBeOnboarded", "Inactive", true
	}})
}
