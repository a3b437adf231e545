package evidence

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Query chooses manifests.
type Query struct {
	// DeviceID and RequestID choose by where a content came from; both empty mean all.
	DeviceID, RequestID string
	// Since and Before bound when it was stored; zero means no bound. Before itself is not in.
	Since, Before time.Time
	// Limit is the most to return: 100 unless set, 1000 at most.
	Limit int
	// Page is the token of the page to return, from Listing.Next; empty means the first.
	Page string
}

// Listing is one page of manifests, newest first.
type Listing struct {
	Manifests []Manifest
	// Next is the token of the next page; empty when this is the last.
	Next string
	// Faults names the manifests that can't be trusted.
	Faults []string
}

// loads is how many manifests are read at the same time.
const loads = 8

// List returns a page of manifests, those of removed contents too.
func (s *Store) List(ctx context.Context, q Query) (Listing, error) {
	prefix, err := q.prefix()
	if err != nil {
		return Listing{}, err
	}
	token, err := base64.RawURLEncoding.DecodeString(q.Page)
	if err != nil {
		return Listing{}, fmt.Errorf("%q is not the token of a page", clip(q.Page))
	}
	b, err := s.opened(ctx)
	if err != nil {
		return Listing{}, err
	}
	limit := min(max(q.Limit, 0), 1000)
	if limit == 0 {
		limit = 100
	}
	var out Listing
	next := string(token)
	for {
		objects, after, err := b.List(ctx, prefix, next, limit-len(out.Manifests))
		if err != nil {
			return Listing{}, err
		}
		ids, over := q.choose(objects)
		if err := out.load(ctx, b, q, ids); err != nil {
			return Listing{}, err
		}
		if next = after; over || after == "" {
			return out, nil
		}
		if len(out.Manifests) >= limit {
			out.Next = base64.RawURLEncoding.EncodeToString([]byte(next))
			return out, nil
		}
	}
}

func (q Query) prefix() (string, error) {
	for _, id := range []string{q.DeviceID, q.RequestID} {
		if id != "" && !word(id) {
			return "", fmt.Errorf("%q is not an id", clip(id))
		}
	}
	switch {
	case q.DeviceID != "": // one request may be about hundreds of devices
		return deviceKey(strings.ToLower(q.DeviceID), ""), nil
	case q.RequestID != "":
		return requestKey(strings.ToUpper(q.RequestID), ""), nil
	}
	return manifestDir, nil
}

// choose returns the ids of the objects within the times, and whether all further ones are too old.
func (q Query) choose(objects []Object) (ids []string, over bool) {
	for _, o := range objects {
		id := strings.TrimSuffix(path.Base(o.Key), manifestExt)
		at, err := idTime(id)
		switch {
		case err != nil: // not ours
		case !q.Since.IsZero() && at.Before(q.Since.Truncate(time.Millisecond)):
			return ids, true
		case q.Before.IsZero() || at.Before(q.Before.Truncate(time.Millisecond)):
			ids = append(ids, id)
		}
	}
	return ids, false
}

// load reads the manifests of ids. One that is not there belongs to a Put that did not end.
func (l *Listing) load(ctx context.Context, b Bucket, q Query, ids []string) error {
	found, faults := make([]Manifest, len(ids)), make([]string, len(ids))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(loads)
	for i, id := range ids {
		g.Go(func() error {
			m, err := load(gctx, b, id)
			var altered *AlteredError
			switch {
			case errors.As(err, &altered):
				faults[i] = err.Error()
			case errors.Is(err, ErrNotFound):
			case err != nil:
				return err
			default:
				found[i] = m
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, m := range found {
		if faults[i] != "" {
			l.Faults = append(l.Faults, faults[i])
		}
		// The entry that led here is only an entry: the manifest decides.
		if m.ID != "" && (q.DeviceID == "" || strings.EqualFold(m.DeviceID, q.DeviceID)) && (q.RequestID == "" || strings.EqualFold(m.RequestID, q.RequestID)) {
			l.Manifests = append(l.Manifests, m)
		}
	}
	return nil
}
