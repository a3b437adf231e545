package mdesim_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestActionLifeFollowsTheClock(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now, TokenLife: 2 * time.Hour, ActionPending: 10 * time.Second, ActionRunning: 20 * time.Second})
	host := r.Device("host01")
	a := r.isolate(host.ID)
	require.Equal(t, 201, a.status)
	id := a.str("id")
	require.Equal(t, "Isolate", a.str("type"))
	require.Equal(t, "Full", a.str("scope"))
	require.Equal(t, "C2 beacon", a.str("requestorComment"))
	require.Equal(t, mdesim.NameHost, a.str("computerDnsName"))
	require.Equal(t, mdesim.StatusPending, a.str("status"))
	status := func() string { return r.get("/api/machineactions/" + id).str("status") }
	for _, step := range []struct {
		wait time.Duration
		want string
	}{
		{9 * time.Second, mdesim.StatusPending},
		{time.Second, mdesim.StatusInProgress},
		{19 * time.Second, mdesim.StatusInProgress},
		{time.Second, mdesim.StatusSucceeded},
		{time.Hour, mdesim.StatusSucceeded},
	} {
		now.Advance(step.wait)
		require.Equal(t, step.want, status())
		require.Equal(t, step.want == mdesim.StatusSucceeded, r.Isolated(host.ID))
	}
	one := r.get("/api/machineactions/" + id)
	require.Equal(t, epoch().Add(30*time.Second).Format(time.RFC3339), one.str("lastUpdateDateTimeUtc"))
	inList := r.filter("machineactions", "machineId eq '"+host.ID+"' and type eq 'Isolate' and status eq 'Succeeded'").values()
	require.Len(t, inList, 1)
	require.Contains(t, inList[0], "lastUpdateTimeUtc", "lists spell it otherwise, as the samples do")
	require.NotContains(t, inList[0], "lastUpdateDateTimeUtc")

	require.Equal(t, 201, r.release(host.ID).status)
	now.Advance(time.Minute)
	require.False(t, r.Isolated(host.ID))
	effects := r.Effects()
	require.Len(t, effects, 2)
	require.Equal(t, mdesim.Effect{
		Method: "POST", Path: "/api/machines/" + host.ID + "/isolate", Type: "Isolate", MachineID: host.ID, ActionID: id,
		Scope: "Full", Comment: "C2 beacon", Requestor: "mde-ops worker", Time: epoch(),
	}, effects[0])
	require.Equal(t, mdesim.TypeUnisolate, effects[1].Type)
}

func TestUnreachableAndFailingDevices(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{
		Clock: now.Now, ActionTimeout: time.Minute,
		OfflineDevices: []string{"host05.contoso.com"}, FailingDevices: []string{"host06.contoso.com"},
	})
	ids := map[string]string{}
	for _, name := range []string{"host05", "host06", "field-laptop04", "host07"} {
		if name == "host07" {
			require.True(t, r.SetOffline(r.Device(name).ID, true))
		}
		ids[name] = r.isolate(r.Device(name).ID).str("id")
	}
	status := func(name string) string { return r.get("/api/machineactions/" + ids[name]).str("status") }
	now.Advance(59 * time.Second)
	for _, name := range []string{"host05", "field-laptop04", "host07"} {
		require.Equal(t, mdesim.StatusPending, status(name), name)
	}
	require.Equal(t, mdesim.StatusFailed, status("host06"))
	now.Advance(time.Second)
	for _, name := range []string{"host05", "field-laptop04", "host07"} {
		require.Equal(t, mdesim.StatusTimeOut, status(name), name)
		require.False(t, r.Isolated(r.Device(name).ID))
	}
	require.Equal(t, 201, r.isolate(r.Device("host06").ID).status, "a final action does not block the next")
	require.False(t, r.SetOffline("nobody", true))
}

