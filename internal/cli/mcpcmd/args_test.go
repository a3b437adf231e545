package mcpcmd

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/tools"
)

func TestWordsBecomeArguments(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		tool  string
		words []string
		want  string
	}{
		{"get_device", []string{"host01"}, `{"device":"host01"}`},
		{"get_device", []string{"--device", "host01"}, `{"device":"host01"}`},
		{"get_device", []string{"--", "-host"}, `{"device":"-host"}`},
		{"get_device", nil, `{}`},
		{"isolate_devices", []string{"a", "b", "--reason", "c2"}, `{"devices":["a","b"],"reason":"c2"}`},
		{"isolate_devices", []string{"--reason=-x", "a"}, `{"devices":["a"],"reason":"-x"}`},
		{"isolate_devices", []string{"--devices", "a,b", "--devices=c"}, `{"devices":["a","b","c"]}`},
		{"isolate_devices", []string{"a", "--isolation-type", "Selective"}, `{"devices":["a"],"isolation_type":"Selective"}`},
		{"isolate_devices", []string{""}, `{"devices":[""]}`},
		{"list_alerts", []string{"--limit", "-3"}, `{"limit":-3}`},
		{"list_alerts", []string{"--limit=0", "--json"}, `{"limit":0}`},
	} {
		tool, err := find(c.tool)
		require.NoError(t, err)
		words, _, err := ownFlags(c.words)
		require.NoError(t, err, c.words)
		raw, err := tool.ParseWords(words)
		require.NoError(t, err, c.words)
		require.JSONEq(t, c.want, string(raw), c.words)
	}
}

func TestOptionsOfCall(t *testing.T) {
	t.Parallel()
	for _, words := range [][]string{
		{"--json", "get_device", "host01", "--tenant", "sim"},
		{"--tenant=sim", "get_device", "host01", "--json"},
	} {
		rest, opts, err := ownFlags(words)
		require.NoError(t, err)
		require.Equal(t, callOptions{json: true, tenant: "sim"}, opts)
		require.Equal(t, []string{"get_device", "host01"}, rest)
	}
	_, opts, err := ownFlags([]string{"get_device", "-h"})
	require.NoError(t, err)
	require.True(t, opts.help)
	rest, opts, err := ownFlags([]string{"get_device", "--", "--json"})
	require.NoError(t, err)
	require.False(t, opts.json, "after -- nothing is a flag")
	require.Equal(t, []string{"get_device", "--", "--json"}, rest)
	rest, opts, err = ownFlags([]string{"isolate_devices", "host01", "--reason", "--json", "host02"})
	require.NoError(t, err)
	require.False(t, opts.json, "it stands where the reason is expected")
	require.Equal(t, []string{"isolate_devices", "host01", "--reason", "--json", "host02"}, rest)
	rest, opts, err = ownFlags([]string{"isolate_devices", "host01", "--dry-run", "--json"})
	require.NoError(t, err)
	require.True(t, opts.json)
	require.Len(t, rest, 3)
	_, opts, err = ownFlags([]string{"get_device", "host01", "--tenant="})
	require.NoError(t, err)
	require.Empty(t, opts.tenant, "given and empty, which is refused later, is not the same as not given")
	_, _, err = ownFlags([]string{"get_device", "--tenant"})
	require.ErrorContains(t, err, "needs a value")
}

// No argument of a tool may hide behind a flag of call itself.
func TestNoArgumentIsNamedLikeAFlagOfCall(t *testing.T) {
	t.Parallel()
	all, err := tools.Catalogue()
	require.NoError(t, err)
	for _, tool := range all {
		for _, a := range tool.Args {
			require.NotContains(t, []string{"json", "tenant", "help"}, a.Flag(), tool.Name)
			require.Contains(t, usage(tool), "--"+a.Flag())
		}
	}
}

func FuzzParseCall(f *testing.F) {
	for _, s := range []string{"host01", "--reason=-x\nhost01", "--\n--reason", "-h", "--limit\nmany", "--devices", "=\n-", "--json=maybe", "a\x00b\n\xff"} {
		f.Add(s)
	}
	all, err := tools.Catalogue()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, tool := range all {
			words, _, err := ownFlags(strings.Split(text, "\n"))
			var usage *cli.UsageError
			if err != nil {
				require.ErrorAs(t, err, &usage, "a wrong word is the caller's to mend")
				continue
			}
			raw, err := tool.ParseWords(words)
			if err != nil {
				require.Equal(t, approvals.KindInvalid, approvals.KindOf(err), "a wrong word is the caller's to mend")
				continue
			}
			require.True(t, json.Valid(raw), "%s", raw)
		}
	})
}
