package mdesim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mde-ops/mde-ops/mdecore/mdesim/kql"
)

// The documented limits of one hunting query.
const (
	huntingRows = 100_000
	huntingSize = 50 << 20
	huntingDays = 30 * 24 * time.Hour
)

func huntingRoutes() []route {
	return []route{
		on(http.MethodPost, "run_advanced_query", "/api/advancedqueries/run", "run-advanced-query-api.md",
			anyOf("AdvancedQuery.Read.All", "AdvancedQuery.Read"), runAdvancedQuery).limited(45, 1500),
	}
}

// huntingProblem is a query that cannot be answered.
type huntingProblem struct {
	status        int
	code, message string
}

// runAdvancedQuery is the older of the two hunting operations (documentation:
// run-advanced-query-api.md). Its answer has names in Pascal case.
func runAdvancedQuery(c *call) response {
	body, bad := c.fields("Query")
	if bad != nil {
		return c.bad(bad)
	}
	to := c.t.now()
	result, problem := c.hunt(body["Query"], huntPeriod{to.Add(-huntingDays), to})
	if problem != nil {
		return c.t.problem(problem.status, problem.code, problem.message)
	}
	type column struct {
		Name string `json:"Name"`
		Type string `json:"Type"`
	}
	schema := make([]column, 0, len(result.columns))
	for _, col := range result.columns {
		schema = append(schema, column{col.Name, wireType(col.Type)})
	}
	return withRows(c.t.ok(http.StatusOK, struct {
		Schema  any   `json:"Schema"`
		Results []any `json:"Results"`
	}{schema, []any{}}), result.rows)
}

// withRows puts rows in the place of the empty list at the end of an answer: they
// can be large, and are JSON already.
func withRows(resp response, rows []byte) response {
	head := bytes.TrimSuffix(resp.body, []byte("[]}"))
	resp.body = slices.Concat(head, rows, []byte("}"))
	return resp
}

// runHuntingQuery is Graph's hunting operation (documentation:
// security-security-runhuntingquery.md). Its parameters' names are accepted in
// any case, because Graph's own libraries do not write them as the page does.
func runHuntingQuery(c *call) response {
	body, bad := c.huntingBody()
	if bad != nil {
		return c.graphProblem(http.StatusBadRequest, "BadRequest", bad.message)
	}
	span, err := parsePeriod(body["timespan"], c.t.now())
	if err != nil {
		return c.graphProblem(http.StatusBadRequest, "BadRequest", err.Error())
	}
	result, problem := c.hunt(body["query"], span)
	if problem != nil {
		return c.graphProblem(problem.status, problem.code, problem.message)
	}
	type column struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	schema := make([]column, 0, len(result.columns))
	for _, col := range result.columns {
		schema = append(schema, column{col.Name, wireType(col.Type)})
	}
	return withRows(c.graphOK(struct {
		Context string `json:"@odata.context"`
		Schema  any    `json:"schema"`
		Results []any  `json:"results"`
	}{c.base() + "/v1.0/$metadata#microsoft.graph.security.huntingQueryResults", schema, []any{}}), result.rows)
}

// huntingBody reads Query and Timespan, names folded to lower case.
func (c *call) huntingBody() (map[string]string, *fault400) {
	raw := map[string]any{}
	if err := json.Unmarshal(c.body, &raw); err != nil {
		return nil, &fault400{"BadRequest", "Unable to read JSON request payload"}
	}
	out := map[string]string{}
	for name, value := range raw {
		text, isText := value.(string)
		switch key := strings.ToLower(name); {
		case key == "timespan" && value == nil:
		case key != "query" && key != "timespan":
			return nil, &fault400{"BadRequest", "The parameter '" + name + "' in the request payload is not a valid parameter for the operation 'runHuntingQuery'"}
		case !isText:
			return nil, &fault400{"BadRequest", "The parameter '" + name + "' must be a string"}
		default:
			out[key] = text
		}
	}
	return out, nil
}

// hunted is the answer of a query, ready to be sent.
type hunted struct {
	columns []kql.Column
	rows    []byte // JSON
}

// hunt runs a query over what happened in a period.
func (c *call) hunt(query string, span huntPeriod) (*hunted, *huntingProblem) {
	if strings.TrimSpace(query) == "" {
		return nil, &huntingProblem{http.StatusBadRequest, "BadRequest", "The required parameter 'Query' is missing"}
	}
	result, err := kql.Run(c.r.Context(), query, kql.Options{Now: c.t.now(), Tables: c.t.newHunt(span).table, MaxRows: huntingRows})
	var fault *kql.Error
	switch {
	case errors.As(err, &fault):
		return nil, &huntingProblem{http.StatusBadRequest, "BadRequest", fault.Error()}
	case err != nil:
		return nil, &huntingProblem{http.StatusInternalServerError, "InternalServerError", "The query was ended: " + err.Error()}
	}
	rows, fits := encodeRows(result)
	if !fits {
		return nil, &huntingProblem{http.StatusBadRequest, "BadRequest", "Query execution has exceeded the allowed result size. Optimize your query by limiting the amount of results and try again."}
	}
	return &hunted{result.Columns, rows}, nil
}

