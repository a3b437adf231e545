package tools

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mde-ops/mde-ops/mdecore"
)

const (
	// maxPart is how many rows of a part are given, maxPartRead how many are read to find the worst among them.
	maxPart, maxPartRead = 20, 10_000
)

// deviceRead is one reading of a device's parts. Its parts are read at the same time, each into a field of its own.
type deviceRead struct {
	*session
	id      string
	actions []*mdecore.MachineAction // newest first
	parts   deviceParts
	mu      sync.Mutex
	notes   []string
}

// read reads one part.
func (d *deviceRead) read(ctx context.Context, part string) (err error) {
	r, p := d.reader, &d.parts
	switch part {
	case "actions":
		p.Actions, err = partOf(d, part, "list_actions", each(d.actions), newestAction, viewOfAction)
	case "alerts":
		p.Alerts, err = partOf(d, part, "list_alerts", r.ListMachineAlerts(ctx, d.id), newestAlert, viewOfAlert)
	case "users":
		p.Users, err = partOf(d, part, "", r.ListMachineLogonUsers(ctx, d.id), latestUser, viewOfDeviceUser)
	case "software":
		p.Software, err = partOf(d, part, "", r.ListMachineSoftware(ctx, d.id), weakestSoftware, viewOfDeviceSoftware)
	case "vulnerabilities":
		p.Vulnerabilities, err = partOf(d, part, "list_vulnerabilities", r.ListMachineVulnerabilities(ctx, d.id), worstVulnerability, viewOfDeviceVulnerability)
	case "recommendations":
		p.Recommendations, err = partOf(d, part, "list_recommendations", r.ListMachineRecommendations(ctx, d.id), worstRecommendation, viewOfDeviceRecommendation)
	case "missing_kbs":
		p.MissingKBs, err = partOf(d, part, "", r.ListMachineMissingKBs(ctx, d.id), worstKB, viewOfDeviceKB)
	}
	return err
}

// partOf reads a list and keeps the rows that order puts first. What it leaves out is noted, with the tool that lists it.
func partOf[T, V any](d *deviceRead, part, tool string, all iter.Seq2[*T, error], order func(a, b *T) int, view func(*T) V) ([]V, error) {
	var read []*T
	more := false
	for row, err := range all {
		if mdecore.IsNotFound(err) && len(read) == 0 {
			break // the API's answer for none: the device itself was found
		}
		if err != nil {
			return nil, err
		}
		if len(read) == maxPartRead {
			more = true
			break
		}
		read = append(read, row)
	}
	slices.SortStableFunc(read, order)
	out := make([]V, 0, min(len(read), maxPart))
	for _, row := range read[:min(len(read), maxPart)] {
		out = append(out, view(row))
	}
	if len(read) > maxPart {
		d.note(part, tool, len(read), more)
	}
	return out, nil
}

// note says what a part leaves out.
func (d *deviceRead) note(part, tool string, total int, more bool) {
	of := fmt.Sprint(total)
	if more {
		of = "more than " + of
	}
	rest := d.restOf(part, tool)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes = append(d.notes, fmt.Sprintf("%s: the first %d of %s; %s", part, maxPart, of, rest))
}

// leftOut are the notes in a stable order, because the parts were read at the same time.
func (d *deviceRead) leftOut() []string {
	slices.Sort(d.notes)
	return d.notes
}

// restOf names how to get a whole part: the tool that lists it, where there is one, or the API's own path.
func (d *deviceRead) restOf(part, tool string) string {
	if tool != "" && slices.ContainsFunc(d.tools, func(t Tool) bool { return t.Name == tool }) {
		return tool + " with this device lists all"
	}
	path := map[string]string{"users": "logonusers", "missing_kbs": "getmissingkbs"}[part]
	if path == "" {
		path = part
	}
	return "mde_get /api/machines/" + d.id + "/" + path + " reads all"
}

type deviceUser struct {
	Account   string    `json:"account"`
	SID       string    `json:"sid,omitempty"`
	Admin     bool      `json:"domain_admin,omitempty"`
	Logons    string    `json:"logon_types,omitempty"`
	FirstSeen time.Time `json:"first_seen,omitzero"`
	LastSeen  time.Time `json:"last_seen,omitzero"`
}

