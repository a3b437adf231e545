package mdecore_test

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/mde-ops/mde-ops/mdecore"
)

// badFileNames can't be names in the library.
func badFileNames() []string {
	return []string{
		"", " ", ".", "..", "a/b", `a\b`, "../x", "a..b", "a%2fb", "a'b", `a"b`, "a\nb", "a\x00b", "a?b", "a#b", "a;b", "a*b", "a|b", "a<b", "C:x",
		" a", "a ", "a.", ".a", "a\u200bb", "a\xffb", strings.Repeat("a", 201),
	}
}

func libraryOperations() map[string]operation {
	upload := func(req mdecore.UploadLibraryFileRequest) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.UploadLibraryFile(ctx, req)
			return err
		}
	}
	remove := func(name string) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error { return c.DeleteLibraryFile(ctx, name) }
	}
	content := mdecore.FileContent([]byte("echo hello"))
	put := operation{good: upload(mdecore.UploadLibraryFileRequest{FileName: "s.ps1", File: content})}.
		changing().answering(`{"fileName":"s.ps1"}`).refusing(
		upload(mdecore.UploadLibraryFileRequest{FileName: "s.ps1"}),
		upload(mdecore.UploadLibraryFileRequest{FileName: "s.ps1", File: mdecore.FileContent(nil)}),
		upload(mdecore.UploadLibraryFileRequest{FileName: "s.ps1", File: mdecore.FileContent(make([]byte, 20<<20+1))}),
		upload(mdecore.UploadLibraryFileRequest{FileName: "s.ps1", File: content, ParametersDescription: "host name"}),
		upload(mdecore.UploadLibraryFileRequest{FileName: "s.ps1", File: content, Description: "two\nlines"}),
		upload(mdecore.UploadLibraryFileRequest{FileName: "s.ps1", File: content, HasParameters: true, ParametersDescription: "\xff"}),
		upload(mdecore.UploadLibraryFileRequest{FileName: "s.ps1", File: endless}),
	)
	del := operation{good: remove("my script 1.ps1"), silent: true}.changing()
	for _, name := range badFileNames() {
		put = put.refusing(upload(mdecore.UploadLibraryFileRequest{FileName: name, File: content}))
		del = del.refusing(remove(name))
	}
	return map[string]operation{
		"ListLibraryFiles": {good: func(ctx context.Context, c *mdecore.Client) error {
			return drain(c.ListLibraryFiles(ctx))
		}},
		"UploadLibraryFile": put,
		"DeleteLibraryFile": del,
	}
}

// endless is a source that never ends.
func endless() (io.ReadCloser, error) { return io.NopCloser(zeros{}), nil }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// unreadable is a source that cannot be opened.
func unreadable() (io.ReadCloser, error) { return nil, errors.New("permission denied") }

func librarySamples() map[string]any {
	return map[string]any{"list_library_files": new(mdecore.LibraryFile)}
}

func libraryResources() map[string]any { return map[string]any{"libraryFile": mdecore.LibraryFile{}} }

func libraryRequests() map[string]any {
	return map[string]any{"upload_library_file": mdecore.UploadLibraryFileRequest{}}
}
