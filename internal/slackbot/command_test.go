package slackbot

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/tools"
)

func catalogue(t testing.TB) *grammar {
	t.Helper()
	list, err := tools.Catalogue()
	require.NoError(t, err)
	return newGrammar(list)
}

func TestCommandsBecomeCalls(t *testing.T) {
	t.Parallel()
	g := catalogue(t)
	const isolate = "isolate_devices"
	for typed, want := range map[string]struct{ tool, args string }{
		"isolate host01 because beaconing":                                                           {isolate, `{"devices":["host01"],"reason":"beaconing"}`},
		"ISOLATE host01 host02, host03 Because x":                                                    {isolate, `{"devices":["host01","host02","host03"],"reason":"x"}`},
		"isolate host01 --type selective because x":                                                  {isolate, `{"devices":["host01"],"isolation_type":"Selective","reason":"x"}`},
		"isolate --type=selective host01 because x":                                                  {isolate, `{"devices":["host01"],"isolation_type":"Selective","reason":"x"}`},
		"isolate host01 --dry-run because x":                                                         {isolate, `{"devices":["host01"],"dry_run":true,"reason":"x"}`},
		"isolate host01 —dry-run because x":                                                          {isolate, `{"devices":["host01"],"dry_run":true,"reason":"x"}`},
		"isolate \"host01\" because x":                                                               {isolate, `{"devices":["host01"],"reason":"x"}`},
		"isolate “host01” because x":                                                                 {isolate, `{"devices":["host01"],"reason":"x"}`},
		"isolate\u00a0host01\u00a0because\u00a0x":                                                    {isolate, `{"devices":["host01"],"reason":"x"}`},
		"isolate <http://host01.contoso.com|host01.contoso.com> because x":                           {isolate, `{"devices":["host01.contoso.com"],"reason":"x"}`},
		"isolate host01 because it’s bob's \"box\"; rm -rf `x` $HOME":                                {isolate, `{"devices":["host01"],"reason":"it’s bob's \"box\"; rm -rf ` + "`x`" + ` $HOME"}`},
		"isolate host01 because of <http://c2.example|c2.example> &amp; &lt;b&gt; <@U1|eve> because": {isolate, `{"devices":["host01"],"reason":"of c2.example & <b> @eve because"}`},
		"isolate host01 because a &amp;lt; b":                                                        {isolate, `{"devices":["host01"],"reason":"a &lt; b"}`},
		"isolate \"because\" because x":                                                              {isolate, `{"devices":["because"],"reason":"x"}`},
		"release host01 because cleaned":                                                             {"release_devices", `{"devices":["host01"],"reason":"cleaned"}`},
		"device host01":                                                                              {"get_device", `{"device":"host01"}`},
		"get_device host01":                                                                          {"get_device", `{"device":"host01"}`},
		"alerts --severity high --status new --limit 5":                                              {"list_alerts", `{"limit":5,"severity":"High","status":"New"}`},
		"quarantine 3395856ce81f2b7382dee72602f798b642f14140 on host01, host02 because x":            {"stop_and_quarantine", `{"devices":["host01","host02"],"reason":"x","sha1":"3395856ce81f2b7382dee72602f798b642f14140"}`},
		"quarantine --dry-run 3395856ce81f2b7382dee72602f798b642f14140 on host01 because x":          {"stop_and_quarantine", `{"devices":["host01"],"dry_run":true,"reason":"x","sha1":"3395856ce81f2b7382dee72602f798b642f14140"}`},
		"scan on host01 --scan-type full because x":                                                  {"scan_devices", `{"devices":["host01"],"reason":"x","scan_type":"Full"}`},
		"isolate on because x":                                                                       {isolate, `{"devices":["on"],"reason":"x"}`},
		"package host01 because x":                                                                   {"collect_package", `{"devices":["host01"],"reason":"x"}`},
		"indicators add 198.51.100.23 because x":                                                     {"add_indicators", `{"reason":"x","values":["198.51.100.23"]}`},
		"Indicators Remove 198.51.100.23 because x":                                                  {"remove_indicators", `{"indicators":["198.51.100.23"],"reason":"x"}`},
		"indicators 198.51.100.23":                                                                   {"list_indicators", `{"value":"198.51.100.23"}`},
		"request cancel ABCD1234":                                                                    {"cancel_request", `{"id":"ABCD1234"}`},
		"requests":                                                                                   {"list_requests", `{}`},
		"cancel-request ABCD1234":                                                                    {"cancel_request", `{"id":"ABCD1234"}`},
	} {
		c, err := g.parse(typed)
		require.NoError(t, err, typed)
		require.Equal(t, want.tool, c.Tool, typed)
		require.JSONEq(t, want.args, string(c.Args), typed)
	}
}

