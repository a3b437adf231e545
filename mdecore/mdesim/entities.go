package mdesim

import (
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

func entityRoutes() []route {
	file, ip, domain := reader("File.Read.All"), reader("Ip.Read.All"), reader("URL.Read.All")
	return []route{
		on(http.MethodGet, "get_file", "/api/files/{file_id}", "get-file-information.md", file, getFile),
		on(http.MethodGet, "list_file_alerts", "/api/files/{file_id}/alerts", "get-file-related-alerts.md", readAlert(), fileAlerts),
		on(http.MethodGet, "list_file_machines", "/api/files/{file_id}/machines", "get-file-related-machines.md", readMachine(), fileMachines),
		on(http.MethodGet, "get_file_stats", "/api/files/{file_id}/stats", "get-file-statistics.md", file, fileStats),
		on(http.MethodGet, "list_ip_alerts", "/api/ips/{ip}/alerts", "get-ip-related-alerts.md", readAlert(), ipAlerts),
		on(http.MethodGet, "get_ip_stats", "/api/ips/{ip}/stats", "get-ip-statistics.md", ip, ipStats),
		on(http.MethodGet, "list_domain_alerts", "/api/domains/{domain}/alerts", "get-domain-related-alerts.md", readAlert(), domainAlerts),
		on(http.MethodGet, "list_domain_machines", "/api/domains/{domain}/machines", "get-domain-related-machines.md", readMachine(), domainMachines),
		on(http.MethodGet, "get_domain_stats", "/api/domains/{domain}/stats", "get-domain-statistics.md", domain, domainStats),
		on(http.MethodGet, "list_user_alerts", "/api/users/{user_id}/alerts", "get-user-related-alerts.md", readAlert(), userAlerts),
		on(http.MethodGet, "list_user_machines", "/api/users/{user_id}/machines", "get-user-related-machines.md", readMachine(), userMachines),
	}
}

// fileView is a file on the wire (documentation: files.md).
type fileView struct {
	SHA1                string    `json:"sha1"`
	SHA256              string    `json:"sha256"`
	GlobalPrevalence    int64     `json:"globalPrevalence"`
	GlobalFirstObserved time.Time `json:"globalFirstObserved"`
	GlobalLastObserved  time.Time `json:"globalLastObserved"`
	Size                int64     `json:"size"`
	FileType            Nullable  `json:"fileType"`
	IsPEFile            bool      `json:"isPeFile"`
	FilePublisher       Nullable  `json:"filePublisher"`
	FileProductName     Nullable  `json:"fileProductName"`
	Signer              Nullable  `json:"signer"`
	Issuer              Nullable  `json:"issuer"`
	SignerHash          Nullable  `json:"signerHash"`
	IsValidCertificate  bool      `json:"isValidCertificate"`
	DeterminationType   string    `json:"determinationType"`
	DeterminationValue  Nullable  `json:"determinationValue"`
}

// view is what the whole world knows of the file.
func (f knownFile) view(now time.Time) fileView {
	h := hash64(f.sha1)
	v := fileView{
		SHA1: f.sha1, SHA256: f.sha256, Size: f.size(), GlobalPrevalence: int64(1 + h%40),
		GlobalFirstObserved: now.AddDate(0, 0, -20-int(h%60)).Truncate(24 * time.Hour), GlobalLastObserved: now.Truncate(time.Hour),
		IsPEFile: peName(f.name), FilePublisher: Nullable(f.publisher), FileProductName: Nullable(f.product), DeterminationType: "Unknown",
	}
	if f.threat != "" {
		v.DeterminationType, v.DeterminationValue = "Malware", Nullable(f.threat)
	}
	if !f.unsigned {
		v.GlobalPrevalence, v.GlobalFirstObserved = int64(100_000+h%900_000), now.AddDate(-3, 0, 0).Truncate(24*time.Hour)
		v.DeterminationType, v.IsValidCertificate = "Clean", true
		v.Signer, v.Issuer, v.SignerHash = Nullable(f.publisher), "Microsoft Code Signing PCA", "9dc17888b5cfad98b3cb35c1994e96227f061675"
	}
	return v
}

func peName(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, ".exe") || strings.HasSuffix(name, ".dll")
}

