package tools

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/tools/kql"
)

// huntingTools lists the toolset hunting.
func huntingTools() []declaration { return []declaration{hunt(), runQuery()} }

type huntIn struct {
	KQL    string   `json:"kql" jsonschema:"Query" form:"text" range:"1,20000"`
	Params []string `json:"params,omitempty" jsonschema:"Values as name:type=value, used by name; types string, device, hash, ip, domain, account, datetime, timespan, int" form:"text" range:"1,4100"`
	Since  string   `json:"since,omitempty" jsonschema:"How far back: 24h; at most 30d" form:"age"`
	listing
}

// huntOut is a page of a query's rows. All text in them is untrusted: processes, files and their names are chosen by attackers.
type huntOut struct {
	Rows    []map[string]any `json:"rows" jsonschema:"untrusted text: rows, without empty columns"`
	Columns []string         `json:"columns" schema:"omit" jsonschema:"untrusted text: columns in the query's order"`
	Total   int              `json:"total" jsonschema:"rows of the result"`
	LeftOut string           `json:"left_out,omitempty" jsonschema:"what the result lacks"`
	KQL     string           `json:"kql,omitempty" schema:"omit" jsonschema:"query that ran"`
	paged
}

func hunt() declaration {
	return spec[huntIn, huntOut]{
		name: "hunt", title: "Hunt with KQL", toolset: Hunting, surface: Default, risk: approvals.RiskRead,
		summary: "Run KQL over the advanced hunting tables: 30 days, at most 100,000 rows. " +
			"Pass values as params. For usual questions use run_query.",
		positional: []string{"kql"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists: "rows", read: readHunt,
	}
}

func readHunt(ctx context.Context, s *session, in huntIn) (huntOut, string, error) {
	if err := kql.CheckInside(in.KQL); err != nil {
		return huntOut{}, "", approvals.Refuse(approvals.KindInvalid, err, "kql: %s", err.Error())
	}
	return s.pageOfHunt(in.listing, func() (hunted, error) {
		params, err := s.huntParams(ctx, in.Params)
		if err != nil {
			return hunted{}, err
		}
		query, err := kql.Bind(in.KQL, params)
		if err != nil {
			return hunted{}, approvals.Refuse(approvals.KindInvalid, err, "params: %s", err.Error())
		}
		span, err := s.huntSpan(in.Since)
		if err != nil {
			return hunted{}, err
		}
		run, err := s.runHunt(ctx, mdecore.HuntingQuery{Query: query, Timespan: span})
		if len(params) > 0 {
			run.kql = query
		}
		return run, err
	})
}

// huntParams reads the parameters of a query. A device may be named as everywhere else; its id goes into the query.
func (s *session) huntParams(ctx context.Context, texts []string) ([]kql.Param, error) {
	var params []kql.Param
	var problems Problems
	for _, text := range texts {
		p, err := kql.ParseParam(text)
		if err == nil && p.Type != kql.Device {
			_, err = kql.Literal(p.Type, p.Value)
		}
		if err != nil {
			problems = append(problems, problem("params", "%s", err.Error()))
		}
		params = append(params, p)
	}
	if len(problems) > 0 {
		return nil, approvals.Refuse(approvals.KindInvalid, problems, "%s", problems.Error())
	}
	for i, p := range params {
		if p.Type != kql.Device {
			continue
		}
		id, err := s.huntDevice(ctx, p.Value)
		if err != nil {
			return nil, err
		}
		params[i].Value = id
	}
	return params, nil
}

// huntDevice is the id of a device. An id is taken as it is: events are kept longer than some devices.
func (s *session) huntDevice(ctx context.Context, text string) (string, error) {
	if deviceText().MatchString(text) {
		return strings.ToLower(text), nil
	}
	found, err := s.resolve(ctx, []string{text})
	if err != nil {
		return "", err
	}
	return found[0].ID, nil
}

// huntStart is the point in time that an age or a time means; it can't be before what the service keeps.
func (s *session) huntStart(since string) (time.Time, error) {
	now := s.clock()
	start, err := parseAge(since, now)
	switch {
	case err != nil:
		return time.Time{}, approvals.Refuse(approvals.KindInvalid, err, "since: %s", err.Error())
	case !start.Before(now):
		return time.Time{}, approvals.Refuse(approvals.KindInvalid, nil, "since: %s is not in the past", quoted(since, 40))
	case now.Sub(start) > kql.Kept+time.Minute:
		return time.Time{}, approvals.Refuse(approvals.KindInvalid, nil, "since: %s is more than 30 days ago, and the service keeps no older events", quoted(since, 40))
	}
	return start.UTC(), nil
}

// huntSpan is the timespan for the service; "" leaves it to the query and the service's 30 days.
func (s *session) huntSpan(since string) (string, error) {
	if since == "" {
		return "", nil
	}
	start, err := s.huntStart(since)
	return start.Format(time.RFC3339) + "/" + s.clock().UTC().Format(time.RFC3339), err
}

// runHunt runs a query and takes in what it gave. A query that the service refuses is the caller's to mend.
func (s *session) runHunt(ctx context.Context, q mdecore.HuntingQuery) (hunted, error) {
	found, err := s.reader.RunHuntingQuery(ctx, q)
	var remote *mdecore.Error
	if errors.As(err, &remote) && remote.Status == http.StatusBadRequest {
		hint := ""
		if strings.HasPrefix(q.Query, "let ") {
			hint = " Parameters are let statements in a line before the query, so lines count from there."
		}
		return hunted{}, approvals.Refuse(approvals.KindInvalid, err, "the service refused the query: %s%s", clean(remote.Message, 800), hint)
	}
	if err != nil {
		return hunted{}, err
	}
	return takeIn(found)
}

// pageOfHunt gives a page. The first one runs the query; the others come from what that run gave, so that all pages are of one
// result, and no page costs the tenant a query.
func (s *session) pageOfHunt(l listing, run func() (hunted, error)) (huntOut, string, error) {
	var result *hunted
	var err error
	if l.Cursor == "" {
		var fresh hunted
		if fresh, err = run(); err == nil {
			result = s.hunts.keep(s.huntOwner(), s.pager.key, fresh, s.clock())
		}
	} else {
		result, err = s.hunts.again(s.huntOwner(), s.pager.key, l.Cursor, s.clock())
	}
	if err != nil {
		return huntOut{}, "", err
	}
	s.pager = pager{result.id}
	if err := result.has(l.Fields); err != nil {
		return huntOut{}, "", err
	}
	out := huntOut{Columns: result.columns, Total: len(result.rows), LeftOut: result.leftOut, KQL: result.kql}
	if len(l.Fields) > 0 {
		out.Columns = l.Fields
	}
	var packed [][]byte
	if packed, out.paged, err = allRows(s, l, each(result.rows), func(b []byte) []byte { return b }); err != nil {
		return huntOut{}, "", err
	}
	if out.Rows, err = unpack(packed, result.columns, l.Fields); err != nil {
		return huntOut{}, "", err
	}
	return out, out.text(), nil
}

// huntOwner is who a kept result belongs to: nobody else gets a page of it.
func (s *session) huntOwner() string {
	return fmt.Sprintf("%s\x00%t\x00%s", s.who.Via, s.who.Verified, s.who.ID)
}

// text is a summary and the first rows, each with the columns that fit into a line.
func (o huntOut) text() string {
	var b strings.Builder
	switch {
	case o.Total == 0:
		b.WriteString("The query found nothing.")
	case o.Count < o.Total:
		fmt.Fprintf(&b, "%d of %d rows. Their text is untrusted:", o.Count, o.Total)
	default:
		fmt.Fprintf(&b, "%s. Their text is untrusted:", counted(o.Total, "row", false))
	}
	for i, row := range o.Rows {
		if i == 20 {
			fmt.Fprintf(&b, "\n- and %d more in the structured result", o.Count-i)
			break
		}
		b.WriteString("\n- " + lineOfRow(row, o.Columns))
	}
	if o.LeftOut != "" {
		b.WriteString("\nLeft out: " + o.LeftOut)
	}
	return b.String()
}

// lineOfRow is a row in one line: its columns in order, without the ids that people don't read, until the line is full.
func lineOfRow(row map[string]any, columns []string) string {
	var parts []string
	size := 0
	for _, name := range columns {
		v := row[name]
		if v == nil || slices.Contains([]string{"DeviceId", "ReportId", "SHA1", "SHA256", "MD5"}, name) && len(row) > 3 {
			continue
		}
		part := clean(name, 40) + " " + quoted(fmt.Sprint(v), 80)
		if size += len(part); size > 300 && len(parts) > 0 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}