func TestCommandsThatAreRefused(t *testing.T) {
	t.Parallel()
	g := catalogue(t)
	for typed, want := range map[string]string{
		"isolat host01 because x":                               "Did you mean /mde isolate?",
		"frobnicate":                                            "/mde help lists all",
		"isolate host01 --typ full because x":                   "did you mean --",
		"isolate host01 --force because x":                      "--force: there is no such flag",
		"isolate host01 -f because x":                           "-f: there is no such flag",
		"isolate host01 --type because x":                       "needs a value",
		"isolate host01 --type full --type=selective because x": "given twice",
		"isolate host01 --dry-run=perhaps because x":            "true or false",
		"isolate host01 because":                                "is empty",
		"isolate host01 --reason a because b":                   "given twice",
		"device host01 because x":                               "takes no reason",
		"device host01 host02":                                  "one word too many",
		"alerts --limit many":                                   "whole number",
		"isolate host01; host02 because x":                      `";" can't be part`,
		"isolate CONTOSO\\host01 because x":                     "can't be part",
		"isolate `host01` because x":                            "can't be part",
		"isolate $(host01) because x":                           "can't be part",
		"isolate host01 > host02 because x":                     "can't be part",
		"isolate \"host01 because x":                            "not closed",
		"isolate " + strings.Repeat("x", maxCommand):            "longer than",
	} {
		_, err := g.parse(typed)
		require.Equal(t, approvals.KindInvalid, approvals.KindOf(err), typed)
		require.ErrorContains(t, err, want, typed)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	g := catalogue(t)
	for typed, on := range map[string]string{"": "", "help": "", "HELP isolate": "isolate", "help me please": "me please"} {
		c, err := g.parse(typed)
		require.NoError(t, err)
		require.True(t, c.Help)
		require.Equal(t, on, c.HelpOn)
	}
	for _, v := range g.verbs {
		require.Contains(t, g.help(""), "/mde "+v.word+": "+v.title())
		require.Contains(t, g.help(v.word), v.usage())
		if v.form != "" {
			continue
		}
		// The example of each command is one: it names the command, and what must be given.
		_, example, found := strings.Cut(g.help(v.word), "For example: /mde ")
		require.True(t, found, v.word)
		c, err := g.parse(example)
		require.NoError(t, err, example)
		require.Equal(t, v.tool.Name, c.Tool, example)
		_, again := g.verb(v.word)
		require.True(t, again)
	}
	require.Contains(t, g.help("isolat"), "Did you mean /mde isolate?")
}

func TestWordsAreUniqueAndComeFromTheTools(t *testing.T) {
	t.Parallel()
	g := catalogue(t)
	seen := map[string]bool{}
	for _, w := range g.words() {
		require.False(t, seen[w], w)
		seen[w] = true
	}
	for _, w := range []string{"isolate", "release", "device", "alerts", "requests", "help"} {
		require.True(t, seen[w], w)
	}
}

func FuzzCommand(f *testing.F) {
	for _, s := range []string{
		"isolate host01 because x", "isolate <http://a|b> --type=full because it's", "help isolate", "\u201cx\u201d because", "<", "<|>", "because because",
		"alerts --limit=5 --limit 6", "isolate \xff because \x00",
	} {
		f.Add(s)
	}
	g := catalogue(f)
	f.Fuzz(func(t *testing.T, typed string) { isRefusedOrWhole(t, g, typed) })
}

// Fuzzing has to build SQLite anew; this tries words of the grammar in any order in every run.
func TestWhateverIsTypedIsRefusedOrWhole(t *testing.T) {
	t.Parallel()
	g := catalogue(t)
	words := append(g.words(), "because", "help", "host01", "--type=full", "--limit", "5", "=", "--", "<http://a|b>", "<", "|>", "&amp;", "\u201cx", "y\u201d", "'", "\x00", "\xff", "\n")
	rapid.Check(t, func(rt *rapid.T) {
		typed := strings.Join(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(words), rapid.String()), 0, 8).Draw(rt, "words"), " ")
		isRefusedOrWhole(rt, g, typed)
	})
}

// isRefusedOrWhole checks that what was typed is refused as a mistake of the person's, or passes on what was typed and no more.
func isRefusedOrWhole(t require.TestingT, g *grammar, typed string) {
	c, err := g.parse(typed)
	if err != nil {
		require.Equal(t, approvals.KindInvalid, approvals.KindOf(err))
		return
	}
	if c.Help {
		g.help(c.HelpOn)
		return
	}
	if c.Control != "" {
		return
	}
	var args map[string]any
	require.NoError(t, json.Unmarshal(c.Args, &args))
	v, ok := g.verb(c.Tool)
	require.True(t, ok)
	for name := range args {
		_, known := v.tool.Arg(name)
		require.True(t, known, "only declared arguments are passed on")
	}
	if reason, given := args[reasonArgument].(string); given && utf8.ValidString(typed) && !strings.ContainsAny(typed, "<&-=\r") {
		require.Contains(t, typed, reason, "the reason is the person's own words")
	}
}

// A word that nobody knows is never taken for one of our own, which stop things.
func TestUnknownWordsAreNoControls(t *testing.T) {
	t.Parallel()
	g := catalogue(t)
	for _, word := range []string{"frobnicate", "x", "_", "-", "stopp", "stop_and"} {
		c, err := g.parse(word)
		require.Error(t, err, word)
		require.Empty(t, c.Control, word)
	}
	v, ok := g.tool("")
	require.False(t, ok, v.word)
}
