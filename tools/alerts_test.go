package tools

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/ballot"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

func (o *office) confirm(r approvals.Request) {
	o.t.Helper()
	_, err := o.box.Cast(o.t.Context(), ballot.Ballot{
		RequestID: r.ID, Digest: r.Digest, Voter: approvals.Person{ID: "alice@contoso.com"}, Verdict: approvals.VerdictConfirm,
	})
	require.NoError(o.t, err)
}

func TestFortyFalsePositivesAreClosedInOneRequest(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	host := o.Tenant.Device("host01")
	var ids []string
	for range 40 {
		ids = append(ids, o.Tenant.RaiseAlert(mdesim.Alert{Title: "Odd scanner", MachineID: host.ID}).ID)
	}
	v, r := o.ask("update_alerts", string(remarshal(map[string]any{
		"alerts": ids, "status": "Resolved", "classification": "FalsePositive", "determination": "NotMalicious", "comment": "our scanner", "reason": "triage",
	})))
	require.Contains(t, v.Preview, "Update 40 alerts: ")
	for _, change := range []string{"status New -> Resolved (40)", "classification none -> FalsePositive (40)", `comment "our scanner"`} {
		require.Contains(t, v.Preview, change)
	}
	require.Len(t, r.Plan.Steps, 40)
	o.confirm(r)
	// One answer is lost and one alert refused: the others are not touched by that, and nothing is sent twice.
	o.Tenant.Fail(mdesim.Fault{Path: "/api/alerts/" + ids[3], Kind: mdesim.FaultCutAfter})
	o.Tenant.Fail(mdesim.Fault{Path: "/api/alerts/" + ids[5], Kind: mdesim.FaultStatus, Status: 400})
	v = o.finish(r.ID)
	require.Equal(t, "partial", v.Status)
	for i, s := range v.Steps {
		want := "succeeded"
		if i == 5 {
			want = "failed"
		}
		require.Equal(t, want, s.Status, "%d: %s", i, s.Message)
	}
	for i, id := range ids {
		a, err := o.Reader.GetAlert(t.Context(), id)
		require.NoError(t, err)
		if i == 5 {
			require.Equal(t, mdecore.AlertStatusNew, a.Status)
			continue
		}
		require.Equal(t, mdecore.AlertStatusResolved, a.Status)
		require.Len(t, a.Comments, 1, "once")
		require.True(t, strings.HasPrefix(a.Comments[0].Comment, approvals.Tag(r.ID, i)+" our scanner"))
	}
}

func TestVerdictsThatContradictAreRefused(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	host := w.Tenant.Device("host01")
	id := w.Tenant.RaiseAlert(mdesim.Alert{Title: "x", MachineID: host.ID, Classification: "TruePositive", Determination: "Malware"}).ID
	for fields, text := range map[string]string{
		`"classification":"FalsePositive","determination":"Malware"`:                  "FalsePositive, which takes Clean, InsufficientData, Other",
		`"classification":"InformationalExpectedActivity","determination":"Phishing"`: "takes SecurityTesting",
		`"determination":"Clean"`:                                   "does not go with classification TruePositive",
		`"determination":"Nonsense"`:                                "does not go with",
		`"classification":"TruePositive","determination":"Malware"`: "so already",
		`"reason":"only a reason"`:                                  "changes nothing",
	} {
		w.refused("update_alerts", fmt.Sprintf(`{"alerts":[%q],%s}`, id, fields), approvals.KindInvalid, text)
	}
	v := w.ok("update_alerts", fmt.Sprintf(`{"alerts":[%q,%q],"classification":"FalsePositive","reason":"x","dry_run":true}`, id, id)).Output.(requestView)
	require.Len(t, v.Steps, 1, "an alert that is named twice is one")
	require.Contains(t, strings.Join(v.Warnings, "\n"), "was judged a true positive")
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("da%d_1", i)
	}
	w.refused("update_alerts", string(remarshal(map[string]any{"alerts": many, "status": "New"})), approvals.KindInvalid, "at most 100")
}

// TestEveryVerdictOfOursIsTakenByTheTenant holds our table against the simulated service.
func TestEveryVerdictOfOursIsTakenByTheTenant(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	id := w.Tenant.RaiseAlert(mdesim.Alert{Title: "x", MachineID: w.Tenant.Device("host01").ID}).ID
	for c, all := range alertVerdicts() {
		for _, d := range all {
			_, err := w.Writer.UpdateAlert(t.Context(), id, mdecore.UpdateAlertRequest{Classification: c, Determination: d})
			require.NoError(t, err, "%s %s", c, d)
		}
	}
	incident := fmt.Sprint(w.ok("get_alert", fmt.Sprintf(`{"alert_id":%q}`, id)).Output.(getAlertOut).Alert.IncidentID)
	for c, all := range incidentVerdicts() {
		for _, d := range all {
			_, err := w.Writer.UpdateIncident(t.Context(), incident, mdecore.UpdateIncidentRequest{Classification: c, Determination: d})
			require.NoError(t, err, "%s %s", c, d)
		}
	}
}

