package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"

	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/internal/evidence/reading"
)

// folder is where the demo's worker keeps evidence in a program that has no driver to write it. It is gone with the demo, so
// nothing has to outlive a power cut; but what is in it is whole, as everywhere.
type folder struct {
	evidence.Bucket
	root    *os.Root
	written atomic.Int64
}

// openFolder opens a folder to read and write evidence.
func openFolder(dir string) (evidence.Bucket, error) {
	b, err := reading.Folder(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return &folder{Bucket: b, root: root}, nil
}

// Write implements evidence.Bucket.
func (f *folder) Write(ctx context.Context, key string, r io.Reader, onlyNew bool) error {
	if err := reading.CheckKey(key); err != nil {
		return err
	}
	if err := f.root.MkdirAll(filepath.FromSlash(path.Dir(key)), 0o700); err != nil {
		return err
	}
	name := filepath.FromSlash(key)
	part := fmt.Sprintf("%s.%d.%d%s", name, os.Getpid(), f.written.Add(1), evidence.Unfinished)
	defer func() { _ = f.root.Remove(part) }()
	if err := f.save(part, r); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !onlyNew {
		return f.root.Rename(part, name)
	}
	err := f.root.Link(part, name)
	if errors.Is(err, fs.ErrExist) {
		return evidence.ErrExists
	}
	return err
}

func (f *folder) save(name string, r io.Reader) error {
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, r)
	return errors.Join(err, file.Close())
}

// Delete implements evidence.Bucket.
func (f *folder) Delete(_ context.Context, key string) error {
	if err := reading.CheckKey(key); err != nil {
		return err
	}
	if err := f.root.Remove(filepath.FromSlash(key)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Close implements evidence.Bucket.
func (f *folder) Close() error { return errors.Join(f.Bucket.Close(), f.root.Close()) }
