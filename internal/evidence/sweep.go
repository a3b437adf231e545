package evidence

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// Swept says what a Sweep removed.
type Swept struct {
	// Contents is how many contents were removed, and Bytes their size.
	Contents int
	Bytes    int64
	// Faults says what was left because it could not be removed rightly.
	Faults []string
}

const (
	// leftover is the age from which on what an interrupted Put or Sweep left is removed.
	leftover = 24 * time.Hour
	// minKeep is the shortest retention, so that nothing is removed while it is still being put.
	minKeep = time.Hour
)

// tidier is a bucket that can hold remains of its own.
type tidier interface {
	Tidy(ctx context.Context, before time.Time) error
}

// Sweep removes every content that only manifests older than keep need, and leaves the manifests with a note of the
// removal. It also removes what interrupted Puts left. With a keep of zero or less everything is kept.
func (s *Store) Sweep(ctx context.Context, keep time.Duration) (Swept, error) {
	var out Swept
	if keep > 0 && keep < minKeep {
		return out, fmt.Errorf("evidence: it can't be kept for %s only; the least is %s, and 0 keeps everything", keep, minKeep)
	}
	b, err := s.opened(ctx)
	if err != nil {
		return out, err
	}
	cutoff := s.now().Add(-keep)
	err = each(ctx, b, contentDir, func(o Object) error {
		sum := path.Base(o.Key)
		if !isSum(sum) {
			return nil
		}
		removed, err := s.sweep(ctx, b, sum, o, keep, cutoff)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			out.Faults = append(out.Faults, fmt.Sprintf("content %s was kept: %v", sum, err))
		case removed:
			out.Contents, out.Bytes = out.Contents+1, out.Bytes+o.Size
		}
		return nil
	})
	return out, errors.Join(err, s.tidy(ctx, b, s.now().Add(-leftover)))
}

// tidy removes the marks of Sweeps that died, and what the bucket itself left.
func (s *Store) tidy(ctx context.Context, b Bucket, before time.Time) error {
	err := each(ctx, b, removingDir, func(o Object) error {
		if !o.ModifiedAt.Before(before) {
			return nil
		}
		return b.Delete(ctx, o.Key)
	})
	if t, ok := b.(tidier); ok && err == nil {
		err = t.Tidy(ctx, before)
	}
	return err
}

// sweep removes one content if nothing young needs it.
func (s *Store) sweep(ctx context.Context, b Bucket, sum string, o Object, keep time.Duration, cutoff time.Time) (bool, error) {
	ids, err := holders(ctx, b, sum)
	if err != nil {
		return false, err
	}
	if len(ids) == 0 {
		cutoff = s.now().Add(-leftover) // no collection was ever completed, or retention was interrupted at its end
	} else if keep <= 0 {
		return false, nil
	}
	if young(ids, cutoff) || len(ids) == 0 && !o.ModifiedAt.Before(cutoff) {
		return false, nil
	}
	// Whoever puts the same content from here on sees the mark, waits and stores it again; whoever did before is seen now.
	// The time for it is shorter than a Put waits.
	ctx, cancel := context.WithTimeout(ctx, removal)
	defer cancel()
	if err := b.Write(ctx, removingKey(sum), bytes.NewReader(nil), false); err != nil {
		return false, err
	}
	removed, err := s.remove(ctx, b, sum, cutoff, keep)
	return removed, errors.Join(err, b.Delete(context.WithoutCancel(ctx), removingKey(sum)))
}

func (s *Store) remove(ctx context.Context, b Bucket, sum string, cutoff time.Time, keep time.Duration) (bool, error) {
	ids, err := holders(ctx, b, sum)
	if err != nil || young(ids, cutoff) {
		return false, err
	}
	// The notes come first: a content that is gone without one would look stolen.
	for _, id := range ids {
		if err := s.bury(ctx, b, id, keep); err != nil {
			return false, err
		}
	}
	if err := b.Delete(ctx, contentKey(sum)); err != nil {
		return false, err
	}
	for _, id := range ids {
		if err := b.Delete(ctx, holdKey(sum, id)); err != nil {
			return true, err
		}
	}
	return true, nil
}

// bury notes the removal in a manifest.
func (s *Store) bury(ctx context.Context, b Bucket, id string, keep time.Duration) error {
	m, err := load(ctx, b, id)
	if errors.Is(err, ErrNotFound) {
		return nil // its Put was interrupted
	}
	if err != nil || m.Removed != nil {
		return err
	}
	m.Removed = &Removal{At: s.now(), By: "retention", Why: fmt.Sprintf("evidence is kept for %s", keep)}
	return save(ctx, b, m, false)
}

func young(ids []string, cutoff time.Time) bool {
	for _, id := range ids {
		if at, err := idTime(id); err != nil || !at.Before(cutoff) {
			return true
		}
	}
	return false
}

// holders lists the manifests that need a content.
func holders(ctx context.Context, b Bucket, sum string) ([]string, error) {
	var ids []string
	err := each(ctx, b, holdKey(sum, ""), func(o Object) error {
		ids = append(ids, strings.TrimPrefix(o.Key, holdKey(sum, "")))
		return nil
	})
	return ids, err
}

// each calls fn for every object below a prefix; fn may remove them.
func each(ctx context.Context, b Bucket, prefix string, fn func(Object) error) error {
	token := ""
	for {
		objects, next, err := b.List(ctx, prefix, token, 1000)
		if err != nil {
			return err
		}
		for _, o := range objects {
			if err := fn(o); err != nil {
				return err
			}
		}
		if next == "" {
			return nil
		}
		token = next
	}
}
