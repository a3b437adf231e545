package nexussim

import (
	"bytes"
	"crypto/hmac" // Azure's own check of a blob's content, nothing that protects
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"
)

// Where results lie: the cluster manager's account and the customer's two containers.
const (
	managerContainer  = "cmsimulatedst/bmm-run-command-output"
	usualContainer    = "contosonexus/command-output"
	overrideContainer = "contosonexus/restricted-output"

	linkLife    = 4 * time.Hour
	foreignBlob = "https://evil.blob.core.windows.net/stolen/runcommand-output.tar.gz"
)

// blob is a result that was written.
type blob struct {
	content []byte
	md5     string // as it is stated, in base64
	signed  bool   // opened by a signature and not by a token
}

// container is the address of a container on this server.
func (c *call) container(name string) string { return c.origin() + storagePath + name }

// publish writes the result of a command and returns its address. What is written once stays.
func (c *call) publish(o *operation) string {
	if o.node.seed.Result == ResultForeign {
		return foreignBlob
	}
	uuid, _, _ := strings.Cut(o.id, "*")
	own := o.cluster.seed.OwnStorage
	name := managerContainer + "/" + uuid + "-action-bmmdataextcmd.tar.gz"
	switch {
	case own && o.cluster.seed.Override:
		name = overrideContainer + "/runcommand-output-" + uuid + ".tar.gz"
	case own:
		name = usualContainer + "/runcommand-output-" + uuid + ".tar.gz"
	}
	if _, there := c.a.blobs[name]; !there && o.node.seed.Result != ResultGone {
		content := c.a.content(o.cluster, o.node)
		sum := md5.Sum(content)
		b := blob{content: content, md5: base64.StdEncoding.EncodeToString(sum[:]), signed: !own}
		if o.node.seed.Result == ResultHash {
			b.md5 = base64.StdEncoding.EncodeToString(make([]byte, md5.Size))
		}
		c.a.blobs[name] = b
	}
	if own {
		return c.container(name)
	}
	until := c.a.now().Add(linkLife).Format(time.RFC3339)
	q := url.Values{"sv": {"2023-11-03"}, "sr": {"b"}, "sp": {"r"}, "spr": {"https"}, "se": {until}, "sig": {signature(name, until)}}
	return c.container(name) + "?" + q.Encode()
}

// signature signs a link. The key is known to everybody who reads this: it is a simulator.
func signature(name, until string) string {
	mac := hmac.New(sha256.New, []byte("nexussim"))
	fmt.Fprintf(mac, "%s\n%s", name, until)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// serveStorage gives a result to whoever has a signature, or a token where the container is the customer's.
func (a *Azure) serveStorage(r *http.Request) response {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return blobProblem(http.StatusMethodNotAllowed, "UnsupportedHttpVerb")
	}
	a.mu.Lock()
	b, ok := a.blobs[strings.TrimPrefix(r.URL.Path, storagePath)]
	a.mu.Unlock()
	q := r.URL.Query()
	signed, token := q.Get("sig") != "", r.Header.Get("Authorization") != ""
	switch {
	case signed && token:
		return blobProblem(http.StatusBadRequest, "InvalidAuthenticationInfo")
	case !signed && a.bearer(r, AudienceStorage) == "":
		return blobProblem(http.StatusUnauthorized, "NoAuthenticationInformation")
	case !signed && r.Header.Get("x-ms-version") == "":
		return blobProblem(http.StatusBadRequest, "MissingRequiredHeader")
	case !signed && !a.may(a.bearer(r, AudienceStorage), "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"):
		return blobProblem(http.StatusForbidden, "AuthorizationPermissionMismatch")
	case signed && !a.signedFor(strings.TrimPrefix(r.URL.Path, storagePath), q):
		return blobProblem(http.StatusForbidden, "AuthenticationFailed")
	case !ok || b.signed != signed:
		return blobProblem(http.StatusNotFound, "BlobNotFound")
	}
	return b.serve(r)
}

// signedFor reports whether a link's signature is for that blob and has not ended.
func (a *Azure) signedFor(name string, q url.Values) bool {
	until, err := time.Parse(time.RFC3339, q.Get("se"))
	return err == nil && a.now().Before(until) && hmac.Equal([]byte(q.Get("sig")), []byte(signature(name, q.Get("se"))))
}

// serve gives the content, or the part of it that is asked for.
func (b blob) serve(r *http.Request) response {
	sum := sha256.Sum256(b.content)
	rec := httptest.NewRecorder()
	rec.Header().Set("Content-Type", "application/octet-stream")
	rec.Header().Set("ETag", `"0x`+strings.ToUpper(hex.EncodeToString(sum[:8]))+`"`)
	if r.Header.Get("Range") == "" {
		rec.Header().Set("Content-MD5", b.md5)
	}
	rec.Header().Set("x-ms-blob-content-md5", b.md5)
	http.ServeContent(rec, r, "", time.Time{}, bytes.NewReader(b.content))
	return response{status: rec.Code, header: rec.Header(), body: rec.Body.Bytes()}
}

func blobProblem(status int, code string) response {
	return response{
		status: status, header: http.Header{"Content-Type": {"application/xml"}, "X-Ms-Error-Code": {code}},
		body: []byte(`<?xml version="1.0" encoding="utf-8"?><Error><Code>` + code + `</Code><Message>Simulated.</Message></Error>`),
	}
}

// guidOf is a GUID that is the same for the same text.
func guidOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	h := hex.EncodeToString(sum[:])
	return fmt.Sprintf("%s-%s-4%s-8%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:32])
}
