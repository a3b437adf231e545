package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
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

// sighted is a world whose reader sees every indicator.
func sighted(t *testing.T) *world {
	t.Helper()
	return open(t, toolstest.Options{AppID: mdesim.DefaultAppID, AppSecret: mdesim.DefaultAppSecret})
}

// table is a CSV of so many hashes.
func table(n int) string {
	var b strings.Builder
	b.WriteString("IndicatorType,IndicatorValue,Action,Title,ExpirationTime\n")
	for i := range n {
		fmt.Fprintf(&b, "FileSha256,%064X,Block,Campaign 7,30d\n", i+1)
	}
	return b.String()
}

func argsOfCSV(text string) string {
	return string(remarshal(map[string]string{"csv": text, "reason": "campaign"}))
}

func TestTwelveHundredIndicatorsAreOneRequest(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	before := len(o.Tenant.Indicators())
	v, r := o.ask("add_indicators", argsOfCSV(table(1200)))
	require.Contains(t, v.Preview, "Set 1200 indicators on all devices: Block FileSha256 (1200)")
	require.Len(t, r.Plan.Steps, 3, "500 a call")
	require.Len(t, r.Plan.Targets, 3)
	var args struct{ Values []string }
	require.NoError(t, json.Unmarshal(r.Plan.Args, &args))
	require.Len(t, args.Values, 1200, "policy sees every value")
	require.Zero(t, o.Tenant.Writes())
	o.approve(r)
	require.Equal(t, "succeeded", o.finish(r.ID).Status)
	require.Len(t, o.Tenant.Indicators(), before+1200)
	one, ok := o.Tenant.Indicator("FileSha256", fmt.Sprintf("%064x", 1200))
	require.True(t, ok)
	require.True(t, strings.HasPrefix(one.Description, approvals.Tag(r.ID, 2)), one.Description)
	require.NotNil(t, one.ExpirationTime)
}

func TestNeverBlockSeesEachValueOfATable(t *testing.T) {
	t.Parallel()
	facts, err := Facts()
	require.NoError(t, err)
	p, err := policy.Parse("policy.yaml", []byte(`version: 1
groups: {oncall: {people: [bob@contoso.com]}}
defaults: {from: oncall}
never_block: {domains: [partner.example], hashes: ["`+fmt.Sprintf("%064x", 977)+`"]}
`), policy.Known{Tools: facts})
	require.NoError(t, err)
	w := open(t, toolstest.Options{Policy: p})
	for _, args := range []string{
		argsOfCSV(table(1200)),
		argsOfCSV("value,action\n203.0.113.9,Block\nvpn[.]Partner[.]example,Block\n"),
		`{"values":["hxxps://www.partner.example/x"],"action":"Block","reason":"x"}`,
	} {
		_, err := w.call("add_indicators", args)
		require.ErrorContains(t, err, "may never be blocked")
		require.Equal(t, approvals.KindDenied, approvals.KindOf(err))
	}
	_, err = w.call("add_indicators", argsOfCSV(table(976)))
	require.NoError(t, err)
	_, err = w.call("allow_indicators", `{"values":["vpn.partner.example"],"reason":"x"}`)
	require.NoError(t, err, "to allow is no blocking")
}

func TestWhatIsInForceIsShownAsChangedOrLeftOut(t *testing.T) {
	t.Parallel()
	w := sighted(t)
	res := w.ok("add_indicators", `{"values":["`+mdesim.SeededBadAddress+`","`+mdesim.SeededBadDomain+`","`+mdesim.SeededGoodFile+`","203.0.113.9"],
		"action":"Block","expires":"7d","reason":"x","dry_run":true}`)
	v := res.Output.(requestView)
	require.Len(t, v.Steps, 4)
	all := strings.Join(v.Warnings, "\n")
	require.Contains(t, all, `"`+mdesim.SeededGoodFile+`" is in force (id 993, by "alice@contoso.com") and changes: Allowed, Informational, no alert, for ever -> Block, Medium, until `)
	require.Contains(t, all, "Audit, Medium, for ever -> Block")
	csv := "value,action,severity\n" + mdesim.SeededBadAddress + ",Block,High\n"
	w.refused("add_indicators", argsOfCSV(csv), approvals.KindInvalid, "1 indicator is so already")
	v = w.ok("add_indicators", argsOfCSV(csv+"203.0.113.9,Block,High\n203.0.113.9,Block,High\n")).Output.(requestView)
	require.Len(t, v.Steps, 1)
	require.Contains(t, strings.Join(v.Warnings, "\n"), "1 indicator is so already and left out")
	require.Contains(t, strings.Join(v.Warnings, "\n"), "1 repeated rows count once")
}

func TestEachRowThatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	for row, text := range map[string]string{
		"10.0.0.0/8,Block,,":                      "10.0.0.0/8 is a network",
		"192.168.0.1,Block,,":                     "private or reserved",
		"100.64.1.1,Block,,":                      "private or reserved",
		"127.0.0.1,Block,,":                       "private or reserved",
		"::ffff:203.0.113.9,Block,,":              "plain IPv4 or IPv6",
		"contoso.com,Block,,":                     "the organisation's own",
		"sub.contoso.com,Block,,":                 "the organisation's own",
		"https://www.contoso.com/login,Block,,":   "the organisation's own",
		"microsoft.com,Block,,":                   "of Microsoft",
		"login.microsoftonline.com,Block,,":       "of Microsoft",
		"windows.net,Block,,":                     "of Microsoft",
		"blob.core.windows.net,Block,,":           "of Microsoft",
		"com,Block,,":                             "at least two parts",
		"host.local,Block,,":                      "inside networks",
		"*.evil.example,Block,,":                  "wildcard",
		"evіl.example,Block,,":                    "xn--",
		"abc123,Block,,":                          "at least two parts",
		strings.Repeat("a", 41) + ",Block,,":      "40 hexadecimal digits",
		"203.0.113.9,Allowed,,":                   "allow_indicators allows",
		"203.0.113.9,AlertAndBlock,,":             "before 2022",
		"203.0.113.9,BlockAndRemediate,,":         "can't be remediated",
		"203.0.113.9,Block,yesterday,":            "neither a time from now",
		"203.0.113.9,Block,2020-01-01,":           "has passed",
		"203.0.113.9,Block,,Terrible":             "no severity",
		"203.0.113.9,Block,,\n203.0.113.9,Warn,,": "stands at line 2 as well",
		"203.0.113.9,Block,":                      "line 2 has another number of fields",
		"\"203.0.113.9,Block,,":                   "can't be read",
		"https://u:secret@evil.example/,Block,,":  "names an account",
		"ftp://evil.example/x,Block,,":            "http:// or https://",
		"http://10.1.2.3/x,Block,,":               "private or reserved",
	} {
		text2 := w.refused("add_indicators", argsOfCSV("value,action,expires,severity\n"+row+"\n"), approvals.KindInvalid, text)
		require.NotContains(t, text2, "secret")
	}
	for _, good := range []string{"evil.azurewebsites.net", "drop.blob.core.windows.net", "notcontoso.com", "2001:db9::1", "evil.example/Path?q=1"} {
		w.ok("add_indicators", argsOfCSV("value,action\n"+good+",Block\n"))
	}
	for text, csv := range map[string]string{
		"there twice": "value,indicator_value\na,b\n", "no column indicator_value": "action\nBlock\n", "no rows": "value,action\n", "is not taken": "value,mitretechniques\nx,y\n",
	} {
		_, err := w.call("add_indicators", argsOfCSV(csv))
		require.ErrorContains(t, err, text)
	}
	_, err := w.call("add_indicators", argsOfCSV(table(maxIndicators+1)))
	require.ErrorContains(t, err, "more than 5000 rows")
	_, err = w.call("list_indicators", `{"value":"`+strings.Repeat("a", maxArgs)+`"}`)
	require.ErrorContains(t, err, "at most 65536 are taken", "only a tool that takes a table has room for one")
}

