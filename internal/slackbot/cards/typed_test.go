package cards

import (
	"fmt"
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// devices are so many of them, with names that can be typed.
func devices(n int) (list []approvals.Target) {
	for i := range n {
		list = append(list, approvals.Target{ID: fmt.Sprintf("%040d", i), Kind: kindDevice, Name: fmt.Sprintf("Host%02d.contoso.com", i)})
	}
	return list
}

func TestWhatIsTypedWithAYes(t *testing.T) {
	t.Parallel()
	named := func(name string) []approvals.Target {
		return []approvals.Target{{ID: "AB12cd34ef56", Kind: kindDevice, Name: name}}
	}
	for name, c := range map[string]struct {
		plan  approvals.Plan
		label string
		met   []string
		not   []string
	}{
		"few devices contained":  {approvals.Plan{Risk: approvals.RiskContain, Targets: devices(5)}, "", []string{"", "anything"}, nil},
		"many devices":           {approvals.Plan{Risk: approvals.RiskContain, Targets: devices(6)}, "how many devices", []string{"6", " 6\n"}, []string{"", "06", "six", "６", "6.0", "+6"}},
		"many annotated":         {approvals.Plan{Risk: approvals.RiskAnnotate, Targets: devices(6)}, "how many devices", []string{"6"}, []string{"5"}},
		"code on one device":     {approvals.Plan{Risk: approvals.RiskExecute, Targets: devices(1)}, "the name of the device", []string{"host00.CONTOSO.com"}, []string{"", "1", "host00", "host01.contoso.com", "h\u043est00.contoso.com", "host00.contoso.com."}},
		"code on two":            {approvals.Plan{Risk: approvals.RiskExecute, Targets: devices(2)}, "how many devices", []string{"2"}, []string{"1"}},
		"off":                    {approvals.Plan{Risk: approvals.RiskOff, Targets: devices(1)}, "the name of the device", []string{"host00.contoso.com"}, []string{""}},
		"a risk of another day":  {approvals.Plan{Risk: "wipe", Targets: devices(1)}, "the name of the device", []string{"host00.contoso.com"}, []string{""}},
		"no risk":                {approvals.Plan{Targets: devices(1)}, "the name of the device", nil, []string{""}},
		"no targets":             {approvals.Plan{Risk: approvals.RiskDestroy}, "how many", []string{"0"}, []string{""}},
		"a name nobody can type": {approvals.Plan{Risk: approvals.RiskDestroy, Targets: named("h\u043est01")}, "first 8 characters of the id", []string{"ab12CD34"}, []string{"h\u043est01", "host01", "AB12cd3"}},
		"a name that is not one": {approvals.Plan{Risk: approvals.RiskDestroy, Targets: named("")}, "first 8 characters of the id", []string{"AB12cd34"}, []string{""}},
		"a name with a quote":    {approvals.Plan{Risk: approvals.RiskDestroy, Targets: named(`host"01`)}, "first 8 characters of the id", []string{"AB12cd34"}, []string{`host"01`}},
		"a lift":                 {approvals.Plan{Risk: approvals.RiskDestroy, Targets: []approvals.Target{{ID: "all", Kind: kindSwitch, Name: "all"}}}, "the name of the switch", []string{"All"}, []string{""}},
		"a kind of another day":  {approvals.Plan{Risk: approvals.RiskDestroy, Targets: []approvals.Target{{ID: "1", Kind: "<!here>", Name: "x"}}}, "the name of the target", []string{"x"}, []string{""}},
		"going on with many": {approvals.Plan{
			Risk: approvals.RiskContain, Targets: []approvals.Target{{ID: "ABCD1234", Kind: kindRequest, Name: "Isolate"}},
			Resumes: &approvals.Resumed{Risk: approvals.RiskContain, Targets: devices(12)},
		}, "how many devices", []string{"12"}, []string{"Isolate", "1"}},
		"going on with code": {approvals.Plan{
			Risk: approvals.RiskContain, Targets: []approvals.Target{{ID: "ABCD1234", Kind: kindRequest, Name: "Run"}},
			Resumes: &approvals.Resumed{Risk: approvals.RiskExecute, Targets: devices(1)},
		}, "the name of the device", []string{"host00.contoso.com"}, []string{"Run"}},
	} {
		asks := TypingFor(c.plan, LargePlan)
		require.Equal(t, c.label != "", asks.Needed(), name)
		require.Contains(t, asks.Label, c.label, name)
		require.NotContains(t, asks.Label, "<", name)
		for _, typed := range c.met {
			require.True(t, asks.Met(typed), "%s: %q", name, typed)
		}
		for _, typed := range c.not {
			require.False(t, asks.Met(typed), "%s: %q", name, typed)
		}
	}
}

// sectionText is what a section says.
func sectionText(b slack.Block) string {
	if s, ok := b.(*slack.SectionBlock); ok && s.Text != nil {
		return s.Text.Text
	}
	return ""
}

// Whatever people and devices are called: what is shown in the window is all of it, or the window is not shown.
func TestTheTypedWindowIsWholeOrNotShown(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	rapid.Check(t, func(t *rapid.T) {
		r := anyRequest(t)
		y := Yes{Verdict: approvals.VerdictApprove, Label: "Approve", Typing: TypingFor(r.Plan, 0)}
		require.True(t, y.Typing.Needed())
		v, whole := TypedView(r, Place{Channel: "C1", TS: "1.2"}, y)
		if !whole {
			return
		}
		w.open(t, v)
		text := ""
		for _, b := range v.Blocks.BlockSet {
			if s := sectionText(b); s != "" {
				text += s + "\n"
			}
		}
		for _, d := range r.Plan.Targets {
			require.Contains(t, text, d.ID)
		}
		require.Contains(t, text, blockkit.Escape(blockkit.Clean(reasonOf(r))))
		_, stamp, err := ParseTicket(v.PrivateMetadata)
		require.NoError(t, err)
		require.Equal(t, Stamp{r.ID, r.Digest}, stamp)
	})
	r := sample()
	r.Plan.Reason = strings.Repeat("x", 13_000)
	_, whole := TypedView(seal(t, r), Place{}, Yes{Label: "Approve"})
	require.False(t, whole)
	r = seal(t, sample())
	r.Plan.Reason = "altered"
	_, whole = TypedView(r, Place{}, Yes{Label: "Approve"})
	require.False(t, whole, "what does not verify is not asked about")
}

func TestDevicesAreShownWithWhatApproversWeigh(t *testing.T) {
	t.Parallel()
	none, one, many := 0, 1, 12
	for want, d := range map[string]approvals.Target{
		"last user not known · open alerts not known":                            {},
		"no user was logged on lately · no open alerts":                          {Users: []string{}, OpenAlerts: &none},
		`last user "contoso\a" · 1 open alert`:                                   {Users: []string{`contoso\a`}, OpenAlerts: &one},
		`last user "a", before that "b" and "c" · 12 open alerts`:                {Users: []string{"a", "b", "c"}, OpenAlerts: &many},
		`last user "a' · no open alerts · last user 'b" · 12 open alerts`:        {Users: []string{`a" · no open alerts · last user "b`}, OpenAlerts: &many},
		"last user \"evil⏎Approved by bob@example.com\" · open alerts not known": {Users: []string{"evil\nApproved by bob@example.com"}},
	} {
		d.ID, d.Kind, d.Name = "1", kindDevice, "host01"
		lines := strings.Join(Targets([]approvals.Target{d}, approvals.RiskContain), "\n")
		require.Contains(t, lines, want)
	}
	fleet := devices(approvals.MaxWeighed + 1)
	text := strings.Join(Targets(fleet, approvals.RiskContain), "\n")
	require.Contains(t, text, "was not looked up: these are more than 10 devices")
	require.NotContains(t, text, "not known")
	require.Contains(t, strings.Join(Targets(fleet[1:], approvals.RiskContain), "\n"), "open alerts not known")
	for _, quiet := range [][]approvals.Target{fleet, fleet[:1]} {
		text = strings.Join(Targets(quiet, approvals.RiskAnnotate), "\n")
		require.NotContains(t, text, "looked up")
		require.NotContains(t, text, "not known", "an annotation looks nothing up")
	}
	require.NotContains(t, strings.Join(Targets([]approvals.Target{{ID: "all", Kind: kindSwitch, Name: "all"}}, approvals.RiskDestroy), "\n"), "not known")
}
