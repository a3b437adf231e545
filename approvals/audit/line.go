package audit

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// line is the checkpoints of a place in their order, as far as they could be read.
type line struct {
	list   []Checkpoint
	faults []string
}

// readers is how many checkpoints are read at once.
const readers = 16

// readLine reads and verifies every checkpoint of a place: each signed by one of the keys, none missing between the first and
// the last, each naming the one before, all of one origin. An empty origin stands for that of the first.
func readLine(ctx context.Context, keep Keep, keys Keys, origin string) (line, error) {
	numbers, err := listNumbers(ctx, keep)
	if err != nil {
		return line{}, err
	}
	read := make([]Checkpoint, len(numbers))
	wrong := make([]error, len(numbers))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, n := range numbers {
		group.Go(func() error {
			b, err := keep.Read(gctx, fileName(n), maxCheckpoint)
			if err == nil {
				read[i], err = openNumbered(b, keys, n)
			}
			wrong[i] = err
			return gctx.Err()
		})
	}
	if err := group.Wait(); err != nil {
		return line{}, err
	}
	l := line{}
	for i, n := range numbers {
		if l.gap(n, numbers[max(i, 1)-1], i == 0); wrong[i] != nil {
			l.faults = append(l.faults, fmt.Sprintf("checkpoint %d in %s does not verify: %v", n, keep, wrong[i]))
			continue
		}
		if origin == "" {
			origin = read[i].Origin
		}
		l.add(read[i], origin)
	}
	return l, nil
}

// openNumbered opens the checkpoint that was kept under a number.
func openNumbered(b []byte, keys Keys, number int64) (Checkpoint, error) {
	c, err := openCheckpoint(b, keys)
	if err == nil && c.Number != number {
		err = fmt.Errorf("it is a copy of checkpoint %d", c.Number)
	}
	return c, err
}

// listNumbers lists the numbers of the checkpoints of a place, in their order.
func listNumbers(ctx context.Context, keep Keep) ([]int64, error) {
	names, err := keep.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("the checkpoints in %s can't be listed: %w", keep, err)
	}
	numbers := make([]int64, 0, len(names))
	for _, name := range names {
		if n, ok := fileNumber(name); ok {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// gap reports the checkpoints that are missing before number n.
func (l *line) gap(n, before int64, first bool) {
	if first {
		before = 0
	}
	switch {
	case n == before+2:
		l.faults = append(l.faults, fmt.Sprintf("checkpoint %d is missing: somebody removed it", n-1))
	case n > before+2:
		l.faults = append(l.faults, fmt.Sprintf("checkpoints %d to %d are missing: somebody removed them", before+1, n-1))
	}
}

// add appends a checkpoint that verified, and reports when it can't follow the one before.
func (l *line) add(c Checkpoint, origin string) {
	if c.Origin != origin {
		l.faults = append(l.faults, fmt.Sprintf("%v is about another audit: %q, not %q", c, c.Origin, origin))
		return
	}
	if n := len(l.list); n > 0 {
		if err := follows(l.list[n-1], c); err != nil {
			l.faults = append(l.faults, err.Error())
		}
	} else if c.Number == 1 && c.Previous != "" {
		l.faults = append(l.faults, fmt.Sprintf("%v names one before it, but it is the first", c))
	}
	l.list = append(l.list, c)
}

// follows reports why c can't be the checkpoint after before. A missing one between them is reported elsewhere.
func follows(before, c Checkpoint) error {
	switch {
	case c.Number == before.Number+1 && c.Previous != before.digest():
		return fmt.Errorf("%v does not continue checkpoint %d: one of them was replaced", c, before.Number)
	case !c.Restored && c.Rows <= before.Rows:
		return fmt.Errorf("%v covers %d rows, no more than checkpoint %d (%d), without saying that the database was restored", c, c.Rows, before.Number, before.Rows)
	case c.Restored && c.Since > before.Rows:
		return fmt.Errorf("%v keeps rows up to %d, but checkpoint %d covers %d only", c, c.Since, before.Number, before.Rows)
	}
	return nil
}

// Restore is one time that the database was found to be older than its last checkpoint, or another one.
type Restore struct {
	// At is when it was noticed, as the checkpoint Number says.
	At     time.Time
	Number int64
	// After is the last row that the database still had; rows After+1..Lost were lost or replaced.
	After, Lost int64
}

// split separates the checkpoints that speak of the rows as they are from those whose rows a restore took away.
func (l line) split() (now []Checkpoint, restores []Restore) {
	for _, c := range l.list {
		if c.Restored {
			r := Restore{At: c.At, Number: c.Number, After: c.Since, Lost: c.Since}
			for len(now) > 0 && now[len(now)-1].Rows > c.Since {
				r.Lost = max(r.Lost, now[len(now)-1].Rows)
				now = now[:len(now)-1]
			}
			restores = append(restores, r)
		}
		now = append(now, c)
	}
	return now, restores
}
