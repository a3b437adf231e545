package tools

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/kql"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

const allDevices = "DeviceInfo | project DeviceId, DeviceName | sort by DeviceId asc"

// The pages of a result are of one run: together they are all of it, and only the first one costs the tenant a query.
func TestPagesOfAHuntAreOfOneRun(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	before := w.Tenant.Writes() // the simulated tenant counts every POST
	seen := map[any]bool{}
	args := map[string]any{"kql": allDevices, "limit": 70}
	for {
		b, err := json.Marshal(args)
		require.NoError(t, err)
		out := page(t, w.ok("hunt", string(b)))
		for _, row := range out.rows {
			require.False(t, seen[row["DeviceId"]], "a row came twice")
			seen[row["DeviceId"]] = true
		}
		if out.cursor == "" {
			require.Len(t, seen, out.total)
			break
		}
		args["cursor"] = out.cursor
	}
	require.Equal(t, before+1, w.Tenant.Writes(), "a later page ran a query")
}

// pageOf is a page of a hunt, whether it was cut or not.
type pageOf struct {
	rows          []map[string]any
	cursor, notes string
	total         int
}

func page(t *testing.T, res Result) pageOf {
	t.Helper()
	b, err := json.Marshal(res.Output)
	require.NoError(t, err)
	require.LessOrEqual(t, len(b), maxAnswer+4096)
	var v struct {
		Rows    []map[string]any `json:"rows"`
		Cursor  string           `json:"cursor"`
		Total   int              `json:"total"`
		LeftOut string           `json:"left_out"`
	}
	require.NoError(t, json.Unmarshal(b, &v))
	return pageOf{v.Rows, v.Cursor, v.LeftOut, v.Total}
}

// A page too large for an answer goes on where it was cut, in the same run.
func TestAHuntWithLargeRowsIsCutAndGoesOn(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	query := `DeviceInfo | sort by DeviceId asc | take 100 | extend Big = strcat(` + strings.TrimSuffix(strings.Repeat(`DeviceId, `, 40), ", ") + `)`
	b, err := json.Marshal(map[string]any{"kql": query, "limit": 100})
	require.NoError(t, err)
	first := page(t, w.ok("hunt", string(b)))
	require.NotEmpty(t, first.cursor)
	require.Less(t, len(first.rows), 100)
	b, err = json.Marshal(map[string]any{"kql": query, "limit": 100, "cursor": first.cursor})
	require.NoError(t, err)
	second := page(t, w.ok("hunt", string(b)))
	require.NotEqual(t, first.rows[0]["DeviceId"], second.rows[0]["DeviceId"])
}

func TestAResultBelongsToWhoRanTheQuery(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	first := page(t, w.ok("hunt", `{"kql":"DeviceInfo | project DeviceName","limit":5}`))
	args := fmt.Sprintf(`{"kql":"DeviceInfo | project DeviceName","limit":5,"cursor":%q}`, first.cursor)
	mallory := toolstest.Alice()
	mallory.ID = "mallory@contoso.com"
	for _, who := range []approvals.Requester{mallory, {Person: toolstest.Alice().Person, Via: toolstest.Alice().Via, Verified: !toolstest.Alice().Verified}} {
		_, err := w.d.Call(t.Context(), Call{Tool: "hunt", Args: json.RawMessage(args), Requester: who})
		require.Equal(t, approvals.KindNotFound, approvals.KindOf(err))
	}
	w.ok("hunt", args)
	for _, cursor := range []string{"x", "x.1", strings.Split(first.cursor, "-")[0] + ".5", first.cursor + "0x"} {
		_, err := w.call("hunt", fmt.Sprintf(`{"kql":"DeviceInfo | project DeviceName","limit":5,"cursor":%q}`, cursor))
		require.Error(t, err, cursor)
	}
}

