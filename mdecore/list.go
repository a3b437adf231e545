package mdecore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Page bounds a list.
type Page struct {
	// Top is the most items to return; 0 means all.
	Top int
	// Skip leaves out that many items at the beginning.
	Skip int
}

// Query selects items of a list. The zero value selects all.
type Query struct {
	// Filter is an OData expression over the properties that the list's documentation page names.
	Filter Filter
	Page
}

// call adds the query to a call.
func (q Query) call(what call) call {
	what.query = q.query(q.Filter, what.pageLimit())
	what.invalid = errors.Join(what.invalid, q.Filter.Check(), q.check())
	return what
}

// query writes the OData parameters of a list whose pages hold at most limit items.
func (p Page) query(filter Filter, limit int) url.Values {
	query := url.Values{}
	if text := strings.TrimSpace(string(filter)); text != "" {
		query.Set("$filter", text)
	}
	if p.Top > 0 && limit > 0 {
		query.Set("$top", strconv.Itoa(min(p.Top, limit)))
	}
	if p.Skip > 0 {
		query.Set("$skip", strconv.Itoa(p.Skip))
	}
	return query
}

// check refuses negative bounds.
func (p Page) check() error {
	if p.Top < 0 {
		return invalid("top", strconv.Itoa(p.Top), "it must not be negative")
	}
	if p.Skip < 0 {
		return invalid("skip", strconv.Itoa(p.Skip), "it must not be negative")
	}
	return nil
}

// list iterates over all pages of a list. A failure is yielded once, with a nil item, and ends the iteration: whoever
// sees no error has seen everything. IsNotFound holds only for a list whose first page was not found. Items are decoded
// one by one out of a page that has arrived whole, so that memory holds one page as it was sent and one item, and an item
// that is kept keeps nothing else.
func list[T any](ctx context.Context, c *Client, what call, bounds Page) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		w := walk{client: c, next: what, first: what, bounds: bounds, pageLimit: what.pageLimit(), seed: maphash.MakeSeed(), seen: map[[sha256.Size]byte]bool{}}
		for more := true; more; {
			resp, body, err := c.page(ctx, w.next)
			if err != nil {
				yield(nil, w.failed(err))
				return
			}
			if err := w.repeated(body); err != nil {
				yield(nil, err)
				return
			}
			w.pages++
			got := pageReader{dec: json.NewDecoder(bytes.NewReader(body))}
			stopped, err := readPage(&got, func(item *T) bool {
				if w.full() || !yield(item, nil) {
					return false
				}
				w.count++
				return true
			})
			switch {
			case stopped:
				return
			case err != nil:
				err = responseError(what.op, resp, body, fmt.Errorf("page %d of the list cannot be read, so the list is incomplete: %w", w.pages, err))
			default:
				more, err = w.advance(got.next, got.items, body)
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// walk is the way through the pages of one list.
type walk struct {
	client      *Client
	first, next call
	bounds      Page
	count       int
	pages       int
	pageLimit   int
	empty       int // pages without an item, in a row
	seen        map[[sha256.Size]byte]bool
	// before is the page that the next one continues by $skip, as a hash; nil when a link leads on.
	before *uint64
	seed   maphash.Seed
}

// maxEmptyPages is how many pages in a row may be empty and name a next one.
const maxEmptyPages = 100

// repeated is the error of a page that was asked for by $skip and is the one before it: the service does not skip, and
// would give the same items for ever.
func (w *walk) repeated(body []byte) error {
	if w.before == nil || *w.before != maphash.Bytes(w.seed, body) {
		return nil
	}
	return &Error{Op: w.first.op, Message: "the list is incomplete: the service gave the same page again instead of the next one"}
}

// failed is the error of a page that could not be read. A 404 answers for an empty list, but only instead of the first
// page: later it means that the rest is missing, and must not pass for a list that has ended.
func (w *walk) failed(err error) error {
	if w.pages == 0 || !IsNotFound(err) {
		return err
	}
	return &Error{Op: w.first.op, Message: fmt.Sprintf("the list is incomplete, because its page %d was not found", w.pages+1), Err: err}
}

// full reports whether as many items were given as were asked for.
func (w *walk) full() bool { return w.bounds.Top > 0 && w.count >= w.bounds.Top }

// advance prepares the next page and reports whether there is one. A page of the largest size without a next link is
// continued by $skip, because the service does not promise a link on every list.
func (w *walk) advance(link string, size int, body []byte) (bool, error) {
	w.before, w.empty = nil, w.empty+1
	if size > 0 {
		w.empty = 0
	}
	name := sha256.Sum256([]byte(link))
	switch {
	case w.full(), link == "" && (w.pageLimit == 0 || size < w.pageLimit):
		return false, nil
	case link == "":
		query := w.bounds.query("", w.pageLimit)
		for name, values := range w.first.query {
			query[name] = values
		}
		query.Set("$skip", strconv.Itoa(w.bounds.Skip+w.count))
		w.next = w.first
		w.next.query = query
		sum := maphash.Bytes(w.seed, body)
		w.before = &sum
		return true, nil
	case w.empty > maxEmptyPages:
		return false, &Error{Op: w.first.op, Message: "the list is incomplete: the service names ever more pages without an item on them"}
	case w.seen[name]:
		return false, &Error{Op: w.first.op, Message: "the list does not end: the service named the same next page twice"}
	}
	w.seen[name] = true
	next, err := w.client.absolute(w.first, link)
	if err != nil {
		return false, &Error{Op: w.first.op, Message: err.Error()}
	}
	w.next = call{op: w.first.op, via: w.first.via, link: next, body: w.first.body, secrets: w.first.secrets}
	return true, nil
}

// absolute resolves a next link that the service wrote without its host. Where it leads is the host pin's to judge. A
// link that can't be read is not shown, because it can hold a token or a signature.
func (c *Client) absolute(what call, link string) (string, error) {
	table, err := what.operation()
	if err != nil {
		return "", err
	}
	base, err := url.Parse(c.service(table).endpoint + table.Path[:strings.LastIndexByte(table.Path, '/')+1])
	if err != nil {
		return "", errors.New("the API's address can't be read")
	}
	resolved, err := base.Parse(link)
	if err != nil {
		return "", errors.New("the list is incomplete, because the service's link to its next page is not a valid address")
	}
	// A GET of another path does no harm; a POST might.
	if own := base.ResolveReference(&url.URL{Path: table.Path[strings.LastIndexByte(table.Path, '/')+1:]}); table.Method != http.MethodGet && !strings.EqualFold(resolved.Path, own.Path) {
		return "", errors.New("the list is incomplete, because the service's link to its next page leads to another operation")
	}
	return resolved.String(), nil
}

// collect gathers a list into memory.
func collect[T any](items iter.Seq2[*T, error]) ([]*T, error) {
	var out []*T
	for item, err := range items {
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, nil
}
