package tools

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

func TestIsolateMakesARequestAndSendsNothing(t *testing.T) {
	w := open(t, toolstest.Options{})
	v, r := w.ask("isolate_devices", `{"devices":["host01"],"reason":"beaconing to a known C2"}`)
	host := w.Tenant.Device("host01")

	require.Equal(t, "pending_approval", v.Status)
	require.Equal(t, r.ID, v.RequestID)
	require.Equal(t, []quorumView{{Count: 1, Group: "on-call"}}, v.Approvers)
	require.Equal(t, w.Clock.Now().Add(30*time.Minute).UnixMilli(), v.ExpiresAt.UnixMilli())
	require.Equal(t, "Isolate host01.contoso.com (Full)", v.Preview)
	require.Contains(t, v.Next, "get_request with id "+r.ID)
	require.Equal(t, host.ID, r.Plan.Targets[0].ID)
	require.Equal(t, mdesim.DefaultTenantID, r.Plan.Tenant)
	require.Equal(t, approvals.RiskContain, r.Plan.Risk)
	require.JSONEq(t, `{"devices":["host01"],"isolation_type":"Full","reason":"beaconing to a known C2"}`, string(r.Plan.Args))
	require.JSONEq(t, `{"isolation_type":"Full"}`, string(r.Plan.Steps[0].Args))
	require.Zero(t, w.Tenant.Writes())
}

func TestDevicesAreNamedInEveryWay(t *testing.T) {
	w := open(t, toolstest.Options{})
	host := w.Tenant.Device("host01")
	for _, name := range []string{
		"host01", "HOST01", "host01.contoso.com", "Host01.Contoso.Com.", host.ID, strings.ToUpper(host.ID),
		string(host.LastIPAddress), string(host.AADDeviceID), " host01 ",
	} {
		t.Run(name, func(t *testing.T) {
			args := fmt.Sprintf(`{"device":%q}`, name)
			res, err := w.d.Call(t.Context(), Call{Tool: "get_device", Args: json.RawMessage(args), Requester: toolstest.Alice()})
			require.NoError(t, err)
			require.Equal(t, host.ID, res.Output.(getDeviceOut).Device.ID)
		})
	}
}

func TestTheSameDeviceTwiceIsOneTarget(t *testing.T) {
	w := open(t, toolstest.Options{})
	host := w.Tenant.Device("host01")
	_, r := w.ask("isolate_devices", fmt.Sprintf(`{"devices":["host01","HOST01.contoso.com",%q,%q,"host02"],"reason":"x"}`, host.ID, host.LastIPAddress))
	require.Len(t, r.Plan.Targets, 2)
	require.Len(t, r.Plan.Steps, 2)
}

func TestOneStringStandsForAListOfOne(t *testing.T) {
	w := open(t, toolstest.Options{})
	_, r := w.ask("isolate_devices", `{"devices":"host01","reason":"x"}`)
	require.Len(t, r.Plan.Targets, 1)
}

