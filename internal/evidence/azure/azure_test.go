package azure

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/internal/evidence/reading"
)

// storage is as much of Azure's Blob service as a container of block blobs needs.
type storage struct {
	mu     sync.Mutex
	blobs  map[string][]byte
	blocks map[string][]byte
	hosts  map[string]bool
}

func (s *storage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts[r.Host] = true
	if r.Header.Get("Authorization") != "Bearer token" {
		w.Header().Set("WWW-Authenticate", "Bearer authorization_uri=https://login.microsoftonline.com/t/oauth2/authorize resource_id=https://storage.azure.com")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	key, _ := url.PathUnescape(strings.TrimPrefix(r.URL.EscapedPath(), "/evidence/"))
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodPut:
		s.put(w, r, key, q)
	case q.Get("comp") == "list":
		s.list(w, q.Get("prefix"), q.Get("marker"), q.Get("maxresults"))
	case r.Method == http.MethodDelete && s.blobs[key] != nil:
		delete(s.blobs, key)
		w.WriteHeader(http.StatusAccepted)
	case s.blobs[key] == nil:
		w.Header().Set("x-ms-error-code", "BlobNotFound")
		w.WriteHeader(http.StatusNotFound)
	default:
		if ms := r.Header.Get("x-ms-range"); ms != "" {
			r.Header.Set("Range", ms)
		}
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("x-ms-creation-time", time.Now().UTC().Format(http.TimeFormat))
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, "", time.Now().Add(-time.Second), strings.NewReader(string(s.blobs[key])))
	}
}