func TestAnAlertThatWasRaisedIsFoundByItsTag(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	host := w.Tenant.Device("host01")
	w.Tenant.RaiseAlert(mdesim.Alert{Title: "Odd tool", MachineID: host.ID})
	v, r := w.ask("create_alert", `{"device":"host01.contoso.com","report_id":"7","event_time":"2026-11-20T16:45:21.7115183Z","title":"Odd tool",
		"description":"d","recommended_action":"a","reason":"x"}`)
	require.Contains(t, strings.Join(v.Warnings, "\n"), "adds the event to it and raises no new one")
	require.Contains(t, string(r.Plan.Steps[0].Args), "2026-11-20T16:45:21.7115183Z", "to its last digit")
	k := task(r)
	_, found, err := w.performer.Find(t.Context(), k, time.Time{})
	require.NoError(t, err)
	require.False(t, found)
	w.Tenant.RaiseAlert(mdesim.Alert{Title: "Odd tool", MachineID: host.ID, Description: k.Tag + " d"})
	_, found, err = w.performer.Find(t.Context(), k, time.Time{})
	require.NoError(t, err)
	require.True(t, found)
}

func TestTagsThatWereChangedMeanwhileAreNotOverwritten(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	a := w.ok("list_alerts", `{"since":"1h"}`).Output.(listAlertsOut).Alerts[0]
	id := fmt.Sprint(a.IncidentID)
	_, r := w.ask("update_incident", fmt.Sprintf(`{"id":%q,"tags":["c2"],"reason":"x"}`, id))
	_, err := w.Writer.UpdateIncident(t.Context(), id, mdecore.UpdateIncidentRequest{CustomTags: []string{"legal-hold"}})
	require.NoError(t, err)
	before := w.Tenant.Writes()
	_, err = w.performer.Apply(t.Context(), task(r))
	require.ErrorContains(t, err, "tags were changed")
	require.Equal(t, before, w.Tenant.Writes())
}

func TestAFilterOfAlertsCantBeLeft(t *testing.T) {
	t.Parallel()
	in := listAlertsIn{AssignedTo: "x' or 1 eq 1 or 'a' eq '", Severity: "High"}
	require.Equal(t, "severity eq 'High' and assignedTo eq 'x'' or 1 eq 1 or ''a'' eq '''", in.filter(time.Time{}))
}

func TestAnUpdateOfAnIncidentWithoutATraceIsNeverTakenForOurs(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	id := fmt.Sprint(w.ok("list_alerts", `{"since":"1h"}`).Output.(listAlertsOut).Alerts[0].IncidentID)
	look := func(args string) (bool, error) {
		res, err := w.call("update_incident", args)
		require.NoError(t, err)
		k := task(*res.Request)
		_, found, err := w.performer.Find(t.Context(), k, time.Time{})
		require.NoError(t, err)
		require.False(t, found, "nothing was sent yet")
		_, err = w.performer.Apply(t.Context(), k)
		require.NoError(t, err)
		_, found, err = w.performer.Find(t.Context(), k, time.Time{})
		return found, err
	}
	found, err := look(fmt.Sprintf(`{"id":%q,"assigned_to":"carol@contoso.com","reason":"x"}`, id))
	require.NoError(t, err)
	require.False(t, found)
	found, err = look(fmt.Sprintf(`{"id":%q,"status":"resolved","reason":"x"}`, id))
	require.NoError(t, err)
	require.True(t, found, "the resolving comment carries our tag")
}

func TestACommentOfOthersIsNotTakenForOurs(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	id := w.Tenant.RaiseAlert(mdesim.Alert{Title: "x", MachineID: w.Tenant.Device("host01").ID}).ID
	res := w.ok("update_alerts", fmt.Sprintf(`{"alerts":[%q],"comment":"seen","reason":"x"}`, id))
	k := task(*res.Request)
	for _, text := range []string{"seen", "as said in " + k.Tag + " seen", approvals.Tag("OTHER000", 0) + " seen"} {
		_, err := w.Writer.UpdateAlert(t.Context(), id, mdecore.UpdateAlertRequest{Comment: text})
		require.NoError(t, err)
	}
	_, found, err := w.performer.Find(t.Context(), k, time.Time{})
	require.NoError(t, err)
	require.False(t, found)
	_, err = w.performer.Apply(t.Context(), k)
	require.NoError(t, err)
	_, found, err = w.performer.Find(t.Context(), k, time.Time{})
	require.NoError(t, err)
	require.True(t, found)
}