func TestWrongDevicesAreRefused(t *testing.T) {
	w := open(t, toolstest.Options{})
	for _, c := range []struct {
		name, devices string
		kind          approvals.Kind
		texts         []string
	}{
		{"empty text", `[""]`, approvals.KindInvalid, []string{"is empty"}},
		{"empty list", `[]`, approvals.KindInvalid, []string{"empty list"}},
		{"unknown name", `["nosuchhost"]`, approvals.KindNotFound, []string{`no device answers to "nosuchhost"`, "find_devices"}},
		{"unknown id", `["` + strings.Repeat("0", 40) + `"]`, approvals.KindNotFound, []string{"no device answers"}},
		{"unknown among known", `["host02","nosuchhost"]`, approvals.KindNotFound, []string{"nosuchhost"}},
		{"unknown IP", `["10.200.200.200"]`, approvals.KindNotFound, []string{"last 15 minutes"}},
		{"prefix of a name", `["host0"]`, approvals.KindNotFound, nil},
		{"ambiguous name", `["` + mdesim.NameAmbiguous + `"]`, approvals.KindInvalid, []string{"2 devices answer", "Inactive", "Active", "finance", "onboarded", "last seen"}},
		{"ambiguous short name", `["` + mdesim.NameShortAmbiguous + `"]`, approvals.KindInvalid, []string{"contoso.com", "fabrikam.com"}},
		{"ambiguous IP", `["` + mdesim.IPAmbiguous + `"]`, approvals.KindInvalid, []string{"vdi-a01", "vdi-a02"}},
		{"slash", `["host01/../host02"]`, approvals.KindInvalid, []string{"'..'"}},
		{"slash in an id", `["a/b"]`, approvals.KindInvalid, []string{"'/'"}},
		{"dots", `[".."]`, approvals.KindInvalid, []string{"'..'"}},
		{"control", `["host01\u0007"]`, approvals.KindInvalid, []string{"U+0007"}},
		{"newline", `["host01\nhost02"]`, approvals.KindInvalid, []string{"U+000A"}},
		{"zero width", `["host01\u200b.contoso.com"]`, approvals.KindInvalid, []string{"U+200B"}},
		{"look-alike letter", `["h\u043est01"]`, approvals.KindInvalid, []string{"U+043E", "look like"}},
		{"short id", `["` + strings.Repeat("a", 39) + `"]`, approvals.KindInvalid, []string{"39 digits"}},
		{"loopback", `["127.0.0.1"]`, approvals.KindInvalid, []string{"not the address of one device"}},
		{"not an IP", `["10.1.0.300"]`, approvals.KindInvalid, []string{"not an IP"}},
		{"quote", `["x' or 1 eq 1"]`, approvals.KindInvalid, []string{"ASCII letters"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			w.refused("isolate_devices", `{"reason":"x","devices":`+c.devices+`}`, c.kind, c.texts...)
			w.refused("release_devices", `{"reason":"x","devices":`+c.devices+`}`, c.kind, c.texts...)
		})
	}
}

func TestMoreDevicesThanTheCapAskNothingOfTheTenant(t *testing.T) {
	w := open(t, toolstest.Options{})
	var names []string
	for i := range 101 {
		names = append(names, fmt.Sprintf("host%03d", i))
	}
	b, err := json.Marshal(map[string]any{"devices": names, "reason": "x"})
	require.NoError(t, err)
	w.refused("isolate_devices", string(b), approvals.KindInvalid, "101 devices", "at most 100")
	require.Empty(t, w.Tenant.Requests())
}

func TestWrongArgumentsAreRefused(t *testing.T) {
	w := open(t, toolstest.Options{})
	for _, c := range []struct {
		name, tool, args string
		texts            []string
	}{
		{"unknown argument", "isolate_devices", `{"device":["host01"],"devices":["host01"],"reason":"x"}`, []string{"device: there is no such argument, did you mean devices?", "isolation_type"}},
		{"wrong enum", "isolate_devices", `{"devices":["host01"],"isolation_type":"full","reason":"x"}`, []string{`"full" is not offered`, "Full, Selective"}},
		{"empty enum", "isolate_devices", `{"devices":["host01"],"isolation_type":"","reason":"x"}`, []string{"isolation_type: is empty"}},
		{"missing devices", "isolate_devices", `{"reason":"x"}`, []string{"devices: is missing"}},
		{"null devices", "isolate_devices", `{"devices":null,"reason":"x"}`, []string{"devices: is missing"}},
		{"wrong type", "isolate_devices", `{"devices":7,"reason":"x"}`, []string{"must be a list of strings, not 7"}},
		{"wrong flag", "isolate_devices", `{"devices":["host01"],"dry_run":"yes","reason":"x"}`, []string{"dry_run: must be true or false"}},
		{"twice", "isolate_devices", `{"devices":["host01"],"devices":["host02"],"reason":"x"}`, []string{"given twice"}},
		{"not an object", "isolate_devices", `["host01"]`, []string{"one JSON object"}},
		{"broken", "isolate_devices", `{"devices":`, []string{"not valid JSON"}},
		{"two values", "isolate_devices", `{"devices":["host01"]}{}`, []string{"after the arguments' closing brace"}},
		{"hidden in the reason", "isolate_devices", `{"devices":["host01"],"reason":"x\u202e"}`, []string{"U+202E"}},
		{"long reason", "isolate_devices", `{"devices":["host01"],"reason":"` + strings.Repeat("x", 401) + `"}`, []string{"401 characters, at most 400"}},
		{"all at once", "isolate_devices", `{"devicez":[],"isolation_type":7}`, []string{"3 arguments", "devices: is missing", "devicez", "isolation_type"}},
		{"action id", "cancel_action", `{"action_id":"../machines","reason":"x"}`, []string{"not a machine action id"}},
		{"alert id", "get_alert", `{"alert_id":"da1/../x"}`, []string{"not an alert id"}},
		{"limit", "find_devices", `{"limit":0}`, []string{"from 1 to 200"}},
		{"limit type", "find_devices", `{"limit":2.5}`, []string{"whole number"}},
		{"wait", "get_request", `{"id":"ABCDEFGH","wait_seconds":51}`, []string{"from 0 to 50"}},
		{"request id", "get_request", `{"id":"../x"}`, []string{"not a request id"}},
		{"age", "list_alerts", `{"since":"soon"}`, []string{"neither an age"}},
		{"unknown tool", "isolate_device", `{}`, []string{"there is no tool", "did you mean isolate_devices?"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			w.refused(c.tool, c.args, approvals.KindInvalid, c.texts...)
		})
	}
	require.Empty(t, w.Tenant.Requests(), "wrong arguments must not reach the tenant")
}