func TestKeptResultsAreBounded(t *testing.T) {
	t.Parallel()
	var kept huntResults
	now := time.Now()
	var last *hunted
	for range 50 {
		last = kept.keep("alice", "key", hunted{size: huntOneMax / 2}, now)
		total := 0
		for _, r := range kept.runs {
			total += r.size
		}
		require.LessOrEqual(t, total, huntAllMax)
	}
	require.Len(t, kept.runs, 2*huntAllMax/huntOneMax)
	got, err := kept.again("alice", "key", last.id+".20", now.Add(huntKept-time.Second))
	require.NoError(t, err)
	require.Same(t, last, got)
	_, err = kept.again("alice", "key", last.id+".20", now.Add(huntKept))
	require.ErrorContains(t, err, "no longer kept")
	require.Empty(t, kept.runs, "what is too old stays in memory")
}

func results(rows ...mdecore.HuntingRow) *mdecore.HuntingResults {
	r := &mdecore.HuntingResults{Schema: []mdecore.HuntingColumn{{Name: "A"}, {Name: "B"}}, Results: rows}
	return r
}

// Rows are written by attackers: nothing hidden, nothing without end, no digits lost, and what is missing is said.
func TestRowsAreMadeHarmless(t *testing.T) {
	t.Parallel()
	run, err := takeIn(results(mdecore.HuntingRow{
		"A": "x\u202egpj.exe\x1b[0m", "B": map[string]any{"k\u200b": []any{"\x00", json.Number("9007199254740993")}},
	}, mdecore.HuntingRow{"A": strings.Repeat("long ", 1000), "B": []any{strings.Repeat("y", 3000)}}))
	require.NoError(t, err)
	require.Contains(t, run.leftOut, "2 values are longer")
	rows, err := unpack(run.rows, run.columns, nil)
	require.NoError(t, err)
	require.Equal(t, "x<U+202E>gpj.exe<U+001B>[0m", rows[0]["A"])
	require.Equal(t, map[string]any{"k<U+200B>": []any{"<U+0000>", json.Number("9007199254740993")}}, rows[0]["B"])
	require.LessOrEqual(t, len(rows[1]["A"].(string)), huntCellMax+10)
	require.IsType(t, "", rows[1]["B"], "what is nested and too long becomes text")

	many := make([]mdecore.HuntingRow, 100_000)
	for i := range many {
		many[i] = mdecore.HuntingRow{"A": strings.Repeat("z", 200)}
	}
	run, err = takeIn(results(many...))
	require.NoError(t, err)
	require.LessOrEqual(t, run.size, huntOneMax)
	require.Contains(t, run.leftOut, fmt.Sprintf("only the first %d of 100000 rows are kept", len(run.rows)))
	require.Contains(t, run.leftOut, "after 100,000 rows")
}

func TestColumnsKeepTheirNamesApart(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"a", "a_2", "_2", "b<U+0000>"}, uniqueColumns([]string{"a", "a ", "", "b\x00"}))
	res := results(mdecore.HuntingRow{"A": nil, "B": ""})
	run, err := takeIn(res)
	require.NoError(t, err)
	rows, err := unpack(run.rows, run.columns, []string{"B"})
	require.NoError(t, err)
	require.Equal(t, []map[string]any{{"B": ""}}, rows, "a column that was asked for is there, empty or not")
}

// The enum of run_query is the library, and every argument leads to a parameter.
func TestRunQueryOffersTheWholeLibrary(t *testing.T) {
	t.Parallel()
	c, err := runQuery().compile()
	require.NoError(t, err)
	arg, ok := c.tool.Arg("query")
	require.True(t, ok)
	var names []string
	for _, q := range kql.Library() {
		names = append(names, q.Name)
		for _, p := range q.Params {
			_, ok := c.tool.Arg(argOfParam(p.Name))
			require.True(t, ok, "%s of %s has no argument", p.Name, q.Name)
		}
	}
	require.Equal(t, names, arg.Enum)
}

