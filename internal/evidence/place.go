package evidence

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Unfinished is how the name of a file ends in a folder's bucket while the file is still being written.
const Unfinished = ".tmp"

// Opener understands where evidence is kept: a folder, or "azblob://container?storage_account=name", which azure opens.
// Nothing is opened before the answer is called. A nil azure means that this program can't. Errors never show a URL's
// query, because that may hold a signature.
func Opener(where string, folder func(dir string) (Bucket, error), azure func(ctx context.Context, url string) (Bucket, error)) (func(context.Context) (Bucket, error), error) {
	opening := func(dir string) func(context.Context) (Bucket, error) {
		return func(context.Context) (Bucket, error) { return folder(dir) }
	}
	scheme, _, isURL := strings.Cut(where, "://")
	switch {
	case strings.TrimSpace(where) == "":
		return nil, errors.New("it is not said where evidence is kept; name a folder or azblob://container?storage_account=name")
	case isURL && scheme == "azblob" && azure == nil:
		return nil, errors.New("this program can't open Azure Blob Storage; the one that collects evidence can")
	case isURL && scheme == "azblob":
		return func(ctx context.Context) (Bucket, error) { return azure(ctx, where) }, nil
	case isURL && scheme == "file":
		u, err := url.Parse(where)
		if err != nil || u.Host != "" || u.RawQuery != "" || u.User != nil || u.Path == "" {
			return nil, errors.New("the evidence folder must be a path or file:///path without anything else")
		}
		return opening(filepath.FromSlash(u.Path)), nil
	case isURL:
		return nil, fmt.Errorf("evidence can't be kept at a place of kind %.20q; name a folder or azblob://container?storage_account=name", scheme)
	}
	return opening(where), nil
}

// PrivateFolder makes a folder if it is not there, for its owner only (0700), and returns its absolute path. It refuses a
// folder that others can read or that is a link to elsewhere, and one with such a folder of the store in it.
func PrivateFolder(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("the evidence folder can't be made: %w", err)
	}
	if err := private(dir); err != nil {
		return "", err
	}
	for _, sub := range Folders() {
		if err := private(filepath.Join(dir, sub)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return dir, nil
}

// private refuses what is not a folder of one user alone. Windows keeps that in lists that a file mode doesn't show.
func private(dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("the evidence folder can't be looked at: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("the evidence folder %s is a link to elsewhere; name the folder itself", dir)
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder, so evidence can't be kept there", dir)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("the evidence folder %s can be read by others (mode %04o); run chmod 700 on it after looking who has read it",
			dir, info.Mode().Perm())
	}
	return nil
}
