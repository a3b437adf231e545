package mdesim

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The documented sizes of an export's pages.
const (
	exportPage    = 50_000
	maxExportPage = 200_000
)

// changesWindow is how far back changes are known; they are gathered in periods.
const (
	changesWindow = 14 * 24 * time.Hour
	changesPeriod = 6 * time.Hour
)

// exportOptions are the query options of an export's pages.
type exportOptions struct {
	size   int
	hasTop bool // one page without a next link
	since  time.Time
	mark   bookmark
}

// bookmark is where the next page begins. Devices keep their place in the list,
// so a page is found without counting those before it.
type bookmark struct {
	Device int `json:"ExportFileIndex"`
	Row    int `json:"LineStoppedAt"`
}

// readExportOptions reads the query. The names are taken in any case, because the
// documented links and examples write them in several.
func (e export) readExportOptions(r *http.Request, now time.Time) (exportOptions, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return exportOptions{}, errors.New("the query string is malformed")
	}
	o := exportOptions{size: exportPage}
	for name, v := range values {
		if len(v) > 1 {
			return o, fmt.Errorf("the query option '%s' is given more than once", name)
		}
		switch strings.ToLower(name) {
		case "pagesize":
			o.size, err = between(name, v[0], maxExportPage)
		case "$top":
			o.hasTop = true
		case "$skiptoken":
			o.mark, err = readBookmark(v[0])
		case "sincetime":
			o.since, err = parseTime(v[0])
		default:
			if strings.HasPrefix(name, "$") {
				err = fmt.Errorf("the query option '%s' is not supported", name)
			}
		}
		if err != nil {
			return o, err
		}
	}
	if o.hasTop {
		if o.size, err = between("$top", values.Get("$top"), maxExportPage); err != nil {
			return o, err
		}
	}
	return o, e.checkSince(o.since, now)
}

// checkSince holds a sinceTime against what is known. Exports that do not have it
// leave it alone, because the examples on their pages send it all the same.
func (e export) checkSince(since, now time.Time) error {
	switch {
	case !e.changes:
		return nil
	case since.IsZero():
		return errors.New("sinceTime is required")
	case since.Before(now.Add(-changesWindow)):
		return errors.New("sinceTime must be in the past 14 days")
	case since.After(now):
		return errors.New("sinceTime is in the future")
	}
	return nil
}

// between reads a number from 1 up to a limit.
func between(name, s string, limit int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > limit {
		return 0, fmt.Errorf("the value '%s' of %s is not a whole number from 1 to %d", s, name, limit)
	}
	return n, nil
}

// readBookmark reads a $skiptoken that next wrote.
func readBookmark(token string) (bookmark, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	var b bookmark
	if err != nil || json.Unmarshal(raw, &b) != nil || b.Device < 0 || b.Row < 0 {
		return bookmark{}, errors.New("the $skiptoken is not one of this service")
	}
	return b, nil
}

func (b bookmark) String() string {
	raw, err := json.Marshal(b)
	if err != nil {
		panic("mdesim: " + err.Error()) // two numbers can always be written
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// page answers an export by machine.
func (e export) page(c *call) response {
	o, err := e.readExportOptions(c.r, c.t.now())
	if err != nil {
		return c.t.problem(http.StatusBadRequest, "InvalidInput", err.Error())
	}
	if c.t.PageSize < DefaultPageSize {
		o.size = min(o.size, c.t.PageSize) // a test wants small pages
	}
	rows, next, more := e.read(c.t, o)
	if !more || o.hasTop {
		return c.list(e.metadataOf(true), rows, "")
	}
	values := url.Values{"pagesize": {strconv.Itoa(o.size)}, "$skiptoken": {next.String()}}
	if e.changes {
		values.Set("sincetime", o.since.UTC().Format(time.RFC3339Nano))
	}
	return c.list(e.metadataOf(true), rows, c.base()+c.r.URL.Path+"?"+values.Encode())
}

// read gathers the rows of a page, and where the next one begins.
func (e export) read(t *Tenant, o exportOptions) (rows []any, next bookmark, more bool) {
	rows = []any{}
	devices := t.snapshot()
	for at := o.mark.Device; at < len(devices); at++ {
		all := e.rows(t, devices[at], o.since)
		from := 0
		if at == o.mark.Device {
			from = min(o.mark.Row, len(all))
		}
		room := o.size - len(rows)
		if len(all)-from > room {
			return append(rows, all[from:from+room]...), bookmark{Device: at, Row: from + room}, true
		}
		rows = append(rows, all[from:]...)
	}
	return rows, bookmark{}, false
}
