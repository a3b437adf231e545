package mdesim

import (
	"time"

	"github.com/mde-ops/mde-ops/mdecore/mdesim/kql"
)

// signIn is an account that signed in to a device, or failed to.
type signIn struct {
	at                       time.Time
	user                     LogonUser
	kind, protocol, failure  string
	session                  int64
	remoteIP, remoteHostname string
}

func logonColumns() []kql.Column {
	return huntColumns(`Timestamp:datetime DeviceId DeviceName ActionType LogonType AccountDomain AccountName AccountSid Protocol FailureReason
		IsLocalAdmin:bool LogonId:long RemoteIP RemoteDeviceName ReportId:long`)
}

func (s signIn) row(d *device, report int64) []any {
	action := "LogonSuccess"
	if s.failure != "" {
		action = "LogonFailed"
	}
	return []any{
		s.at, d.ID, d.ComputerDNSName, action, s.kind, s.user.AccountDomain, s.user.AccountName, sidOf(s.user), s.protocol, s.failure,
		s.user.IsDomainAdmin, s.session, s.remoteIP, s.remoteHostname, report,
	}
}

// logonEvents is a sign-in for every day on which the device was used, at most a week,
// and what came from other devices.
func (h *hunt) logonEvents(d *device) [][]any {
	const days = 7
	protocol := ""
	if d.runsWindows() {
		protocol = "Negotiate"
	}
	var out [][]any
	for i, u := range d.users {
		for day := range days {
			at := u.LastSeen.AddDate(0, 0, -day)
			if at.Before(u.FirstSeen) || at.After(h.now) {
				continue
			}
			s := signIn{at: at, user: u, kind: u.LogonTypes, protocol: protocol, session: int64(hash64(d.ID+u.ID)%1_000_000) + int64(day)}
			out = append(out, s.row(d, reportID(d, 20+i*days+day)))
		}
	}
	for i, s := range h.signInsFromElsewhere(d) {
		out = append(out, s.row(d, reportID(d, 60+i)))
	}
	return out
}
