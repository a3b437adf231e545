package nexus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
)

// maxPages is how many pages a list may have; a thousand of them are far more nodes than a cluster can have.
const maxPages = 1000

// pageWire is one page of a list.
type pageWire[W any] struct {
	Value    *[]*W
	NextLink string
}

// list iterates over all pages of a list. convert makes an item of what was read, or nil to leave it out. What is wrong
// with the arguments is yielded before anything is sent.
func list[W, T any](ctx context.Context, c *Client, subscription string, what call, convert func(*W, string) (*T, error), invalid ...error) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		if err := errors.Join(invalid...); err != nil {
			yield(nil, refuse(what.op, err))
			return
		}
		w := walk{client: c, subscription: subscription, next: what, seen: map[string]bool{}}
		for more := true; more; {
			resp, page, err := readPage[W](ctx, &w)
			if err != nil {
				yield(nil, err)
				return
			}
			for i, item := range *page.Value {
				out, err := convertItem(item, w.next.version, convert)
				if err != nil {
					yield(nil, unreadable(what.op, resp, fmt.Errorf("item %d of page %d: %w", i+1, w.pages, err)))
					return
				}
				if out != nil && !yield(out, nil) {
					return
				}
			}
			if more, err = w.advance(page.NextLink); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

func convertItem[W, T any](item *W, version string, convert func(*W, string) (*T, error)) (*T, error) {
	if item == nil {
		return nil, errors.New("it is null")
	}
	return convert(item, version)
}

// walk is the way through the pages of one list.
type walk struct {
	client       *Client
	subscription string
	next         call
	pages        int
	seen         map[string]bool
}

// readPage reads the next page; the first decides on the api-version.
func readPage[W any](ctx context.Context, w *walk) (resp *http.Response, page *pageWire[W], err error) {
	read := func(ctx context.Context, version string) error {
		w.next.version = version
		var body []byte
		if resp, body, err = w.client.read(ctx, w.next); err != nil {
			return err
		}
		if page, err = decode[pageWire[W]](w.next, resp, body); err == nil && page.Value == nil {
			err = unreadable(w.next.op, resp, errors.New("it is not a list: it has no \"value\""))
		}
		return err
	}
	if w.pages == 0 {
		err = w.client.newest(ctx, w.subscription, read)
	} else {
		err = w.failed(read(ctx, w.next.version))
	}
	w.pages++
	return resp, page, err
}

// failed keeps a 404 of a later page from passing for a list that is not there.
func (w *walk) failed(err error) error {
	if !IsNotFound(err) {
		return err
	}
	return &Error{Op: w.next.op, Message: fmt.Sprintf("the list is incomplete, because its page %d was not found", w.pages+1), Err: err}
}

// advance prepares the next page and reports whether there is one. A link that can't be used is not shown, because it can
// hold a signature.
func (w *walk) advance(link string) (bool, error) {
	if link == "" {
		return false, nil
	}
	incomplete := func(why string) (bool, error) {
		return false, &Error{Op: w.next.op, Message: "the list is incomplete, because " + why}
	}
	u, err := url.Parse(link)
	if err != nil || u.Opaque != "" {
		return incomplete("the service's link to its next page is not an address")
	}
	u = w.client.endpoint.ResolveReference(u)
	switch {
	case origin(u) != origin(w.client.endpoint) || u.User != nil:
		return incomplete(fmt.Sprintf("the service's link to its next page leads to %s instead of %s, and is not followed", word(u.Host), w.client.endpoint.Host))
	case w.seen[u.String()]:
		return incomplete("the service named the same next page twice")
	case w.pages >= maxPages:
		return incomplete(fmt.Sprintf("it has more than %d pages", maxPages))
	}
	w.seen[u.String()] = true
	w.next.link = u.String()
	return true, nil
}
