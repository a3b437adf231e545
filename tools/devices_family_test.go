package tools

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

func TestTheTimelineLinkIsOfTheCloud(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("a", 40)
	want := map[string]string{"gcc-high": "https://security.microsoft.us", "dod": "https://security.apps.mil"}
	for _, cloud := range mdecore.Clouds() {
		portal := want[cloud.Name]
		if portal == "" {
			portal = "https://security.microsoft.com"
		}
		require.Equal(t, portal+"/machines/v2/"+id+"/timeline?tid=t-1", timelineLink(cloud, id, "t-1"), cloud.Name)
	}
	custom := mdecore.Custom("https://localhost:1", "", "")
	require.Empty(t, timelineLink(custom, id, "t"))
	custom.Name = "public" // the name alone says nothing
	require.Empty(t, timelineLink(custom, id, "t"))
}

func TestPartsOfADeviceAreBoundedAndSaySo(t *testing.T) {
	t.Parallel()
	d := &deviceRead{session: &session{house: &house{tools: []Tool{{Name: "list_vulnerabilities"}}}}, id: "id-1"}
	var all []*mdecore.Vulnerability
	for i := range 45 {
		all = append(all, &mdecore.Vulnerability{ID: fmt.Sprintf("CVE-%02d", i), CVSSV3: mdecore.Float(i) / 10, PublicExploit: i == 3})
	}
	got, err := partOf(d, "vulnerabilities", "list_vulnerabilities", each(all), worstVulnerability, viewOfDeviceVulnerability)
	require.NoError(t, err)
	require.Len(t, got, maxPart)
	require.Equal(t, "CVE-03", got[0].ID, "what is exploited goes first")
	require.Equal(t, "CVE-44", got[1].ID)
	_, err = partOf(d, "missing_kbs", "", each(make45()), worstKB, viewOfDeviceKB)
	require.NoError(t, err)
	require.Equal(t, []string{
		"missing_kbs: the first 20 of 45; mde_get /api/machines/id-1/getmissingkbs reads all",
		"vulnerabilities: the first 20 of 45; list_vulnerabilities with this device lists all",
	}, d.leftOut())
	for path := range map[string]bool{"logonusers": true, "software": true, "getmissingkbs": true, "recommendations": true} {
		_, err := mdecore.NewRawGet("/api/machines/"+strings.Repeat("a", 40)+"/"+path, nil)
		require.NoError(t, err, path)
	}
}

func make45() []*mdecore.MissingKB {
	var all []*mdecore.MissingKB
	for range 45 {
		all = append(all, &mdecore.MissingKB{})
	}
	return all
}

// TestFiltersMeanTheSameHereAndThere compares what the tenant filters with what is filtered here.
func TestFiltersMeanTheSameHereAndThere(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	for _, in := range []findDevicesIn{
		{Health: "inactive"},
		{Risk: "High"},
		{OS: "Windows11", NamePrefix: "HOST0"},
		{Tag: "workstation", Where: []string{"value=normal", "exposure=Medium"}},
		{Where: []string{"onboarding=canbeonboarded"}},
		{Where: []string{"group=140"}},
		{Seen: "1d"},
		{Tag: "o'neil' or id ne '"},
	} {
		search, err := in.understood(w.Clock.Now())
		require.NoError(t, err)
		there, err := idsOf(w.Reader.ListMachines(t.Context(), mdecore.Query{Filter: mdecore.Filter(search.filter())}))
		require.NoError(t, err, search.filter())
		here, err := idsOf(search.matching(w.Reader.ListMachines(t.Context(), mdecore.Query{})))
		require.NoError(t, err)
		require.ElementsMatch(t, there, here, search.filter())
		require.Equal(t, strings.HasPrefix(in.Tag, "o'neil"), len(here) == 0, search.filter())
	}
}

func idsOf(all func(func(*mdecore.Machine, error) bool)) (ids []string, err error) {
	for m, err := range all {
		if err != nil {
			return nil, err
		}
		ids = append(ids, m.ID)
	}
	return ids, nil
}

