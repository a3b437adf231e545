package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/failpoint"
)

// KeeperOptions is what a Keeper is made of.
type KeeperOptions struct {
	Store *store.DB
	// Keep is where the checkpoints are; Signer signs new ones, and Keys verify those of earlier keys.
	Keep   Keep
	Signer *Signer
	Keys   Keys
	// Origin names this audit in its checkpoints: one word that no other deployment uses.
	Origin string
	// Every is how long new rows may be without a checkpoint, 0 means 10 min; Rows is how many may, 0 means 1000. Look is how
	// often the end of the audit is looked at, 0 means 10 s.
	Every time.Duration
	Rows  int64
	Look  time.Duration
	// Clock is time.Now and Logger slog.Default unless set.
	Clock  func() time.Time
	Logger *slog.Logger
	// Alarm is called when the audit is not the one that the last checkpoint is about; nil only logs. It is called again at
	// every look until that has changed.
	Alarm func(ctx context.Context, what string)
}

// Keeper writes checkpoints of a running gate. Several processes may do so into one place: each number is taken once.
type Keeper struct {
	o        KeeperOptions
	mu       sync.Mutex
	last     Checkpoint // the zero value before the first
	read     bool       // last is what the place has
	restored bool       // Restored said so, and its caller stopped everything
}

// NewKeeper makes a keeper.
func NewKeeper(o KeeperOptions) (*Keeper, error) {
	switch {
	case o.Store == nil || o.Keep == nil || o.Signer == nil:
		return nil, errors.New("checkpoints of the audit need a store, a place to keep them and a key to sign them")
	case o.Origin == "" || strings.ContainsFunc(o.Origin, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return nil, fmt.Errorf("the origin %q of the audit's checkpoints must be one word", o.Origin)
	}
	o.Keys = o.Keys.With(o.Signer)
	o.Every, o.Look = usual(o.Every, 10*time.Minute), usual(o.Look, 10*time.Second)
	o.Rows = usual(o.Rows, 1000)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Keeper{o: o}, nil
}

func usual[T ~int | ~int64](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Restored says, in a sentence for people, when the database is older than its last checkpoint or has other rows than the
// ones it is about, and is empty when all is well. Whoever calls it must stop everything when it is not empty: the checkpoints
// that this keeper writes afterwards go on from what the database still has, and say so for ever.
func (k *Keeper) Restored(ctx context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refresh(ctx); err != nil {
		return "", err
	}
	what, err := k.strayed(ctx)
	k.restored = k.restored || what != ""
	return what, err
}

// Restored is Keeper.Restored for who can't sign: it only reads.
func Restored(ctx context.Context, db *store.DB, keep Keep, keys Keys, origin string) (string, error) {
	k := &Keeper{o: KeeperOptions{Store: db, Keep: keep, Keys: keys, Origin: origin}}
	if err := k.refresh(ctx); err != nil {
		return "", err
	}
	return k.strayed(ctx)
}

// strayed says how the audit is not the one that the last checkpoint is about.
func (k *Keeper) strayed(ctx context.Context) (string, error) {
	if k.last.Number == 0 {
		return "", nil
	}
	hash, ok, err := k.o.Store.RowHash(ctx, k.last.Rows)
	if err != nil || ok && hash == k.last.Head {
		return "", err
	}
	if ok {
		return fmt.Sprintf("row %d of the audit is not the one that %v is about: the database was replaced, or the audit was computed anew", k.last.Rows, k.last), nil
	}
	end, err := k.o.Store.Ending(ctx)
	return fmt.Sprintf("the audit ends at row %d, but %v is about %d rows: the database was restored from a backup, or rows were removed", end.Seq, k.last, k.last.Rows), err
}

// refresh reads the last checkpoint of the place, once.
func (k *Keeper) refresh(ctx context.Context) error {
	if k.read {
		return nil
	}
	numbers, err := listNumbers(ctx, k.o.Keep)
	if err != nil {
		return err
	}
	if n := int64(len(numbers)); n > 0 && (numbers[0] != 1 || numbers[n-1] != n) {
		return fmt.Errorf("checkpoints are missing in %s: there are %d, and the last has the number %d; "+
			"put them back, or begin with an empty place when you know why (the old ones stay evidence)", k.o.Keep, n, numbers[n-1])
	}
	if len(numbers) > 0 {
		if k.last, err = k.fetch(ctx, numbers[len(numbers)-1]); err != nil {
			return err
		}
	}
	k.read = true
	return nil
}

func (k *Keeper) fetch(ctx context.Context, number int64) (Checkpoint, error) {
	b, err := k.o.Keep.Read(ctx, fileName(number), maxCheckpoint)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint %d in %s can't be read: %w", number, k.o.Keep, err)
	}
	c, err := openNumbered(b, k.o.Keys, number)
	if err == nil && c.Origin != k.o.Origin {
		err = fmt.Errorf("it is about another audit, %q, and this one is %q: give each its own place", c.Origin, k.o.Origin)
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint %d in %s does not verify: %w", number, k.o.Keep, err)
	}
	return c, nil
}

// Checkpoint writes one now, if there are rows without one, and returns the last. It verifies those rows first: what does not
// continue the last checkpoint is never signed.
func (k *Keeper) Checkpoint(ctx context.Context) (Checkpoint, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		if err := k.refresh(ctx); err != nil {
			return Checkpoint{}, err
		}
		next, err := k.next(ctx)
		if err != nil || next.Number == k.last.Number {
			return k.last, err
		}
		note, err := next.sign(k.o.Signer)
		if err != nil {
			return k.last, err
		}
		switch err := k.o.Keep.Create(ctx, fileName(next.Number), note); {
		case errors.Is(err, ErrExists):
			k.read = false // another process was faster: go on from its checkpoint
		case err != nil:
			return k.last, fmt.Errorf("the audit's checkpoint can't be kept in %s: %w", k.o.Keep, err)
		default:
			failpoint.Hit(failpoint.AfterCheckpoint)
			k.last, k.restored = next, false
			return next, nil
		}
	}
}