func TestAMissingReasonIsRefusedWherePolicyWantsOne(t *testing.T) {
	w := open(t, toolstest.Options{})
	w.refused("isolate_devices", `{"devices":["host01"]}`, approvals.KindInvalid, "reason is needed")
	w.refused("isolate_devices", `{"devices":["host01"],"reason":" \n "}`, approvals.KindInvalid, "reason is needed")
}

func TestPreflightRefusesTheWholePlan(t *testing.T) {
	w := open(t, toolstest.Options{})
	for _, c := range []struct{ name, device, more, text string }{
		{"never onboarded", mdesim.NameUnmanaged, "", "not onboarded"},
		{"offboarded", mdesim.NameOffboarded, "", "not onboarded"},
		{"macOS", mdesim.NameMac, "", "macOS"},
		{"old Windows 10", "lab-old10.contoso.com", "", "1607"},
		{"Windows 7", "lab-old7.contoso.com", "", "Windows7"},
		{"selective on Linux", mdesim.NameLinux, `,"isolation_type":"Selective"`, "Ubuntu"},
		{"selective on 1703", "lab-1703.contoso.com", `,"isolation_type":"Selective"`, "1703"},
		{"selective on a server", mdesim.NameTier0, `,"isolation_type":"Selective"`, "WindowsServer2022"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.t = t
			w.refused("isolate_devices", fmt.Sprintf(`{"reason":"x","devices":["host02",%q]%s}`, c.device, c.more), approvals.KindInvalid,
				"preflight refuses 1 of 2 devices", c.device, c.text)
		})
	}
	w.t = t
	w.ask("isolate_devices", fmt.Sprintf(`{"reason":"x","devices":[%q,"lab-1703.contoso.com"]}`, mdesim.NameLinux))
}

func TestPreflightWarns(t *testing.T) {
	w := open(t, toolstest.Options{})
	for device, text := range map[string]string{
		mdesim.NameTier0: "high-value", mdesim.NameVIP: "high-value", mdesim.NameInactive: "health \"Inactive\"",
	} {
		v, _ := w.ask("isolate_devices", fmt.Sprintf(`{"reason":"x","devices":[%q]}`, device))
		require.Len(t, v.Warnings, 1, device)
		require.Contains(t, v.Warnings[0], text)
	}
	v, _ := w.ask("release_devices", `{"reason":"x","devices":["host01"]}`)
	require.Contains(t, strings.Join(v.Warnings, " "), "does not look isolated")
}

