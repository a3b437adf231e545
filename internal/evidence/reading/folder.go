package reading

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/internal/evidence"
)

// Folder opens a folder to read it. As blobs.Folder does, it makes one that is not there and refuses one that others can
// read. Nothing outside the folder is read, wherever links in it lead.
func Folder(dir string) (evidence.Bucket, error) {
	dir, err := evidence.PrivateFolder(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("the evidence folder can't be opened: %w", err)
	}
	return &folder{root: root}, nil
}

type folder struct {
	readOnly
	root *os.Root
}

// section is a part of a file.
type section struct {
	io.Reader
	io.Closer
}

// Open implements evidence.Bucket.
func (f *folder) Open(_ context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if _, err := f.info(key); err != nil {
		return nil, err
	}
	file, err := f.root.Open(filepath.FromSlash(key))
	if err != nil {
		return nil, fault(err)
	}
	if _, err := file.Seek(offset, io.SeekStart); err != nil {
		_ = file.Close()
		return nil, err
	}
	if length < 0 {
		return file, nil
	}
	return section{io.LimitReader(file, length), file}, nil
}

// Stat implements evidence.Bucket.
func (f *folder) Stat(_ context.Context, key string) (evidence.Object, error) {
	info, err := f.info(key)
	if err != nil {
		return evidence.Object{}, err
	}
	return evidence.Object{Key: key, Size: info.Size(), ModifiedAt: info.ModTime()}, nil
}

// info describes a file before it is opened: to open what is not one could wait for ever.
func (f *folder) info(key string) (fs.FileInfo, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	info, err := f.root.Stat(filepath.FromSlash(key))
	switch {
	case err != nil:
		return nil, fault(err)
	case info.IsDir():
		return nil, evidence.ErrNotFound
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s in the evidence folder is not a file", key)
	}
	return info, nil
}

// List implements evidence.Bucket. A page's token is the last key of the page before.
func (f *folder) List(ctx context.Context, prefix, token string, limit int) ([]evidence.Object, string, error) {
	if err := checkPrefix(prefix); err != nil {
		return nil, "", err
	}
	names, err := f.names(ctx, prefix)
	if err != nil {
		return nil, "", err
	}
	var out []evidence.Object
	for _, key := range names {
		if token != "" && key <= token {
			continue
		}
		if len(out) == limit {
			return out, out[limit-1].Key, nil
		}
		o, err := f.Stat(ctx, key)
		if errors.Is(err, evidence.ErrNotFound) { // removed since it was named
			continue
		}
		if err != nil {
			return nil, "", err
		}
		out = append(out, o)
	}
	return out, "", nil
}

// names are the keys of the files below a prefix, in their order.
func (f *folder) names(ctx context.Context, prefix string) (names []string, err error) {
	top := strings.TrimSuffix(prefix, "/")
	if top == "" {
		top = "."
	}
	err = fs.WalkDir(f.root.FS(), top, func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist): // nothing was written there, or it was removed since it was named
			return nil
		case err != nil:
			return err
		case d.Type().IsRegular() && shown(name):
			names = append(names, name)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// Close implements evidence.Bucket.
func (f *folder) Close() error { return f.root.Close() }

func fault(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return evidence.ErrNotFound
	}
	return err
}
