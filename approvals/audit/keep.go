package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrExists says that there is an object of that name, which is never overwritten.
var ErrExists = errors.New("it exists already")

// Keep is the place for checkpoints, outside the database: a folder, or a container of a storage service. Objects are only
// ever added.
type Keep interface {
	// List returns the names of all objects, in any order.
	List(ctx context.Context) ([]string, error)
	// Read returns an object; more than limit bytes are an error.
	Read(ctx context.Context, name string, limit int64) ([]byte, error)
	// Create adds an object as a whole or not at all, and is ErrExists when there is one of that name.
	Create(ctx context.Context, name string, data []byte) error
	// String names the place for people, without secrets.
	String() string
}

// Folder is a Keep on a local disk.
type Folder struct{ dir string }

// OpenFolder opens a folder for reading checkpoints. With create it is made when it is missing (its parent must be there),
// and refused when others than this user may use it.
func OpenFolder(dir string, create bool) (*Folder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("the folder of checkpoints can't be made absolute: %w", err)
	}
	if create {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("the folder of checkpoints can't be created: %w", err)
		}
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the folder of checkpoints can't be opened: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("the folder of checkpoints %s is a file: give a folder", dir)
	case create && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("the folder of checkpoints %s can be used by others (mode %s): chmod 700 it", dir, info.Mode().Perm())
	}
	return &Folder{dir: dir}, nil
}

// String implements Keep.
func (f *Folder) String() string { return f.dir }

// List implements Keep.
func (f *Folder) List(context.Context) ([]string, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Read implements Keep.
func (f *Folder) Read(_ context.Context, name string, limit int64) ([]byte, error) {
	file, err := os.Open(filepath.Join(f.dir, filepath.Base(name)))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	return b, err
}

// Create implements Keep. The whole text is on the disk before it gets its name, and a name that exists is never taken.
func (f *Folder) Create(_ context.Context, name string, data []byte) error {
	file, err := os.CreateTemp(f.dir, ".new-*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	err = os.Link(file.Name(), filepath.Join(f.dir, filepath.Base(name)))
	if errors.Is(err, fs.ErrExist) {
		return ErrExists
	}
	return errors.Join(err, syncFolder(f.dir))
}

// syncFolder makes new names in a folder last. Not every file system can, and then there is nothing to be done.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	_ = d.Sync()
	return nil
}