func TestAnActionAlreadyOpenIsRefused(t *testing.T) {
	w := open(t, toolstest.Options{})
	_, r := w.ask("isolate_devices", `{"reason":"x","devices":["host01"]}`)
	receipt, err := w.performer.Apply(t.Context(), task(r))
	require.NoError(t, err)
	for _, tool := range []string{"isolate_devices", "release_devices"} {
		_, err := w.call(tool, `{"reason":"x","devices":["host01"]}`)
		require.ErrorContains(t, err, "already has an open action: Isolate "+receipt.ActionID)
		// A fleet's actions are read another way.
		_, err = w.call(tool, `{"reason":"x","devices":["host02","host03","host04","host05","host01"]}`)
		require.ErrorContains(t, err, "preflight refuses 1 of 5 devices: host01.contoso.com")
	}
	require.Equal(t, 1, w.Tenant.Writes())
	w.Clock.Add(time.Minute)
	v, _ := w.ask("isolate_devices", `{"reason":"x","devices":["host01"],"isolation_type":"Selective"}`)
	require.Contains(t, v.Warnings[0], "already isolated")
	res := w.ok("get_device", `{"device":"host01"}`)
	require.Equal(t, "isolated", res.Output.(getDeviceOut).Isolation)
}

func TestADryRunSubmitsNothing(t *testing.T) {
	w := open(t, toolstest.Options{})
	res := w.ok("isolate_devices", `{"devices":["host01"],"dry_run":true}`)
	require.Nil(t, res.Request)
	v := res.Output.(requestView)
	require.Equal(t, "planned", v.Status)
	require.Contains(t, v.Policy, `1 of group "on-call"`)
	require.Contains(t, v.Next, "Policy wants a reason")
	require.Empty(t, w.requests())
	require.Zero(t, w.Tenant.Writes())
}

func TestApplyFindAndFollow(t *testing.T) {
	w := open(t, toolstest.Options{})
	host := w.Tenant.Device("host01")
	_, r := w.ask("isolate_devices", `{"devices":["host01"],"isolation_type":"Selective","reason":"beaconing"}`)
	job := task(r)
	since := w.Clock.Now().Add(-time.Minute)

	_, found, err := w.performer.Find(t.Context(), job, since)
	require.NoError(t, err)
	require.False(t, found)

	receipt, err := w.performer.Apply(t.Context(), job)
	require.NoError(t, err)
	effect := w.Tenant.Effects()[0]
	require.Equal(t, 1, w.Tenant.Writes())
	require.Equal(t, host.ID, effect.MachineID)
	require.Equal(t, "Selective", effect.Scope)
	require.Equal(t, job.Tag+" beaconing (requested by alice@contoso.com)", effect.Comment)

	again, found, err := w.performer.Find(t.Context(), job, since)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, receipt.ActionID, again.ActionID)
	other := job
	other.Tag = approvals.Tag("ZZZZZZZZ", 0)
	_, found, err = w.performer.Find(t.Context(), other, since)
	require.NoError(t, err)
	require.False(t, found, "an action with another tag is not ours")
	elsewhere := job
	elsewhere.Step.Target = w.Tenant.Device("host02").ID
	_, found, err = w.performer.Find(t.Context(), elsewhere, since)
	require.NoError(t, err)
	require.False(t, found, "an action of another device is not this step's")
	_, found, err = w.performer.Find(t.Context(), job, w.Clock.Now().Add(time.Hour))
	require.NoError(t, err)
	require.False(t, found)

	p, err := w.performer.Follow(t.Context(), job, receipt.ActionID)
	require.NoError(t, err)
	require.Equal(t, approvals.StepAccepted, p.State)
	w.Clock.Add(time.Minute)
	p, err = w.performer.Follow(t.Context(), job, receipt.ActionID)
	require.NoError(t, err)
	require.Equal(t, worker.Progress{RemoteStatus: "Succeeded", State: approvals.StepSucceeded}, p)
	require.True(t, w.Tenant.Isolated(host.ID))

	_, r = w.ask("release_devices", `{"devices":["host01"],"reason":"clean"}`)
	receipt, err = w.performer.Apply(t.Context(), task(r))
	require.NoError(t, err)
	w.Clock.Add(time.Minute)
	p, err = w.performer.Follow(t.Context(), task(r), receipt.ActionID)
	require.NoError(t, err)
	require.Equal(t, approvals.StepSucceeded, p.State)
	require.False(t, w.Tenant.Isolated(host.ID))
	require.Equal(t, 2, w.Tenant.Writes())
}