// encodeRows writes rows as JSON objects with their columns in order; false when
// they exceed the documented size.
func encodeRows(result *kql.Result) ([]byte, bool) {
	if textSize(result.Rows) > huntingSize {
		return nil, false
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	write := func(v any) {
		if err := encoder.Encode(v); err != nil {
			// Only plain values and what encoding/json read are in rows.
			panic("mdesim: " + err.Error())
		}
		out.Truncate(out.Len() - 1) // the line feed
	}
	out.WriteByte('[')
	for i, row := range result.Rows {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('{')
		for j, v := range row {
			if j > 0 {
				out.WriteByte(',')
			}
			write(result.Columns[j].Name)
			out.WriteByte(':')
			write(wireValue(v))
		}
		out.WriteByte('}')
		if out.Len() > huntingSize {
			return nil, false
		}
	}
	out.WriteByte(']')
	return out.Bytes(), true
}

// textSize is the length of all texts, which JSON can only make longer.
func textSize(rows [][]any) int {
	size := 0
	for _, row := range rows {
		for _, v := range row {
			if s, ok := v.(string); ok {
				size += len(s)
			}
		}
	}
	return size
}

// wireType is the name that an answer's schema gives a type: the .NET one.
func wireType(t kql.Type) string {
	switch t {
	case kql.Long:
		return "Int64"
	case kql.Real:
		return "Double"
	case kql.Bool:
		return "SByte"
	case kql.DateTime:
		return "DateTime"
	case kql.Timespan:
		return "TimeSpan"
	case kql.Dynamic:
		return "Object"
	default:
		return "String"
	}
}

// wireValue is a value as JSON can say it; times have the seven digits of the
// documented samples.
func wireValue(v any) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.0000000Z")
	case time.Duration:
		return kql.SpanText(v)
	}
	return v
}

// huntPeriod is the time that a query looks at.
type huntPeriod struct{ from, to time.Time }

func (p huntPeriod) holds(at time.Time) bool { return !at.Before(p.from) && !at.After(p.to) }

// parsePeriod reads a Timespan in the five documented forms, with 30 days up to
// now for an empty one. Older data than that of the past 30 days is not kept,
// whatever is asked for.
func parsePeriod(span string, now time.Time) (huntPeriod, error) {
	p := huntPeriod{now.Add(-huntingDays), now}
	if span == "" {
		return p, nil
	}
	invalid := fmt.Errorf("the Timespan '%s' is not an ISO 8601 duration, time or interval", span)
	first, second, interval := strings.Cut(span, "/")
	start, startErr := time.Parse(time.RFC3339, first)
	length, isLength := parseISODuration(first)
	end, endErr := time.Parse(time.RFC3339, second)
	after, isAfter := parseISODuration(second)
	var asked huntPeriod
	switch {
	case !interval && isLength:
		asked = huntPeriod{now.Add(-length), now}
	case !interval && startErr == nil:
		asked = huntPeriod{start, now}
	case interval && startErr == nil && endErr == nil:
		asked = huntPeriod{start, end}
	case interval && isLength && endErr == nil:
		asked = huntPeriod{end.Add(-length), end}
	case interval && startErr == nil && isAfter:
		asked = huntPeriod{start, start.Add(after)}
	default:
		return p, invalid
	}
	if asked.from.After(p.from) {
		p.from = asked.from
	}
	if asked.to.Before(p.to) {
		p.to = asked.to
	}
	return p, nil
}

var isoDuration = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)
})

// parseISODuration reads a duration such as P30D or PT12H. Months and years are
// left out: they have no fixed length, and no documented form uses them.
func parseISODuration(s string) (time.Duration, bool) {
	parts := isoDuration().FindStringSubmatch(s)
	if parts == nil || strings.HasSuffix(s, "P") || strings.HasSuffix(s, "T") {
		return 0, false
	}
	total := time.Duration(0)
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if parts[i+1] == "" {
			continue
		}
		n, err := strconv.ParseInt(parts[i+1], 10, 32)
		if err != nil || time.Duration(n) > (1<<62)/unit-total/unit {
			return 0, false
		}
		total += time.Duration(n) * unit
	}
	return total, true
}
