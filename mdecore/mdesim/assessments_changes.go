package mdesim

import (
	"slices"
	"time"
)

// changedVulnerability is the assetVulnerabilityDelta resource.
type changedVulnerability struct {
	assetVulnerability
	Status         string `json:"status"`
	EventTimestamp string `json:"eventTimestamp"`
	IsOnboarded    bool   `json:"isOnboarded"`
}

// change is something that happened to a CVE in a product on a device.
type change struct {
	status string // New, Fixed or Updated
	at     time.Time
	installed
	weakness *weakness
}

// changesOn is what happened on a device in the weeks before it was last seen:
// each product came to its release, which brought CVEs, ended some and carried
// others over from the version before; and of those with an exploit it became
// known later.
func (t *Tenant) changesOn(d *device) []change {
	var out []change
	for _, i := range t.softwareOn(d) {
		at := updatedAt(d, i.product)
		old := installed{i.product, i.before(i.release, 1)}
		if old.release != i.release {
			for _, w := range old.release.open {
				out = append(out, change{"Fixed", at, old, w})
			}
		}
		for _, w := range i.release.open {
			out = append(out, change{"New", at, i, w})
			if w.exploited() {
				out = append(out, change{"Updated", at.Add(d.LastSeen.Sub(at) / 2), i, w})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b change) int { return a.at.Compare(b.at) })
	return out
}

// changeRows are the changes on a device since a time. They are gathered in
// periods of six hours, so those of the present one are not known yet.
func changeRows(t *Tenant, d *device, since time.Time) []any {
	var out []any
	known := t.now().Truncate(changesPeriod)
	system := ""
	for _, c := range t.changesOn(d) {
		if !c.at.After(since) || c.at.After(known) {
			continue
		}
		if system == "" {
			system = systemVersion(t.softwareOn(d), d)
		}
		row := changedVulnerability{
			assetVulnerability: vulnerabilityOf(d, system, c.installed, c.weakness), Status: c.status,
			EventTimestamp: c.at.UTC().Format("2006-01-02 15:04:05.0000000"), IsOnboarded: d.managed(),
		}
		if c.status == "Fixed" {
			// The version is gone since then.
			row.LastSeenTimestamp, row.FirstSeenTimestamp = spaced(c.at), spaced(c.at.AddDate(0, 0, -28))
		}
		out = append(out, row)
	}
	return out
}
