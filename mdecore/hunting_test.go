package mdecore_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func badQueries() []string {
	return []string{"", " \n\t", "DeviceInfo\x00", "\xff", "DeviceInfo \x1b[31m", strings.Repeat("x", 100_001)}
}

func badTimespans() []string {
	return []string{"7d", "P", "PT", "P1DT", "soon", "P1D/P1D", "P1D/", "/", "2026-11-22", "2026-11-22T08:00:00Z/P1D/P1D", "-P1D", "P1D "}
}

func TestHuntingInTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	host := tenant.Device("host01")
	query := mdecore.HuntingQuery{
		Query:    "DeviceProcessEvents | where DeviceId == '" + host.ID + "' and FileName == 'rundll32.exe' | project Timestamp, ProcessId, FileName, ReportId",
		Timespan: mdecore.HuntingSpan(24 * time.Hour),
	}
	for _, api := range []mdecore.HuntingAPI{"", mdecore.HuntingGraph, mdecore.HuntingMDE} {
		if api == mdecore.HuntingMDE {
			query.Timespan = ""
		}
		got, err := c.Hunt(t.Context(), api, query)
		require.NoError(t, err)
		require.Equal(t, []string{"Timestamp", "ProcessId", "FileName", "ReportId"}, got.Columns())
		require.Equal(t, "Int64", got.Schema[1].Type)
		require.Len(t, got.Results, 1)
		require.Equal(t, json.Number("3276"), got.Results[0]["ProcessId"])
		at, ok := got.Results[0].Time("Timestamp")
		require.True(t, ok)
		require.WithinDuration(t, time.Now(), at, time.Hour)
		require.False(t, got.Truncated())
	}
	_, err := c.Hunt(t.Context(), "", mdecore.HuntingQuery{Query: "DeviceInfo | where Nothing == 1"})
	require.True(t, mdecore.Refused(err), "%v", err)
	require.ErrorContains(t, err, "Failed to resolve column or scalar expression named 'Nothing' on line [1,20]")
	var failed *mdecore.Error
	require.ErrorAs(t, err, &failed)
	require.NotEmpty(t, failed.Target, "the id by which Graph's support finds the call")
	require.Empty(t, tenant.Effects())
}

func TestHuntRefusesWhatItCannotAsk(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"schema":[],"results":[]}`))
	c := s.clientOf(t)
	_, err := c.Hunt(t.Context(), "sentinel", mdecore.HuntingQuery{Query: "DeviceInfo"})
	require.ErrorContains(t, err, `hunting API "sentinel" is invalid`)
	_, err = c.Hunt(t.Context(), mdecore.HuntingMDE, mdecore.HuntingQuery{Query: "DeviceInfo", Timespan: "P1D"})
	require.ErrorContains(t, err, "takes none", "an answer over 30 days must not pass for one over a day")
	require.Empty(t, s.received())
}

func TestHuntingWire(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"schema":[{"Name":"Id","Type":"Int64"}],"results":[{"Id":9007199254740993,"B":1,"N":null,"D":{"a":[1]},"T":"2024-03-26T09:39:50.7688641Z","S":"<x>"}]}`))
	c := s.clientOf(t)
	got, err := c.RunHuntingQuery(t.Context(), mdecore.HuntingQuery{Query: `A | where B == "<é>"`, Timespan: "P30D"})
	require.NoError(t, err)
	_, err = c.RunAdvancedQuery(t.Context(), mdecore.AdvancedQueryRequest{Query: "A"})
	require.NoError(t, err)
	calls := s.received()
	require.Equal(t, "/v1.0/security/runHuntingQuery", calls[0].path)
	require.JSONEq(t, `{"Query":"A | where B == \"<é>\"","Timespan":"P30D"}`, calls[0].body)
	require.Equal(t, "/api/advancedqueries/run", calls[1].path)
	require.JSONEq(t, `{"Query":"A"}`, calls[1].body)

	row := got.Results[0]
	id, ok := row.Int("Id")
	require.True(t, ok)
	require.Equal(t, int64(9007199254740993), id, "not a digit is lost")
	require.Equal(t, "9007199254740993", row.Text("Id"))
	yes, ok := row.Bool("B")
	require.True(t, yes && ok)
	require.Equal(t, `{"a":[1]}`, row.Text("D"))
	require.Equal(t, "", row.Text("N"))
	require.Equal(t, "<x>", row.Text("S"))
	at, ok := row.Time("T")
	require.True(t, ok)
	require.Equal(t, 768864100, at.Nanosecond())
	for _, column := range []string{"S", "N", "nothing"} {
		_, isInt := row.Int(column)
		_, isTime := row.Time(column)
		_, isBool := row.Bool(column)
		require.False(t, isInt || isTime || isBool, column)
	}
	again, err := json.Marshal(got)
	require.NoError(t, err)
	require.Contains(t, string(again), `"Id":9007199254740993`)
}

func TestAnswerWithoutSchemaIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{}`, `{"value":[]}`, `{"results":[]}`, `{"schema":null}`} {
		c := newService(t, answer(200, body)).clientOf(t)
		_, err := c.RunHuntingQuery(t.Context(), mdecore.HuntingQuery{Query: "A"})
		require.ErrorContains(t, err, "no schema", body)
		_, err = c.RunAdvancedQuery(t.Context(), mdecore.AdvancedQueryRequest{Query: "A"})
		require.ErrorContains(t, err, "no schema", body)
	}
}

func TestOldHuntingWarnsWithItsDate(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	c := simulated(t, &mdesim.Tenant{Devices: 3}, func(_ *azpipe.CredentialConfig, o *mdecore.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	})
	query := mdecore.HuntingQuery{Query: "DeviceInfo | count"}
	_, err := c.Hunt(t.Context(), mdecore.HuntingGraph, query)
	require.NoError(t, err)
	require.Empty(t, logged.String())
	_, err = c.Hunt(t.Context(), mdecore.HuntingMDE, query)
	require.NoError(t, err)
	require.Contains(t, logged.String(), "level=WARN")
	require.Contains(t, logged.String(), "2027-01-31")
	require.Contains(t, logged.String(), "Microsoft Graph")
	require.NotContains(t, logged.String(), "DeviceInfo", "a query can hold names: it is not logged")
}

func TestHuntingSpan(t *testing.T) {
	t.Parallel()
	for back, want := range map[time.Duration]string{
		0: "", -time.Hour: "", 7 * 24 * time.Hour: "P7D", 36 * time.Hour: "PT129600S", 90 * time.Second: "PT90S", 1500 * time.Millisecond: "PT1S",
	} {
		require.Equal(t, want, mdecore.HuntingSpan(back))
	}
	s := newService(t, answer(200, `{"schema":[],"results":[]}`))
	for _, span := range []string{
		"", "P7D", "PT90S", "P1Y2M3W4DT5H6M7S", "2026-11-22T08:00:00Z", "2026-11-01T08:00:00Z/2026-11-22T08:00:00Z",
		"P30D/2026-11-22T08:00:00Z", "2026-11-01T08:00:00+01:00/P3D",
	} {
		_, err := s.clientOf(t).RunHuntingQuery(t.Context(), mdecore.HuntingQuery{Query: "A", Timespan: span})
		require.NoError(t, err, span)
	}
}

// FuzzHuntingRow reads any row: what is read can be written and read again without loss.
func FuzzHuntingRow(f *testing.F) {
	for _, seed := range []string{`{"a":9007199254740993,"b":"x","c":[1,{"d":null}]}`, `{}`, `null`, `{"a":1e400}`, `[1]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var row, again mdecore.HuntingRow
		if json.Unmarshal(data, &row) != nil {
			return
		}
		raw, err := json.Marshal(row)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(raw, &again))
		require.Equal(t, row, again)
		for column := range row {
			require.Equal(t, row.Text(column), again.Text(column))
			_, _ = row.Int(column)
			_, _ = row.Time(column)
			_, _ = row.Bool(column)
		}
	})
}
