package kql_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim/kql"
)

func now() time.Time { return time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC) }

// tables are two small tables: processes, and devices that share a column.
func tables(name string) (kql.Table, bool) {
	at := func(hours int) time.Time { return now().Add(-time.Duration(hours) * time.Hour) }
	switch name {
	case "Processes":
		return kql.Table{
			Columns: []kql.Column{
				{Name: "Timestamp", Type: kql.DateTime},
				{Name: "Device", Type: kql.String},
				{Name: "File", Type: kql.String},
				{Name: "Line", Type: kql.String},
				{Name: "Pid", Type: kql.Long},
				{Name: "Extra", Type: kql.Dynamic},
				{Name: "Elevated", Type: kql.Bool},
			},
			Rows: slices.Values([][]any{
				{at(1), "host01", "powershell.exe", "powershell -enc AAA", int64(4), map[string]any{"Zone": "DMZ", "Ports": []any{int64(80), int64(443)}}, true},
				{at(2), "HOST01", "cmd.exe", "cmd /c whoami", int64(8), nil, false},
				{at(30), "host02", "PowerShell.exe", "powershell get-date", int64(15), nil, nil},
				{at(200), "host03", "rundll32.exe", `rundll32 c:\x\update.dll,Start`, nil, nil, true},
			}),
		}, true
	case "Devices":
		return kql.Table{
			Columns: []kql.Column{{Name: "Device", Type: kql.String}, {Name: "Score", Type: kql.Real}, {Name: "Note", Type: kql.String}},
			Rows:    slices.Values([][]any{{"host01", 1.5, ""}, {"host02", nil, "x"}}),
		}, true
	}
	return kql.Table{}, false
}

func ask(query string) (*kql.Result, error) {
	return kql.Run(context.Background(), query, kql.Options{Now: now(), Tables: tables})
}

// shown is an answer in short form: columns, then rows.
func shown(t *testing.T, query string) string {
	t.Helper()
	got, err := ask(query)
	require.NoError(t, err, query)
	var lines []string
	var heads []string
	for _, c := range got.Columns {
		heads = append(heads, c.Name+":"+c.Type.String())
	}
	lines = append(lines, strings.Join(heads, " "))
	for _, row := range got.Rows {
		require.Len(t, row, len(got.Columns))
		raw, err := json.Marshal(row)
		require.NoError(t, err)
		lines = append(lines, string(raw))
	}
	return strings.Join(lines, "\n")
}