func viewOfDeviceUser(u *mdecore.User) deviceUser {
	account := strings.TrimPrefix(clean(u.AccountDomain+`\`+u.AccountName, 120), `\`)
	if u.AccountName == "" {
		account = clean(u.ID, 120)
	}
	return deviceUser{
		Account: account, SID: clean(u.AccountSID, 80), Admin: u.IsDomainAdmin, Logons: clean(u.LogonTypes, 120),
		FirstSeen: u.FirstSeen.Time, LastSeen: u.LastSeen.Time,
	}
}

func (u deviceUser) line() string {
	admin := ""
	if u.Admin {
		admin = " (domain admin)"
	}
	return u.Account + admin + ", last seen " + when(u.LastSeen)
}

type deviceSoftware struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	Vendor        string `json:"vendor,omitempty"`
	Weaknesses    int64  `json:"weaknesses"`
	PublicExploit bool   `json:"public_exploit,omitempty"`
}

func viewOfDeviceSoftware(s *mdecore.Software) deviceSoftware {
	return deviceSoftware{clean(s.ID, 160), clean(s.Name, 120), clean(s.Vendor, 80), int64(s.Weaknesses), s.PublicExploit}
}

func (s deviceSoftware) line() string {
	return fmt.Sprintf("%s (%s), %d weaknesses", s.Name, s.Vendor, s.Weaknesses)
}

type deviceVulnerability struct {
	ID       string  `json:"id"`
	Severity string  `json:"severity"`
	CVSS     float64 `json:"cvss,omitempty"`
	EPSS     float64 `json:"epss,omitempty"`
	Exploit  string  `json:"exploit,omitempty"`
}

func viewOfDeviceVulnerability(v *mdecore.Vulnerability) deviceVulnerability {
	return deviceVulnerability{clean(v.ID, 60), clean(string(v.Severity), 40), float64(v.CVSSV3), float64(v.EPSS), exploitOf(v)}
}

// exploitOf is how far a vulnerability's exploitation has come, in a word; empty when no exploit is known.
func exploitOf(v *mdecore.Vulnerability) string {
	switch {
	case v.ExploitInKit:
		return "in a kit"
	case v.ExploitVerified:
		return "verified"
	case v.PublicExploit:
		return "public"
	}
	return ""
}

func (v deviceVulnerability) line() string {
	text := fmt.Sprintf("%s %s, CVSS %.1f", v.ID, v.Severity, v.CVSS)
	if v.Exploit != "" {
		text += ", exploit " + v.Exploit
	}
	return text
}

type deviceRecommendation struct {
	ID          string  `json:"id"`
	Name        string  `json:"name"`
	Severity    float64 `json:"severity_score"`
	Remediation string  `json:"remediation,omitempty"`
	Status      string  `json:"status,omitempty"`
}

func viewOfDeviceRecommendation(r *mdecore.Recommendation) deviceRecommendation {
	return deviceRecommendation{
		clean(r.ID, 160), clean(r.RecommendationName, 200), float64(r.SeverityScore), clean(string(r.RemediationType), 40), clean(string(r.Status), 40),
	}
}

func (r deviceRecommendation) line() string {
	return fmt.Sprintf("%s (score %.1f)", r.Name, r.Severity)
}

type deviceKB struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	CVEs int64  `json:"cves"`
}

func viewOfDeviceKB(k *mdecore.MissingKB) deviceKB {
	return deviceKB{clean(string(k.ID), 40), clean(k.Name, 200), int64(k.CVEAddressed)}
}

func (k deviceKB) line() string {
	return fmt.Sprintf("KB%s %s, %d CVEs", strings.TrimPrefix(k.ID, "KB"), k.Name, k.CVEs)
}

func newestAction(a, b *mdecore.MachineAction) int {
	return b.CreationDateTimeUTC.Compare(a.CreationDateTimeUTC.Time)
}

func newestAlert(a, b *mdecore.Alert) int {
	return b.AlertCreationTime.Compare(a.AlertCreationTime.Time)
}

func latestUser(a, b *mdecore.User) int { return b.LastSeen.Compare(a.LastSeen.Time) }

func weakestSoftware(a, b *mdecore.Software) int { return cmp.Compare(b.Weaknesses, a.Weaknesses) }

// worstVulnerability puts what is exploited before what is only severe.
func worstVulnerability(a, b *mdecore.Vulnerability) int {
	known := func(v *mdecore.Vulnerability) int {
		if exploitOf(v) != "" {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(known(b), known(a)), cmp.Compare(b.CVSSV3, a.CVSSV3), cmp.Compare(a.ID, b.ID))
}

func worstRecommendation(a, b *mdecore.Recommendation) int {
	return cmp.Compare(b.SeverityScore, a.SeverityScore)
}

func worstKB(a, b *mdecore.MissingKB) int { return cmp.Compare(b.CVEAddressed, a.CVEAddressed) }

// when is a time for people.
func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}