func TestOneDeviceCantKeepADomainFromBeingBlocked(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	v := w.ok("add_indicators", `{"values":["fabrikam.com"],"action":"Block","reason":"x","dry_run":true}`).Output.(requestView)
	require.Contains(t, strings.Join(v.Warnings, "\n"), "in which one device of the tenant is")
}

// TestALostImportIsFoundByItsTag covers the three ends of an import whose answer was lost: all there, some there, none.
func TestALostImportIsFoundByItsTag(t *testing.T) {
	t.Parallel()
	w := sighted(t)
	_, r := w.ask("add_indicators", argsOfCSV(table(30)))
	k := task(r)
	_, found, err := w.performer.Find(t.Context(), k, time.Time{})
	require.NoError(t, err)
	require.False(t, found)
	w.Tenant.Fail(mdesim.Fault{Path: "/api/indicators/import", Kind: mdesim.FaultCutAfter})
	_, err = w.performer.Apply(t.Context(), k)
	require.Error(t, err)
	got, found, err := w.performer.Find(t.Context(), k, time.Time{})
	require.NoError(t, err)
	require.True(t, found)
	p, err := w.performer.Follow(t.Context(), k, got.ActionID)
	require.NoError(t, err)
	require.Equal(t, approvals.StepSucceeded, p.State)

	gone, ok := w.Tenant.Indicator("FileSha256", fmt.Sprintf("%064x", 7))
	require.True(t, ok)
	require.NoError(t, w.Writer.DeleteIndicator(t.Context(), gone.ID))
	got, found, err = w.performer.Find(t.Context(), k, time.Time{})
	require.NoError(t, err)
	require.True(t, found)
	p, err = w.performer.Follow(t.Context(), k, got.ActionID)
	require.NoError(t, err)
	require.Equal(t, approvals.StepFailed, p.State)
	require.Contains(t, p.Message, "29 of 30 are in force, and these are not: "+gone.IndicatorValue)

	other := k
	other.Tag = approvals.Tag("OTHER000", 0)
	_, found, err = w.performer.Find(t.Context(), other, time.Time{})
	require.NoError(t, err)
	require.False(t, found, "what another request made is not ours")
}

func TestAnImportThatIsTakenInPartSaysWhatIsNot(t *testing.T) {
	t.Parallel()
	w := sighted(t)
	_, r := w.ask("add_indicators", argsOfCSV(table(30)))
	// One expires between the approval and the sending, as the tenant's clock sees it.
	k := task(r)
	var step indicatorStep
	require.NoError(t, json.Unmarshal(k.Step.Args, &step))
	w.Clock.Add(24 * time.Hour)
	step.Indicators[3].ExpirationTime = mdecore.Time{Time: w.Clock.Now().Add(-time.Hour)}
	k.Step.Args = remarshal(step)
	_, err := w.performer.Apply(t.Context(), k)
	require.ErrorContains(t, err, "29 of 30 are in force; Defender refused "+step.Indicators[3].IndicatorValue+" (")
}

func TestAStepSetsOnlyWhatPolicyWasAskedAbout(t *testing.T) {
	t.Parallel()
	w := sighted(t)
	_, r := w.ask("add_indicators", `{"values":["hxxp://203.0.113.9/Drop"],"action":"Block","reason":"x"}`)
	for text, change := range map[string]func(*mdecore.IndicatorRequest){
		`"http://203.0.113.10/" is not among the plan's arguments`: func(i *mdecore.IndicatorRequest) { i.IndicatorValue = "http://203.0.113.10/" },
		`does not set indicators to "Allowed"`:                     func(i *mdecore.IndicatorRequest) { i.Action = mdecore.IndicatorAllowed },
	} {
		k := task(r)
		var step indicatorStep
		require.NoError(t, json.Unmarshal(k.Step.Args, &step))
		change(&step.Indicators[0])
		k.Step.Args = remarshal(step)
		_, err := w.performer.Apply(t.Context(), k)
		require.ErrorContains(t, err, text)
		require.Zero(t, w.Tenant.Writes())
	}
	_, err := w.performer.Apply(t.Context(), task(r))
	require.NoError(t, err)
}