func TestFollowSaysHowAnActionEnded(t *testing.T) {
	w := open(t, toolstest.Options{})
	_, r := w.ask("isolate_devices", fmt.Sprintf(`{"devices":[%q],"reason":"x"}`, mdesim.NameOffline))
	receipt, err := w.performer.Apply(t.Context(), task(r))
	require.NoError(t, err)
	w.Clock.Add(time.Minute)
	p, err := w.performer.Follow(t.Context(), task(r), receipt.ActionID)
	require.NoError(t, err)
	require.Equal(t, approvals.StepAccepted, p.State)
	w.Clock.Add(time.Hour)
	p, err = w.performer.Follow(t.Context(), task(r), receipt.ActionID)
	require.NoError(t, err)
	require.Equal(t, approvals.StepTimedOut, p.State)
	require.Contains(t, p.Message, "offline")
}

func TestWhatApplySaysAboutAFailedWrite(t *testing.T) {
	w := open(t, toolstest.Options{})
	host := w.Tenant.Device("host01")
	path := "/api/machines/" + host.ID + "/isolate"
	_, r := w.ask("isolate_devices", `{"devices":["host01"],"reason":"x"}`)
	job := task(r)
	var notSent *worker.NotSent
	var refused *worker.Refused

	for _, status := range []int{400, 403, 404} {
		w.Tenant.Fail(mdesim.Fault{Path: path, Status: status})
		_, err := w.performer.Apply(t.Context(), job)
		require.ErrorAs(t, err, &refused)
	}
	for _, f := range []mdesim.Fault{
		{Path: path, Status: 500},
		{Path: path, Status: 503},
		{Path: path, Kind: mdesim.FaultCutBefore},
		{Path: path, Kind: mdesim.FaultCutAfter},
	} {
		before := w.Tenant.Writes()
		w.Tenant.Fail(f)
		_, err := w.performer.Apply(t.Context(), job)
		require.Error(t, err)
		require.False(t, errorAs(err, &notSent) || errorAs(err, &refused), "%v must stay uncertain", f)
		require.Equal(t, before+1, w.Tenant.Writes(), "a write is sent once")
	}
	require.Len(t, w.Tenant.Effects(), 1, "the answer was lost and the effect was not")
	receipt, found, err := w.performer.Find(t.Context(), job, w.Clock.Now().Add(-time.Minute))
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, w.Tenant.Effects()[0].ActionID, receipt.ActionID)

	// Last, because the service's refusal holds later calls of the same operation back.
	w.Tenant.Fail(mdesim.Fault{Path: path, Status: 429, RetryAfter: "7"})
	_, err = w.performer.Apply(t.Context(), job)
	require.ErrorAs(t, err, &notSent)
	require.InDelta(t, 7, notSent.RetryAfter.Seconds(), 0.1)
	before := w.Tenant.Writes()
	_, err = w.performer.Apply(t.Context(), job)
	require.ErrorAs(t, err, &notSent)
	require.InDelta(t, 7, notSent.RetryAfter.Seconds(), 0.5)
	require.Equal(t, before, w.Tenant.Writes(), "a second step does not have to be refused to learn of it")
}

func TestThePerformerRefusesWhatWasNotPlannedHere(t *testing.T) {
	w := open(t, toolstest.Options{})
	_, r := w.ask("isolate_devices", `{"devices":["host01"],"reason":"x"}`)
	for name, change := range map[string]func(*worker.Task){
		"another tenant": func(j *worker.Task) { j.Plan.Tenant = "11111111-1111-1111-1111-111111111111" },
		"unknown tool":   func(j *worker.Task) { j.Plan.Tool = "wipe_devices" },
		"a reading tool": func(j *worker.Task) { j.Plan.Tool = "get_device" },
		"lower risk":     func(j *worker.Task) { j.Plan.Risk = approvals.RiskRead },
		"no tag":         func(j *worker.Task) { j.Tag = "" },
		"no target":      func(j *worker.Task) { j.Step.Target = "" },
		"damaged step":   func(j *worker.Task) { j.Step.Args = json.RawMessage(`{`) },
		"unknown type":   func(j *worker.Task) { j.Step.Args = json.RawMessage(`{"isolation_type":"Everything"}`) },
		"path as target": func(j *worker.Task) { j.Step.Target = "../alerts" },
	} {
		job := task(r)
		change(&job)
		_, err := w.performer.Apply(t.Context(), job)
		var refused *worker.Refused
		require.ErrorAs(t, err, &refused, name)
	}
	require.Zero(t, w.Tenant.Writes())
}

