package mdecore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func TestTheLibraryOfTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "s.ps1")
	require.NoError(t, os.WriteFile(path, []byte("exit 0"), 0o600))
	req := mdecore.UploadLibraryFileRequest{
		FileName: "my script.ps1", File: mdecore.FileAt(path), Description: "d é", HasParameters: true, ParametersDescription: "none",
	}
	file, err := c.UploadLibraryFile(ctx, req)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte("exit 0"))
	require.Equal(t, hex.EncodeToString(sum[:]), file.SHA256)

	req.File = mdecore.FileContent([]byte("exit 1"))
	_, err = c.UploadLibraryFile(ctx, req)
	require.True(t, mdecore.Refused(err))
	require.ErrorContains(t, err, "exists already")
	req.OverrideIfExists = true
	_, err = c.UploadLibraryFile(ctx, req)
	require.NoError(t, err)
	content, _ := tenant.LibraryContent("my script.ps1")
	require.Equal(t, "exit 1", string(content))

	found := map[string]*mdecore.LibraryFile{}
	for f, err := range c.ListLibraryFiles(ctx) {
		require.NoError(t, err)
		found[f.FileName] = f
	}
	require.Equal(t, "d é", found["my script.ps1"].Description)
	require.Equal(t, "none", found["my script.ps1"].ParametersDescription)
	require.True(t, found["my script.ps1"].HasParameters)

	require.NoError(t, c.DeleteLibraryFile(ctx, "my script.ps1"))
	require.True(t, mdecore.IsNotFound(c.DeleteLibraryFile(ctx, "my script.ps1")))
	require.Len(t, tenant.Effects(), 3)
}

// parts reads a form.
func parts(t *testing.T, r *http.Request) (name, content string, fields map[string]string) {
	t.Helper()
	form, err := r.MultipartReader()
	require.NoError(t, err)
	fields = map[string]string{}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return name, content, fields
		}
		require.NoError(t, err)
		data, err := io.ReadAll(part)
		require.NoError(t, err)
		if part.FormName() == "File" {
			name, content = part.FileName(), string(data)
			continue
		}
		fields[part.FormName()] = string(data)
	}
}

func TestAnUploadIsAFormOfKnownLength(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789abcdef"), 20<<20/16) // just the 20 MB that are allowed
	s := newService(t, nil)
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		length := r.ContentLength
		var read countingReader
		read.src = r.Body
		r.Body = io.NopCloser(&read)
		name, got, fields := parts(t, r)
		require.Equal(t, "tool v2.exe", name)
		require.True(t, got == string(content))
		require.Equal(t, map[string]string{"Description": "d", "HasParameters": "false", "OverrideIfExists": "true"}, fields)
		require.Equal(t, length, read.n)
		answer(200, `{"fileName":"tool v2.exe"}`)(w, r)
	})
	// On a busy machine the server reads 20 MB for longer than other tests may wait.
	c := s.clientOf(t, func(o *mdecore.Options) { o.WriteTimeout = time.Minute })
	_, err := c.UploadLibraryFile(t.Context(), mdecore.UploadLibraryFileRequest{
		FileName: "tool v2.exe", File: mdecore.FileContent(content), Description: "d", OverrideIfExists: true,
	})
	require.NoError(t, err)
}

type countingReader struct {
	src io.Reader
	n   int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.n += int64(n)
	return n, err
}

// source counts how often it is opened.
type source struct {
	content []byte
	opened  atomic.Int32
	fail    int32 // the opening that fails, 0 for none
	change  int32 // the opening from which on it gives other content
	other   []byte
}

func (s *source) open() (io.ReadCloser, error) {
	n := s.opened.Add(1)
	switch {
	case n == s.fail:
		return unreadable()
	case s.change > 0 && n >= s.change:
		return io.NopCloser(bytes.NewReader(s.other)), nil
	}
	return io.NopCloser(bytes.NewReader(s.content)), nil
}

