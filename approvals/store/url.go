package store

import (
	"net/url"
	"path/filepath"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

// place is where a database is: a PostgreSQL URL, or the absolute path of a SQLite file.
type place struct {
	postgres bool
	text     string
}

// parseURL understands "sqlite:<path>", a bare path, and "postgres://" URLs. No error repeats a URL, because URLs carry
// passwords.
func parseURL(s string) (place, error) {
	s = strings.TrimSpace(s)
	scheme, _, isURL := strings.Cut(s, "://")
	switch {
	case s == "":
		return place{}, storeError(nil, "no database is configured: set a path such as /var/lib/mde-ops/mde-ops.db, or a postgres:// URL")
	case isURL && (scheme == "postgres" || scheme == "postgresql"):
		return place{postgres: true, text: s}, nil
	case isURL && scheme != "sqlite":
		return place{}, storeError(nil, "a database URL can't begin with %q: use sqlite:<path>, a bare path, or postgres://", clip(scheme)+"://")
	}
	if word, _, found := strings.Cut(s, ":"); found && !isURL && word != "sqlite" && len(word) > 1 && !strings.ContainsAny(word, `/\.`) {
		// A misspelt scheme would otherwise be an empty database of its own, in which nobody sees the requests.
		return place{}, storeError(nil, "a database can't begin with %q: use sqlite:<path>, a bare path, or postgres://", clip(word)+":")
	}
	path := strings.TrimPrefix(s, "sqlite:")
	if rest, ok := strings.CutPrefix(path, "//"); ok && isURL {
		path = rest
	}
	return sqlitePlace(path)
}

// CheckURL reports what is wrong with the text of a database URL, without opening anything.
func CheckURL(s string) error {
	_, err := parseURL(s)
	return err
}

func sqlitePlace(path string) (place, error) {
	switch {
	case path == "" || strings.HasSuffix(path, "/"):
		return place{}, storeError(nil, "the database path %q names no file: give the path of a file", clip(path))
	case strings.Contains(path, ":memory:"):
		return place{}, storeError(nil, "a database in memory would forget approvals at exit: give the path of a file on a local disk")
	case strings.ContainsAny(path, "?\x00"):
		return place{}, storeError(nil, "the database path may not contain '?' or NUL: give the bare path, options are set by the program")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return place{}, storeError(err, "the database path %q can't be made absolute: give an absolute path", clip(path))
	}
	return place{text: abs}, nil
}

// sqliteDSN is the data source name of a file; pragmas are in the order in which they must take effect.
func sqliteDSN(path string, params url.Values) string {
	p := filepath.ToSlash(path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	u := url.URL{Scheme: "file", Path: p, RawQuery: params.Encode()}
	return u.String()
}

// clip keeps outside text in an error readable.
func clip(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

func storeError(cause error, format string, args ...any) error {
	return approvals.Refuse(approvals.KindStore, cause, format, args...)
}