// isHash reports whether a text is a hash of one of the lengths in digits.
func isHash(text string, digits ...int) bool {
	return slices.Contains(digits, len(text)) && strings.Trim(text, "0123456789abcdefABCDEF") == ""
}

func (c *call) badHash() response {
	return c.t.problem(http.StatusBadRequest, "InvalidHashValue", "The hash '"+c.id+"' is not valid")
}

// hashed finds the file of the call; the response says why there is none.
func (c *call) hashed() (knownFile, *response) {
	var resp response
	f, ok := c.t.file(c.id)
	switch {
	case !isHash(c.id, 32, 40, 64): // get-file-information.md speaks of MD5 as well
		resp = c.badHash()
	case !ok:
		resp = c.t.problem(http.StatusNotFound, "ResourceNotFound", "File "+c.id+" was not found")
	default:
		return f, nil
	}
	return f, &resp
}

// getFile answers with a file (documentation: get-file-information.md).
func getFile(c *call) response {
	f, failed := c.hashed()
	if failed != nil {
		return *failed
	}
	return c.t.ok(http.StatusOK, struct {
		Context string `json:"@odata.context"`
		fileView
	}{c.metadata("Files/$entity"), f.view(c.t.now())})
}

// fileAlerts and fileMachines find nothing for a file that is not known, as the
// pages say.
func fileAlerts(c *call) response {
	if !isHash(c.id, 40) {
		return c.badHash()
	}
	f, ok := c.t.file(c.id)
	return c.alerts(func(a *Alert) bool { return ok && f.about(a) })
}

func fileMachines(c *call) response {
	if !isHash(c.id, 40) {
		return c.badHash()
	}
	f, ok := c.t.file(c.id)
	if !ok {
		return c.machines(nil)
	}
	return c.machines(c.t.sightings(f.about, f.on))
}

// alerts lists the alerts that a test holds for, without their evidence.
func (c *call) alerts(about func(*Alert) bool) response {
	var bare []*Alert
	for _, a := range c.t.alertsAbout(about) {
		shown := *a
		shown.Evidence = []Evidence{}
		bare = append(bare, &shown)
	}
	return plainList(c, "Alerts", bare)
}

// machines lists the devices on which something was seen.
func (c *call) machines(seen []sighting) response {
	out := make([]*Machine, 0, len(seen))
	for _, s := range seen {
		out = append(out, &s.device.Machine)
	}
	return plainList(c, "Machines", out)
}

// maxLookBack is the documented maximum, and the default, of lookBackHours.
const maxLookBack = 720

// orgStats is what all statistics have: how many devices saw something in a
// period, and when.
type orgStats struct {
	Prevalence int        `json:"organizationPrevalence"`
	First      *time.Time `json:"orgFirstSeen"`
	Last       *time.Time `json:"orgLastSeen"`
}

// lookBack counts the sightings of the period that the query names.
func (c *call) lookBack(seen []sighting) (orgStats, *fault400) {
	hours := maxLookBack
	if text := c.r.URL.Query().Get("lookBackHours"); text != "" {
		var err error
		if hours, err = strconv.Atoi(text); err != nil || hours < 1 || hours > maxLookBack {
			return orgStats{}, &fault400{"InvalidInput", "lookBackHours must be a whole number from 1 to 720, not '" + text + "'"}
		}
	}
	var s orgStats
	from := c.t.now().Add(-time.Duration(hours) * time.Hour)
	for _, one := range seen {
		if one.last.Before(from) {
			continue
		}
		first, last := later(one.first, from), one.last
		if s.Prevalence++; s.Prevalence > 1 {
			first, last = earlier(first, *s.First), later(last, *s.Last)
		}
		s.First, s.Last = &first, &last
	}
	return s, nil
}