func TestArgumentsOfNamedQueriesBecomeTheRightParameters(t *testing.T) {
	t.Parallel()
	sha := strings.Repeat("a", 64)
	for _, c := range []struct {
		in   runQueryIn
		want map[string]string
	}{
		{runQueryIn{Query: "process_tree", Device: "h", File: "4711"}, map[string]string{"device": "h", "pid": "4711"}},
		{runQueryIn{Query: "file_origin", File: "4711"}, map[string]string{"file_name": "4711"}},
		{runQueryIn{Query: "file_origin", File: sha}, map[string]string{"hash": sha}},
		{runQueryIn{Query: "network_connections", Remote: "2001:db8::1"}, map[string]string{"ip": "2001:db8::1"}},
		{runQueryIn{Query: "network_connections", Remote: "evil.example", File: "x.exe"}, map[string]string{"domain": "evil.example", "file_name": "x.exe"}},
		{runQueryIn{Query: "tampering"}, map[string]string{}},
	} {
		q, _ := kql.Named(c.in.Query)
		got, err := c.in.values(q)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	for _, in := range []runQueryIn{{Query: "logons", Remote: "evil.example"}, {Query: "tampering", File: "x"}, {Query: "file_origin", Device: "h"}, {Query: "persistence"}} {
		q, _ := kql.Named(in.Query)
		_, err := in.values(q)
		require.Equal(t, approvals.KindInvalid, approvals.KindOf(err), in.Query)
	}
}

// The cap of a named query is said when it is reached.
func TestTheCapOfANamedQueryIsSaid(t *testing.T) {
	t.Parallel()
	q, _ := kql.Named("file_origin")
	require.Contains(t, capOf(q), "the 1000 oldest rows")
	q, _ = kql.Named("logons")
	require.Contains(t, capOf(q), "the 2000 newest rows")
}

// A query's lines and spaces reach the service as they are, with a comment that ends where its line ends.
func TestAQueryIsSentAsItWasWritten(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	out := page(t, w.ok("hunt", `{"kql":"DeviceInfo // all\n| take 1\n| extend Two = \"a  b\"\n| project Two"}`))
	require.Equal(t, 1, out.total)
	res := w.ok("hunt", `{"kql":"DeviceInfo | take 1 | extend Two = x | project Two","params":["x:string=a\t\"b\n;"]}`)
	require.Contains(t, res.Output.(huntOut).KQL, `let x = "a\t\"b\n;";`)
}

func TestWithoutThePermissionAHuntSaysSo(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	w.Tenant.Fail(mdesim.Fault{Path: "/v1.0/security/runHuntingQuery", Status: 403})
	_, err := w.call("hunt", `{"kql":"DeviceInfo"}`)
	require.ErrorContains(t, err, "403")
	w.Tenant.Fail(mdesim.Fault{Path: "/v1.0/security/runHuntingQuery", Kind: mdesim.FaultEcho, Status: 400})
	_, err = w.call("hunt", `{"kql":"DeviceInfo"}`)
	require.ErrorContains(t, err, "refused the query")
	require.NotRegexp(t, "sig=[^R]|Bearer [^R]|eyJ", err.Error())
}

func FuzzRowsOfAHunt(f *testing.F) {
	for _, seed := range []string{`{"A":"x"}`, `{"A":{"\u202e":[1,2]}}`, `{"A":1e400,"B":[[[]]]}`, `{"A":null,"":"\ud800"}`} {
		f.Add([]byte(seed), "A", "B\u200b")
	}
	f.Fuzz(func(t *testing.T, row []byte, a, b string) {
		var r mdecore.HuntingRow
		if r.UnmarshalJSON(row) != nil {
			return
		}
		run, err := takeIn(&mdecore.HuntingResults{Schema: []mdecore.HuntingColumn{{Name: a}, {Name: b}}, Results: []mdecore.HuntingRow{r}})
		require.NoError(t, err)
		require.NotEqual(t, run.columns[0], run.columns[1])
		rows, err := unpack(run.rows, run.columns, nil)
		require.NoError(t, err)
		for _, c := range lineOfRow(rows[0], run.columns) {
			require.False(t, hidden(c), "%q", c)
		}
	})
}
