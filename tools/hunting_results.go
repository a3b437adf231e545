package tools

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// What is kept of the results of hunting queries, so that a second page is of the same run as the first.
const (
	huntKept    = 10 * time.Minute
	huntOneMax  = 8 << 20  // bytes of one result's rows
	huntAllMax  = 24 << 20 // bytes of all kept results together
	huntCellMax = 2000     // characters of one value
)

// hunted is the result of one run of a query, its texts made harmless and its rows packed as JSON.
type hunted struct {
	id, owner string
	columns   []string
	rows      [][]byte
	leftOut   string
	kql       string
	size      int
	expires   time.Time
}

// takeIn makes a service's answer ours: clean, packed and bounded, with what was left out said.
func takeIn(found *mdecore.HuntingResults) (hunted, error) {
	names := found.Columns()
	run := hunted{columns: uniqueColumns(names)}
	short := 0
	for i, row := range found.Results {
		packed := make(map[string]any, len(names))
		for j, name := range names {
			var cut bool
			if packed[run.columns[j]], cut = cell(row[name]); cut {
				short++
			}
		}
		b, err := json.Marshal(packed)
		if err != nil {
			return hunted{}, err
		}
		if run.size+len(b) > huntOneMax {
			run.leaveOut("only the first %d of %d rows are kept, because all are more than %d MB; ask for fewer columns or rows, or summarize", i, len(found.Results), huntOneMax>>20)
			break
		}
		run.rows, run.size = append(run.rows, b), run.size+len(b)
	}
	if found.Truncated() {
		run.leaveOut("the service ends every result after 100,000 rows, so there may be more; narrow the query or summarize")
	}
	if short > 0 {
		run.leaveOut("%d values are longer than %d characters and end in …", short, huntCellMax)
	}
	return run, nil
}

func (r *hunted) leaveOut(text string, args ...any) {
	if r.leftOut != "" {
		r.leftOut += "; "
	}
	r.leftOut += fmt.Sprintf(text, args...)
}

// uniqueColumns are the names of columns made harmless; what becomes the same by that is numbered, so that none is lost.
func uniqueColumns(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		c := clean(name, 120)
		for n := 2; c == "" || slices.Contains(out[:i], c); n++ {
			c = fmt.Sprintf("%s_%d", clean(name, 120), n)
		}
		out[i] = c
	}
	return out
}

// cell makes a value harmless, and says whether it had to be cut. Numbers keep their digits. What is nested stays so unless it
// is too long, then it becomes text.
func cell(v any) (any, bool) {
	switch v := v.(type) {
	case string:
		c := clean(v, huntCellMax)
		return c, strings.HasSuffix(c, "…") && !strings.HasSuffix(v, "…")
	case []any, map[string]any:
		b, err := json.Marshal(v)
		if err != nil || len(b) > huntCellMax {
			return clean(string(b), huntCellMax), true
		}
		return harmless(v), false
	}
	return v, false
}

// harmless cleans the texts inside of a nested value, names included.
func harmless(v any) any {
	switch v := v.(type) {
	case string:
		return clean(v, huntCellMax)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = harmless(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			out[clean(name, 120)] = harmless(value)
		}
		return out
	}
	return v
}

// has refuses fields that the result has no column for.
func (r *hunted) has(fields []string) error {
	for _, f := range fields {
		if !slices.Contains(r.columns, f) {
			return approvals.Refuse(approvals.KindInvalid, nil, "fields: the result has no column %s%s It has %s", quoted(f, 60), didYouMean(f, r.columns), strings.Join(r.columns, ", "))
		}
	}
	return nil
}

// unpack reads packed rows. Empty values are left out, unless their columns were asked for.
func unpack(packed [][]byte, columns, fields []string) ([]map[string]any, error) {
	out := make([]map[string]any, 0, len(packed))
	for _, b := range packed {
		var row map[string]any
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if err := d.Decode(&row); err != nil {
			return nil, err
		}
		for _, name := range columns {
			if empty := row[name] == nil || row[name] == ""; empty && !slices.Contains(fields, name) {
				delete(row, name)
			}
		}
		out = append(out, row)
	}
	return out, nil
}

// huntResults keeps results in memory for a while. The zero value is ready.
type huntResults struct {
	mu   sync.Mutex
	runs []*hunted // oldest first
}

// keep keeps a result. When all together are too large, the oldest go. Its id begins with the key of the call's arguments.
func (h *huntResults) keep(owner, key string, run hunted, now time.Time) *hunted {
	random := make([]byte, 6)
	_, _ = rand.Read(random) // never fails: it would end the program
	run.id, run.owner, run.expires = key+"-"+hex.EncodeToString(random), owner, now.Add(huntKept)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.runs = append(h.runs, &run)
	h.forget(now)
	return &run
}

// forget drops what is too old, and then what is too much; the newest always stays.
func (h *huntResults) forget(now time.Time) {
	h.runs = slices.DeleteFunc(h.runs, func(r *hunted) bool { return !now.Before(r.expires) })
	total := 0
	for i, r := range slices.Backward(h.runs) {
		if total += r.size; total > huntAllMax && i < len(h.runs)-1 {
			h.runs = slices.Delete(h.runs, 0, i+1)
			return
		}
	}
}

// again finds the run that a cursor belongs to. The query is never run again for a later page: rows that came or went meanwhile
// would be shown twice or never, and nobody would notice.
func (h *huntResults) again(owner, key, cursor string, now time.Time) (*hunted, error) {
	id, _, ok := strings.Cut(cursor, ".")
	if !ok {
		return nil, approvals.Refuse(approvals.KindInvalid, nil, "cursor %s is not one that this tool gave; leave it out to run the query", quoted(cursor, 60))
	}
	if !strings.HasPrefix(id, key+"-") {
		return nil, approvals.Refuse(approvals.KindInvalid, nil, "cursor %s belongs to a call with other arguments; repeat those, or leave it out to run the query", quoted(cursor, 60))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.forget(now)
	for _, r := range h.runs {
		if r.id == id && r.owner == owner {
			return r, nil
		}
	}
	return nil, approvals.Refuse(approvals.KindNotFound, nil, "the result that cursor %s belongs to is no longer kept (10 minutes, in this process, for whoever ran it); leave the cursor out to run the query again", quoted(cursor, 60))
}
