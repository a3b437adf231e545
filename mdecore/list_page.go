package mdecore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// page is a list that comes in one answer.
type page[T any] struct {
	Value    []T    `json:"value"`
	NextLink string `json:"@odata.nextLink"`
}

// page performs the call of one page of a list and returns its answer whole, because a page that is cut off must be asked
// for again before any of its items is given out.
func (c *Client) page(ctx context.Context, what call) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.readTimeout)
	defer cancel()
	return c.exchange(ctx, what, azpipe.Operation{Reads: true}, func(resp *http.Response, body []byte) error {
		if len(body) == 0 {
			return responseError(what.op, resp, body, errEmpty)
		}
		return nil
	})
}

// pageReader reads one page: an object with the items in "value" and perhaps a link to the next page.
type pageReader struct {
	dec *json.Decoder
	// items counts what "value" holds.
	items int
	next  string
	found bool
}

// readPage gives every item of a page to give, until that returns false. An error after the first items means that the
// rest of the page is not readable.
func readPage[T any](p *pageReader, give func(*T) bool) (stopped bool, err error) {
	if err := p.expect(json.Delim('{')); err != nil {
		return false, err
	}
	for p.dec.More() {
		name, err := p.dec.Token()
		if err != nil {
			return false, err
		}
		switch key, _ := name.(string); {
		case strings.EqualFold(key, "value"):
			stopped, err = readItems(p, give)
		case strings.EqualFold(key, "@odata.nextLink"):
			err = p.dec.Decode(&p.next)
		default:
			err = p.dec.Decode(new(ignored))
		}
		if stopped || err != nil {
			return stopped, err
		}
	}
	return false, p.end()
}

// readItems reads the list of items; null is an empty one.
func readItems[T any](p *pageReader, give func(*T) bool) (stopped bool, err error) {
	p.found = true
	switch open, err := p.dec.Token(); {
	case err != nil || open == nil:
		return false, err
	case open != json.Delim('['):
		return false, errors.New("its \"value\" is not a list")
	}
	for p.dec.More() {
		var item *T
		if err := p.dec.Decode(&item); err != nil {
			return false, fmt.Errorf("item %d: %w", p.items+1, err)
		}
		if item == nil {
			return false, fmt.Errorf("item %d is null", p.items+1)
		}
		p.items++
		if !give(item) {
			return true, nil
		}
	}
	return false, p.expect(json.Delim(']'))
}

// end reads the end of a page. An answer without a "value" is no list, and must not pass for an empty one.
func (p *pageReader) end() error {
	if err := p.expect(json.Delim('}')); err != nil {
		return err
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	if !p.found {
		return errors.New("it has no \"value\"")
	}
	return nil
}

// expect reads one delimiter.
func (p *pageReader) expect(want json.Delim) error {
	got, err := p.dec.Token()
	switch {
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case got != want:
		return fmt.Errorf("%v stands where %v is wanted", got, want)
	}
	return nil
}

// ignored is a JSON value that is of no interest.
type ignored struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (*ignored) UnmarshalJSON([]byte) error { return nil }