func TestCancelAction(t *testing.T) {
	w := open(t, toolstest.Options{})
	_, r := w.ask("isolate_devices", fmt.Sprintf(`{"devices":[%q],"reason":"x"}`, mdesim.NameOffline))
	isolation, err := w.performer.Apply(t.Context(), task(r))
	require.NoError(t, err)

	v, r := w.ask("cancel_action", fmt.Sprintf(`{"action_id":%q,"foreign":true,"reason":"wrong device"}`, strings.ToUpper(isolation.ActionID)))
	require.Equal(t, "pending_approval", v.Status)
	require.Equal(t, "foreign machine action", v.Targets[0].Kind, "no request of the store became it")
	require.Equal(t, approvals.RiskExpose, r.Plan.Risk)
	require.Contains(t, v.Preview, mdesim.NameOffline)
	job := task(r)
	_, found, err := w.performer.Find(t.Context(), job, time.Time{})
	require.NoError(t, err)
	require.False(t, found)
	receipt, err := w.performer.Apply(t.Context(), job)
	require.NoError(t, err)
	require.Equal(t, isolation.ActionID, receipt.ActionID)
	_, found, err = w.performer.Find(t.Context(), job, time.Time{})
	require.NoError(t, err)
	require.True(t, found)
	p, err := w.performer.Follow(t.Context(), job, receipt.ActionID)
	require.NoError(t, err)
	require.Equal(t, approvals.StepSucceeded, p.State)
	require.Equal(t, 2, w.Tenant.Writes())

	_, err = w.call("cancel_action", fmt.Sprintf(`{"action_id":%q,"reason":"x"}`, isolation.ActionID))
	require.ErrorContains(t, err, "only one that is Pending or InProgress")
	_, err = w.call("cancel_action", `{"action_id":"11111111-2222-3333-4444-555555555555","reason":"x"}`)
	require.Equal(t, approvals.KindNotFound, approvals.KindOf(err))
}

func TestACancellationThatCameTooLateFailed(t *testing.T) {
	w := open(t, toolstest.Options{})
	_, r := w.ask("isolate_devices", `{"devices":["host01"],"reason":"x"}`)
	isolation, err := w.performer.Apply(t.Context(), task(r))
	require.NoError(t, err)
	_, r = w.ask("cancel_action", fmt.Sprintf(`{"action_id":%q,"foreign":true,"reason":"x"}`, isolation.ActionID))
	w.Clock.Add(time.Minute)
	_, err = w.performer.Apply(t.Context(), task(r))
	var refused *worker.Refused
	require.ErrorAs(t, err, &refused)
	p, err := w.performer.Follow(t.Context(), task(r), isolation.ActionID)
	require.NoError(t, err)
	require.Equal(t, approvals.StepFailed, p.State)
}

func TestTheTagComesFirstAndSurvivesLongReasons(t *testing.T) {
	job := worker.Task{
		Tag: approvals.Tag("ABCDEFGH", 12), Requester: toolstest.Alice(),
		Plan: approvals.Plan{Tool: "isolate_devices", Reason: strings.Repeat("ä", 2000)},
	}
	c := comment(job)
	require.True(t, strings.HasPrefix(c, job.Tag+" ä"))
	require.True(t, strings.HasSuffix(c, "(requested by alice@contoso.com)"))
	require.LessOrEqual(t, len([]rune(c)), maxComment)
	job.Plan.Reason = ""
	require.Equal(t, job.Tag+" isolate_devices (requested by alice@contoso.com)", comment(job))
}
