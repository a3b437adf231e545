package mdecore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// HuntingQuery is a query of Kusto's language over the tables of advanced hunting, and the body of RunHuntingQuery.
type HuntingQuery struct {
	// Query is the text of the query, e.g. "DeviceInfo | where DeviceName =~ 'host01' | take 10".
	Query string `json:"Query"`
	// Timespan limits the events that the query sees, in ISO 8601: a duration back from now (P7D), a start, or an interval
	// of two of them. The service's default is 30 days, and older data is not kept. HuntingSpan writes one.
	Timespan string `json:"Timespan,omitempty"`
}

// AdvancedQueryRequest is the body of RunAdvancedQuery.
type AdvancedQueryRequest struct {
	// Query is the text of the query.
	Query string `json:"Query"`
}

// HuntingColumn is a column of an answer, in the order of the query.
type HuntingColumn struct {
	// Name is the column's name, which is its key in the rows.
	Name string `json:"Name"`
	// Type is the service's name for its type: String, Int64, Double, SByte, Boolean, DateTime, TimeSpan, Object and others.
	Type string `json:"Type"`
}

// HuntingRow is a row by the names of its columns. Numbers are json.Number, because ids in it are larger than a float64
// can hold; times are text, as they came; dynamic values are []any and map[string]any. Names, paths and command lines in
// it are written by others, attackers included.
type HuntingRow map[string]any

// UnmarshalJSON implements json.Unmarshaler; it keeps every digit of a number.
func (r *HuntingRow) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode((*map[string]any)(r))
}

// Text returns a value as text: strings as they are, null and missing values as "", everything else as JSON.
func (r HuntingRow) Text(column string) string {
	switch v := r[column].(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	raw, err := json.Marshal(r[column])
	if err != nil {
		return ""
	}
	return string(raw)
}

// Int returns a whole number, also one that came as text; false when it is none, or does not fit in 64 bits.
func (r HuntingRow) Int(column string) (int64, bool) {
	n, err := strconv.ParseInt(r.Text(column), 10, 64)
	return n, err == nil
}

// Time returns a point in time in UTC; false when it is none.
func (r HuntingRow) Time(column string) (time.Time, bool) {
	at, err := ParseTime(r.Text(column))
	return at, err == nil
}

// Bool returns a truth value, which the service writes as true or as 1; false, false when it is none.
func (r HuntingRow) Bool(column string) (value, ok bool) {
	switch strings.ToLower(r.Text(column)) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// maxHuntingRows is the documented most rows of an answer.
const maxHuntingRows = 100_000

// HuntingResults is the answer to a hunting query (security-huntingqueryresults.md).
type HuntingResults struct {
	// Schema is the columns in the order of the query.
	Schema []HuntingColumn `json:"schema"`
	// Results is the rows.
	Results []HuntingRow `json:"results"`
}

// Columns returns the names of the columns in the order of the query.
func (r *HuntingResults) Columns() []string {
	names := make([]string, len(r.Schema))
	for i, column := range r.Schema {
		names[i] = column.Name
	}
	return names
}

// Truncated reports whether the answer has the documented most rows (100,000), so that there may be more.
func (r *HuntingResults) Truncated() bool { return len(r.Results) >= maxHuntingRows }

// QueryResponse is the answer of the older hunting operation (run-advanced-query-api.md).
type QueryResponse struct {
	// Schema is the columns in the order of the query.
	Schema []HuntingColumn `json:"Schema"`
	// Results is the rows.
	Results []HuntingRow `json:"Results"`
	// Stats is what the service tells of the query's cost. The page does not describe it, so it is kept as it came.
	Stats json.RawMessage `json:"Stats,omitempty"`
}

// maxQuery is our own limit of a query's length in bytes: the page states none, and no query that people write is near it.
const maxQuery = 100_000

// checkQuery refuses a query that the service cannot read.
func checkQuery(query string) error {
	switch {
	case strings.TrimSpace(query) == "":
		return invalid("query", query, "it is empty")
	case !utf8.ValidString(query):
		return invalid("query", query, "it is not valid UTF-8")
	case len(query) > maxQuery:
		return invalid("query", query, "it is longer than 100000 bytes")
	case strings.ContainsFunc(query, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' }):
		return invalid("query", query, "it contains a control character")
	}
	return nil
}

// check refuses what the service would refuse.
func (q HuntingQuery) check() error {
	if err := checkQuery(q.Query); err != nil {
		return err
	}
	return checkTimespan(q.Timespan)
}

var isoDuration = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^P(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(\d+H)?(\d+M)?(\d+S)?)?$`)
})

// checkTimespan refuses what is none of the documented forms: start/end, duration/end, start/duration, duration, start.
func checkTimespan(span string) error {
	if span == "" {
		return nil
	}
	durations := 0
	parts := strings.Split(span, "/")
	for _, part := range parts {
		if isoDuration().MatchString(part) && !strings.HasSuffix(part, "P") && !strings.HasSuffix(part, "T") {
			durations++
		} else if _, err := time.Parse(time.RFC3339, part); err != nil {
			return invalid("timespan", span, "it must be an ISO 8601 duration such as P7D, a time such as 2026-11-22T08:00:00Z, or two of them with / between")
		}
	}
	if len(parts) > 2 || durations == 2 {
		return invalid("timespan", span, "an interval is two times, or a time and a duration")
	}
	return nil
}

// HuntingSpan writes a timespan back from now, e.g. P7D. It is "", the service's default of 30 days, for a duration below
// a second.
func HuntingSpan(back time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case back < time.Second:
		return ""
	case back%day == 0:
		return fmt.Sprintf("P%dD", back/day)
	}
	return fmt.Sprintf("PT%dS", back/time.Second)
}
