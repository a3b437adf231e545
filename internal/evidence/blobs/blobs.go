// Package blobs opens the buckets of gocloud.dev/blob for the evidence store: a folder of files that nobody else may read,
// and memory for tests. Azure Blob Storage is in a package of its own, because its driver costs more at a program's start.
package blobs

import (
	"context"
	"errors"
	"io"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/gcerrors"

	"github.com/mde-ops/mde-ops/internal/evidence"
)

// Bucket makes one of gocloud.dev's buckets the evidence store's.
func Bucket(b *blob.Bucket) evidence.Bucket { return &bucket{b: b} }

// Memory is a bucket that is gone with the program.
func Memory() evidence.Bucket { return Bucket(memblob.OpenBucket(nil)) }

type bucket struct{ b *blob.Bucket }

// Write implements evidence.Bucket.
func (b *bucket) Write(ctx context.Context, key string, r io.Reader, onlyNew bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// gocloud.dev closes the object, and so makes it visible, after its reader failed too. Only the context stops that.
	return fault(b.b.Upload(ctx, key, &breaker{r: r, stop: cancel}, &blob.WriterOptions{ContentType: contentType, IfNotExist: onlyNew}))
}

// contentType is stated, because it would be guessed from the content.
const contentType = "application/octet-stream"

// breaker stops what reads from it when r fails.
type breaker struct {
	r    io.Reader
	stop func()
}

// Read implements io.Reader.
func (b *breaker) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.stop()
	}
	return n, err
}

// Open implements evidence.Bucket.
func (b *bucket) Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := b.b.NewRangeReader(ctx, key, offset, length, nil)
	if err != nil {
		return nil, fault(err)
	}
	return r, nil
}

// Stat implements evidence.Bucket.
func (b *bucket) Stat(ctx context.Context, key string) (evidence.Object, error) {
	a, err := b.b.Attributes(ctx, key)
	if err != nil {
		return evidence.Object{}, fault(err)
	}
	return evidence.Object{Key: key, Size: a.Size, ModifiedAt: a.ModTime}, nil
}

// List implements evidence.Bucket.
func (b *bucket) List(ctx context.Context, prefix, token string, limit int) ([]evidence.Object, string, error) {
	page := []byte(token)
	if token == "" {
		page = blob.FirstPageToken
	}
	found, next, err := b.b.ListPage(ctx, page, limit, &blob.ListOptions{Prefix: prefix})
	if err != nil {
		return nil, "", fault(err)
	}
	var out []evidence.Object
	for _, o := range found {
		if !o.IsDir && !strings.HasSuffix(o.Key, evidence.Unfinished) {
			out = append(out, evidence.Object{Key: o.Key, Size: o.Size, ModifiedAt: o.ModTime})
		}
	}
	return out, string(next), nil
}

// Delete implements evidence.Bucket.
func (b *bucket) Delete(ctx context.Context, key string) error {
	err := b.b.Delete(ctx, key)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return err
}

// Close implements evidence.Bucket.
func (b *bucket) Close() error { return b.b.Close() }

// fault gives the errors that callers tell apart their names.
func fault(err error) error {
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return evidence.ErrNotFound
	case gcerrors.FailedPrecondition, gcerrors.AlreadyExists:
		return evidence.ErrExists
	default:
		return err
	}
}
