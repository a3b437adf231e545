package demo

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

func TestTheTerminalPlaysAScript(t *testing.T) {
	t.Parallel()
	script, err := os.Open("testdata/isolate.script")
	require.NoError(t, err)
	defer func() { _ = script.Close() }()
	var out bytes.Buffer
	require.NoError(t, Terminal(t.Context(), Options{StepLimit: patience, In: script, Out: &out}))
	inOrder(t, out.String(),
		"You are @alice in #security",
		"@alice> /mde isolate finance-laptop.contoso.com", "only visible to you", "is ambiguous, 2 devices answer to",
		"@alice> /mde isolate host01 because beaconing to a known C2", "only visible to you", "is pending: Isolate host01.contoso.com (Full)",
		"Approval needed: isolate devices", `"Alice Arden", alice@contoso.com in Slack`, `"beaconing to a known C2"`, "[1] Approve   [2] Deny   [3] Details",
		"@alice> 1", "only visible to you", "someone else must approve",
		"@bob> 1", "is counted: it is approved",
		"@bob> /wait", "Done: isolate devices", "bob@contoso.com: approved at",
		"@bob> /mde device host01", "isolated.",
		"@bob> /mde release host01", "Approval needed: release devices",
		"@carol> 2", "Why not?", "[Deny]",
		"@carol> still being looked at", "it will not run", "Denied: release devices", `saying "still being looked at"`,
		"@carol> /mde requests", "Only members of the responder group",
		"@carol> /quit",
	)
	require.Equal(t, 2, strings.Count(out.String(), "Approval needed:"), "a refused call has no card")
}

func TestAWrongLineEndsAScript(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"isolate host01":                    `demo: line "isolate host01": "isolate host01" is neither a command nor the number of a button`,
		"1":                                 `demo: line "1": there is no such card with buttons`,
		"/as nobody":                        `demo: line "/as nobody": `,
		"/mde isolate host01 because c2\n7": `demo: line "7": `,
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			err := Terminal(t.Context(), Options{StepLimit: patience, In: strings.NewReader("# a comment\n\n" + line + "\n/mde help\n"), Out: &out})
			require.ErrorContains(t, err, want)
			require.NotContains(t, out.String(), "@alice> /mde help", "nothing runs after it")
		})
	}
}

func TestTheEndOfInputOrOfTheContextEndsTheTerminal(t *testing.T) {
	t.Parallel()
	require.NoError(t, Terminal(t.Context(), Options{StepLimit: patience, In: strings.NewReader("/mde help\n"), Out: io.Discard}))

	ctx, cancel := context.WithCancel(t.Context())
	in, typing := io.Pipe()
	defer func() { _ = typing.Close() }()
	out := &watched{at: "You are @alice", then: cancel}
	require.NoError(t, Terminal(ctx, Options{StepLimit: patience, In: in, Out: out}))
}

func TestTheTerminalPlaysTheSwitchesAndATimeBox(t *testing.T) {
	t.Parallel()
	script, err := os.Open("testdata/switches.script")
	require.NoError(t, err)
	defer func() { _ = script.Close() }()
	var out bytes.Buffer
	require.NoError(t, Terminal(t.Context(), Options{StepLimit: patience, In: script, Out: &out}))
	inOrder(t, out.String(),
		"/mde isolate host01 --for 4h", "/later 4h to send the clock ahead",
		"@bob> 1", "is counted: it is approved",
		"@bob> /wait", "Done: isolate devices", "its time runs, due",
		"@bob> /mde stop because ransomware drill", "Everything is stopped", "STOPPED: nothing is done any more",
		"@bob> /mde isolate host02", "Everything is stopped since", "approvers lift it in Slack",
		"@alice> /mde lift because the drill is over", "Approval needed: lift stop",
		"@bob> 1", "type the name of the switch", "@bob> all", "is counted",
		"@bob> /mde isolate host03", "Everything is stopped since",
		"@carol> 1", "@carol> all", "is counted: it is approved",
		"@carol> /wait", "Done: lift stop",
		"@carol> /later 15m", "Done: release devices",
	)
}

func TestADialogWithTwoFieldsTakesThemInOneLine(t *testing.T) {
	t.Parallel()
	v := slacksim.View{Blocks: []slacksim.Block{{Type: "section"}, {Type: "input", BlockID: "device"}, {Type: "input", BlockID: "why"}}}
	got, err := fields(v, "host01.contoso.com | the C2 is live")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"device": "host01.contoso.com", "why": "the C2 is live"}, got)
	_, err = fields(v, "host01.contoso.com")
	require.ErrorContains(t, err, "has 2 fields")
	got, err = fields(slacksim.View{Blocks: v.Blocks[:2]}, "no | not now")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"device": "no | not now"}, got)
}