// fileStats answers with a file's statistics (documentation:
// get-file-statistics.md).
func fileStats(c *call) response {
	f, failed := c.hashed()
	if failed != nil {
		return *failed
	}
	org, bad := c.lookBack(c.t.sightings(f.about, f.on))
	if bad != nil {
		return c.bad(bad)
	}
	view := f.view(c.t.now())
	return c.t.ok(http.StatusOK, struct {
		Context string `json:"@odata.context"`
		SHA1    string `json:"sha1"`
		orgStats
		Global       int64     `json:"globallyPrevalence"` // as the page spells it
		First        time.Time `json:"globalFirstObserved"`
		Last         time.Time `json:"globalLastObserved"`
		TopFileNames []string  `json:"topFileNames"`
	}{
		c.metadata("microsoft.windowsDefenderATP.api.InOrgFileStats"), f.sha1, org, view.GlobalPrevalence, view.GlobalFirstObserved,
		view.GlobalLastObserved,
		[]string{f.name},
	})
}

// address is the IP address of the call.
func (c *call) address() (netip.Addr, *fault400) {
	ip, err := netip.ParseAddr(c.id)
	if err != nil || ip.Zone() != "" {
		return ip, &fault400{"InvalidIpAddress", "The IP address '" + c.id + "' is not valid"}
	}
	return ip.Unmap(), nil
}

func ipAlerts(c *call) response {
	ip, bad := c.address()
	if bad != nil {
		return c.bad(bad)
	}
	return c.alerts(aboutIP(ip))
}

// ipStats answers with the statistics of an address (documentation:
// get-ip-statistics.md), which are 0 for one that is not known.
func ipStats(c *call) response {
	ip, bad := c.address()
	var org orgStats
	if bad == nil {
		org, bad = c.lookBack(c.t.sightings(aboutIP(ip), c.t.onIP(ip)))
	}
	if bad != nil {
		return c.bad(bad)
	}
	return c.t.ok(http.StatusOK, struct {
		Context string `json:"@odata.context"`
		IP      string `json:"ipAddress"`
		orgStats
	}{c.metadata("microsoft.windowsDefenderATP.api.InOrgIPStats"), ip.String(), org})
}

// hostLabel is one part of a DNS name.
var hostLabel = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z_](?:[0-9A-Za-z_-]*[0-9A-Za-z_])?$`) })

// domain is the domain of the call, in lower case.
func (c *call) domain() (string, *fault400) {
	labels := strings.Split(c.id, ".")
	_, err := netip.ParseAddr(c.id)
	if err == nil || len(c.id) > 253 || slices.ContainsFunc(labels, func(l string) bool { return len(l) > 63 || !hostLabel().MatchString(l) }) {
		return "", &fault400{"InvalidDomainName", "The domain '" + c.id + "' is not valid"}
	}
	return strings.ToLower(c.id), nil
}

func domainAlerts(c *call) response {
	host, bad := c.domain()
	if bad != nil {
		return c.bad(bad)
	}
	return c.alerts(aboutHost(host))
}

// maxDomainMachines is how many devices domainMachines names, as documented.
const maxDomainMachines = 500

func domainMachines(c *call) response {
	host, bad := c.domain()
	if bad != nil {
		return c.bad(bad)
	}
	seen := c.t.sightings(aboutHost(host), onHost(host))
	return c.machines(seen[:min(len(seen), maxDomainMachines)])
}

// domainStats answers with the statistics of a domain (documentation:
// get-domain-statistics.md), which are 0 for one that is not known.
func domainStats(c *call) response {
	host, bad := c.domain()
	var org orgStats
	if bad == nil {
		org, bad = c.lookBack(c.t.sightings(aboutHost(host), onHost(host)))
	}
	if bad != nil {
		return c.bad(bad)
	}
	return c.t.ok(http.StatusOK, struct {
		Context string `json:"@odata.context"`
		Host    string `json:"host"`
		orgStats
	}{c.metadata("microsoft.windowsDefenderATP.api.InOrgDomainStats"), host, org})
}
