package kql_test

import (
	"context"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	simulated "github.com/mde-ops/mde-ops/mdecore/mdesim/kql"
	"github.com/mde-ops/mde-ops/tools/kql"
)

// schema is the documented columns of the tables that the library reads, those that it uses and some more; strings unless
// another type is named.
func schema() map[string]string {
	initiating := " InitiatingProcessSHA1 InitiatingProcessSHA256 InitiatingProcessMD5 InitiatingProcessFileName InitiatingProcessFolderPath InitiatingProcessId:long" +
		" InitiatingProcessCommandLine InitiatingProcessAccountDomain InitiatingProcessAccountName InitiatingProcessAccountSid ReportId:long"
	every := "Timestamp:datetime DeviceId DeviceName ActionType "
	file := "FileName FolderPath SHA1 SHA256 MD5 FileSize:long "
	return map[string]string{
		"DeviceProcessEvents": every + file + "ProcessId:long ProcessCommandLine ProcessCreationTime:datetime AccountDomain AccountName AccountSid AccountUpn AdditionalFields" + initiating,
		"DeviceNetworkEvents": every + "RemoteIP RemotePort:long RemoteUrl LocalIP LocalPort:long Protocol LocalIPType RemoteIPType AdditionalFields" + initiating,
		"DeviceFileEvents": every + file + "FileOriginUrl FileOriginReferrerUrl FileOriginIP PreviousFolderPath PreviousFileName RequestProtocol RequestSourceIP" +
			" RequestAccountName RequestAccountDomain ShareName AdditionalFields" + initiating,
		"DeviceRegistryEvents": every + "RegistryKey RegistryValueType RegistryValueName RegistryValueData PreviousRegistryKey PreviousRegistryValueName PreviousRegistryValueData" + initiating,
		"DeviceLogonEvents": every + "LogonType AccountDomain AccountName AccountSid Protocol FailureReason IsLocalAdmin:bool LogonId:long RemoteDeviceName RemoteIP" +
			" RemoteIPType RemotePort:long AdditionalFields" + initiating,
		"DeviceEvents": every + file + "AccountDomain AccountName AccountSid RemoteUrl RemoteDeviceName ProcessId:long ProcessCommandLine RegistryKey RegistryValueName" +
			" RegistryValueData RemoteIP RemotePort:long AdditionalFields" + initiating,
	}
}

// table is a table of the schema with the rows that are given as column values.
func table(t *testing.T, name string, rows ...map[string]any) (simulated.Table, bool) {
	t.Helper()
	text, ok := schema()[name]
	if !ok {
		return simulated.Table{}, false
	}
	var columns []simulated.Column
	for field := range strings.FieldsSeq(text) {
		column, kind, _ := strings.Cut(field, ":")
		columns = append(columns, simulated.Column{Name: column, Type: map[string]simulated.Type{"long": simulated.Long, "datetime": simulated.DateTime, "bool": simulated.Bool}[kind]})
	}
	return simulated.Table{Columns: columns, Rows: cells(columns, rows)}, true
}

func cells(columns []simulated.Column, rows []map[string]any) iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		for _, row := range rows {
			out := make([]any, len(columns))
			for i, c := range columns {
				out[i] = row[c.Name]
				if out[i] == nil && c.Type == simulated.String {
					out[i] = ""
				}
			}
			if !yield(out) {
				return
			}
		}
	}
}

// good are values for every parameter that a query of the library takes.
func good() map[string]string {
	return map[string]string{
		"device": strings.Repeat("ab", 20), "hash": strings.Repeat("c", 64), "ip": "192.0.2.7", "domain": "evil.example", "account": `CONTOSO\jdoe`,
		"file_name": `a"b\c.exe`, "pid": "4711",
	}
}

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// choices are the ways to call a query that matter: everything, and each parameter alone with those that are required.
func choices(q kql.Query) []map[string]string {
	all, required := map[string]string{}, map[string]string{}
	for _, p := range q.Params {
		all[p.Name] = good()[p.Name]
		if p.Required {
			required[p.Name] = good()[p.Name]
		}
	}
	out := []map[string]string{all}
	if len(q.AnyOf) == 0 {
		out = append(out, required)
	}
	for _, p := range q.Params {
		one := maps.Clone(required)
		one[p.Name] = good()[p.Name]
		if len(q.AnyOf) == 0 || slices.Contains(q.AnyOf, p.Name) {
			out = append(out, one)
		}
	}
	for _, hash := range []string{strings.Repeat("d", 32), strings.Repeat("d", 40)} {
		if q.Takes("hash") {
			more := maps.Clone(all)
			more["hash"] = hash
			out = append(out, more)
		}
	}
	return out
}

