package tools

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/policy"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// droppedFile is a file of the seeded alerts that nobody signed, and systemFile one that Microsoft did.
const (
	droppedFile = "8563f95b2f8a284fc99da44500cd51a77c1ff36c"
	systemFile  = "ff836cfb1af40252bd2a2ea843032e99a5b262ed"
)

// switchedOn is a policy under which bob may have devices offboarded.
func switchedOn(t *testing.T) approvals.Policy {
	t.Helper()
	facts, err := Facts()
	require.NoError(t, err)
	p, err := policy.Parse("policy.yaml", []byte(`version: 1
groups: {oncall: {people: [bob@contoso.com, carol@contoso.com]}}
defaults: {from: oncall}
rules:
  - {name: offboarding, tools: [offboard_devices], outcome: approve, count: 2}
`), policy.Known{Tools: facts})
	require.NoError(t, err)
	return p
}

func TestALostAnswerOfAnyDeviceActionIsFoundByItsTagAndNotSentAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ tool, device, more, path string }{
		{"restrict_apps", "host01", "", "restrictCodeExecution"},
		{"unrestrict_apps", "host02", "", "unrestrictCodeExecution"},
		{"scan_devices", "host01", "", "runAntiVirusScan"},
		{"stop_and_quarantine", "host01", `,"sha1":"` + droppedFile + `"`, "StopAndQuarantineFile"},
		{"isolate_devices", mdesim.NameUnmanaged, `,"isolation_type":"UnManagedDevice"`, "isolate"},
		{"offboard_devices", "host01", "", "offboard"},
	} {
		t.Run(c.tool, func(t *testing.T) {
			t.Parallel()
			w := open(t, toolstest.Options{Policy: switchedOn(t)})
			if c.tool == "unrestrict_apps" {
				_, err := w.Writer.RestrictCodeExecution(t.Context(), w.Tenant.Device("host02").ID, mdecore.RestrictRequest{Comment: "by hand"})
				require.NoError(t, err)
				w.Clock.Add(time.Minute)
			}
			_, r := w.ask(c.tool, fmt.Sprintf(`{"devices":[%q],"reason":"x"%s}`, c.device, c.more))
			job, since := task(r), w.Clock.Now().Add(-time.Minute)
			_, found, err := w.performer.Find(t.Context(), job, since)
			require.NoError(t, err)
			require.False(t, found, "nothing was sent yet")

			before := len(w.Tenant.Effects())
			w.Tenant.Fail(mdesim.Fault{Path: "/api/machines/" + job.Step.Target + "/" + c.path, Kind: mdesim.FaultCutAfter})
			_, err = w.performer.Apply(t.Context(), job)
			require.Error(t, err)
			require.Len(t, w.Tenant.Effects(), before+1)
			receipt, found, err := w.performer.Find(t.Context(), job, since)
			require.NoError(t, err)
			require.True(t, found)
			require.Equal(t, w.Tenant.Effects()[before].ActionID, receipt.ActionID)

			other := job
			other.Tag = approvals.Tag("ZZZZZZZZ", 0)
			_, found, err = w.performer.Find(t.Context(), other, since)
			require.NoError(t, err)
			require.False(t, found, "another request's step is not this one")
			other = job
			other.Step.Target = w.Tenant.Device("host03").ID
			_, found, err = w.performer.Find(t.Context(), other, since)
			require.NoError(t, err)
			require.False(t, found, "another device's action is never adopted")
		})
	}
}

func TestASecondActionOfTheSameTypeIsRefusedWhileOneIsOpen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ tool, more, first, more1 string }{
		{"restrict_apps", "", "restrict_apps", ""},
		{"unrestrict_apps", "", "restrict_apps", ""},
		{"scan_devices", `,"scan_type":"Full"`, "scan_devices", ""},
		{"stop_and_quarantine", `,"sha1":"` + droppedFile + `"`, "stop_and_quarantine", `,"sha1":"` + droppedFile + `"`},
		{"offboard_devices", "", "isolate_devices", ""},
	} {
		for _, devices := range []string{`["host01"]`, `["host01","host02","host03","host04","host05"]`} {
			t.Run(c.tool+devices, func(t *testing.T) {
				t.Parallel()
				w := open(t, toolstest.Options{Policy: switchedOn(t)})
				_, r := w.ask(c.first, `{"devices":["host01"],"reason":"x"`+c.more1+`}`)
				_, err := w.performer.Apply(t.Context(), task(r))
				require.NoError(t, err)
				_, err = w.call(c.tool, `{"devices":`+devices+`,"reason":"y"`+c.more+`}`)
				require.Equal(t, approvals.KindInvalid, approvals.KindOf(err))
				require.ErrorContains(t, err, "preflight refuses 1 of ")
				require.ErrorContains(t, err, "already has an open action: "+w.Tenant.Effects()[0].Type)
				require.Equal(t, 1, w.Tenant.Writes())
			})
		}
	}
}