func TestAnUploadIsSentAgainFromItsSourceAfterA429Only(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("x"), 3<<20)
	for name, c := range map[string]struct {
		first          http.HandlerFunc
		sends          int32
		uncertain      bool
		refused, again bool
	}{
		"429": {first: answer(429, refusal, "Retry-After", "0"), sends: 2, again: true},
		"401": {first: answer(401, refusal), sends: 2, again: true},
		"500": {first: answer(500, refusal), sends: 1, uncertain: true},
		"503": {first: answer(503, refusal, "Retry-After", "0"), sends: 1, uncertain: true},
		"400": {first: answer(400, refusal), sends: 1, refused: true},
		"cut": {first: hangUp, sends: 1, uncertain: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sends atomic.Int32
			s := newService(t, nil)
			s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if sends.Add(1) == 1 {
					c.first(w, r) // without reading the body
					return
				}
				_, got, _ := parts(t, r)
				require.Len(t, got, len(content))
				answer(200, `{"fileName":"s.ps1"}`)(w, r)
			})
			src := &source{content: content}
			_, err := s.clientOf(t).UploadLibraryFile(t.Context(), mdecore.UploadLibraryFileRequest{FileName: "s.ps1", File: src.open})
			require.Equal(t, c.again, err == nil, "%v", err)
			require.Equal(t, c.uncertain, mdecore.Uncertain(err), "%v", err)
			require.Equal(t, c.refused, mdecore.Refused(err))
			require.Equal(t, c.sends, sends.Load())
			require.Equal(t, c.sends+1, src.opened.Load(), "once to measure and once for each send")
		})
	}
}

func TestAFileThatCannotBeReadIsNotSent(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"fileName":"s.ps1"}`))
	upload := func(src *source) error {
		_, err := s.clientOf(t).UploadLibraryFile(t.Context(), mdecore.UploadLibraryFileRequest{FileName: "s.ps1", File: src.open})
		return err
	}
	for _, fail := range []int32{1, 2} {
		err := upload(&source{content: []byte("x"), fail: fail})
		require.True(t, mdecore.NotSent(err), "%v", err)
		require.ErrorContains(t, err, "permission denied")
	}
	require.Empty(t, s.received())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.clientOf(t).UploadLibraryFile(ctx, mdecore.UploadLibraryFileRequest{FileName: "s.ps1", File: endless})
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, mdecore.NotSent(err))
}

// A file that changes between measuring and sending must not be taken for the one that was meant.
func TestAFileThatChangesIsNoticed(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{}
	c := simulated(t, tenant, nil)
	for name, other := range map[string]string{"longer": "exit 10", "shorter": "exit"} {
		src := &source{content: []byte("exit 0"), change: 2, other: []byte(other)}
		_, err := c.UploadLibraryFile(t.Context(), mdecore.UploadLibraryFileRequest{FileName: name + ".ps1", File: src.open})
		require.ErrorContains(t, err, "another length", name)
		require.Empty(t, tenant.Effects())
	}
	src := &source{content: []byte("exit 0"), change: 2, other: []byte("exit 9")}
	_, err := c.UploadLibraryFile(t.Context(), mdecore.UploadLibraryFileRequest{FileName: "same.ps1", File: src.open})
	require.ErrorContains(t, err, "was read before the upload")
	require.True(t, mdecore.Uncertain(err))
}

func TestAnAnswerAboutAnotherFileIsUncertain(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"fileName":"other.ps1"}`))
	_, err := s.clientOf(t).UploadLibraryFile(t.Context(), mdecore.UploadLibraryFileRequest{FileName: "s.ps1", File: mdecore.FileContent([]byte("x"))})
	require.True(t, mdecore.Uncertain(err))
	form, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(s.received()[0].body))
	require.NoError(t, err)
	boundary, _, _ := strings.Cut(strings.TrimPrefix(s.received()[0].body, "--"), "\r\n")
	form.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
	require.IsType(t, &multipart.Reader{}, multipart.NewReader(form.Body, boundary))
	_, content, _ := parts(t, form)
	require.Equal(t, "x", content)
}
