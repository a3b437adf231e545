package demo

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheTerminalHasThePlacesOfSlack(t *testing.T) {
	t.Parallel()
	script, err := os.Open("testdata/places.script")
	require.NoError(t, err)
	defer func() { _ = script.Close() }()
	var out bytes.Buffer
	require.NoError(t, Terminal(t.Context(), Options{StepLimit: patience, In: script, Out: &out}), out.String())
	inOrder(t, out.String(),
		"@alice> /look", "2 found. Nothing was asked yet.", `"198.51.100.23" · IP address`, "Type the number of a button",
		"@alice> 1", "host01.contoso.com (id",
		"@alice> /ask", "What do you want to do?", "Get a device", "(Name, address or id ▾)",
		"@alice> Device=host01", "Isolation:",
		"@alice> /mde isolate because beaconing", "a form for /mde isolate is open",
		"Approval needed: isolate devices",
		"@bob> /home", "Waits for you (1)", "[4] Card",
		"@bob> 1", "is counted", "@bob> /wait", "Done: isolate devices",
		"@bob> /home 1", "Nothing waits for you", "Ended lately (1)",
		"@bob> /threads", "Approved by bob@contoso.com",
		"@bob> /mde devices", "does not work in this channel",
	)
}

func TestPlacesThatAreNotThere(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"/in nowhere":                          "there is no channel #nowhere",
		"/look":                                "nobody has said anything yet",
		"/say":                                 "say what?",
		"/home 7":                              "has published nothing",
		"/mde isolate because x\nNonsense=1|2": "the dialog has",
	} {
		var out bytes.Buffer
		err := Terminal(t.Context(), Options{StepLimit: patience, In: strings.NewReader(line + "\n"), Out: &out})
		require.ErrorContains(t, err, want, line)
	}
}
