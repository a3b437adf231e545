package kql_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim/kql"
)

// FuzzRun runs any text: no panic, no endless work, every fault an *Error, and
// every row as wide as its columns.
func FuzzRun(f *testing.F) {
	for _, seed := range []string{
		"Processes | where Timestamp > ago(7d) and Line has_any ('a', \"b\") | summarize N = count(), make_set(Pid) by Device, bin(Timestamp, 1h) | top 5 by N desc nulls last",
		"let x = dynamic([1, {'a': null}]); union Processes, (Devices | extend y = -1.5 * Score) | where Pid in (x) or not(Device =~ @'a''b') | project-away Line | distinct *",
		"Processes | extend a = strcat(Line, Line) | extend a = strcat(a, a), b = Extra.Ports[0], c = Pid / 0 % 0, d = 1d * 1e9 | sort by a asc, d",
		"Processes | summarize arg_max(Timestamp, *), avg(Pid), dcount(File) by tostring(Extra)",
		"Devices | where Score between (-1 .. 9223372036854775807) | count // end",
		"Devices | project ['a b'] = h'x', datetime(null) - datetime(2020-01-01), -9223372036854775807 - 5",
		"(((", "datetime(", "'\\u12", "1..2", "Devices | where a.b.c[1][2]", "a!in~(b)", "\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		got, err := kql.Run(ctx, query, kql.Options{Now: now(), Tables: tables, MaxRows: 1000, MaxWork: 1_000_000})
		require.Less(t, time.Since(start), 15*time.Second, "a query must end")
		if err != nil {
			var fault *kql.Error
			require.True(t, errors.As(err, &fault), "%v", err)
			require.NotEmpty(t, fault.Error())
			return
		}
		require.NoError(t, kql.Check(query))
		for _, row := range got.Rows {
			require.Len(t, row, len(got.Columns))
		}
	})
}
