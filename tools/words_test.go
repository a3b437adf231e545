package tools

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
)

func toolNamed(t testing.TB, name string) Tool {
	t.Helper()
	all, err := Catalogue()
	require.NoError(t, err)
	for _, tool := range all {
		if tool.Name == name {
			return tool
		}
	}
	t.Fatalf("no tool %s", name)
	return Tool{}
}

func TestParseWords(t *testing.T) {
	for _, c := range []struct{ tool, words, want string }{
		{"isolate_devices", "host01", `{"devices":["host01"]}`},
		{"isolate_devices", "host01 host02,host03 --type selective", `{"devices":["host01","host02","host03"],"isolation_type":"Selective"}`},
		{"isolate_devices", "host01 --isolation-type Selective --dry-run", `{"devices":["host01"],"isolation_type":"Selective","dry_run":true}`},
		{"isolate_devices", "--isolation_type=Full --devices host01 --devices=host02 --reason=-x", `{"devices":["host01","host02"],"isolation_type":"Full","reason":"-x"}`},
		{"isolate_devices", "--dry-run=false -- --odd", `{"devices":["--odd"],"dry_run":false}`},
		{"isolate_devices", "host01 --reason=", `{"devices":["host01"],"reason":""}`},
		{"find_devices", "host --limit 5", `{"name_prefix":"host","limit":5}`},
		{"get_device", "because", `{"device":"because"}`},
		{"whoami", "", `{}`},
	} {
		got, err := toolNamed(t, c.tool).ParseWords(strings.Fields(c.words))
		require.NoError(t, err, c.words)
		require.JSONEq(t, c.want, string(got), c.words)
	}
	for _, c := range []struct{ tool, words, text string }{
		{"isolate_devices", "host01 --isolation-typ Full", "there is no such flag, did you mean --isolation-type?"},
		{"find_devices", "--limit many", "is a whole number"},
		{"isolate_devices", "host01 --dry-run=perhaps", "is true or false"},
		{"isolate_devices", "host01 -x", "-x: there is no such flag"},
		{"isolate_devices", "host01 --reason", "--reason: needs a value"},
		{"isolate_devices", "host01 --reason --dry-run", "--reason=-x"},
		{"isolate_devices", "host01 --reason a --reason b", "given twice"},
		{"get_device", "host01 host02", "host02: is one word too many"},
	} {
		_, err := toolNamed(t, c.tool).ParseWords(strings.Fields(c.words))
		require.Equal(t, approvals.KindInvalid, approvals.KindOf(err), c.words)
		require.ErrorContains(t, err, c.text)
	}
}

// FuzzParseWords requires that what is parsed is one JSON object of arguments that the tool has.
func FuzzParseWords(f *testing.F) {
	for _, seed := range []string{"host01", "--limit=3 a", "a because b c", "-- -x", "--dry-run", "--=x", "-", "--devices=,,", "--reason=\x00"} {
		f.Add(seed)
	}
	tool := toolNamed(f, "isolate_devices")
	f.Fuzz(func(t *testing.T, s string) {
		raw, err := tool.ParseWords(strings.Split(s, " "))
		if err != nil {
			return
		}
		given, problems := object(raw, maxArgs)
		require.Empty(t, problems)
		require.Empty(t, unknown(tool.Args, given))
	})
}
