package tools

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// libraryReader reads the live response library. Defender gives even its list only to who may write it.
type libraryReader interface {
	ListLibraryFiles(ctx context.Context) iter.Seq2[*mdecore.LibraryFile, error]
}

func libraryOf(ctx context.Context, from libraryReader) ([]*mdecore.LibraryFile, error) {
	files := []*mdecore.LibraryFile{}
	for f, err := range from.ListLibraryFiles(ctx) {
		if mdecore.IsNotFound(err) && len(files) == 0 {
			break
		}
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// library reads the library for a caller, and says which permission it needs when it may not.
func (h *house) library(ctx context.Context) ([]*mdecore.LibraryFile, error) {
	files, err := libraryOf(ctx, h.reader)
	return files, libraryRefusal(err)
}

func libraryRefusal(err error) error {
	var remote *mdecore.Error
	if errors.As(err, &remote) && remote.Status == http.StatusForbidden {
		return approvals.Refuse(approvals.KindNoAnswer, err, "Nothing was done: Defender does not let the reading credential see the live response library. "+
			"It asks for the permission Library.Manage even for that")
	}
	return err
}

// libraryFileOf finds a file by its name, which Defender takes for the same in upper and lower case; nil when there is none.
func libraryFileOf(files []*mdecore.LibraryFile, name string) *mdecore.LibraryFile {
	for _, f := range files {
		if strings.EqualFold(f.FileName, name) {
			return f
		}
	}
	return nil
}

func libraryNames(files []*mdecore.LibraryFile) (names []string) {
	for _, f := range files {
		names = append(names, f.FileName)
	}
	return names
}

func goodSum(s string) bool {
	return len(s) == 64 && strings.Trim(strings.ToLower(s), "0123456789abcdef") == ""
}

// libraryChanged refuses a write whose library file is not what was approved.
func libraryChanged(name, approved string, now *mdecore.LibraryFile) error {
	is := "it is gone"
	if now != nil {
		is = "it is now " + quoted(now.SHA256, 64) + " of " + quoted(now.CreatedBy, 80)
	}
	if approved == "" {
		approved = "no such file"
	}
	return approvals.Refuse(approvals.KindDenied, nil, "library file %s is not what was approved (SHA-256 %s): %s; nothing was sent", quoted(name, 120), approved, is)
}

type listLibraryIn struct {
	Name string `json:"name,omitempty" jsonschema:"Part of the file name" range:"0,200"`
	listing
}

type listLibraryOut struct {
	Files []libraryView `json:"files" jsonschema:"library files"`
	paged
}

// libraryView is a library file as callers see it.
type libraryView struct {
	Name          string    `json:"name" jsonschema:"untrusted text: file name"`
	SHA256        string    `json:"sha256" jsonschema:"SHA-256"`
	Description   string    `json:"description,omitempty" schema:"omit" jsonschema:"untrusted text: description"`
	HasParameters bool      `json:"has_parameters" schema:"omit" jsonschema:"whether the script takes arguments"`
	Parameters    string    `json:"parameters,omitempty" schema:"omit" jsonschema:"untrusted text: its arguments"`
	CreatedBy     string    `json:"created_by,omitempty" schema:"omit" jsonschema:"untrusted text: who uploaded it"`
	CreatedAt     time.Time `json:"created_at,omitzero" schema:"omit" jsonschema:"first upload"`
	UpdatedAt     time.Time `json:"updated_at,omitzero" schema:"omit" jsonschema:"last upload"`
}

func viewOfLibrary(f *mdecore.LibraryFile) libraryView {
	return libraryView{
		Name: clean(f.FileName, 200), SHA256: clean(f.SHA256, 64), Description: clean(f.Description, 300), HasParameters: f.HasParameters,
		Parameters: clean(f.ParametersDescription, 300), CreatedBy: clean(f.CreatedBy, 120), CreatedAt: f.CreationTime.Time, UpdatedAt: f.LastUpdatedTime.Time,
	}
}

func listLibrary() declaration {
	return spec[listLibraryIn, listLibraryOut]{
		name: "list_library", title: "List the live response library", toolset: LiveResponse, surface: InToolset, risk: approvals.RiskRead,
		summary:    "List the scripts and files that run_script and put_file can use.",
		positional: []string{"name"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists: "files", read: readLibrary,
	}
}

func readLibrary(ctx context.Context, s *session, in listLibraryIn) (listLibraryOut, string, error) {
	all, err := s.library(ctx)
	if err != nil {
		return listLibraryOut{}, "", err
	}
	var matching []*mdecore.LibraryFile
	for _, f := range all {
		if strings.Contains(strings.ToLower(f.FileName), strings.ToLower(in.Name)) {
			matching = append(matching, f)
		}
	}
	var out listLibraryOut
	if out.Files, out.paged, err = allRows(s, in.listing, each(matching), viewOfLibrary); err != nil {
		return listLibraryOut{}, "", err
	}
	var b strings.Builder
	b.WriteString(counted(out.Count, "library file", out.Cursor != ""))
	for i, f := range out.Files {
		if i == 20 {
			fmt.Fprintf(&b, "\n- and %d more", out.Count-i)
			break
		}
		fmt.Fprintf(&b, "\n- %s, SHA-256 %s", quoted(f.Name, 120), f.SHA256)
	}
	return out, b.String(), nil
}

// badLibraryName says why a name can't be one in the library, or returns "".
func badLibraryName(name string) string {
	switch {
	case strings.ContainsAny(name, `/\:*?"<>|%;#'`):
		return `must be a name without any of / \ : * ? " < > | % ; # '`
	case strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, ".."):
		return `must not begin or end with "." or contain ".."`
	}
	return ""
}

// uploadContent is the content of an upload: of the two ways to give it exactly one must be used.
func uploadContent(text, encoded string) ([]byte, error) {
	switch {
	case (text == "") == (encoded == ""):
		return nil, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: give the content as text (content) or as bytes (base64), one of the two")
	case text != "":
		return []byte(strings.ReplaceAll(text, "\r\n", "\n") + "\n"), nil
	}
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(b) == 0 {
		return nil, approvals.Refuse(approvals.KindInvalid, err, "Nothing was sent: base64 holds no bytes")
	}
	return b, nil
}