func (s *storage) put(w http.ResponseWriter, r *http.Request, key string, q url.Values) {
	if r.Header.Get("If-None-Match") == "*" && s.blobs[key] != nil {
		w.Header().Set("x-ms-error-code", "BlobAlreadyExists")
		w.WriteHeader(http.StatusConflict)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	switch q.Get("comp") {
	case "block":
		s.blocks[q.Get("blockid")] = body
	case "blocklist":
		var list struct{ Latest []string }
		if xml.Unmarshal(body, &list) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		s.blobs[key] = []byte{}
		for _, id := range list.Latest {
			s.blobs[key] = append(s.blobs[key], s.blocks[id]...)
		}
	default:
		s.blobs[key] = append([]byte{}, body...)
	}
	w.WriteHeader(http.StatusCreated)
}

func (s *storage) list(w http.ResponseWriter, prefix, marker, limit string) {
	n, out, next := 0, "", ""
	for _, key := range slices.Sorted(maps.Keys(s.blobs)) {
		switch {
		case !strings.HasPrefix(key, prefix) || key < marker || next != "":
		case limit == fmt.Sprint(n):
			next = key
		default:
			n++
			out += fmt.Sprintf("<Blob><Name>%s</Name><Properties><Last-Modified>%s</Last-Modified><Content-Length>%d</Content-Length></Properties></Blob>",
				key, time.Now().UTC().Format(http.TimeFormat), len(s.blobs[key]))
		}
	}
	w.Header().Set("Content-Type", "application/xml")
	_, _ = fmt.Fprintf(w, `<?xml version="1.0"?><EnumerationResults><Blobs>%s</Blobs><NextMarker>%s</NextMarker></EnumerationResults>`, out, next)
}

type token struct{}

func (token) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: "token", ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// serve starts a storage and a client that reaches it under every name.
func serve(t *testing.T) (*storage, Options) {
	t.Helper()
	s := &storage{blobs: map[string][]byte{}, blocks: map[string][]byte{}, hosts: map[string]bool{}}
	server := httptest.NewTLSServer(s)
	t.Cleanup(server.Close)
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com" // the name in the test server's certificate
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	return s, Options{URL: "azblob://evidence?storage_account=acct1", Credential: token{}, Transport: &http.Client{Transport: transport}}
}

func TestEvidenceInAContainer(t *testing.T) {
	t.Parallel()
	service, o := serve(t)
	store, err := evidence.New(evidence.Options{
		Open:    func(ctx context.Context) (evidence.Bucket, error) { return Open(ctx, o) },
		TempDir: t.TempDir(),
	})
	require.NoError(t, err)
	meta := evidence.Meta{
		DeviceID: "d1", ActionType: "LiveResponse", ActionID: "a1", RequestID: "REQ00001", Requester: "alice@contoso.com",
		CollectedAt: time.Now(), Name: "x.bin",
	}
	content := strings.Repeat("0123456789abcdef", 20<<16) // more than one block
	m, err := store.Put(t.Context(), meta, strings.NewReader(content))
	require.NoError(t, err)
	require.Equal(t, map[string]bool{"acct1.blob.core.windows.net": true}, service.hosts)
	c, err := store.Get(t.Context(), m.ID)
	require.NoError(t, err)
	h := sha256.New()
	_, err = io.Copy(h, c)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.Equal(t, m.SHA256, hex.EncodeToString(h.Sum(nil)))
	part, err := store.Range(t.Context(), m, 3<<20-8, 32)
	require.NoError(t, err)
	require.Equal(t, content[3<<20-8:3<<20+24], string(part))
	meta.ActionID = "a2"
	second, err := store.Put(t.Context(), meta, strings.NewReader(content))
	require.NoError(t, err)
	l, err := store.List(t.Context(), evidence.Query{DeviceID: "d1", Limit: 1})
	require.NoError(t, err)
	require.Len(t, l.Manifests, 1)
	rest, err := store.List(t.Context(), evidence.Query{DeviceID: "d1", Limit: 1, Page: l.Next})
	require.NoError(t, err)
	require.ElementsMatch(t, []string{m.ID, second.ID}, []string{l.Manifests[0].ID, rest.Manifests[0].ID})
	service.mu.Lock()
	service.blobs["content/"+m.SHA256][5] ^= 1
	service.mu.Unlock()
	require.ErrorContains(t, store.Verify(t.Context(), m), "altered")
	_, err = store.Manifest(t.Context(), "00000000000000000000")
	require.ErrorIs(t, err, evidence.ErrNotFound)
}

func TestAContainerIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	service, o := serve(t)
	open := func(bucket func() (evidence.Bucket, error)) *evidence.Store {
		s, err := evidence.New(evidence.Options{Open: func(context.Context) (evidence.Bucket, error) { return bucket() }, TempDir: t.TempDir()})
		require.NoError(t, err)
		return s
	}
	writer := open(func() (evidence.Bucket, error) { return Open(t.Context(), o) })
	reader := open(func() (evidence.Bucket, error) { return reading.Container(o) })
	meta := evidence.Meta{
		DeviceID: "d1", ActionType: "LiveResponse", ActionID: "a1", RequestID: "REQ00001", Requester: "alice@contoso.com", Approvers: []string{"bob@contoso.com"},
		CollectedAt: time.Now(), Name: "x.bin",
	}
	content := strings.Repeat("0123456789abcdef", 3<<16)
	var ids []string
	var last evidence.Manifest
	for _, action := range []string{"a1", "a2", "a3"} {
		var err error
		meta.ActionID = action
		last, err = writer.Put(t.Context(), meta, strings.NewReader(content+action))
		require.NoError(t, err)
		ids = append(ids, last.ID)
	}
	var got []string
	for q := (evidence.Query{DeviceID: "d1", Limit: 2}); ; {
		l, err := reader.List(t.Context(), q)
		require.NoError(t, err)
		for _, m := range l.Manifests {
			got = append(got, m.ID)
		}
		if q.Page = l.Next; q.Page == "" {
			break
		}
	}
	require.ElementsMatch(t, ids, got)
	m, err := reader.Manifest(t.Context(), last.ID)
	require.NoError(t, err)
	require.Equal(t, last, m)
	part, err := reader.Range(t.Context(), m, 3<<18-8, 32)
	require.NoError(t, err)
	require.Equal(t, (content + "a3")[3<<18-8:3<<18+24], string(part))
	require.NoError(t, reader.Verify(t.Context(), m))
	_, err = reader.Manifest(t.Context(), "00000000000000000000")
	require.ErrorIs(t, err, evidence.ErrNotFound)
	_, err = reader.Put(t.Context(), meta, strings.NewReader("x"))
	require.ErrorIs(t, err, reading.ErrReadOnly)
	service.mu.Lock()
	service.blobs["content/"+m.SHA256][5] ^= 1
	service.mu.Unlock()
	require.ErrorContains(t, reader.Verify(t.Context(), m), "altered")
}