// Each condition is asked of the processes; the answer is their numbers.
func TestWhere(t *testing.T) {
	t.Parallel()
	for condition, want := range map[string]string{
		`File == "powershell.exe"`:                           "4",
		`File != 'powershell.exe'`:                           "8 15 null",
		`File =~ "POWERSHELL.exe"`:                           "4 15",
		`File !~ "powershell.exe"`:                           "8 null",
		`Pid > 4`:                                            "8 15",
		`Pid >= 4 and Pid < 15`:                              "4 8",
		`Pid <= 7.5`:                                         "4",
		`Pid != 4`:                                           "8 15 null",
		`not(Pid > 4)`:                                       "4",
		`Line has "enc"`:                                     "4",
		`Line has "powershel"`:                               "",
		`Line has "update.dll"`:                              "null",
		`Line has @"x\update"`:                               "null",
		`Line has_cs "ENC"`:                                  "",
		`Line !has "powershell"`:                             "8 null",
		`Line has_any ("whoami", "START")`:                   "8 null",
		`Line has_all ("powershell", "enc")`:                 "4",
		`Line has_any (dynamic(["whoami"]))`:                 "8",
		`Line contains "OWERSH"`:                             "4 15",
		`Line contains_cs "OWERSH"`:                          "",
		`Line !contains "power"`:                             "8 null",
		`File startswith "power"`:                            "4 15",
		`File startswith_cs "Power"`:                         "15",
		`File !startswith "power"`:                           "8 null",
		`File endswith ".EXE"`:                               "4 8 15 null",
		`Device in ("host01", "host02")`:                     "4 15",
		`Device in~ ("host01", "host02")`:                    "4 8 15",
		`Device !in ("host01")`:                              "8 15 null",
		`Device !in~ ("host01")`:                             "15 null",
		`Pid in (4, 15)`:                                     "4 15",
		`Pid in (4.0)`:                                       "4",
		`Device in (Device)`:                                 "4 8 15 null",
		`Pid between (4 .. 8)`:                               "4 8",
		`Pid between (4..8)`:                                 "4 8",
		`Pid !between (4 .. 8)`:                              "15",
		`Timestamp > ago(3h)`:                                "4 8",
		`Timestamp between (ago(2d) .. now())`:               "4 8 15",
		`Timestamp between (ago(2d) .. 20h)`:                 "15",
		`Timestamp < datetime(2026-11-20)`:                   "null",
		`Timestamp >= datetime("2026-11-22T09:00:00Z")`:      "4",
		`Timestamp == datetime(2026-11-22 08:00:00)`:         "8",
		`isempty(Pid)`:                                       "null",
		`isnotempty(Pid) and Pid % 2 == 1`:                   "15",
		`isnull(Elevated)`:                                   "15",
		`Elevated`:                                           "4 null",
		`Elevated == false or Pid == 15`:                     "8 15",
		`tostring(Extra.Zone) == "DMZ"`:                      "4",
		`Extra["Ports"][1] has "443"`:                        "4",
		`Extra has "dmz"`:                                    "4",
		`array_length(Extra.Ports) == 2`:                     "4",
		`tolong(Extra.Ports[-1]) in (443)`:                   "4",
		`Pid + 1 == 5 or Pid * 2 == 16`:                      "4 8",
		`now() - Timestamp > 1d`:                             "15 null",
		`tolower(Device) == "host01"`:                        "4 8",
		`strcat(Device, "-", tostring(Pid)) == "host02-15"`:  "15",
		`iff(isnull(Pid), "none", "some") == "none"`:         "null",
		`(File has "cmd" or File has "rundll32") and Pid<99`: "8",
		`bin(Pid, 10) == 10`:                                 "15",
		`"a" == 'a' // always`:                               "4 8 15 null",
	} {
		t.Run(condition, func(t *testing.T) {
			t.Parallel()
			got, err := ask("Processes\n| where " + condition + "\n| project Pid")
			require.NoError(t, err)
			var pids []string
			for _, row := range got.Rows {
				raw, err := json.Marshal(row[0])
				require.NoError(t, err)
				pids = append(pids, string(raw))
			}
			require.Equal(t, want, strings.Join(pids, " "))
		})
	}
}