// Each query, in every shape, is bound against the documented schema by a reader of the language that was written apart.
func TestEveryQueryIsWellFormed(t *testing.T) {
	t.Parallel()
	var names []string
	for _, q := range kql.Library() {
		names = append(names, q.Name)
		require.NotEmpty(t, q.Summary)
		require.Positive(t, q.Rows)
		require.LessOrEqual(t, q.Rows, 100_000)
		require.Positive(t, q.Window)
		require.LessOrEqual(t, q.Window, kql.Kept)
		for _, values := range choices(q) {
			text, err := q.Build(values, now.Add(-q.Window))
			require.NoError(t, err)
			require.NotRegexp(t, `\{[a-z]+\}`, text, "nothing is left to be filled in")
			require.NoError(t, kql.CheckInside(text))
			res, err := simulated.Run(context.Background(), text, simulated.Options{Now: now, Tables: func(name string) (simulated.Table, bool) { return table(t, name) }})
			require.NoError(t, err, "%s\n%s", q.Name, text)
			require.Equal(t, "Timestamp", res.Columns[0].Name)
			tables := regexp.MustCompile(`(?m)\b(Device[A-Za-z]*Events)\b`).FindAllString(text, -1)
			require.Equal(t, len(tables), strings.Count(text, "| where Timestamp >= since"), "every table is bounded in time:\n%s", text)
			require.Contains(t, text, "| top ")
		}
	}
	require.Equal(t, []string{"process_tree", "network_connections", "persistence", "lateral_movement", "file_origin", "logons", "tampering"}, names)
}

// No value of a named query leaves its literal: outside of literals the text is the same whatever the value is.
func TestNoValueLeavesItsLiteralInTheLibrary(t *testing.T) {
	t.Parallel()
	outside := func(text string) string {
		all, err := pieces(text)
		require.NoError(t, err, text)
		var b strings.Builder
		for _, p := range all {
			if p.literal {
				p.text = "?"
			}
			b.WriteString(p.text + " ")
		}
		return b.String()
	}
	for _, q := range kql.Library() {
		for _, p := range q.Params {
			values := choices(q)[0]
			plain, err := q.Build(values, now)
			require.NoError(t, err)
			for _, attack := range attacks() {
				for _, value := range []string{attack, values[p.Name] + attack} {
					evil := maps.Clone(values)
					evil[p.Name] = value
					text, err := q.Build(evil, now)
					if p.Type == kql.String {
						require.NoError(t, err, "%s %q", p.Name, value)
					}
					if err == nil {
						require.Equal(t, outside(plain), outside(text), "%s %s %q", q.Name, p.Name, value)
					}
				}
			}
		}
	}
}

func TestAQueryTakesWhatItSaysAndNeedsWhatItSays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		query, text string
		values      map[string]string
	}{
		{"process_tree", "needs device", nil},
		{"persistence", "takes no", map[string]string{"device": good()["device"], "ip": "192.0.2.7"}},
		{"network_connections", "at least one of", nil},
		{"file_origin", "at least one of hash, file_name", map[string]string{"device": good()["device"]}},
		{"logons", "not an IPv4", map[string]string{"ip": "300.1.1.1"}},
	} {
		q, ok := kql.Named(c.query)
		require.True(t, ok)
		_, err := q.Build(c.values, now)
		require.ErrorContains(t, err, c.text)
	}
	_, ok := kql.Named("no_such")
	require.False(t, ok)
}

// run runs a named query over rows of one table.
func run(t *testing.T, name string, values map[string]string, in string, rows ...map[string]any) [][]any {
	t.Helper()
	q, ok := kql.Named(name)
	require.True(t, ok)
	text, err := q.Build(values, now.Add(-q.Window))
	require.NoError(t, err)
	res, err := simulated.Run(context.Background(), text, simulated.Options{Now: now, Tables: func(name string) (simulated.Table, bool) {
		if name == in {
			return table(t, name, rows...)
		}
		return table(t, name)
	}})
	require.NoError(t, err, text)
	return res.Rows
}