func TestATagWhoseAnswerWasLostIsFoundByTheDevice(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	_, added := w.ask("tag_devices", `{"devices":["host01"],"add":["sweep"],"reason":"hunt"}`)
	_, removed := w.ask("tag_devices", `{"devices":["host01"],"remove":["workstation"],"reason":"hunt"}`)
	_, valued := w.ask("set_device_value", `{"devices":["host01"],"value":"High","reason":"pay"}`)
	paths := map[string]string{added.ID: "/api/machines/*/tags", removed.ID: "/api/machines/*/tags", valued.ID: "/api/machines/*/setDeviceValue"}
	for _, r := range []approvals.Request{added, removed, valued} {
		since := w.Clock.Now()
		_, found, err := w.performer.Find(t.Context(), task(r), since)
		require.NoError(t, err)
		require.False(t, found, "nothing was written yet")
		w.Tenant.Fail(mdesim.Fault{Kind: mdesim.FaultCutAfter, Path: paths[r.ID]})
		_, err = w.performer.Apply(t.Context(), task(r))
		require.Error(t, err)
		var refused *worker.Refused
		require.False(t, errorAs(err, &refused), "nobody knows: %v", err)
		receipt, found, err := w.performer.Find(t.Context(), task(r), since)
		require.NoError(t, err)
		require.True(t, found)
		require.NotEmpty(t, receipt.ActionID)
		p, err := w.performer.Follow(t.Context(), task(r), receipt.ActionID)
		require.NoError(t, err)
		require.Equal(t, approvals.StepSucceeded, p.State)
		w.Tenant.Fail(mdesim.Fault{Kind: mdesim.FaultStatus, Path: "/api/machines/*", Status: 503})
		_, found, err = w.performer.Find(t.Context(), task(r), since)
		require.Error(t, err)
		require.False(t, found, "a look-up that failed finds nothing")
	}
	require.ElementsMatch(t, []string{"sweep"}, w.Tenant.Device("host01").MachineTags)
	require.Equal(t, 3, w.Tenant.Writes())
}

func TestADamagedStepOfATagOrValueIsRefused(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	_, tag := w.ask("tag_devices", `{"devices":["host01"],"add":["sweep"],"reason":"hunt"}`)
	_, value := w.ask("set_device_value", `{"devices":["host01"],"value":"High","reason":"pay"}`)
	for _, r := range []approvals.Request{tag, value} {
		for _, args := range []string{`{}`, `[]`, `{"tag":"x","action":"Replace"}`, `{"tag":"","action":"Add"}`, `{"value":"Huge"}`} {
			step := task(r)
			step.Step.Args = json.RawMessage(args)
			_, err := w.performer.Apply(t.Context(), step)
			var refused *worker.Refused
			require.True(t, errorAs(err, &refused), "%s: %v", args, err)
			_, found, err := w.performer.Find(t.Context(), step, w.Clock.Now())
			require.Error(t, err, args)
			require.False(t, found)
		}
	}
	require.Zero(t, w.Tenant.Writes())
}

func TestAPlanOfTagsNamesWhatAnApproverMustKnow(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	id := w.Tenant.Device("host01").ID
	w.Tenant.UpdateDevice(id, func(m *mdesim.Machine) { m.MachineTags = []string{"Sweep", "Tier_0"} })
	res := w.ok("tag_devices", `{"devices":["host01"],"add":["sweep","sweep"],"remove":["Tier_0","nothing"],"reason":"x","dry_run":true}`)
	v := res.Output.(requestView)
	require.Len(t, v.Steps, 2)
	all := strings.Join(v.Warnings, "\n")
	require.Contains(t, all, "upper and lower case only")
	require.Contains(t, all, "plans no longer warn")
	require.Contains(t, all, `does not have the tag "nothing"`)
	text := w.refused("tag_devices", `{"devices":["host01"],"remove":["sweep"],"reason":"x"}`, approvals.KindInvalid, "nothing to do")
	require.Contains(t, text, "Sweep", "the tag that was probably meant is named")
}

// TestACommentAloneMakesNoActionOurs forges our mark: only the store says what is ours.
func TestACommentAloneMakesNoActionOurs(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	_, r := w.ask("isolate_devices", `{"devices":["host02"],"reason":"beaconing"}`)
	forged, err := w.Writer.IsolateMachine(t.Context(), w.Tenant.Device("host01").ID, mdecore.IsolateRequest{
		Comment: approvals.Tag(r.ID, 0) + " ha", IsolationType: mdecore.IsolationFull,
	})
	require.NoError(t, err)
	require.Empty(t, w.ok("list_actions", `{"ours":true}`).Output.(listActionsOut).Actions)
	all := w.ok("list_actions", `{}`).Output.(listActionsOut).Actions
	require.Len(t, all, 1)
	require.Empty(t, all[0].Request)
	require.Empty(t, w.ok("get_action", `{"action_id":"`+forged.ID+`"}`).Output.(getActionOut).Action.Request)
}

