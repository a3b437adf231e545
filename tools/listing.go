package tools

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// maxAnswer bounds the structure of one answer, in bytes: a model reads all of it.
const maxAnswer = 48 << 10

// listing is what the input of every tool that lists embeds; its declaration names the list in lists.
type listing struct {
	Limit  int      `json:"limit,omitempty" jsonschema:"Most to return" range:"1,200" default:"20"`
	Cursor string   `json:"cursor,omitempty" jsonschema:"From the last answer" form:"word"`
	Fields []string `json:"fields,omitempty" jsonschema:"Only these fields" form:"word"`
}

func (l listing) listed() listing { return l }

// paged is what the output of every tool that lists embeds.
type paged struct {
	Count  int    `json:"count" schema:"omit" jsonschema:"how many are listed"`
	Cursor string `json:"cursor,omitempty" jsonschema:"for the next page; absent on the last"`
	Note   string `json:"note,omitempty" jsonschema:"what was left out"`
}

func (p paged) page() paged { return p }

// pager makes cursors for one call: a cursor says how many rows come before it, and is good for the same arguments only.
// The rows are read anew for every page, so one that appears meanwhile can move another to the next page.
type pager struct{ key string }

// pagerOf derives the key from what the call asks for, without how it is shown.
func pagerOf(tool string, raw json.RawMessage) (pager, error) {
	var args map[string]json.RawMessage
	if err := json.Unmarshal(raw, &args); err != nil {
		return pager{}, err
	}
	for _, name := range []string{"limit", "cursor", "fields"} {
		delete(args, name)
	}
	b, err := json.Marshal(args) // sorted by name
	if err != nil {
		return pager{}, err
	}
	sum := sha256.Sum256(append([]byte(tool+"\x00"), b...))
	return pager{hex.EncodeToString(sum[:6])}, nil
}

// cursor is what leads to the row with that many before it.
func (p pager) cursor(before int) string { return p.key + "." + strconv.Itoa(before) }

// maxBefore bounds how far a cursor may lead, because what comes before it is read again.
const maxBefore = 1_000_000

// before is how many rows a cursor leaves out; 0 for none.
func (p pager) before(cursor string) (int, error) {
	if cursor == "" {
		return 0, nil
	}
	key, n, ok := strings.Cut(cursor, ".")
	before, err := strconv.Atoi(n)
	if !ok || err != nil || before < 1 || before > maxBefore || strconv.Itoa(before) != n {
		return 0, approvals.Refuse(approvals.KindInvalid, err, "cursor %s is not one that this tool gave; leave it out for the first page", quoted(cursor, 60))
	}
	if key != p.key {
		return 0, approvals.Refuse(approvals.KindInvalid, nil, "cursor %s belongs to a call with other arguments; repeat those, or leave it out for the first page", quoted(cursor, 60))
	}
	return before, nil
}

// upstream selects, of an API list that takes $top and $skip, the page that l asks for and one row more, which tells whether
// there are more.
func (s *session) upstream(l listing) (mdecore.Page, error) {
	before, err := s.pager.before(l.Cursor)
	return mdecore.Page{Top: l.Limit + 1, Skip: before}, err
}

// rows draws the page of an iterator that begins at its first row already, as after upstream; an API that answers "not
// found" for nothing gives none. view leaves a row out by false: for a list that upstream has filtered itself it must not.
func rows[T, V any](s *session, l listing, from iter.Seq2[T, error], view func(T) V) ([]V, paged, error) {
	before, err := s.pager.before(l.Cursor)
	if err != nil {
		return nil, paged{}, err
	}
	out := []V{}
	var page paged
	for row, err := range from {
		if mdecore.IsNotFound(err) && len(out) == 0 {
			break
		}
		if err != nil {
			return nil, paged{}, err
		}
		if len(out) == l.Limit {
			page.Cursor = s.pager.cursor(before + l.Limit)
			break
		}
		out = append(out, view(row))
	}
	page.Count = len(out)
	return out, page, nil
}

