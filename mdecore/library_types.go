package mdecore

import (
	"bytes"
	"io"
	"os"
)

// LibraryFile is the libraryFile resource (list-library-files.md): a file that live response can put or run.
type LibraryFile struct {
	// FileName is the file's key.
	FileName string `json:"fileName"`
	// SHA256 is hexadecimal.
	SHA256          string `json:"sha256"`
	Description     string `json:"description"`
	CreationTime    Time   `json:"creationTime"`
	LastUpdatedTime Time   `json:"lastUpdatedTime"`
	CreatedBy       string `json:"createdBy"`
	// HasParameters says that the script takes arguments, which ParametersDescription explains.
	HasParameters         bool   `json:"hasParameters"`
	ParametersDescription string `json:"parametersDescription"`
}

// UploadLibraryFileRequest is the form of UploadLibraryFile.
type UploadLibraryFileRequest struct {
	// FileName is the name in the library, e.g. collect.ps1. Required.
	FileName string `json:"-"`
	// File opens the content, at most 20 MB. It is called to measure the content before anything is sent, and again for
	// every send, and must give the same content each time. FileContent and FileAt make it. Required.
	File func() (io.ReadCloser, error) `json:"File"`
	// Description is for people.
	Description string `json:"Description"`
	// ParametersDescription explains the arguments of a script; only with HasParameters.
	ParametersDescription string `json:"ParametersDescription"`
	// HasParameters says that the script takes arguments.
	HasParameters bool `json:"HasParameters"`
	// OverrideIfExists replaces a file of that name. Without it such a file makes the service refuse with 400.
	OverrideIfExists bool `json:"OverrideIfExists"`
}

// FileContent is content in memory as a source for an upload.
func FileContent(data []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

// FileAt is a file on disk as a source for an upload.
func FileAt(path string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return os.Open(path) }
}