func TestQueriesFindWhatTheyAreFor(t *testing.T) {
	t.Parallel()
	device, at := good()["device"], now.Add(-time.Hour)
	only := map[string]string{"device": device}
	for _, c := range []struct {
		query, table string
		values       map[string]string
		hit, miss    map[string]any
	}{
		{"process_tree", "DeviceProcessEvents", map[string]string{"device": device, "pid": "7"}, map[string]any{"InitiatingProcessId": int64(7)}, map[string]any{"ProcessId": int64(8)}},
		{"process_tree", "DeviceProcessEvents", map[string]string{"device": device, "hash": strings.Repeat("c", 40)}, map[string]any{"SHA1": strings.Repeat("c", 40)}, map[string]any{"SHA256": strings.Repeat("c", 40)}},
		{"network_connections", "DeviceNetworkEvents", map[string]string{"ip": "192.0.2.7"}, map[string]any{"RemoteIP": "::ffff:192.0.2.7"}, map[string]any{"RemoteIP": "192.0.2.70"}},
		{"network_connections", "DeviceNetworkEvents", map[string]string{"domain": "evil.example"}, map[string]any{"RemoteUrl": "https://c2.evil.example/x"}, map[string]any{"RemoteUrl": "notevil.example"}},
		{"network_connections", "DeviceNetworkEvents", map[string]string{"account": `CONTOSO\jdoe`}, map[string]any{"InitiatingProcessAccountName": "JDoe", "InitiatingProcessAccountDomain": "contoso"}, map[string]any{"InitiatingProcessAccountName": "jdoe", "InitiatingProcessAccountDomain": "fabrikam"}},
		{"persistence", "DeviceRegistryEvents", only, map[string]any{"ActionType": "RegistryValueSet", "RegistryKey": `HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnce`}, map[string]any{"ActionType": "RegistryValueSet", "RegistryKey": `HKEY_LOCAL_MACHINE\SYSTEM\ControlSet001\Services\x`, "RegistryValueName": "Description"}},
		{"persistence", "DeviceEvents", only, map[string]any{"ActionType": "ScheduledTaskCreated"}, map[string]any{"ActionType": "DnsQueryResponse"}},
		{"persistence", "DeviceFileEvents", only, map[string]any{"ActionType": "FileCreated", "FolderPath": "/etc/cron.d/x"}, map[string]any{"ActionType": "FileCreated", "FolderPath": "/tmp/x"}},
		{"persistence", "DeviceProcessEvents", only, map[string]any{"FileName": "schtasks.exe", "ProcessCommandLine": "schtasks.exe /create /tn x"}, map[string]any{"FileName": "schtasks.exe", "ProcessCommandLine": "schtasks.exe /query"}},
		{"lateral_movement", "DeviceLogonEvents", only, map[string]any{"ActionType": "LogonSuccess", "LogonType": "RemoteInteractive", "RemoteIP": "10.0.0.5"}, map[string]any{"ActionType": "LogonSuccess", "LogonType": "Network", "RemoteIP": "127.0.0.1"}},
		{"lateral_movement", "DeviceNetworkEvents", only, map[string]any{"ActionType": "ConnectionSuccess", "RemotePort": int64(3389)}, map[string]any{"ActionType": "ConnectionSuccess", "RemotePort": int64(443)}},
		{"lateral_movement", "DeviceProcessEvents", only, map[string]any{"FileName": "cmd.exe", "InitiatingProcessFileName": "wsmprovhost.exe"}, map[string]any{"FileName": "wmic.exe", "ProcessCommandLine": "wmic os get"}},
		{"file_origin", "DeviceFileEvents", map[string]string{"file_name": `a"b.exe`}, map[string]any{"ActionType": "FileCreated", "FileName": `A"B.exe`}, map[string]any{"ActionType": "FileDeleted", "FileName": `a"b.exe`}},
		{"logons", "DeviceLogonEvents", map[string]string{"account": "jdoe"}, map[string]any{"AccountName": "jdoe", "AccountDomain": "any"}, map[string]any{"AccountName": "jdoe2"}},
		{"tampering", "DeviceEvents", nil, map[string]any{"ActionType": "TamperingAttempt"}, map[string]any{"ActionType": "AntivirusReport"}},
		{"tampering", "DeviceRegistryEvents", nil, map[string]any{"ActionType": "RegistryValueSet", "RegistryKey": `HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows Defender`, "RegistryValueName": "DisableAntiSpyware"}, map[string]any{"ActionType": "RegistryValueSet", "RegistryKey": `HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows Defender\Signature Updates`, "RegistryValueName": "EngineVersion"}},
		{"tampering", "DeviceProcessEvents", nil, map[string]any{"FileName": "vssadmin.exe", "ProcessCommandLine": "vssadmin.exe delete shadows /all /quiet"}, map[string]any{"FileName": "vssadmin.exe", "ProcessCommandLine": "vssadmin.exe list shadows"}},
		{"tampering", "DeviceProcessEvents", nil, map[string]any{"FileName": "sc.exe", "ProcessCommandLine": "sc.exe stop Sense"}, map[string]any{"FileName": "sc.exe", "ProcessCommandLine": "sc.exe query Sense"}},
	} {
		for _, row := range []map[string]any{c.hit, c.miss} {
			row["Timestamp"], row["DeviceId"] = at, device
		}
		require.Len(t, run(t, c.query, c.values, c.table, c.hit), 1, "%s misses %v", c.query, c.hit)
		require.Empty(t, run(t, c.query, c.values, c.table, c.miss), "%s finds %v", c.query, c.miss)
		old := maps.Clone(c.hit)
		old["Timestamp"] = now.Add(-31 * 24 * time.Hour)
		require.Empty(t, run(t, c.query, c.values, c.table, old), "%s has no bound in time", c.query)
	}
}

func TestTheCapKeepsTheEndThatMatters(t *testing.T) {
	t.Parallel()
	var rows []map[string]any
	for i := range 2100 {
		rows = append(rows, map[string]any{"Timestamp": now.Add(-time.Duration(i) * time.Second), "DeviceId": good()["device"], "ActionType": "FileCreated", "FileName": "x"})
	}
	tree := run(t, "process_tree", map[string]string{"device": good()["device"]}, "DeviceProcessEvents", rows...)
	require.Len(t, tree, 2000)
	require.Equal(t, now, tree[0][0], "newest first")
	origin := run(t, "file_origin", map[string]string{"file_name": "x"}, "DeviceFileEvents", rows...)
	require.Len(t, origin, 1000)
	require.Equal(t, now.Add(-2099*time.Second), origin[0][0], "oldest first")
}