func TestIsolationRules(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	const full, selective = `{"Comment":"x","IsolationType":"Full"}`, `{"Comment":"x","IsolationType":"Selective"}`
	for name, tc := range map[string]struct {
		device, body string
		status       int
		code         string
	}{
		"windows 11 full":      {"host01", full, 201, ""},
		"windows 11 selective": {"host02", selective, 201, ""},
		"no type means full":   {"host03", `{"Comment":"x"}`, 201, ""},
		"linux full":           {"lnx-web01", full, 201, ""},
		"linux selective":      {"lnx-db01", selective, 400, "OsPlatformNotSupported"},
		"server 2016":          {"srv-file01", full, 201, ""},
		"server 2012":          {"srv-legacy01", full, 400, "OsPlatformNotSupported"},
		"windows 10 1607":      {"lab-old10", full, 400, "OsPlatformNotSupported"},
		"windows 10 1703":      {"lab-1703", full, 201, ""},
		"1703 selective":       {"lab-1703", selective, 400, "OsPlatformNotSupported"},
		"windows 7":            {"lab-old7", full, 400, "OsPlatformNotSupported"},
		"macOS":                {"design-mac01", full, 400, "OsPlatformNotSupported"},
		"iOS":                  {"iphone-anna", full, 400, "OsPlatformNotSupported"},
		"not onboarded":        {"byod-laptop9", full, 400, "InvalidInput"},
		"offboarded":           {"retired01", full, 400, "InvalidInput"},
		"unmanaged, contained": {"byod-laptop10", `{"Comment":"x","IsolationType":"UnManagedDevice"}`, 201, ""},
		"managed as unmanaged": {"host04", `{"Comment":"x","IsolationType":"UnManagedDevice"}`, 400, "InvalidInput"},
		"wrong enum":           {"host04", `{"Comment":"x","IsolationType":"full"}`, 400, "InvalidInput"},
		"no comment":           {"host04", `{"IsolationType":"Full"}`, 400, "MissingRequiredParameter"},
		"blank comment":        {"host04", `{"Comment":" ","IsolationType":"Full"}`, 400, "MissingRequiredParameter"},
		"wrong case":           {"host04", `{"comment":"x"}`, 400, "InvalidRequestBody"},
		"unknown field":        {"host04", `{"Comment":"x","Force":"yes"}`, 400, "InvalidRequestBody"},
		"not a string":         {"host04", `{"Comment":1}`, 400, "InvalidRequestBody"},
		"not JSON":             {"host04", `Comment=x`, 400, "InvalidRequestBody"},
		"two values":           {"host04", `{"Comment":"x"}{}`, 400, "InvalidRequestBody"},
		"no body":              {"host04", ``, 400, "MissingRequiredParameter"},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(r.Effects())
			a := r.send(http.MethodPost, "/api/machines/"+r.Device(tc.device).ID+"/isolate", tc.body)
			require.Equal(t, tc.status, a.status, string(a.raw))
			require.Equal(t, tc.code, a.code())
			require.Equal(t, tc.status == 201, len(r.Effects()) == before+1)
		})
	}
	refused(t, r.isolate("nobody"), 404, "ResourceNotFound", "Machine nobody was not found")
	refused(t, r.isolate("host05.contoso.com"), 404, "ResourceNotFound", "host05")
	refused(t, r.release("nobody"), 404, "ResourceNotFound", "nobody")
	refused(t, r.release(r.Device("host05").ID), 400, "BadRequest", "is not isolated")
	refused(t, r.send("POST", "/api/machines/"+r.Device("host05").ID+"/unisolate", `{}`), 400, "MissingRequiredParameter", "Comment")
	refused(t, r.send("POST", "/api/machines/"+r.Device("host05").ID+"/unisolate", `{"IsolationType":"Full"}`), 400, "InvalidRequestBody", "IsolationType")
}