// Both buckets of a container answer alike, also for an object without content.
func TestBothBucketsOfAContainerGiveTheSameAnswers(t *testing.T) {
	t.Parallel()
	_, o := serve(t)
	writer, err := Open(t.Context(), o)
	require.NoError(t, err)
	reader, err := reading.Container(o)
	require.NoError(t, err)
	for key, content := range map[string]string{"device/d1/x": "", "content/0a": "hello", "note-1.txt": "note"} {
		require.NoError(t, writer.Write(t.Context(), key, strings.NewReader(content), true))
	}
	for _, key := range []string{"device/d1/x", "content/0a", "note-1.txt", "content/0z"} {
		want, wantErr := writer.Stat(t.Context(), key)
		got, err := reader.Stat(t.Context(), key)
		require.Equal(t, want.Size, got.Size, key)
		require.Equal(t, wantErr, err, key)
		for _, length := range []int64{-1, 0, 3} {
			want, wantErr := text(t, writer, key, length)
			got, err := text(t, reader, key, length)
			require.Equal(t, want, got, key)
			require.Equal(t, wantErr, err, key)
		}
	}
	_, err = reader.Open(t.Context(), "content/../x", 0, -1)
	require.ErrorContains(t, err, "is not the key")
	found, next, err := reader.List(t.Context(), "", "", 10)
	require.NoError(t, err)
	require.Empty(t, next)
	require.Len(t, found, 3)
	require.EqualValues(t, 5, found[0].Size)
}

func text(t *testing.T, b evidence.Bucket, key string, length int64) (string, error) {
	t.Helper()
	r, err := b.Open(t.Context(), key, 0, length)
	if err != nil {
		return "", err
	}
	defer func() { require.NoError(t, r.Close()) }()
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(got), nil
}

func TestAnObjectIsWrittenWholeOrNot(t *testing.T) {
	t.Parallel()
	service, o := serve(t)
	b, err := Open(t.Context(), o)
	require.NoError(t, err)
	err = b.Write(t.Context(), "k", io.MultiReader(strings.NewReader("half"), errReader{}), false)
	require.Error(t, err)
	require.Empty(t, service.blobs)
	require.NoError(t, b.Write(t.Context(), "k", strings.NewReader("x"), true))
	require.ErrorIs(t, b.Write(t.Context(), "k", strings.NewReader("y"), true), evidence.ErrExists)
	require.NoError(t, b.Delete(t.Context(), "k"))
	require.NoError(t, b.Delete(t.Context(), "k"))
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestAURLWithASignatureOrAnotherPlaceIsRefusedAndNotShown(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"azblob://evidence?storage_account=acct1&sig=SECRET", "azblob://evidence?storage_account=acct1&SV=1&SIG=SECRET",
		"azblob://evidence?storage_account=acct1&sas_token=SECRET", "azblob://user:SECRET@evidence?storage_account=acct1",
		"azblob://evidence/SECRET?storage_account=acct1", "azblob://evidence?storage_account=evil.example/SECRET",
		"azblob://evidence?storage_account=acct1&domain=SECRET", "azblob://evidence?storage_account=acct1&protocol=http&x=SECRET",
		"azblob://evidence?storage_account=acct1&storage_account=SECRET", "https://acct1.blob.core.windows.net/evidence?sig=SECRET",
		"azblob://UPPER?storage_account=acct1", "azblob://evidence", "azblob://a--b?storage_account=acct1", "azblob://e%zz?sig=SECRET", "azblob://evidence?storage_account=acct1;sig=SECRET",
	} {
		_, err := Open(t.Context(), Options{URL: text, Credential: token{}})
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), "SECRET", text)
	}
	_, err := Open(t.Context(), Options{URL: "azblob://evidence?storage_account=acct1"})
	require.ErrorContains(t, err, "credential")
}
