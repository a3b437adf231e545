package evidence

import (
	"context"
	"errors"
	"io"
	"time"
)

// The errors by which a Bucket tells what happened; others mean that it could not be asked.
var (
	ErrNotFound = errors.New("there is no such object in the evidence store")
	ErrExists   = errors.New("the object is in the evidence store already")
)

// Bucket holds objects under keys. What was written is seen by every later call of any process.
type Bucket interface {
	// Write stores what r gives as one object: whole, or not at all when r or the bucket fails. With onlyNew a key that is
	// taken is ErrExists.
	Write(ctx context.Context, key string, r io.Reader, onlyNew bool) error
	// Open reads length bytes from offset; a negative length reads to the end. ErrNotFound.
	Open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
	// Stat describes an object. ErrNotFound.
	Stat(ctx context.Context, key string) (Object, error)
	// List returns up to limit objects below a prefix in the order of their keys, from a page token of an earlier answer on
	// (empty: from the start), and the token of the next page; empty when there is none.
	List(ctx context.Context, prefix, token string, limit int) ([]Object, string, error)
	// Delete removes an object; one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// Close lets go of what the bucket holds.
	Close() error
}

// Object is what a bucket says of one object.
type Object struct {
	Key        string
	Size       int64
	ModifiedAt time.Time
}

const (
	contentDir  = "content/"
	manifestDir = "manifest/"
	deviceDir   = "device/"
	requestDir  = "request/"
	holdsDir    = "holds/"
	removingDir = "removing/"
	onceDir     = "once/"
	manifestExt = ".json"
)

func contentKey(sum string) string       { return contentDir + sum }
func manifestKey(id string) string       { return manifestDir + id + manifestExt }
func deviceKey(device, id string) string { return deviceDir + device + "/" + id }
func requestKey(req, id string) string   { return requestDir + req + "/" + id }
func holdKey(sum, id string) string      { return holdsDir + sum + "/" + id }
func removingKey(sum string) string      { return removingDir + sum }

// Folders lists the folders that a bucket has at its top, for whoever checks what lies there.
func Folders() []string {
	return []string{contentDir, manifestDir, deviceDir, requestDir, holdsDir, removingDir, onceDir}
}