func TestOffboardingIsDeniedUntilPolicySwitchesItOn(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	w.refused("offboard_devices", `{"devices":["host01"],"reason":"x"}`, approvals.KindDenied)

	w = open(t, toolstest.Options{Policy: switchedOn(t)})
	v, _ := w.ask("offboard_devices", `{"devices":["host01"],"reason":"retired"}`)
	require.Equal(t, 2, v.Approvers[0].Count)
	require.Contains(t, v.Preview, "this can't be undone here")
	require.Nil(t, v.Undo)
}

func TestAnIsolatedDeviceIsNotOffboarded(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	o.somebody(mdecore.ActionIsolate, "host01")
	_, err := o.call("offboard_devices", `{"devices":["host01"],"dry_run":true}`)
	require.ErrorContains(t, err, "release it first")
}

func TestOffboardingSaysWhatItCanNotKnow(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	host := w.Tenant.Device("host01").ID
	for platform, warned := range map[string]bool{"WindowsServer2016": true, "WindowsServer2012R2": true, "WindowsServer2019": false} {
		w.Tenant.UpdateDevice(host, func(m *mdesim.Machine) { m.OSPlatform = platform })
		v := w.ok("offboard_devices", `{"devices":["host01"],"dry_run":true}`).Output.(requestView)
		require.Equal(t, warned, len(v.Warnings) > 0, "%s: %v", platform, v.Warnings)
	}
}

func TestWhoseSignatureAFileHasDecides(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		file    mdecore.File
		refused bool
		warning string
	}{
		{"Microsoft", mdecore.File{Signer: "Microsoft Windows", IsValidCertificate: true}, true, ""},
		{"in other letters", mdecore.File{Signer: " MICROSOFT CORPORATION", IsValidCertificate: true}, true, ""},
		{"a forged signature", mdecore.File{Signer: "Microsoft Windows"}, false, "is not valid"},
		{"a claim only", mdecore.File{FilePublisher: "Microsoft Corporation"}, false, "no known signer"},
		{"another's signature under a claim", mdecore.File{FilePublisher: "Microsoft", Signer: "Fabrikam", IsValidCertificate: true}, false, `but "Fabrikam" signed it`},
		{"another's", mdecore.File{FilePublisher: "Fabrikam", Signer: "Fabrikam", IsValidCertificate: true}, false, "publishers that it trusts"},
		{"a name to mislead", mdecore.File{Signer: "Microsоft", IsValidCertificate: true}, false, "publishers that it trusts"},
	} {
		require.Equal(t, c.refused, microsoftSigned(&c.file), c.name)
		if !c.refused {
			require.Contains(t, stoppable{File: &c.file}.warnings()[0], c.warning, c.name)
		}
	}
}

func TestAFileThatIsSpreadWideIsWarnedOf(t *testing.T) {
	t.Parallel()
	of := func(here, world int) string {
		w := stoppable{File: &mdecore.File{}, stats: &mdecore.FileStats{OrganizationPrevalence: mdecore.Int(here), GloballyPrevalence: mdecore.Int(world)}}.warnings()
		return w[len(w)-1]
	}
	require.NotContains(t, of(24, 9_999), "SPREAD WIDE")
	require.Contains(t, of(25, 0), "SPREAD WIDE")
	require.Contains(t, of(0, 10_000), "SPREAD WIDE")
	w := stoppable{File: &mdecore.File{}}.warnings()
	require.Contains(t, w[len(w)-1], "is not known")
}