func TestOneActionAtATime(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now})
	id := r.Device("host01").ID
	require.Equal(t, 201, r.isolate(id).status)
	for range 2 { // Pending, then InProgress
		refused(t, r.isolate(id), 400, "ActiveRequestAlreadyExists", id)
		refused(t, r.release(id), 400, "BadRequest", "Action is already in progress")
		now.Advance(1500 * time.Millisecond)
	}
	now.Advance(time.Minute)
	require.Equal(t, 201, r.isolate(id).status, "a doubled isolation must be visible as a second effect")
	require.Len(t, r.Effects(), 2)
	require.Equal(t, 6, r.Writes())
}

func TestCancel(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now})
	id := r.Device("host01").ID
	action := r.isolate(id).str("id")
	cancel := func(body string) answer {
		return r.send(http.MethodPost, "/api/machineactions/"+action+"/cancel", body)
	}
	refused(t, cancel(`{"comment":"x"}`), 400, "InvalidRequestBody", "comment")
	refused(t, r.send(http.MethodPost, "/api/machineactions/nothing/cancel", `{}`), 404, "ResourceNotFound", "nothing")
	now.Advance(time.Second)
	a := cancel(`{"Comment":"wrong device"}`)
	require.Equal(t, 200, a.status)
	require.Equal(t, mdesim.StatusCancelled, a.str("status"))
	require.Equal(t, "wrong device", a.str("cancellationComment"))
	require.Equal(t, "mde-ops worker", a.str("cancellationRequestor"))
	now.Advance(time.Minute)
	require.Equal(t, mdesim.StatusCancelled, r.get("/api/machineactions/"+strings.ToUpper(action)).str("status"))
	require.False(t, r.Isolated(id))
	refused(t, cancel(`{}`), 400, "BadRequest", "Cancelled")
	action = r.isolate(id).str("id")
	require.Equal(t, 200, cancel("").status, "the comment is optional")
	action = r.isolate(id).str("id")
	now.Advance(time.Minute)
	refused(t, cancel(`{}`), 400, "BadRequest", "Succeeded")
	require.True(t, r.Isolated(id))
	require.Len(t, r.Effects(), 5)
	require.Equal(t, mdesim.TypeCancel, r.Effects()[1].Type)
}

func TestSimultaneousIsolationsHaveOneEffect(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{ActionPending: time.Hour})
	var wg sync.WaitGroup
	statuses := make(chan int, 40)
	id := r.Device("host01").ID
	for i := range 40 {
		wg.Go(func() {
			a, err := r.try(http.MethodPost, "/api/machines/"+id+"/isolate", `{"Comment":"x"}`)
			if err == nil {
				statuses <- a.status
			}
			_, _ = r.try(http.MethodGet, "/api/machines?$top=3", "")
			if i%10 == 0 {
				r.RaiseAlert(mdesim.Alert{Title: "live", MachineID: id})
				r.UpdateDevice(id, func(m *mdesim.Machine) { m.MachineTags = append(m.MachineTags, "x") })
				r.Fail(mdesim.Fault{Path: "/api/nothing"})
			}
		})
	}
	wg.Wait()
	close(statuses)
	got := map[int]int{}
	for s := range statuses {
		got[s]++
	}
	require.Equal(t, map[int]int{201: 1, 400: 39}, got)
	require.Len(t, r.Effects(), 1)
	require.Equal(t, 40, r.Writes())
}

func TestANewActionIsNotShownAtOnce(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := serve(t, &mdesim.Tenant{Clock: c.Now, ActionLag: 2 * time.Second})
	created := r.isolate(r.Device("host01").ID)
	require.Equal(t, http.StatusCreated, created.status)
	refused(t, r.get("/api/machineactions/"+created.str("id")), http.StatusNotFound, "ResourceNotFound", created.str("id"))
	require.Empty(t, r.get("/api/machineactions").values())
	c.Advance(2 * time.Second)
	require.Equal(t, created.str("id"), r.get("/api/machineactions/"+created.str("id")).str("id"))
	require.Len(t, r.get("/api/machineactions").values(), 1)
}
