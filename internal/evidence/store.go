package evidence

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Options are what a store is made of.
type Options struct {
	// Open opens the bucket. It is called when the store is used for the first time, and again after it failed.
	Open func(context.Context) (Bucket, error)
	// Clock is time.Now unless set; Logger is silent unless set.
	Clock  func() time.Time
	Logger *slog.Logger
	// TempDir is where a content waits, without a name, until its hash is known; the system's unless set.
	TempDir string
	// MaxSize bounds one content, MaxUnpacked what is unpacked of an archive to hash it, in bytes; 16 GiB and 4 GiB unless set.
	MaxSize, MaxUnpacked int64
}

// Store keeps evidence. It is safe for concurrent use, also of several processes on one bucket.
type Store struct {
	o      Options
	mu     sync.Mutex
	bucket Bucket
}

// New makes a store, without opening its bucket.
func New(o Options) (*Store, error) {
	switch {
	case o.Open == nil:
		return nil, errors.New("evidence: Options.Open is not set: without a bucket nothing can be kept")
	case o.MaxSize < 0 || o.MaxUnpacked < 0:
		return nil, errors.New("evidence: Options.MaxSize and Options.MaxUnpacked must not be negative")
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxSize == 0 {
		o.MaxSize = 16 << 30
	}
	if o.MaxUnpacked == 0 {
		o.MaxUnpacked = 4 << 30
	}
	return &Store{o: o}, nil
}

// Ready opens the bucket, or says why that can't be done.
func (s *Store) Ready(ctx context.Context) error {
	_, err := s.opened(ctx)
	return err
}

// Close closes the bucket if it was opened.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bucket == nil {
		return nil
	}
	b := s.bucket
	s.bucket = nil
	return b.Close()
}

func (s *Store) opened(ctx context.Context) (Bucket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bucket != nil {
		return s.bucket, nil
	}
	b, err := s.o.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("the evidence store can't be opened: %w", err)
	}
	s.bucket = b
	return b, nil
}

func (s *Store) now() time.Time { return s.o.Clock().UTC().Truncate(time.Millisecond) }

// Manifest returns the manifest of one evidence. ErrNotFound when there is none, *AlteredError when it can't be trusted.
func (s *Store) Manifest(ctx context.Context, id string) (Manifest, error) {
	if _, err := idTime(id); err != nil {
		return Manifest{}, err
	}
	b, err := s.opened(ctx)
	if err != nil {
		return Manifest{}, err
	}
	return load(ctx, b, id)
}

func load(ctx context.Context, b Bucket, id string) (Manifest, error) {
	text, err := readAll(ctx, b, manifestKey(id), maxManifest)
	if err != nil {
		return Manifest{}, err
	}
	return decodeManifest(id, text)
}

// readAll reads a small object.
func readAll(ctx context.Context, b Bucket, key string, limit int64) ([]byte, error) {
	r, err := b.Open(ctx, key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(text)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", key, limit)
	}
	return text, err
}

// save writes a manifest.
func save(ctx context.Context, b Bucket, m Manifest, onlyNew bool) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("the manifest of evidence %s can't be written as JSON: %w", m.ID, err)
	}
	return b.Write(ctx, manifestKey(m.ID), bytes.NewReader(text), onlyNew)
}
