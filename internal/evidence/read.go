package evidence

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Content is a content while it is read. Its last Read says with an *AlteredError when what was read is not what was
// stored; only io.EOF means that all of it was.
type Content struct {
	Manifest Manifest
	r        io.ReadCloser
	sum      hash.Hash
	read     int64
}

// Get opens a content. ErrNotFound when there is no such evidence, *RemovedError when retention removed it, *AlteredError
// when its manifest or content is not what was stored.
func (s *Store) Get(ctx context.Context, id string) (*Content, error) {
	m, err := s.Manifest(ctx, id)
	if err != nil {
		return nil, err
	}
	b, err := s.opened(ctx)
	if err != nil {
		return nil, err
	}
	return content(ctx, b, m)
}

// Verify reads a content to its end; nil means that it is what was stored.
func (s *Store) Verify(ctx context.Context, m Manifest) error {
	b, err := s.opened(ctx)
	if err != nil {
		return err
	}
	return s.intact(ctx, b, m)
}

func content(ctx context.Context, b Bucket, m Manifest) (*Content, error) {
	if m.Removed != nil {
		return nil, &RemovedError{ID: m.ID, Removal: *m.Removed}
	}
	r, err := b.Open(ctx, contentKey(m.SHA256), 0, -1)
	if errors.Is(err, ErrNotFound) {
		return nil, missing(m)
	}
	if err != nil {
		return nil, err
	}
	return &Content{Manifest: m, r: r, sum: sha256.New()}, nil
}

func missing(m Manifest) error { return &AlteredError{ID: m.ID, Why: "its content is missing"} }

// Read implements io.Reader.
func (c *Content) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.sum.Write(p[:n])
	if c.read += int64(n); c.read > c.Manifest.Size {
		return 0, &AlteredError{ID: c.Manifest.ID, Why: fmt.Sprintf("its content has more than %d bytes", c.Manifest.Size)}
	}
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	if c.read != c.Manifest.Size || hexOf(c.sum) != c.Manifest.SHA256 {
		return n, &AlteredError{ID: c.Manifest.ID, Why: "its content has another hash"}
	}
	return n, io.EOF
}

// Close implements io.Closer.
func (c *Content) Close() error { return c.r.Close() }

// Range returns up to limit bytes of a content from offset; none at its end. Every part that it reads is verified before
// anything of it is returned. Errors are those of Get.
func (s *Store) Range(ctx context.Context, m Manifest, offset, limit int64) ([]byte, error) {
	switch {
	case m.Removed != nil:
		return nil, &RemovedError{ID: m.ID, Removal: *m.Removed}
	case !m.wholeParts():
		return nil, &AlteredError{ID: m.ID, Why: "its manifest contradicts itself"}
	case offset < 0 || limit < 1 || offset >= m.Size:
		return nil, nil
	}
	b, err := s.opened(ctx)
	if err != nil {
		return nil, err
	}
	end := min(offset+min(limit, m.Size), m.Size)
	out := make([]byte, 0, end-offset)
	for part := offset / m.PartSize; part*m.PartSize < end; part++ {
		from := part * m.PartSize
		got, err := window{max(offset-from, 0), min(end-from, m.PartSize)}.of(ctx, b, m, int(part))
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
	}
	return out, nil
}

// window is the bytes of a part from one to another.
type window struct{ from, to int64 }

// of reads a part to its end, keeps the bytes in the window and returns them if the whole part is what was stored.
func (w window) of(ctx context.Context, b Bucket, m Manifest, part int) ([]byte, error) {
	at := int64(part) * m.PartSize
	length := min(m.PartSize, m.Size-at)
	r, err := b.Open(ctx, contentKey(m.SHA256), at, length)
	if errors.Is(err, ErrNotFound) {
		return nil, missing(m)
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	h := sha256.New()
	read := io.TeeReader(r, h)
	kept := make([]byte, w.to-w.from)
	_, err = io.CopyN(io.Discard, read, w.from)
	if err == nil {
		_, err = io.ReadFull(read, kept)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, read)
	}
	short := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	switch {
	case err != nil && !short:
		return nil, err
	case short || hexOf(h) != m.Parts[part]:
		return nil, &AlteredError{ID: m.ID, Why: fmt.Sprintf("the %d bytes from byte %d on have another hash", length, at)}
	}
	return kept, nil
}
