package mdesim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// storagePath is where signed links lead to: another host name of this server,
// as the real service's links lead to Azure Blob Storage.
const storagePath = "/storage/"

// signatureVersion is the sv parameter of the signed links.
const signatureVersion = "2024-11-04"

// blob is content behind a signed link.
type blob struct {
	name        string // container and file name, unique in the tenant
	contentType string
	modified    time.Time
	// open returns the content, which is the same each time.
	open func() io.ReadSeeker
}

// storageState is the content that links were made for.
type storageState struct {
	blobs map[string]blob
	key   []byte

	// starting is held while a live response session is started.
	starting sync.Mutex
	sessions map[string][]*session   // by machine id, oldest first
	files    map[string][]deviceFile // put on devices by tests, by machine id
}

// link stores a blob and returns a link to it that is good for a time.
func (c *call) link(b blob, life time.Duration) string {
	t := c.t
	t.mu.Lock()
	if t.storage.blobs == nil {
		t.storage.blobs = map[string]blob{}
		t.storage.key = []byte(guid(t.ids))
	}
	t.storage.blobs[b.name] = b
	t.mu.Unlock()
	expiry := t.now().Add(life).UTC().Format(time.RFC3339)
	query := url.Values{"sv": {signatureVersion}, "se": {expiry}, "sr": {"b"}, "sp": {"r"}, "sig": {t.signature(b.name, expiry)}}
	return "https://" + storageHost(c.r.Host) + storagePath + (&url.URL{Path: b.name}).EscapedPath() + "?" + query.Encode()
}

// storageHost is the other name of a loopback address.
func storageHost(host string) string {
	if rest, ok := strings.CutPrefix(host, "127.0.0.1"); ok {
		return "localhost" + rest
	}
	return host
}

func (t *Tenant) signature(name, expiry string) string {
	mac := hmac.New(sha256.New, t.storage.key)
	_, _ = io.WriteString(mac, name+"\n"+expiry)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// serveStorage answers a signed link. A bearer token is refused, because a
// client that sends one there gives it away.
func (t *Tenant) serveStorage(r *http.Request) response {
	name, query := strings.TrimPrefix(r.URL.Path, storagePath), r.URL.Query()
	expiry, err := time.Parse(time.RFC3339, query.Get("se"))
	t.mu.Lock()
	b, ok := t.storage.blobs[name]
	genuine := hmac.Equal([]byte(query.Get("sig")), []byte(t.signature(name, query.Get("se"))))
	t.mu.Unlock()
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return storageProblem(http.StatusMethodNotAllowed, "UnsupportedHttpVerb", "The resource doesn't support the specified HTTP verb.")
	case r.Header.Get("Authorization") != "":
		return storageProblem(http.StatusBadRequest, "InvalidAuthenticationInfo", "A signed link takes no Authorization header.")
	case err != nil || !genuine:
		return storageProblem(http.StatusForbidden, "AuthenticationFailed", "Signature did not match.")
	case !t.now().Before(expiry):
		return storageProblem(http.StatusForbidden, "AuthenticationFailed", "Signature not valid in the specified time frame: expired at "+query.Get("se"))
	case !ok:
		return storageProblem(http.StatusNotFound, "BlobNotFound", "The specified blob does not exist.")
	}
	header := http.Header{"Content-Type": {b.contentType}, "Etag": {fmt.Sprintf(`"%x"`, hash64(name))}}
	return response{status: http.StatusOK, header: header, stream: func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", b.modified, b.open())
	}}
}

func storageProblem(status int, code, message string) response {
	body := `<?xml version="1.0" encoding="utf-8"?><Error><Code>` + code + `</Code><Message>` + message + `</Message></Error>`
	return response{status: status, header: http.Header{"Content-Type": {"application/xml"}, "X-Ms-Error-Code": {code}}, body: []byte(body)}
}