// allRows is rows of an iterator that can't begin later: what comes before the page is read and left out.
func allRows[T, V any](s *session, l listing, from iter.Seq2[T, error], view func(T) V) ([]V, paged, error) {
	before, err := s.pager.before(l.Cursor)
	if err != nil {
		return nil, paged{}, err
	}
	return rows(s, l, func(yield func(T, error) bool) {
		n := 0
		for row, err := range from {
			if err == nil && n < before {
				n++
				continue
			}
			if !yield(row, err) {
				return
			}
		}
	}, view)
}

// each is a slice as an iterator that never fails.
func each[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// shownRows is how many rows of a list a text gives; the structure has them all.
const shownRows = 20

// shortList is the first rows of a list as lines of a text.
func shortList[T any](all []T, line func(T) string) string {
	var b strings.Builder
	for i, row := range all {
		if i == shownRows {
			fmt.Fprintf(&b, "\n- and %d more in the structured result", len(all)-i)
			break
		}
		b.WriteString("\n- " + line(row))
	}
	return b.String()
}

// bounded keeps the answer of a listing tool within maxAnswer and to the fields that were asked for. What it leaves out it
// says, with how to get it. The answer stays a struct when nothing has to be left out.
func (s *session) bounded(list string, l listing, out interface{ page() paged }) (any, error) {
	whole, err := json.Marshal(out)
	if err != nil || (len(whole) <= maxAnswer && len(l.Fields) == 0) {
		return out, err
	}
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(whole, &answer); err != nil {
		return nil, err
	}
	var all []map[string]json.RawMessage
	if err := json.Unmarshal(answer[list], &all); err != nil {
		return nil, err
	}
	if err := only(l.Fields, all); err != nil {
		return nil, err
	}
	before, err := s.pager.before(l.Cursor)
	if err != nil {
		return nil, err
	}
	return s.cut(answer, list, all, before)
}

// cut drops rows from the end until the answer is small enough. One row always stays.
func (s *session) cut(answer map[string]json.RawMessage, list string, all []map[string]json.RawMessage, before int) (any, error) {
	size, keep := 0, 0
	for _, row := range all {
		b, err := json.Marshal(row)
		if err != nil {
			return nil, err
		}
		if size += len(b) + 1; keep > 0 && size > maxAnswer {
			break
		}
		keep++
	}
	if keep < len(all) {
		answer["cursor"] = remarshal(s.pager.cursor(before + keep))
		answer["note"] = remarshal(fmt.Sprintf("the first %d of %d rows fit into one answer; call again with the cursor, or ask for fewer fields", keep, len(all)))
		answer["count"] = remarshal(keep)
	}
	answer[list] = remarshal(all[:keep])
	return answer, nil
}

// only drops all fields but those named. A name that no row has is refused with the names that there are.
func only(fields []string, all []map[string]json.RawMessage) error {
	if len(fields) == 0 || len(all) == 0 {
		return nil
	}
	known := map[string]bool{}
	for _, row := range all {
		for name := range row {
			known[name] = true
		}
	}
	for _, f := range fields {
		if !known[f] {
			names := slices.Sorted(maps.Keys(known))
			return approvals.Refuse(approvals.KindInvalid, nil, "fields: no row has a field %s%s There are %s", quoted(f, 60), didYouMean(f, names), strings.Join(names, ", "))
		}
	}
	for _, row := range all {
		maps.DeleteFunc(row, func(name string, _ json.RawMessage) bool { return !slices.Contains(fields, name) })
	}
	return nil
}

// fits refuses an answer without a list that is too large to be read as a whole.
func fits(out any) error {
	var size counter
	if err := json.NewEncoder(&size).Encode(out); err != nil {
		return err
	}
	if size > maxWhole {
		return approvals.Refuse(approvals.KindInvalid, nil, "the answer has %d bytes, more than a call may give; ask for a smaller part", size)
	}
	return nil
}

// maxWhole bounds an answer that has no pages, in bytes.
const maxWhole = 256 << 10

// counter counts what is written to it.
type counter int

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