func TestQuarantineOfWhatMustNotBeStoppedSendsNothing(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	ask := func(sum string) string { return fmt.Sprintf(`{"sha1":%q,"devices":["host01"],"reason":"x"}`, sum) }
	w.refused("stop_and_quarantine", ask(systemFile), approvals.KindInvalid, "validly signed by", "Microsoft Corporation")
	w.refused("stop_and_quarantine", ask("00000000000000000000000000000000000000aa"), approvals.KindNotFound, "does not know a file")
	for _, path := range []string{"/api/files/" + droppedFile, "/api/files/" + droppedFile + "/stats", "/api/files/" + droppedFile + "/machines"} {
		w.Tenant.Fail(mdesim.Fault{Path: path, Status: 500})
		w.refused("stop_and_quarantine", ask(droppedFile), approvals.KindNoAnswer)
	}
	_, r := w.ask("stop_and_quarantine", ask(droppedFile))
	require.JSONEq(t, `{"sha1":"`+droppedFile+`"}`, string(r.Plan.Steps[0].Args))
	job := task(r)
	job.Step.Args = json.RawMessage(`{"sha1":"../x"}`)
	_, err := w.performer.Apply(t.Context(), job)
	require.Error(t, err)
	require.Zero(t, w.Tenant.Writes())
}

func TestADeviceOnWhichTheFileWasNotSeenIsNamed(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	seen := map[string]bool{}
	for m, err := range w.Reader.ListFileMachines(t.Context(), droppedFile) {
		require.NoError(t, err)
		seen[m.ID] = true
	}
	require.False(t, seen[w.Tenant.Device("host05").ID])
	v := w.ok("stop_and_quarantine", `{"sha1":"`+droppedFile+`","devices":["host05"],"dry_run":true}`).Output.(requestView)
	require.Contains(t, v.Warnings, "Defender has not seen the file on host05.contoso.com")
}

func TestOnlyWhatIsContainedIsReleasedWithoutDefender(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	id := o.Tenant.Device(mdesim.NameUnmanaged).ID
	act := func(a mdecore.MachineAction) string {
		var f finding
		a.Status = mdecore.ActionSucceeded
		f.release(&mdecore.Machine{ID: id, OnboardingStatus: "CanBeOnboarded"}, []*mdecore.MachineAction{&a})
		return fmt.Sprint(f.refused)
	}
	require.Equal(t, "[]", act(mdecore.MachineAction{Type: mdecore.ActionIsolate, Scope: "UnManagedDevice"}))
	require.Contains(t, act(mdecore.MachineAction{Type: mdecore.ActionIsolate, Scope: "Full"}), "not onboarded")
	require.Contains(t, act(mdecore.MachineAction{Type: mdecore.ActionUnisolate}), "not onboarded")

	for status, contained := range map[mdecore.OnboardingStatus]bool{
		"Onboarded": false, "onboarded": false, "": false, "Later": false, "CanBeOnboarded": true, "Unsupported": true, "insufficientInfo": true,
	} {
		var f finding
		f.isolate(&mdecore.Machine{ID: id, OnboardingStatus: status}, nil, mdecore.IsolationUnManagedDevice)
		require.Equal(t, contained, len(f.refused) == 0, string(status))
	}
}

func TestUndoOfAReleaseContainsAgain(t *testing.T) {
	t.Parallel()
	kind, sure := typeBefore(&mdecore.MachineAction{Scope: "UnManagedDevice"})
	require.True(t, sure)
	require.Equal(t, mdecore.IsolationUnManagedDevice, kind)
}

func TestUndoOfARestrictionLeavesIsolationsAlone(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	_, r := o.ask("restrict_apps", `{"devices":["host01","host02"],"reason":"x"}`)
	o.approve(r)
	require.Equal(t, "succeeded", o.finish(r.ID).Status)
	o.somebody(mdecore.ActionIsolate, "host01")
	_, err := o.Writer.UnrestrictCodeExecution(t.Context(), o.Tenant.Device("host02").ID, mdecore.UnrestrictRequest{Comment: "by hand"})
	require.NoError(t, err)
	o.Clock.Add(time.Minute)
	v := o.ok("undo_request", fmt.Sprintf(`{"id":%q,"reason":"clean"}`, r.ID)).Output.(requestView)
	require.Equal(t, "unrestrict_apps", v.Tool)
	require.Len(t, v.Steps, 1)
	require.Contains(t, fmt.Sprint(v.Warnings), "host02.contoso.com is left out: UnrestrictCodeExecution")
	require.True(t, o.Tenant.Isolated(o.Tenant.Device("host01").ID))
}

