package tools

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// pages reads a list to its end and returns every row.
func (w *world) pages(tool, list, args string) (all []map[string]any, calls int) {
	w.t.Helper()
	for cursor := ""; ; calls++ {
		var in map[string]any
		require.NoError(w.t, json.Unmarshal([]byte(args), &in))
		if cursor != "" {
			in["cursor"] = cursor
		}
		b, err := json.Marshal(in)
		require.NoError(w.t, err)
		out, err := json.Marshal(w.ok(tool, string(b)).Output)
		require.NoError(w.t, err)
		require.LessOrEqual(w.t, len(out), maxAnswer+4096, "one answer")
		var answer map[string]any
		require.NoError(w.t, json.Unmarshal(out, &answer))
		rows, ok := answer[list].([]any)
		require.True(w.t, ok, string(out))
		for _, row := range rows {
			all = append(all, row.(map[string]any))
		}
		if cursor, _ = answer["cursor"].(string); cursor == "" {
			return all, calls + 1
		}
	}
}

func TestAListIsWholeInPages(t *testing.T) {
	w := open(t, toolstest.Options{})
	whole, _ := w.pages("find_devices", "devices", `{"limit":200}`)
	for _, limit := range []int{7, 20} {
		paged, calls := w.pages("find_devices", "devices", fmt.Sprintf(`{"limit":%d}`, limit))
		require.Equal(t, whole, paged)
		require.Equal(t, (len(whole)+limit-1)/limit, calls)
	}
	few, _ := w.pages("find_devices", "devices", `{"limit":7,"fields":["id","name"]}`)
	require.Len(t, few, len(whole))
	for i, row := range few {
		require.Equal(t, map[string]any{"id": whole[i]["id"], "name": whole[i]["name"]}, row)
	}
}

func TestACursorIsForItsOwnCallOnly(t *testing.T) {
	w := open(t, toolstest.Options{})
	cursor := w.ok("find_devices", `{"limit":5}`).Output.(findDevicesOut).Cursor
	require.NotEmpty(t, cursor)
	w.ok("find_devices", fmt.Sprintf(`{"limit":9,"fields":["id"],"cursor":%q}`, cursor))
	w.refused("find_devices", fmt.Sprintf(`{"health":"Active","cursor":%q}`, cursor), approvals.KindInvalid, "other arguments")
	key, _, _ := strings.Cut(cursor, ".")
	for _, forged := range []string{"x", key, key + ".", key + ".-5", key + ".0", key + ".05", key + ".9999999", "." + key, key + ".5.5"} {
		w.refused("find_devices", fmt.Sprintf(`{"cursor":%q}`, forged), approvals.KindInvalid, "cursor")
	}
	w.refused("find_devices", `{"fields":["naem"]}`, approvals.KindInvalid, `"naem"`, "did you mean", "name")
}

// wide is a listing whose rows have a given size.
type wideRow struct {
	ID   int    `json:"id" jsonschema:"id"`
	Text string `json:"text" jsonschema:"text"`
}

type wideOut struct {
	Rows []wideRow `json:"rows" jsonschema:"rows"`
	paged
}

func TestAnAnswerIsBoundedAndSaysWhatItLeftOut(t *testing.T) {
	for _, c := range []struct{ size, kept int }{{100, 200}, {1000, 48}, {40 << 10, 1}, {80 << 10, 1}} {
		p, err := pagerOf("wide", json.RawMessage(`{"limit":200}`))
		require.NoError(t, err)
		s := &session{pager: p}
		all := make([]wideRow, 200)
		for i := range all {
			all[i] = wideRow{i, strings.Repeat("x", c.size)}
		}
		var out wideOut
		out.Rows, out.paged, err = rows(s, listing{Limit: 200}, each(all), func(r wideRow) wideRow { return r })
		require.NoError(t, err)
		got, err := s.bounded("rows", listing{Limit: 200}, out)
		require.NoError(t, err)
		b, err := json.Marshal(got)
		require.NoError(t, err)
		var back wideOut
		require.NoError(t, json.Unmarshal(b, &back))
		require.Equal(t, c.kept, len(back.Rows), "rows of %d bytes", c.size)
		require.Equal(t, c.kept, back.Count)
		if c.kept == len(all) {
			require.Empty(t, back.Cursor)
			continue
		}
		require.Equal(t, p.cursor(c.kept), back.Cursor)
		require.Contains(t, back.Note, fmt.Sprintf("the first %d of 200 rows", c.kept))
	}
}

// Requests that were made within one millisecond, more of them than a page, are each listed once.
func TestRequestsAreListedInPages(t *testing.T) {
	w := open(t, toolstest.Options{})
	for i := range 7 {
		w.ok("isolate_devices", fmt.Sprintf(`{"devices":["host%02d"],"reason":"beaconing"}`, i+1))
		if i == 4 {
			w.Clock.Add(time.Second)
		}
	}
	whole, _ := w.pages("list_requests", "requests", `{"limit":200}`)
	require.Len(t, whole, 7)
	for _, limit := range []int{1, 2, 5} {
		paged, _ := w.pages("list_requests", "requests", fmt.Sprintf(`{"limit":%d,"mine":true,"state":"pending"}`, limit))
		require.ElementsMatch(t, whole, paged, "by %d", limit)
	}
	few, _ := w.pages("list_requests", "requests", `{"limit":3,"fields":["request_id"]}`)
	require.Len(t, few, 7)
	require.Len(t, few[0], 1)
}

// However the store cuts its pages, evidence is listed in the caller's.
func TestEvidenceIsListedInPages(t *testing.T) {
	w := open(t, toolstest.Options{})
	for i := range 5 {
		w.collected(fmt.Sprintf("content %d", i))
		w.Clock.Add(time.Second)
	}
	whole, _ := w.pages("list_evidence", "evidence", `{}`)
	require.Len(t, whole, 5)
	paged, calls := w.pages("list_evidence", "evidence", `{"limit":2,"device":"host01"}`)
	require.Equal(t, whole, paged)
	require.Equal(t, 3, calls)
	one := w.ok("list_evidence", fmt.Sprintf(`{"evidence_id":%q}`, whole[3]["id"])).Output.(listEvidenceOut)
	require.Len(t, one.Evidence, 1)
	require.Equal(t, whole[3]["id"], one.Evidence[0].ID)
	w.refused("list_evidence", fmt.Sprintf(`{"evidence_id":%q,"since":"1h"}`, whole[3]["id"]), approvals.KindInvalid, "leave device")
	w.refused("list_evidence", `{"evidence_id":"nothing"}`, approvals.KindInvalid, "is not an evidence id")
	w.refused("list_evidence", `{"evidence_id":"`+strings.Repeat("0", 26)+`"}`, approvals.KindInvalid, "evidence id")
}
