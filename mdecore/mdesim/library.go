package mdesim

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Types of the effects on the library. Their Scope is the file's name.
const (
	TypeUploadLibraryFile = "UploadLibraryFile"
	TypeDeleteLibraryFile = "DeleteLibraryFile"
)

// maxLibraryFile is the documented 20 MB.
const maxLibraryFile = 20 << 20

// LibraryFile is a file of the live response library in the API's own shape
// (documentation: list-library-files.md).
type LibraryFile struct {
	FileName              string    `json:"fileName"`
	SHA256                string    `json:"sha256"`
	Description           Nullable  `json:"description"`
	CreationTime          time.Time `json:"creationTime"`
	LastUpdatedTime       time.Time `json:"lastUpdatedTime"`
	CreatedBy             string    `json:"createdBy"`
	HasParameters         bool      `json:"hasParameters"`
	ParametersDescription string    `json:"parametersDescription,omitempty"` // absent when there are none, as in the sample
}

// libraryState is the live response library, by lower-case file name.
type libraryState struct{ files map[string]libraryFile }

// libraryFile is a file with its content.
type libraryFile struct {
	LibraryFile
	content []byte
}

func libraryRoutes() []route {
	manage := anyOf("Library.Manage", "Library.Manage")
	return []route{
		on(http.MethodGet, "list_library_files", "/api/libraryfiles", "list-library-files.md", manage, listLibrary),
		on(http.MethodPost, "upload_library_file", "/api/libraryfiles", "upload-library.md", manage, uploadLibrary),
		on(http.MethodDelete, "delete_library_file", "/api/libraryfiles/{file_name}", "delete-library.md", manage, deleteLibrary),
	}
}

// stocked returns the library, with its seeded files at the first use; the caller
// holds t.mu.
func (t *Tenant) stocked() map[string]libraryFile {
	if t.library.files == nil {
		t.library.files = map[string]libraryFile{}
		for _, seed := range seededLibrary() {
			seed.SHA256, seed.CreatedBy = sha256Hex(seed.content), "alice@contoso.com"
			seed.CreationTime = t.now().Add(-30 * 24 * time.Hour)
			seed.LastUpdatedTime = seed.CreationTime
			t.library.files[strings.ToLower(seed.FileName)] = seed
		}
	}
	return t.library.files
}

// seededLibrary is what every library holds at first.
func seededLibrary() []libraryFile {
	return []libraryFile{
		{LibraryFile{FileName: "inventory.ps1", Description: "Writes an inventory of the device to a file", HasParameters: true, ParametersDescription: "path of the file"}, []byte(
			"# what the device says of itself\nWrite-Output \"inventory of $env:COMPUTERNAME\"\nSet-Content $args[0] \"device $env:COMPUTERNAME\"\nexit 0\n")},
		{LibraryFile{FileName: "triage.sh", Description: "First look at a Linux device"}, []byte("#!/bin/sh\necho triage of $HOSTNAME\nexit 0\n")},
		{LibraryFile{FileName: "memdump.exe", Description: "Process memory dump"}, []byte("MZ simulated program\n")},
	}
}

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func listLibrary(c *call) response {
	c.t.mu.Lock()
	files := c.t.stocked()
	out := make([]any, 0, len(files))
	for _, name := range slices.Sorted(maps.Keys(files)) {
		out = append(out, files[name].LibraryFile)
	}
	c.t.mu.Unlock()
	return c.t.ok(http.StatusOK, map[string]any{"@odata.context": c.metadata("LibraryFiles"), "value": out})
}

// uploadLibrary stores a file (documentation: upload-library.md). The page names
// no code for a file that is there already: it has the generic one.
func uploadLibrary(c *call) response {
	file, fields, bad := c.multipart()
	if bad != nil {
		return c.bad(bad)
	}
	override := strings.EqualFold(fields["OverrideIfExists"], "true")
	t := c.t
	t.mu.Lock()
	files, key := t.stocked(), strings.ToLower(file.FileName)
	old, exists := files[key]
	var effect Effect
	if !exists || override {
		file.CreationTime, file.LastUpdatedTime, file.CreatedBy = t.now(), t.now(), c.caller.name
		if exists {
			file.CreationTime = old.CreationTime
		}
		files[key] = file
		effect = t.note(c, Effect{Type: TypeUploadLibraryFile, Scope: file.FileName, Comment: fields["Description"]})
	}
	t.mu.Unlock()
	if effect.Type == "" {
		return c.bad(&fault400{"BadRequest", "The file '" + file.FileName + "' exists already; set OverrideIfExists to replace it"})
	}
	resp := t.ok(http.StatusOK, struct {
		Context string `json:"@odata.context"`
		LibraryFile
	}{c.metadata("LibraryFiles/$entity"), file.LibraryFile})
	resp.effect = &effect
	return resp
}

// multipart reads the form of an upload.
func (c *call) multipart() (libraryFile, map[string]string, *fault400) {
	fail := func(text string) (libraryFile, map[string]string, *fault400) {
		return libraryFile{}, nil, &fault400{"InvalidRequestBody", text}
	}
	kind, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return fail("The request body must be multipart/form-data")
	}
	form := multipart.NewReader(bytes.NewReader(c.body), params["boundary"])
	file, fields := libraryFile{}, map[string]string{}
	for {
		part, err := form.NextRawPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fail("The form cannot be read")
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return fail("The form ends within a part")
		}
		// The page's table writes File, its curl example file.
		if name := part.FormName(); name == "File" || name == "file" {
			file.FileName, file.content = part.FileName(), content
		} else {
			fields[name] = string(content)
		}
	}
	switch {
	case file.FileName == "":
		return fail("The form has no File part with a file name")
	case strings.ContainsAny(file.FileName, `/\`) || strings.Contains(file.FileName, ".."):
		return fail("The file name must not hold a path")
	case len(file.content) > maxLibraryFile:
		return fail("The file is larger than 20 MB")
	}
	file.SHA256, file.Description = sha256Hex(file.content), Nullable(fields["Description"])
	if file.HasParameters = strings.EqualFold(fields["HasParameters"], "true"); file.HasParameters {
		file.ParametersDescription = fields["ParametersDescription"]
	}
	return file, fields, nil
}

func deleteLibrary(c *call) response {
	t := c.t
	t.mu.Lock()
	file, ok := t.stocked()[strings.ToLower(c.id)]
	var effect Effect
	if ok {
		delete(t.library.files, strings.ToLower(c.id))
		effect = t.note(c, Effect{Type: TypeDeleteLibraryFile, Scope: file.FileName})
	}
	t.mu.Unlock()
	if !ok {
		return t.problem(http.StatusNotFound, "ResourceNotFound", "The library has no file '"+c.id+"'")
	}
	return response{status: http.StatusNoContent, header: http.Header{"X-Ms-Request-Id": {t.correlation()}}, effect: &effect}
}

// LibraryContent returns the content of a library file, and whether it exists.
func (t *Tenant) LibraryContent(name string) ([]byte, bool) {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	file, ok := t.stocked()[strings.ToLower(name)]
	return bytes.Clone(file.content), ok
}