func TestOperators(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"Devices":                                                            "Device:string Score:real Note:string\n[\"host01\",1.5,\"\"]\n[\"host02\",null,\"x\"]",
		"Processes | count":                                                  "Count:long\n[4]",
		"Processes | take 1 | project Pid":                                   "Pid:long\n[4]",
		"Processes | limit 0 | project Pid":                                  "Pid:long",
		"Processes | project Pid | top 2 by Pid":                             "Pid:long\n[15]\n[8]",
		"Processes | project Pid | top 2 by Pid asc":                         "Pid:long\n[null]\n[4]",
		"Processes | project Pid | sort by Pid":                              "Pid:long\n[15]\n[8]\n[4]\n[null]",
		"Processes | project Pid | order by Pid asc nulls last":              "Pid:long\n[4]\n[8]\n[15]\n[null]",
		"Processes | project Pid, Device | sort by tolower(Device) asc, Pid": "Pid:long Device:string\n[8,\"HOST01\"]\n[4,\"host01\"]\n[15,\"host02\"]\n[null,\"host03\"]",
		"Devices | project Name = Device, strlen(Note), Device":              "Name:string Column2:long Device:string\n[\"host01\",0,\"host01\"]\n[\"host02\",1,\"host02\"]",
		"Devices | project Device, Device":                                   "Device:string Device1:string\n[\"host01\",\"host01\"]\n[\"host02\",\"host02\"]",
		"Devices | project-away Note, Score":                                 "Device:string\n[\"host01\"]\n[\"host02\"]",
		"Devices | extend Note = Score * 2, New = 7 | take 1":                "Device:string Score:real Note:real New:long\n[\"host01\",1.5,3,7]",
		"Processes | distinct tolower(Device)":                               "Column1:string\n[\"host01\"]\n[\"host02\"]\n[\"host03\"]",
		"Devices | union Devices | distinct *":                               "Device:string Score:real Note:string\n[\"host01\",1.5,\"\"]\n[\"host02\",null,\"x\"]",
		"union Devices, (Processes | where Pid == 4 | project Device, Pid)":  "Device:string Score:real Note:string Pid:long\n[\"host01\",1.5,\"\",null]\n[\"host02\",null,\"x\",null]\n[\"host01\",null,\"\",4]",
		"(Devices | take 1) | project Device":                                "Device:string\n[\"host01\"]",
		"let who = 'host02'; let since = ago(7d);\nDevices | where Device == who and now() > since | project Device;": "Device:string\n[\"host02\"]",
		"let names = dynamic(['host02', \"host09\"]); Devices | where Device in (names) | project Device":             "Device:string\n[\"host02\"]",
		`Devices | take 1 | project x = dynamic({"a":[1,-2.5,true,null]}), parse_json('{"n":9007199254740993}').n`:    "x:dynamic Column2:dynamic\n[{\"a\":[1,-2.5,true,null]},9007199254740993]",
		`Processes | project Extra.Zone | take 1`:                             "Extra_Zone:dynamic\n[\"DMZ\"]",
		`Devices | take 1 | project @'it''s \n', "a\\\t\u0041\"", ['Device']`: "Column1:string Column2:string Device:string\n[\"it's \\\\n\",\"a\\\\\\tA\\\"\",\"host01\"]",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, want, shown(t, query))
		})
	}
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"Processes | summarize count()":                                       "count_:long\n[4]",
		"Processes | where Pid > 99 | summarize count(), max(Pid)":            "count_:long max_Pid:long\n[0,null]",
		"Processes | where Pid > 99 | summarize count() by Device":            "Device:string count_:long",
		"Processes | summarize N = count() by D = tolower(Device)":            "D:string N:long\n[\"host01\",2]\n[\"host02\",1]\n[\"host03\",1]",
		"Processes | summarize dcount(Device), min(Pid), max(Timestamp)":      "dcount_Device:long min_Pid:long max_Timestamp:datetime\n[4,4,\"2026-11-22T09:00:00Z\"]",
		"Processes | summarize make_set(tolower(Device)), make_list(Pid)":     "set_:dynamic list_Pid:dynamic\n[[\"host01\",\"host02\",\"host03\"],[4,8,15]]",
		"Processes | summarize make_set(Device, 2)":                           "set_Device:dynamic\n[[\"host01\",\"HOST01\"]]",
		"Processes | summarize countif(Elevated), sum(Pid), avg(Pid)":         "countif_Elevated:long sum_Pid:long avg_Pid:real\n[2,27,9]",
		"Processes | summarize arg_max(Timestamp, Pid) by tolower(Device)":    "Column1:string Timestamp:datetime Pid:long\n[\"host01\",\"2026-11-22T09:00:00Z\",4]\n[\"host02\",\"2026-11-21T04:00:00Z\",15]\n[\"host03\",\"2026-11-14T02:00:00Z\",null]",
		"Devices | summarize arg_max(Device, *)":                              "Device:string Score:real Note:string\n[\"host02\",null,\"x\"]",
		"Processes | summarize by bin(Timestamp, 1d)":                         "Timestamp:datetime\n[\"2026-11-22T00:00:00Z\"]\n[\"2026-11-21T00:00:00Z\"]\n[\"2026-11-14T00:00:00Z\"]",
		"Processes | summarize take_any(File) by Elevated | sort by File asc": "Elevated:bool File:string\n[null,\"PowerShell.exe\"]\n[false,\"cmd.exe\"]\n[true,\"powershell.exe\"]",
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, want, shown(t, query))
		})
	}
}

