// Package reading opens the evidence store's buckets to read them: folders with the operating system's own calls, containers
// of Azure Blob Storage with its own client. It is for programs that only show evidence: they can't write or remove any, and
// they start without the drivers of gocloud.dev. Package blobs writes what is read here.
package reading

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/mde-ops/mde-ops/internal/evidence"
)

// ErrReadOnly is the answer to whoever would change evidence through a bucket of this package.
var ErrReadOnly = errors.New("this program only reads evidence; the worker writes it")

// readOnly has the methods that change a bucket.
type readOnly struct{}

// Write implements evidence.Bucket.
func (readOnly) Write(context.Context, string, io.Reader, bool) error { return ErrReadOnly }

// Delete implements evidence.Bucket.
func (readOnly) Delete(context.Context, string) error { return ErrReadOnly }

// CheckKey refuses a key that the writing drivers would not keep under the key's own name: they escape what file systems and
// Azure don't take, as "__0x2f__" for a slash. No key of the store has such characters.
func CheckKey(key string) error {
	strange := strings.IndexFunc(key, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("._-/", r)
	})
	if !fs.ValidPath(key) || key == "." || strange >= 0 || strings.Contains(key, "../") || strings.Contains(key, escaped) {
		return fmt.Errorf("%.80q is not the key of an object that is kept here", key)
	}
	return nil
}

// escaped begins a character that a driver has escaped in a name.
const escaped = "__0x"

// checkPrefix is CheckKey for the beginning of keys, at a whole folder.
func checkPrefix(prefix string) error {
	dir, whole := strings.CutSuffix(prefix, "/")
	if prefix == "" {
		return nil
	}
	if !whole {
		return fmt.Errorf("%.80q is not a folder of the evidence store", prefix)
	}
	return CheckKey(dir)
}

// shown reports whether a name in a bucket is a key's own, and of an object that is whole.
func shown(name string) bool {
	return !strings.HasSuffix(name, evidence.Unfinished) && CheckKey(name) == nil
}