// Last is the last checkpoint that this keeper knows of, without looking anew; the zero value before it has looked.
func (k *Keeper) Last() Checkpoint {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last
}

// next is the checkpoint that is to be written, or the last one when there is nothing new.
func (k *Keeper) next(ctx context.Context) (Checkpoint, error) {
	next := Checkpoint{Origin: k.o.Origin, Number: k.last.Number + 1, At: k.o.Clock().UTC().Truncate(time.Millisecond)}
	from := approvals.Event{Seq: k.last.Rows, Hash: k.last.Head}
	if k.last.Number > 0 {
		next.Previous = k.last.digest()
		what, err := k.strayed(ctx)
		if err != nil {
			return k.last, err
		}
		if what != "" {
			if !k.restored {
				return k.last, &StrayedError{what}
			}
			if from, err = k.common(ctx); err != nil {
				return k.last, err
			}
			next.Restored, next.Since = true, from.Seq
		}
	}
	end, err := k.walk(ctx, from)
	if err != nil || end.Seq == from.Seq && !next.Restored || end.Seq == 0 {
		return k.last, err
	}
	next.Rows, next.Head = end.Seq, end.Hash
	return next, nil
}

// StrayedError says that the audit is not the one that the last checkpoint is about.
type StrayedError struct{ what string }

// Error implements error.
func (e *StrayedError) Error() string { return e.what }

// walk verifies the rows after one and returns the last, in batches so that others get their turn at the database.
func (k *Keeper) walk(ctx context.Context, from approvals.Event) (approvals.Event, error) {
	for {
		rows, err := k.o.Store.Events(ctx, store.Query{After: from.Seq, Limit: batch})
		if err != nil {
			return from, err
		}
		for _, e := range rows {
			if err := store.VerifyLink(from, e); err != nil {
				return from, &StrayedError{fmt.Sprintf("the audit does not verify, so no checkpoint is made of it: %v", err)}
			}
			from = e
		}
		if len(rows) < batch {
			return from, nil
		}
	}
}

// batch is how many rows are read at once beside a running gate.
const batch = 500

// common finds the last row that the database still has in common with a checkpoint, or the beginning.
func (k *Keeper) common(ctx context.Context) (approvals.Event, error) {
	limit := k.last.Rows // checkpoints about more rows were lost in an earlier restore
	for c := k.last; ; {
		if c.Rows <= limit {
			hash, ok, err := k.o.Store.RowHash(ctx, c.Rows)
			if err != nil || ok && hash == c.Head {
				return approvals.Event{Seq: c.Rows, Hash: c.Head}, err
			}
		}
		if c.Restored {
			limit = min(limit, c.Since)
		}
		if c.Number == 1 {
			return approvals.Event{}, nil
		}
		var err error
		if c, err = k.fetch(ctx, c.Number-1); err != nil {
			return approvals.Event{}, err
		}
	}
}

// Run writes checkpoints until ctx ends, and a last one then. What fails is logged and tried again: it never stops the gate.
func (k *Keeper) Run(ctx context.Context) {
	tick := time.NewTicker(k.o.Look)
	defer tick.Stop()
	for {
		k.look(ctx)
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTime)
			defer cancel()
			k.report(last, k.write(last))
			return
		case <-tick.C:
		}
	}
}

// lastTime is how long the checkpoint at the end may take.
const lastTime = 5 * time.Second

// look writes a checkpoint when one is due.
func (k *Keeper) look(ctx context.Context) {
	due, err := k.due(ctx)
	if err == nil && due {
		err = k.write(ctx)
	}
	if ctx.Err() == nil {
		k.report(ctx, err)
	}
}

func (k *Keeper) write(ctx context.Context) error {
	_, err := k.Checkpoint(ctx)
	return err
}

// due reports whether rows have been without a checkpoint for long enough, or are many enough. A clock that went back does not
// put it off.
func (k *Keeper) due(ctx context.Context) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refresh(ctx); err != nil {
		return false, err
	}
	end, err := k.o.Store.Ending(ctx)
	if err != nil {
		return false, err
	}
	age := k.o.Clock().Sub(k.last.At)
	return end.Seq < k.last.Rows || k.restored || end.Seq >= k.last.Rows+k.o.Rows || end.Seq > k.last.Rows && (age < 0 || age >= k.o.Every), nil
}

func (k *Keeper) report(ctx context.Context, err error) {
	var strayed *StrayedError
	switch {
	case err == nil:
	case errors.As(err, &strayed):
		k.o.Logger.ErrorContext(ctx, "the audit does not continue its last checkpoint: run `mde-mcp audit verify`", "what", strayed.what)
		if k.o.Alarm != nil {
			k.o.Alarm(ctx, strayed.what)
		}
	default:
		k.o.Logger.ErrorContext(ctx, "no checkpoint of the audit could be written; it will be tried again", "error", err)
	}
}