func TestALostRemovalIsLeftToAPerson(t *testing.T) {
	t.Parallel()
	w := sighted(t)
	_, r := w.ask("remove_indicators", `{"indicators":["`+mdesim.SeededBadAddress+`"],"reason":"sinkholed"}`)
	w.Tenant.Fail(mdesim.Fault{Path: "/api/indicators/BatchDelete", Kind: mdesim.FaultCutAfter})
	_, err := w.performer.Apply(t.Context(), task(r))
	require.Error(t, err)
	var refused *worker.Refused
	require.False(t, errorAs(err, &refused), "it may have been done")
	_, found, err := w.performer.Find(t.Context(), task(r), time.Time{})
	require.NoError(t, err)
	require.False(t, found)
}

func TestRemovalsShowWhatGoes(t *testing.T) {
	t.Parallel()
	w := sighted(t)
	v := w.ok("remove_indicators", `{"indicators":["`+mdesim.SeededGoodFile+`","991","`+mdesim.SeededBadAddress+`"],"reason":"x"}`).Output.(requestView)
	require.Len(t, v.Steps, 2, "an id and a value of the same indicator count once")
	require.Contains(t, strings.Join(v.Warnings, "\n"), "is allowed no longer, and may be blocked")
	require.Contains(t, strings.Join(v.Warnings, "\n"), "is blocked no longer")
	require.Contains(t, v.Preview, "Remove 2 indicators")
}

func TestAReaderThatSeesOnlyItsOwnSaysSo(t *testing.T) {
	t.Parallel()
	s := &session{house: &house{}}
	require.Contains(t, s.indicatorSight(t.Context()), "can't look at the roles")
	for roles, text := range map[string]string{"Ti.ReadWrite": "no role Ti.ReadWrite.All", "Ti.ReadWrite.All": ""} {
		s.house = &house{tokenInfo: func(context.Context) (TokenInfo, error) { return TokenInfo{Roles: []string{roles}}, nil }}
		if got := s.indicatorSight(t.Context()); text == "" {
			require.Empty(t, got)
		} else {
			require.Contains(t, got, text)
		}
	}
}

// FuzzIndicator requires that whatever is understood as an indicator is understood again as the same, and is taken by the
// client, which has rules of its own.
func FuzzIndicator(f *testing.F) {
	for _, s := range []string{
		"203.0.113.9", "evil[.]example", "hxxps://bad.example/Path", "10.0.0.0/8", strings.Repeat("a", 40), "2001:db8::1", "evil.example.", "http://203.0.113.9/x",
		"a_b.example", "xn--e1afmkfd.example", "http://evil.example:8080/?q#f", "[2001:db8::1]", "//evil.example", "http://[2001:db9::1]/x", "evil.example/%zz",
	} {
		f.Add(s, "")
	}
	f.Add(strings.Repeat("a", 40), "certificatethumbprint")
	c := answering(f, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	f.Fuzz(func(t *testing.T, text, stated string) {
		kind, value, err := parseIndicator(text, stated)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		again, same, err := parseIndicator(value, string(kind))
		require.NoError(t, err)
		require.Equal(t, kind, again)
		require.Equal(t, value, same)
		_, err = c.SubmitIndicator(t.Context(), mdecore.IndicatorRequest{
			IndicatorValue: value, IndicatorType: kind, Action: mdecore.IndicatorBlock, Title: "t", Description: "d",
		})
		var invalid *mdecore.InvalidError
		require.False(t, errors.As(err, &invalid), "%q: %v", value, err)
	})
}

// FuzzIndicatorCSV requires that a table is either refused in one line or read with a value for each row.
func FuzzIndicatorCSV(f *testing.F) {
	f.Add("value,action\n203.0.113.9,Block\n")
	f.Add("indicator_value,\"title\"\na,\"b\nc\"\n")
	f.Add("value\n\n\n")
	f.Add("\"")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := readIndicatorCSV(text)
		if err != nil {
			require.NotContains(t, err.Error(), "\n")
			return
		}
		require.NotEmpty(t, rows)
		for _, r := range rows {
			require.NotEmpty(t, r.at)
			require.NotContains(t, r.Title, "\n")
		}
	})
}
