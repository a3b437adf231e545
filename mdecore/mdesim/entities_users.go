package mdesim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// userView is an account on the wire, with the twelve properties of the sample of
// get-alert-related-user-info.md.
type userView struct {
	ID                      string    `json:"id"`
	AccountName             string    `json:"accountName"`
	AccountDomain           string    `json:"accountDomain"`
	AccountSID              string    `json:"accountSid"`
	FirstSeen               time.Time `json:"firstSeen"`
	LastSeen                time.Time `json:"lastSeen"`
	MostPrevalentMachineID  string    `json:"mostPrevalentMachineId"`
	LeastPrevalentMachineID string    `json:"leastPrevalentMachineId"`
	LogonTypes              string    `json:"logonTypes"`
	LogOnMachinesCount      int       `json:"logOnMachinesCount"`
	IsDomainAdmin           bool      `json:"isDomainAdmin"`
	IsOnlyNetworkUser       bool      `json:"isOnlyNetworkUser"`
}

// accountSID is the security identifier of an account.
func accountSID(domain, name string) string {
	return fmt.Sprintf("S-1-5-21-1004336348-1177238915-682003330-%d", 1000+hash64(domain+name)%9000)
}

// account is what the devices know of an account. The most prevalent device is
// the one that it was seen on last, the least prevalent the one longest ago.
func (t *Tenant) account(domain, name string) (userView, bool) {
	var v userView
	var newest, oldest time.Time
	for _, d := range t.snapshot() {
		for _, u := range d.users {
			if !strings.EqualFold(u.AccountName, name) || !strings.EqualFold(u.AccountDomain, domain) {
				continue
			}
			if v.LogOnMachinesCount == 0 {
				v = userView{
					ID: u.AccountDomain + `\` + u.AccountName, AccountName: u.AccountName, AccountDomain: u.AccountDomain,
					AccountSID: accountSID(u.AccountDomain, u.AccountName), LogonTypes: u.LogonTypes, IsOnlyNetworkUser: u.IsOnlyNetworkUser,
					FirstSeen: u.FirstSeen, LastSeen: u.LastSeen, MostPrevalentMachineID: d.ID, LeastPrevalentMachineID: d.ID,
				}
				newest, oldest = u.LastSeen, u.LastSeen
			}
			if u.LastSeen.After(newest) {
				newest, v.MostPrevalentMachineID = u.LastSeen, d.ID
			}
			if !u.LastSeen.After(oldest) {
				oldest, v.LeastPrevalentMachineID = u.LastSeen, d.ID
			}
			v.LogOnMachinesCount++
			v.FirstSeen, v.LastSeen = earlier(v.FirstSeen, u.FirstSeen), later(v.LastSeen, u.LastSeen)
			v.IsDomainAdmin, v.IsOnlyNetworkUser = v.IsDomainAdmin || u.IsDomainAdmin, v.IsOnlyNetworkUser && u.IsOnlyNetworkUser
		}
	}
	return v, v.LogOnMachinesCount > 0
}

// userAlerts lists the alerts about an account of any domain (documentation:
// get-user-related-alerts.md). The page takes the name alone, so that a user
// principal name finds nothing.
func userAlerts(c *call) response {
	return c.alerts(func(a *Alert) bool {
		return a.RelatedUser != nil && strings.EqualFold(a.RelatedUser.UserName, c.id) ||
			slices.ContainsFunc(a.Evidence, func(e Evidence) bool { return c.id != "" && strings.EqualFold(string(e.AccountName), c.id) })
	})
}

// userMachines lists the devices that an account of any domain was seen on
// (documentation: get-user-related-machines.md).
func userMachines(c *call) response {
	return c.machines(c.t.sightings(func(*Alert) bool { return false }, func(d *device) bool {
		return slices.ContainsFunc(d.users, func(u LogonUser) bool { return strings.EqualFold(u.AccountName, c.id) })
	}))
}
