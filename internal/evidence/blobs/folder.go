package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"github.com/mde-ops/mde-ops/internal/evidence"
)

// Folder opens a folder as a bucket and makes it if it is not there, readable by its owner only (0700, files 0600). It
// refuses a folder that others can read or that is a link to elsewhere, each time it is opened.
func Folder(dir string) (evidence.Bucket, error) {
	dir, err := evidence.PrivateFolder(dir)
	if err != nil {
		return nil, err
	}
	b, err := fileblob.OpenBucket(dir, &fileblob.Options{
		NoTempDir: true, // a rename must not cross file systems, and no part of evidence belongs into a shared folder
		Metadata:  fileblob.MetadataDontWrite, DirFileMode: 0o700,
	})
	if err != nil {
		return nil, fmt.Errorf("the evidence folder can't be opened: %w", err)
	}
	return &folder{bucket: bucket{b: b}, dir: dir}, nil
}

type folder struct {
	bucket
	dir string
}

// Write implements evidence.Bucket. What it wrote is on the disk before it has its name, because a manifest must not outlive
// its content in a power cut.
func (f *folder) Write(ctx context.Context, key string, r io.Reader, onlyNew bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var file *os.File
	w, err := f.b.NewWriter(ctx, key, &blob.WriterOptions{
		ContentType: contentType, IfNotExist: onlyNew,
		BeforeWrite: func(as func(any) bool) error {
			if !as(&file) {
				return errors.New("the file of an object is not known, so it could not be closed to others")
			}
			return file.Chmod(0o600) // the umask may be lax
		},
	})
	if err != nil {
		return fault(err)
	}
	if _, err = io.Copy(w, r); err == nil {
		err = file.Sync()
	}
	if err != nil {
		cancel() // so that closing throws it away
		_ = w.Close()
		return fault(err)
	}
	if err := w.Close(); err != nil {
		return fault(err)
	}
	return syncFolder(filepath.Dir(file.Name()))
}

// Tidy removes the files that writers who died left behind.
func (f *folder) Tidy(ctx context.Context, before time.Time) error {
	return filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		left := strings.HasSuffix(d.Name(), evidence.Unfinished) || filepath.Dir(path) == f.dir && strings.HasPrefix(d.Name(), ".spool-")
		if !d.Type().IsRegular() || !left {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.ModTime().Before(before) {
			return nil
		}
		return os.Remove(path)
	})
}

// syncFolder makes the names in a folder last.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" { // where a folder can't be synced
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