func TestUndoOfALiftedRestrictionNeedsOneThatWasInForce(t *testing.T) {
	t.Parallel()
	d := deed{tag: approvals.Tag("ABCDEFGH", 0), actionID: "a1", device: "d1"}
	lifted := &mdecore.MachineAction{ID: "a1", Type: mdecore.ActionUnrestrictCodeExecution, MachineID: "d1", RequestorComment: d.tag, Status: mdecore.ActionSucceeded}
	_, before := unrestrictionReversal().standing(d, []*mdecore.MachineAction{lifted, {ID: "a0", Type: mdecore.ActionIsolate, Status: mdecore.ActionSucceeded}})
	require.Nil(t, before, "an isolation is no restriction")
	require.True(t, unrestrictionReversal().frees)
}

// The service is not believed to have filtered: an action is ours by its tag, its device and its type.
func TestAnActionIsOursByTagDeviceAndType(t *testing.T) {
	t.Parallel()
	tag := approvals.Tag("ABCDEFGH", 0)
	const contain, full = `{"isolation_type":"UnManagedDevice"}`, `{"isolation_type":"Full"}`
	for _, c := range []struct {
		name, step, kind, device, comment string
		ours                              bool
	}{
		{"ours", full, "Isolate", oneID, tag + " x", true},
		{"another device's", full, "Isolate", otherID, tag + " x", false},
		{"another type", full, "Unisolate", oneID, tag + " x", false},
		{"a type that is not known", full, "Contain", oneID, tag + " x", false},
		{"another's comment", full, "Isolate", oneID, "x " + tag, false},
		{"contained, as isolation", contain, "Isolate", oneID, tag + " x", true},
		{"contained, by a type that is not known", contain, "Contain", oneID, tag + " x", true},
		{"contained, another device", contain, "Contain", otherID, tag + " x", false},
		{"contained, another type", contain, "Offboard", oneID, tag + " x", false},
	} {
		client := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"value":[{"id":%q,"type":%q,"machineId":%q,"requestorComment":%q,"status":"Pending"}]}`, oneGUID, c.kind, c.device, c.comment)
		})
		job := worker.Task{Tag: tag, Step: approvals.Step{Target: oneID, Args: json.RawMessage(c.step)}}
		_, found, err := findIsolation(t.Context(), hands{reader: client}, job, time.Now())
		require.NoError(t, err, c.name)
		require.Equal(t, c.ours, found, c.name)
	}
}

func TestUndoWaitsForARestrictionThatIsUnderWay(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	_, r := o.ask("restrict_apps", `{"devices":["host01"],"reason":"x"}`)
	o.approve(r)
	require.Equal(t, "succeeded", o.finish(r.ID).Status)
	_, err := o.Writer.UnrestrictCodeExecution(t.Context(), o.Tenant.Device("host01").ID, mdecore.UnrestrictRequest{Comment: "by hand"})
	require.NoError(t, err)
	o.leaves(r.ID, approvals.KindInvalid, "UnrestrictCodeExecution", "is under way")
}

func TestNothingIsRestrictedAgainThatWasNotKnownToBe(t *testing.T) {
	t.Parallel()
	r := approvals.Request{ID: "ABCDEFGH", Plan: approvals.Plan{Steps: []approvals.Step{{Target: oneID}}}, Steps: []approvals.StepStatus{{ActionID: oneGUID}}}
	lifted := &mdecore.MachineAction{
		ID: oneGUID, Type: mdecore.ActionUnrestrictCodeExecution, MachineID: oneID, RequestorComment: approvals.Tag(r.ID, 0), Status: mdecore.ActionSucceeded,
	}
	before := &mdecore.MachineAction{ID: oneOther, Type: mdecore.ActionRestrictCodeExecution, MachineID: oneID, Status: mdecore.ActionSucceeded}
	devices := []*mdecore.Machine{{ID: oneID, ComputerDNSName: "host01", OSPlatform: "Windows11", OnboardingStatus: "onboarded"}}
	for steps, actions := range [][]*mdecore.MachineAction{{lifted}, {lifted, before}} {
		u := &undoing{r: r, reversal: unrestrictionReversal()}
		require.NoError(t, u.add(0, devices, map[string][]*mdecore.MachineAction{oneID: actions}))
		require.Len(t, u.plan.Steps, steps)
	}
}
