package evidence

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
	"time"
)

const (
	// minPart and maxParts make the parts of a content: small enough to read one for a page of text, few enough for a manifest.
	minPart  = 1 << 20
	maxParts = 256
	// patience is how long Put waits for a Sweep that is just removing the same content, and removal how long a Sweep takes
	// for that at most. The first must be longer.
	patience = time.Minute
	removal  = 30 * time.Second
	// lookAgain is how often Put looks whether such a Sweep is done.
	lookAgain = 200 * time.Millisecond
)

// Put reads a content to its end and keeps it with a manifest, which it returns. Memory does not grow with the content.
// The same content is stored once, and the same collection (request, action, device and content) gets one manifest however
// often it is put. When Put fails, nothing that anybody sees was stored.
func (s *Store) Put(ctx context.Context, meta Meta, r io.Reader) (Manifest, error) {
	meta, err := meta.checked()
	if err != nil {
		return Manifest{}, err
	}
	b, err := s.opened(ctx)
	if err != nil {
		return Manifest{}, err
	}
	spooled, err := s.spool(ctx, r)
	if err != nil {
		return Manifest{}, err
	}
	defer spooled.close()
	once := onceKey(meta, spooled.sum)
	if m, ok, err := stored(ctx, b, once, spooled.sum); err != nil || ok {
		return m, err
	}
	m := Manifest{Format: format, Meta: meta, SHA256: spooled.sum, Size: spooled.size}
	m.Unpacked = unpack(ctx, spooled.file, spooled.size, s.o.MaxUnpacked)
	if m.PartSize, m.Parts, err = parts(ctx, spooled); err != nil {
		return Manifest{}, err
	}
	if err := ctx.Err(); err != nil {
		return Manifest{}, err // an archive that was left half unpacked would be noted as damaged
	}
	if err := s.keep(ctx, b, &m, spooled); err != nil {
		return Manifest{}, fmt.Errorf("the evidence was not stored: %w", err)
	}
	if err := b.Write(ctx, once, strings.NewReader(m.ID), false); err != nil {
		s.o.Logger.WarnContext(ctx, "evidence: storing the same again would make a second manifest", "id", m.ID, "error", err)
	}
	return m, nil
}

// keep writes the content and everything that finds it, the manifest last. It gives the manifest its id and time, after
// what may take long.
func (s *Store) keep(ctx context.Context, b Bucket, m *Manifest, from *spool) error {
	if err := s.ensure(ctx, b, *m, from, true); err != nil {
		return err
	}
	m.StoredAt = s.now()
	m.ID = newID(m.StoredAt)
	for _, key := range []string{holdKey(m.SHA256, m.ID), deviceKey(m.DeviceID, m.ID), requestKey(m.RequestID, m.ID)} {
		if err := b.Write(ctx, key, bytes.NewReader(nil), false); err != nil {
			return err
		}
	}
	// From here on a Sweep that begins sees that the content is needed. One that began before has left its mark.
	if err := settled(ctx, b, m.SHA256); err != nil {
		return err
	}
	if err := s.ensure(ctx, b, *m, from, false); err != nil {
		return err
	}
	return save(ctx, b, *m, true)
}

// ensure stores the content unless it is there. With verify, what is there must be the same to its last byte.
func (s *Store) ensure(ctx context.Context, b Bucket, m Manifest, from *spool, verify bool) error {
	o, err := b.Stat(ctx, contentKey(m.SHA256))
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		return err
	case o.Size == m.Size && (!verify || s.intact(ctx, b, m) == nil):
		return nil
	default:
		s.o.Logger.ErrorContext(ctx, "evidence: a stored content was altered; it is stored anew", "sha256", m.SHA256)
	}
	return b.Write(ctx, contentKey(m.SHA256), io.NewSectionReader(from.file, 0, from.size), false)
}

func (s *Store) intact(ctx context.Context, b Bucket, m Manifest) error {
	c, err := content(ctx, b, m)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, c)
	_ = c.Close() // only read
	return err
}

// settled waits for a Sweep that is just removing the content. One that left its mark and died is not waited for longer.
func settled(ctx context.Context, b Bucket, sum string) error {
	for waited := time.Duration(0); waited < patience; waited += lookAgain {
		_, err := b.Stat(ctx, removingKey(sum))
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lookAgain):
		}
	}
	return nil
}

// onceKey is where a collection is noted, so that it gets one manifest.
func onceKey(m Meta, sum string) string {
	h := sha256.Sum256([]byte(strings.Join([]string{m.RequestID, m.ActionID, m.DeviceID, sum}, "\n")))
	return onceDir + hex.EncodeToString(h[:])
}

// stored returns the manifest of a collection that was put before and is still there.
func stored(ctx context.Context, b Bucket, once, sum string) (Manifest, bool, error) {
	id, err := readAll(ctx, b, once, maxWord)
	if errors.Is(err, ErrNotFound) {
		return Manifest{}, false, nil
	}
	if err != nil || !ValidID(string(id)) {
		return Manifest{}, false, err
	}
	m, err := load(ctx, b, string(id))
	var altered *AlteredError
	switch {
	case errors.Is(err, ErrNotFound), errors.As(err, &altered):
		return Manifest{}, false, nil
	case err != nil:
		return Manifest{}, false, err
	}
	o, err := b.Stat(ctx, contentKey(sum))
	if errors.Is(err, ErrNotFound) {
		return Manifest{}, false, nil
	}
	return m, err == nil && m.Removed == nil && m.SHA256 == sum && o.Size == m.Size, err
}

// spool is a content on its way: a file that no name leads to, its hash and its size.
type spool struct {
	file *os.File
	sum  string
	size int64
}

func (s *spool) close() {
	s.file.Close()
	_ = os.Remove(s.file.Name()) // only where an open file can't be without a name
}

// spool reads r to its end into a file without a name, because the key of a content is its hash.
func (s *Store) spool(ctx context.Context, r io.Reader) (*spool, error) {
	f, err := os.CreateTemp(s.o.TempDir, ".spool-*") // 0600
	if err != nil {
		return nil, fmt.Errorf("evidence: no temporary file can be made: %w", err)
	}
	_ = os.Remove(f.Name()) // on Windows it stays until it is closed
	sp := &spool{file: f}
	sum := sha256.New()
	over := fmt.Errorf("it has more than %d bytes, which is the most that one evidence may have", s.o.MaxSize)
	sp.size, err = io.Copy(io.MultiWriter(f, sum), &bounded{ctx: ctx, r: r, left: s.o.MaxSize, over: over})
	if err != nil {
		sp.close()
		return nil, fmt.Errorf("the evidence was not stored: %w", err)
	}
	sp.sum = hex.EncodeToString(sum.Sum(nil))
	return sp, nil
}

// parts hashes the parts of a content, of which there are at most maxParts.
func parts(ctx context.Context, s *spool) (int64, []string, error) {
	size := int64(minPart)
	for size*maxParts < s.size {
		size *= 2
	}
	var sums []string
	for at := int64(0); at < s.size; at += size {
		if err := ctx.Err(); err != nil {
			return 0, nil, err
		}
		h := sha256.New()
		if _, err := io.Copy(h, io.NewSectionReader(s.file, at, min(size, s.size-at))); err != nil {
			return 0, nil, err
		}
		sums = append(sums, hexOf(h))
	}
	return size, sums, nil
}

func hexOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }
