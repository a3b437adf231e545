package blobs

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/mde-ops/mde-ops/internal/evidence"
)

// Opener understands where evidence is kept: a folder, or "azblob://container?storage_account=name", which azure opens.
// Nothing is opened before the answer is called. A nil azure means that this program can't. Errors never show a URL's
// query, because that may hold a signature.
func Opener(where string, azure func(ctx context.Context, url string) (evidence.Bucket, error)) (func(context.Context) (evidence.Bucket, error), error) {
	scheme, _, isURL := strings.Cut(where, "://")
	switch {
	case strings.TrimSpace(where) == "":
		return nil, errors.New("it is not said where evidence is kept; name a folder or azblob://container?storage_account=name")
	case isURL && scheme == "azblob" && azure == nil:
		return nil, errors.New("this program can't open Azure Blob Storage; the one that collects evidence can")
	case isURL && scheme == "azblob":
		return func(ctx context.Context) (evidence.Bucket, error) { return azure(ctx, where) }, nil
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

func opening(dir string) func(context.Context) (evidence.Bucket, error) {
	return func(context.Context) (evidence.Bucket, error) { return Folder(dir) }
}
