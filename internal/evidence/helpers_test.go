package evidence_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/internal/evidence/blobs"
)

// clock is a time that is moved by hand. It begins at the real time, because buckets stamp objects with that.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// room is a store over a bucket that can be made to fail.
type room struct {
	*evidence.Store
	*clock
	bucket *faulty
}

func open(t testing.TB, o evidence.Options) *room {
	t.Helper()
	return over(t, blobs.Memory(), o)
}

func over(t testing.TB, b evidence.Bucket, o evidence.Options) *room {
	t.Helper()
	r := &room{clock: &clock{now: time.Now().UTC()}, bucket: &faulty{Bucket: b}}
	o.Open, o.Clock, o.TempDir = func(context.Context) (evidence.Bucket, error) { return r.bucket, nil }, r.Now, t.TempDir()
	var err error
	r.Store, err = evidence.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func (r *room) put(t testing.TB, m evidence.Meta, content string) evidence.Manifest {
	t.Helper()
	out, err := r.Put(t.Context(), m, strings.NewReader(content))
	require.NoError(t, err)
	return out
}

func (r *room) get(t testing.TB, id string) ([]byte, error) {
	t.Helper()
	c, err := r.Get(t.Context(), id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	return io.ReadAll(c)
}

// keys lists what a bucket holds below a prefix.
func keys(t testing.TB, b evidence.Bucket, prefix string) (out []string) {
	t.Helper()
	objects, _, err := b.List(t.Context(), prefix, "", 1000)
	require.NoError(t, err)
	for _, o := range objects {
		out = append(out, o.Key)
	}
	return out
}

// overwrite replaces an object, as somebody who gets at the store's own folder could.
func overwrite(t testing.TB, b evidence.Bucket, key, content string) {
	t.Helper()
	require.NoError(t, b.Write(t.Context(), key, strings.NewReader(content), false))
}

const device = "1e5bc9d7e413ddd7902c2932e418702b84d0cc07"

// of is a usual Meta for the n-th collection of a device.
func of(n string) evidence.Meta {
	return evidence.Meta{
		DeviceID: device, DeviceName: "host01.contoso.com", ActionType: "CollectInvestigationPackage", ActionID: "action-" + n, RequestID: "REQ" + n,
		Requester: "alice@contoso.com", Approvers: []string{"bob@contoso.com"}, CollectedAt: time.Now(), Name: "package.zip", ContentType: "application/zip",
	}
}

var errFull = errors.New("no space left on device")

// faulty is a bucket on which something happens before a write, and whose space can end.
type faulty struct {
	evidence.Bucket
	mu     sync.Mutex
	before func(key string) error
	deny   func(key string) bool
}

func (f *faulty) when(before func(string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = before
}

// full makes writes of keys below a prefix fail after their first half, as a full disk does.
func (f *faulty) full(prefix string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deny = func(key string) bool { return prefix != "" && strings.HasPrefix(key, prefix) }
}

func (f *faulty) Write(ctx context.Context, key string, r io.Reader, onlyNew bool) error {
	f.mu.Lock()
	before, deny := f.before, f.deny
	f.mu.Unlock()
	if before != nil {
		if err := before(key); err != nil {
			return err
		}
	}
	if deny != nil && deny(key) {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		r = io.MultiReader(bytes.NewReader(b[:len(b)/2]), broken{})
	}
	return f.Bucket.Write(ctx, key, r, onlyNew)
}

func (f *faulty) Tidy(ctx context.Context, before time.Time) error {
	if t, ok := f.Bucket.(interface {
		Tidy(context.Context, time.Time) error
	}); ok {
		return t.Tidy(ctx, before)
	}
	return nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errFull }
