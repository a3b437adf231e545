package tools

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

func TestPlansSayWhoWasLoggedOnAndWhatIsOpen(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	host := w.Tenant.Device("host01")
	_, before := w.ask("isolate_devices", `{"devices":["host01"],"reason":"x"}`)
	w.Tenant.RaiseAlert(mdesim.Alert{Title: "t", Severity: "High", MachineID: host.ID})
	w.Tenant.RaiseAlert(mdesim.Alert{Title: "t", Severity: "High", MachineID: host.ID, Status: "Resolved"})
	_, r := w.ask("scan_devices", `{"devices":["host01"],"reason":"x"}`)
	was, now := before.Plan.Targets[0], r.Plan.Targets[0]
	require.NotNil(t, was.OpenAlerts)
	require.Equal(t, *was.OpenAlerts+1, *now.OpenAlerts, "what is resolved is not open")
	require.NotEmpty(t, now.Users)
	require.LessOrEqual(t, len(now.Users), maxUsers)
	users := w.users(host.ID)
	require.Equal(t, users[:min(len(users), maxUsers)], now.Users, "the latest first")
}

func TestTheLatestUsersAreNamedFirst(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{}, latestAccounts(nil), "nobody is known, which is not the same as not known")
	var users []*mdecore.User
	for i, name := range []string{"b", "d", "a", "c"} {
		u := &mdecore.User{AccountName: name, AccountDomain: "contoso"}
		u.LastSeen.Time = time.Date(2026, 3, []int{2, 4, 1, 3}[i], 0, 0, 0, 0, time.UTC)
		users = append(users, u)
	}
	require.Equal(t, []string{`contoso\d`, `contoso\c`, `contoso\b`}, latestAccounts(users))
}

// users are a device's, the latest first, as get_device says them.
func (w *world) users(id string) (accounts []string) {
	res, err := w.call("get_device", `{"device":"`+id+`","parts":["users"]}`)
	require.NoError(w.t, err)
	for _, u := range res.Output.(getDeviceOut).Users {
		accounts = append(accounts, u.Account)
	}
	return accounts
}

// What can't be read, may not be read, or takes long, stops no plan and is not known.
func TestWhatCanNotBeLookedUpStopsNoPlan(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]mdesim.Fault{
		"broken":    {Status: http.StatusInternalServerError, Times: -1},
		"forbidden": {Status: http.StatusForbidden, Times: -1},
		"throttled": {Status: http.StatusTooManyRequests, RetryAfter: "60", Times: -1},
		"slow":      {Kind: mdesim.FaultSlow, Delay: time.Minute, Times: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t, toolstest.Options{})
			w.d.house.weighLimit = 200 * time.Millisecond
			fault.Path = "/api/machines/*/alerts/$count"
			w.Tenant.Fail(fault)
			fault.Path = "/api/machines/*/logonusers"
			w.Tenant.Fail(fault)
			began := time.Now()
			_, r := w.ask("isolate_devices", `{"devices":["host01","host03"],"reason":"x"}`)
			require.Less(t, time.Since(began), 20*time.Second, "a minute is more than a plan waits")
			for _, d := range r.Plan.Targets {
				require.Nil(t, d.Users)
				require.Nil(t, d.OpenAlerts)
			}
			require.NoError(t, r.Plan.Check())
		})
	}
}

func TestFleetsDryRunsAndAnnotationsAreNotWeighed(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	var ids []string
	for i := range approvals.MaxWeighed + 1 {
		m := w.Tenant.Device("host01")
		m.ID, m.AADDeviceID, m.ComputerDNSName = "", "", fmt.Sprintf("fleet-%02d.contoso.com", i)
		ids = append(ids, w.Tenant.AddDevice(m).ID)
	}
	isolate := func(ids []string, more string) string {
		list, err := json.Marshal(ids)
		require.NoError(t, err)
		return `{"devices":` + string(list) + `,"reason":"x"` + more + `}`
	}
	_, r := w.ask("isolate_devices", isolate(ids, ""))
	require.Nil(t, r.Plan.Targets[0].Users)
	_, err := w.call("isolate_devices", isolate(ids[:1], `,"dry_run":true`))
	require.NoError(t, err)
	w.ask("tag_devices", `{"devices":["host01"],"add":["seen"],"reason":"x"}`)
	require.Zero(t, w.weighings())
	_, r = w.ask("isolate_devices", isolate(ids[1:], ""))
	require.NotNil(t, r.Plan.Targets[9].OpenAlerts)
	require.Equal(t, 2*approvals.MaxWeighed, w.weighings(), "one call for the users of a device and one for its alerts")
}

// weighings counts what the tenant was asked about users and alerts of devices.
func (w *world) weighings() (n int) {
	for r, times := range w.Tenant.Requests() {
		if strings.HasSuffix(r.Path, "/logonusers") || strings.Contains(r.Path, "/alerts") {
			n += times
		}
	}
	return n
}

// What approvers weigh besides is no part of what a plan does, and a plan without it keeps the form, and so the digest, that
// it had before this was looked up.
func TestWeighingChangesWhatIsShownOnly(t *testing.T) {
	t.Parallel()
	zero := 0
	bare := approvals.Target{ID: "1", Kind: kindDevice, Name: "host01"}
	raw, err := json.Marshal(bare)
	require.NoError(t, err)
	require.NotContains(t, string(raw), "users")
	require.NotContains(t, string(raw), "alerts")
	known := bare
	known.Users, known.OpenAlerts = []string{}, &zero
	raw, err = json.Marshal(known)
	require.NoError(t, err)
	var back approvals.Target
	require.NoError(t, json.Unmarshal(raw, &back))
	require.Equal(t, known, back, "none is not the same as not known")
	plan := func(d approvals.Target) approvals.Plan {
		return approvals.Plan{Tenant: "t", Tool: "isolate_devices", Targets: []approvals.Target{d}, Steps: []approvals.Step{{Action: "isolate", Target: "1"}}}
	}
	require.Equal(t, plan(bare).Key(), plan(known).Key())
}