// What is not understood is refused, with its place.
func TestFaults(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"":                                         "A recognition error occurred. Query could not be parsed at 'end of query' on line [1,1]",
		"Devices |":                                "parsed at 'end of query' on line [1,10]",
		"Devices\n| where Device = 1":              "parsed at '=' on line [2,16]",
		"Devices | where Nothing == 1":             "A semantic error occurred. 'where' operator: Failed to resolve column or scalar expression named 'Nothing' on line [1,17]",
		"Nothing | take 1":                         "Failed to resolve table or column expression named 'Nothing' on line [1,1]",
		"Devices | join Processes on Device":       "the operator 'join' is not in the subset",
		"Devices | mv-expand Device":               "the operator 'mv-expand' is not in the subset",
		"Devices | where Score == 'x'":             "cannot apply '==' to values of types real and string",
		"Devices | where Device":                   "must be of type bool, not string",
		"Devices | where Device matches regex 'x'": "the operator 'matches' is not in the subset",
		"Devices | where Device in (Processes | project Device)":        "a query inside an expression is not in the subset",
		"Devices | where frobnicate(Device)":                            "Unknown function: 'frobnicate'",
		"Devices | where count() > 1":                                   "can only stand in summarize",
		"Devices | where strlen(1) == 1":                                "strlen() cannot be called with these arguments: long",
		"Devices | take -1":                                             "must be a whole number that is not negative",
		"Devices | take Score":                                          "Failed to resolve column",
		"Devices | project-away Nothing":                                "named 'Nothing'",
		"Devices | project Dev*":                                        "parsed at",
		"Devices | summarize strlen(Device)":                            "an aggregate is needed here",
		"Devices | summarize max(Device, Note)":                         "max() cannot be called",
		"Processes | distinct Extra":                                    "cannot group by a value of type dynamic",
		"Processes | sort by Extra":                                     "cannot be of type dynamic",
		"union isfuzzy=true Devices":                                    "union is not in the subset",
		"union Devices, (Processes | extend Note = 1)":                  "the column 'Note' is of type string in one table and of type long in another",
		"let x = Device; Devices":                                       "named 'Device'",
		"let x = Devices | take 1; x":                                   "parsed at '|'",
		"externaldata(x:string)['https://x'] | take 1":                  "a function or a pattern as a table",
		"Devices | where Device == 'x":                                  "its closing quote is missing on line [1,27]",
		`Devices | where Device == "\x"`:                                `parsed at '\x'`,
		"Devices | where Score > 5parsecs":                              "parsed at '5parsecs'",
		"Devices | where now() > datetime(yesterday)":                   "is not a date",
		"Devices | project " + strings.Repeat("Device,", 1000) + "Note": "more than 1000 columns",
		"Devices; drop":                                                 "parsed at 'drop'",
		"Devices | where Device == \"\xff\"":                            "not valid UTF-8",
		"Devices | where " + strings.Repeat("(", 99):                    "nested more than 64 levels deep",
		"Devices | where " + strings.Repeat("a", 70_000):                "longer than",
		"Devices" + strings.Repeat(" | take 1", 300):                    "more than 200 operators",
		"Devices | project " + strings.Repeat("- ", 10) + "1":           "parsed at '-'",
	} {
		t.Run(clip(query), func(t *testing.T) {
			t.Parallel()
			_, err := ask(query)
			var fault *kql.Error
			require.ErrorAs(t, err, &fault)
			require.ErrorContains(t, err, want)
			require.NotEqual(t, kql.Limits, fault.Kind)
		})
	}
}

func clip(s string) string { return s[:min(len(s), 60)] }

func TestLimits(t *testing.T) {
	t.Parallel()
	var fault *kql.Error
	doubling := "Devices | extend a = 'xxxxxxxxxxxxxxxx'" + strings.Repeat(" | extend a = strcat(a, a)", 40)
	_, err := ask(doubling)
	require.ErrorAs(t, err, &fault)
	require.Equal(t, kql.Limits, fault.Kind)
	require.ErrorContains(t, err, "longer than 1 MB")

	endless := kql.Table{Columns: []kql.Column{{Name: "n", Type: kql.Long}}, Rows: func(yield func([]any) bool) {
		for n := int64(0); yield([]any{n}); n++ {
			continue
		}
	}}
	opts := kql.Options{Tables: func(string) (kql.Table, bool) { return endless, true }, MaxRows: 3, MaxWork: 10_000}
	got, err := kql.Run(context.Background(), "T", opts)
	require.NoError(t, err)
	require.Len(t, got.Rows, 3)
	require.True(t, got.Truncated)
	got, err = kql.Run(context.Background(), "T | take 3", opts)
	require.NoError(t, err)
	require.False(t, got.Truncated)
	for _, query := range []string{"T | count", "T | sort by n", "T | summarize count() by n", "T | where n < 0", "T | distinct n"} {
		opts.MaxRows = 0
		_, err = kql.Run(context.Background(), query, opts)
		require.ErrorAs(t, err, &fault, query)
		require.ErrorContains(t, err, "exceeded the allowed limits", query)
	}
	opts.MaxWork = 0
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = kql.Run(ctx, "T | count", opts)
	require.ErrorIs(t, err, context.Canceled)
}

func TestSpanText(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "00:00:00", 90 * time.Minute: "01:30:00", 49*time.Hour + 1500*time.Millisecond: "2.01:00:01.5000000", -time.Hour: "-01:00:00",
	} {
		require.Equal(t, want, kql.SpanText(d))
	}
	require.NotPanics(t, func() { kql.SpanText(-1 << 63) })
}

func ExampleRun() {
	result, err := kql.Run(context.Background(), `Devices | where Device == "host01" | project Device, Score`, kql.Options{Tables: tables})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Columns[0].Name, result.Rows[0])
	// Output: Device [host01 1.5]
}