func TestActionsComeNewestFirstInPages(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	for _, name := range []string{"host01", "host02", "host03"} {
		_, err := w.Writer.RunAntiVirusScan(t.Context(), w.Tenant.Device(name).ID, mdecore.ScanRequest{Comment: "x", ScanType: mdecore.ScanQuick})
		require.NoError(t, err)
		w.Clock.Add(time.Minute)
	}
	var seen []string
	cursor, from := "", ""
	for range 3 {
		out := w.ok("list_actions", `{"type":"runantivirusscan","limit":1`+from+`}`).Output.(listActionsOut)
		require.Len(t, out.Actions, 1)
		name, _, _ := strings.Cut(out.Actions[0].Device, ".")
		seen, cursor = append(seen, name), out.Cursor
		from = `,"cursor":"` + cursor + `"`
	}
	require.Empty(t, cursor)
	require.Equal(t, []string{"host03", "host02", "host01"}, seen)
}

func TestRawAnswersAreHarmlessAndBounded(t *testing.T) {
	t.Parallel()
	v, err := safeJSON([]byte(`{"@odata.nextLink":"https://x","a\u202e":"b\u200bc\nd","n":12345678901234567890,"l":[null,true]}`))
	require.NoError(t, err)
	b, err := json.Marshal(v)
	require.NoError(t, err)
	require.JSONEq(t, `{"a<U+202E>":"b<U+200B>c d","n":12345678901234567890,"l":[null,true]}`, string(b))
	require.Contains(t, string(b), "12345678901234567890", "numbers keep their digits")

	ask, err := mdecore.NewRawGet("/api/machines", map[string][]string{"$skip": {"40"}, "$top": {"200"}})
	require.NoError(t, err)
	row := map[string]any{"text": strings.Repeat("x", 1000)}
	out := mdeGetOut{Body: map[string]any{"value": slices.Repeat([]any{row}, 200)}}
	require.NoError(t, out.shorten(ask))
	kept := len(out.Body.(map[string]any)["value"].([]any))
	require.Less(t, kept, 200)
	require.Contains(t, out.Note, fmt.Sprintf("$skip=%d", 40+kept))
	whole, err := json.Marshal(out)
	require.NoError(t, err)
	require.LessOrEqual(t, len(whole), maxAnswer+1000)

	out = mdeGetOut{Body: map[string]any{"text": strings.Repeat("é", maxAnswer)}}
	require.NoError(t, out.shorten(ask))
	require.IsType(t, "", out.Body)
	require.Contains(t, out.Note, "only the beginning")
	whole, err = json.Marshal(out)
	require.NoError(t, err)
	require.LessOrEqual(t, len(whole), maxAnswer)
}

func TestALongListThatHasNoPagesSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	ask, err := mdecore.NewRawGet("/api/machines/"+strings.Repeat("a", 40)+"/software", nil)
	require.NoError(t, err)
	out := mdeGetOut{Body: map[string]any{"value": slices.Repeat([]any{strings.Repeat("x", 1000)}, 100)}}
	require.NoError(t, out.shorten(ask))
	require.Contains(t, out.Note, "of 100 rows")
	require.NotContains(t, out.Note, "$skip")
	out = mdeGetOut{Body: map[string]any{"value": []any{strings.Repeat("x", maxAnswer)}}}
	require.NoError(t, out.shorten(ask))
	require.Contains(t, out.Note, "Not even the first")
}

func FuzzRawAnswer(f *testing.F) {
	for _, s := range []string{`{}`, `[[[[]]]]`, `{"value":[{"a":"\u202e"}]}`, `"\ud800"`, `1e999`, strings.Repeat("[", 100) + strings.Repeat("]", 100)} {
		f.Add(s, "$filter=a eq 'b;c'&$top=%31")
	}
	f.Fuzz(func(t *testing.T, body, query string) {
		_, _ = rawQuery(query)
		v, err := safeJSON([]byte(body))
		if err != nil {
			return
		}
		b, err := json.Marshal(v)
		require.NoError(t, err)
		for _, r := range string(b) {
			require.False(t, hidden(r), "U+%04X", r)
		}
	})
}
