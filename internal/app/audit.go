package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/mde-ops/mde-ops/approvals/audit"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/evidence"
)

// guidText is a GUID. It has no bounds, because they would be slow to compile at every start; Entra ID refuses what has the
// wrong length.
var guidText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9a-fA-F]+-[0-9a-fA-F]+-[0-9a-fA-F]+-[0-9a-fA-F]+-[0-9a-fA-F]+$`)
})

// check reports what is wrong with the settings of the audit, whichever program has them.
func (a Audit) check() faults {
	var bad faults
	if _, err := audit.ParseKeys(a.PublicKeys...); err != nil {
		bad.add("MDE_AUDIT_PUBLIC_KEYS: %v", err)
	}
	if where := a.Checkpoints; strings.Contains(where, "://") && !isContainer(where) {
		bad.add("MDE_AUDIT_CHECKPOINTS: a place that begins with %q is not known: want a folder, or azblob://container?storage_account=name", scheme(where))
	}
	if isURL(a.Export) {
		if err := audit.CheckCollector(a.Export); err != nil {
			bad.add("MDE_AUDIT_EXPORT: %v", err)
		}
	}
	return bad
}

// auditWorker reports what is wrong with the audit's settings of a worker.
func (c Config) auditWorker() faults {
	var bad faults
	a := c.Audit
	key := a.SigningKey.Reveal()
	if key != "" {
		if _, err := audit.ParseSigner(key); err != nil {
			bad.add("MDE_AUDIT_SIGNING_KEY: %v", err)
		}
	}
	switch {
	case key != "" && a.Checkpoints == "":
		bad.add("MDE_AUDIT_CHECKPOINTS is not set: where the checkpoints go that MDE_AUDIT_SIGNING_KEY signs, outside the database")
	case a.Checkpoints != "" && c.missing("MDE_AUDIT_SIGNING_KEY", key):
		bad.add("MDE_AUDIT_SIGNING_KEY (or _FILE) is not set: no checkpoint can be signed for MDE_AUDIT_CHECKPOINTS; make a key with `mde-slackbot keygen --audit`")
	}
	if a.ExportToken.Reveal() != "" && !isURL(a.Export) {
		bad.add("MDE_AUDIT_EXPORT_TOKEN is set, but MDE_AUDIT_EXPORT is not the URL of a collector")
	}
	return bad
}

func (c Config) evidence() faults {
	var bad faults
	if where := c.Evidence.Place; strings.Contains(where, "://") && !isContainer(where) && scheme(where) != "file://" {
		bad.add("MDE_EVIDENCE: a place that begins with %q is not known: want a folder, or azblob://container?storage_account=name", scheme(where))
	}
	if keep := c.Evidence.Keep; keep != 0 && keep < 24*time.Hour {
		bad.add("MDE_EVIDENCE_KEEP: %s is not valid here: want 24h or more, or 0 to keep evidence for ever", keep)
	}
	return bad
}

func isContainer(where string) bool { return scheme(where) == "azblob://" }

// isURL reports whether an export goes to a collector and not to a file.
func isURL(where string) bool { return strings.Contains(where, "://") }

func scheme(where string) string {
	before, _, _ := strings.Cut(where, "://")
	return before + "://"
}

// Origin names the audit of a tenant in its checkpoints; empty when the tenant is not known.
func (c Config) Origin() string {
	if c.Tenant.ID == "" {
		return ""
	}
	return "mde-ops/" + strings.ToLower(c.Tenant.ID)
}

// Buckets are what a program opens places of evidence with. They are handed in, because the drivers that can write cost time
// at a program's start.
type Buckets struct {
	// Folder opens a folder.
	Folder func(dir string) (evidence.Bucket, error)
	// Container opens a container of a storage service with a credential of the configuration; nil in a program that can't.
	Container func(ctx context.Context, cfg Config, url string) (evidence.Bucket, error)
}

// CheckpointPlace opens where the checkpoints are, or is nil when none is configured. To write there is for a worker.
func (c Config) CheckpointPlace(ctx context.Context, buckets Buckets, write bool) (audit.Keep, error) {
	place := c.Audit.Checkpoints
	switch {
	case place == "":
		return nil, nil
	case !isContainer(place):
		return audit.OpenFolder(place, write)
	case buckets.Container == nil:
		return nil, errors.New("MDE_AUDIT_CHECKPOINTS: this program can't open Azure Blob Storage; `mde-slackbot audit verify` can")
	}
	b, err := buckets.Container(ctx, c, place)
	if err != nil {
		return nil, fmt.Errorf("MDE_AUDIT_CHECKPOINTS: %w", err)
	}
	name, _, _ := strings.Cut(place, "?")
	return &container{bucket: b, name: name}, nil
}

// Keys are the public keys of checkpoints, the signing key's own included.
func (a Audit) Keys() (audit.Keys, error) {
	keys, err := audit.ParseKeys(a.PublicKeys...)
	if text := a.SigningKey.Reveal(); err == nil && text != "" {
		var s *audit.Signer
		if s, err = audit.ParseSigner(text); err == nil {
			keys = keys.With(s)
		}
	}
	return keys, err
}

// container is a place for checkpoints in a storage service.
type container struct {
	bucket evidence.Bucket
	name   string
}

// String implements audit.Keep.
func (c *container) String() string { return c.name }

const listed = 1000

// List implements audit.Keep.
func (c *container) List(ctx context.Context) (names []string, err error) {
	for token := ""; ; {
		page, next, err := c.bucket.List(ctx, "", token, listed)
		if err != nil {
			return nil, err
		}
		for _, o := range page {
			names = append(names, o.Key)
		}
		if token = next; token == "" {
			return names, nil
		}
	}
}

// Read implements audit.Keep.
func (c *container) Read(ctx context.Context, name string, limit int64) ([]byte, error) {
	r, err := c.bucket.Open(ctx, name, 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	return b, err
}

// Create implements audit.Keep.
func (c *container) Create(ctx context.Context, name string, data []byte) error {
	err := c.bucket.Write(ctx, name, bytes.NewReader(data), true)
	if errors.Is(err, evidence.ErrExists) {
		return audit.ErrExists
	}
	return err
}

// OpenStore opens only the store, for commands that look into it. Close the DB.
func OpenStore(ctx context.Context, cfg Config, log *slog.Logger) (*store.DB, error) {
	b := &Base{Config: cfg, Log: log}
	url, err := b.storeURL()
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, store.Options{URL: url, Logger: log})
}

// StoreMissing returns the path of the SQLite file that the configuration names when it is not there, and "" otherwise.
func StoreMissing(cfg Config) (string, error) {
	b := &Base{Config: cfg}
	url, err := b.storeURL()
	if err != nil {
		return "", err
	}
	path, err := store.FilePath(url)
	if err != nil || path == "" {
		return "", err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	return "", nil
}
