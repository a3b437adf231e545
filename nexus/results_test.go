package nexus_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus"
)

const (
	content = "the archive of a report"
	home    = "/command-output/"
	plain   = home + "runcommand-output-1.tar.gz"
	bySAS   = "/bmm-run-command-output/1.tar.gz?se=2026-11-20T13%3A02%3A10Z&sp=r&sig=SECRET%3D"
)

func md5Of(text string) string {
	sum := md5.Sum([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// stored is a service with an operation that has succeeded, and its result on the same host. The address of the result is
// ours where it begins with a slash.
func stored(t *testing.T, address string, storage http.HandlerFunc) *service {
	t.Helper()
	var s *service
	s = newService(t, func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "/operationStatuses/") {
			storage(w, r)
			return
		}
		full := address
		if strings.HasPrefix(address, "/") {
			full = s.URL + address
		}
		answer(200, fmt.Sprintf(`{"status":"Succeeded","properties":{"exitCode":"0","resultUrl":%q}}`, full))(w, r)
	})
	return s
}

// download fetches the result of a service with the container at a path of it; none when that is empty.
func (s *service) download(t *testing.T, container string, adjust ...func(*nexus.Options)) (nexus.Result, string, error) {
	t.Helper()
	if container != "" {
		container = s.URL + container
	}
	var got bytes.Buffer
	result, err := s.client(t, adjust...).DownloadResult(t.Context(), operation, container, &got)
	return result, got.String(), err
}

func wantResult(s *service) nexus.Result {
	sum := sha256.Sum256([]byte(content))
	return nexus.Result{Bytes: int64(len(content)), SHA256: hex.EncodeToString(sum[:]), Host: strings.TrimPrefix(s.URL, "http://")}
}

func TestAResultInTheCustomersContainerIsFetchedWithAToken(t *testing.T) {
	t.Parallel()
	s := stored(t, plain, answer(200, content, "Content-MD5", md5Of(content), "x-ms-blob-content-md5", md5Of(content)))
	result, got, err := s.download(t, strings.TrimSuffix(home, "/"))
	require.NoError(t, err)
	require.Equal(t, content, got)
	require.Equal(t, wantResult(s), result)
	sent := s.received()
	require.Len(t, sent, 2)
	require.Equal(t, "Bearer tokena@https://management.core.windows.net//.default", sent[0].header.Get("Authorization"))
	require.Equal(t, "Bearer tokena@https://storage.azure.com/.default", sent[1].header.Get("Authorization"))
	require.Equal(t, "2023-11-03", sent[1].header.Get("x-ms-version"))
	require.Equal(t, "identity", sent[1].header.Get("Accept-Encoding"), "the length and the hashes are of what is stored")
	require.Equal(t, plain, sent[1].path)
}

func TestAResultWithASignatureIsFetchedWithoutAToken(t *testing.T) {
	t.Parallel()
	for _, container := range []string{"", "/bmm-run-command-output"} {
		s := stored(t, bySAS, answer(200, content, "Content-MD5", md5Of(content)))
		result, got, err := s.download(t, container)
		require.NoError(t, err)
		require.Equal(t, content, got)
		require.Equal(t, wantResult(s), result)
		sent := s.received()
		require.Len(t, sent, 2)
		require.Empty(t, sent[1].header.Get("Authorization"))
		require.Contains(t, sent[1].query, "sig=SECRET%3D")
		require.Equal(t, []string{"https://management.core.windows.net//.default"}, s.tokens.asked, "not even a token is asked for")
	}
}

func TestAnExpiredSignatureIsAskedForAnew(t *testing.T) {
	t.Parallel()
	refused := false
	s := stored(t, bySAS, func(w http.ResponseWriter, r *http.Request) {
		if !refused {
			refused = true
			answer(403, "", "x-ms-error-code", "AuthenticationFailed")(w, r)
			return
		}
		answer(200, content)(w, r)
	})
	_, got, err := s.download(t, "")
	require.NoError(t, err)
	require.Equal(t, content, got)
	require.Len(t, s.received(), 4, "status, refusal, status, content")
}

func TestOnlyAllowedAddressesAreFollowed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ address, container, says string }{
		{"https://x.blob.core.windows.net/c/b?sig=SECRET", "", "loopback addresses only"},
		{"https://169.254.169.254/c/b?sig=SECRET", "", "loopback addresses only"},
		{"ftp://127.0.0.1/c/b?sig=SECRET", "", "loopback addresses only"},
		{"http://me:SECRET@127.0.0.1/c/b?sig=SECRET", "", "user name or password"},
		{"?sig=SECRET", "", "has no host"},
		{"%zz?sig=SECRET", "", "can't be read"},
		{"/c/b?a=%zz&sig=SECRET", "", "can't be read"},
		{"/c/b?sig=SECRET;x", "", "can't be read"},
		{plain, "", "no signature"},
		{plain + "?sv=2023&se=SECRET", "/command-output", "and no signature"},
		{bySAS, "/command-output", "outside the container"},
		{"/command-outputs/b", "/command-output", "outside the container"},
		{"/command-output/", "/command-output", "outside the container"},
		{"/Command-Output/b", "/command-output", "outside the container"},
		{"/command-output/../other/b", "/command-output", "leads out"},
		{"/command-output/./b", "/command-output", "leads out"},
		{"/command-output/%2e%2e/other/b", "/command-output", "leads out"},
		{"/command-output/..%5cother/b", "/command-output", "leads out"},
		{"http://127.0.0.1:1/command-output/b", "/command-output", "the cluster writes its results to"},
		{plain, "/", "can't be read"},
	} {
		s := stored(t, test.address, answer(200, content))
		_, got, err := s.download(t, test.container)
		require.ErrorContains(t, err, test.says, test.address)
		require.NotContains(t, err.Error(), "SECRET")
		require.True(t, nexus.Unusable(err), "%s: another try gives the same", test.address)
		require.Empty(t, got)
		require.Len(t, s.received(), 1, "%s: nothing is sent there", test.address)
	}
}

func TestWhereTheCloudsResultsLie(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		cloud         nexus.Cloud
		address, says string
	}{
		{nexus.Public(), "https://cmexamplest.blob.core.windows.net/c/b?sig=x", ""},
		{nexus.Public(), "https://CMEXAMPLEST.blob.core.windows.net:443/c/b?sig=x", ""},
		{nexus.Government(), "https://a.blob.core.usgovcloudapi.net/c/b?sig=x", ""},
		{nexus.China(), "https://a.blob.core.chinacloudapi.cn/c/b?sig=x", ""},
		{nexus.Government(), "https://a.blob.core.windows.net/c/b?sig=x", "keeps results below blob.core.usgovcloudapi.net"},
		{nexus.Public(), "http://a.blob.core.windows.net/c/b?sig=x", "https only"},
		{nexus.Public(), "https://a.blob.core.windows.net:8443/c/b?sig=x", "only 443"},
		{nexus.Public(), "https://blob.core.windows.net/c/b?sig=x", "keeps results below"},
		{nexus.Public(), "https://.blob.core.windows.net/c/b?sig=x", "keeps results below"},
		{nexus.Public(), "https://.a.blob.core.windows.net/c/b?sig=x", "keeps results below"},
		{nexus.Public(), "https://evilblob.core.windows.net/c/b?sig=x", "keeps results below"},
		{nexus.Public(), "https://a.blob.core.windows.net.evil.example/c/b?sig=x", "keeps results below"},
		{nexus.Public(), "https://a_.blob.core.windows.net/c/b?sig=x", "keeps results below"},
		{nexus.Public(), "https://127.0.0.1/c/b?sig=x", "keeps results below"},
		{nexus.Public(), "https://a.blob.core.windows.net@evil.example/c/b?sig=x", "user name"},
	} {
		err := nexus.CheckResult(test.cloud, test.address, "")
		if test.says == "" {
			require.NoError(t, err, test.address)
		} else {
			require.ErrorContains(t, err, test.says, test.address)
		}
	}
	require.NoError(t, nexus.CheckResult(nexus.Public(), "https://Own.blob.core.windows.net:443/c/b", "https://own.blob.core.windows.net/c"))
	require.ErrorContains(t, nexus.CheckResult(nexus.Public(), "https://other.blob.core.windows.net/c/b", "https://own.blob.core.windows.net/c"), "writes its results to")
	require.ErrorContains(t, nexus.CheckResult(nexus.Public(), "https://own.blob.core.windows.net/c/b", "https://me:pw@own.blob.core.windows.net/c"), "can't be read")
	require.ErrorContains(t, nexus.CheckResult(nexus.Public(), "https://own.evil.example/c/b", "https://own.evil.example/c"), "keeps results below")
}

func TestDamagedContentIsAnError(t *testing.T) {
	t.Parallel()
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(content))
	}
	endless := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		for range 20 {
			_, _ = w.Write([]byte(content))
			w.(http.Flusher).Flush()
		}
	}
	unbounded := func(w http.ResponseWriter, _ *http.Request) {
		conn, buffer, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = buffer.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + content)
			_ = buffer.Flush()
			_ = conn.Close()
		}
	}
	other := md5Of("another content")
	want, got := md5.Sum([]byte("another content")), md5.Sum([]byte(content))
	for name, test := range map[string]struct {
		storage http.HandlerFunc
		says    []string
	}{
		"a hash that is none":   {answer(200, content, "Content-MD5", "AAAA"), []string{"can't be read"}},
		"Content-MD5":           {answer(200, content, "Content-MD5", other), []string{"hash differs", hex.EncodeToString(want[:]), hex.EncodeToString(got[:])}},
		"x-ms-blob-content-md5": {answer(200, content, "x-ms-blob-content-md5", other), []string{"hash differs", hex.EncodeToString(want[:])}},
		"one of two":            {answer(200, content, "Content-MD5", md5Of(content), "x-ms-blob-content-md5", other), []string{"hash differs"}},
		"no hash":               {answer(200, content, "Content-MD5", "###"), []string{"can't be read"}},
		"cut":                   {cut, nil},
		"too long, announced":   {answer(200, strings.Repeat(content, 20)), []string{"100"}},
		"too long":              {endless, []string{"100"}},
		"without an end":        {unbounded, []string{"a cut could not be seen"}},
	} {
		for kind, address := range map[string]string{"token": plain, "signature": bySAS} {
			t.Run(name+" "+kind, func(t *testing.T) {
				t.Parallel()
				s := stored(t, address, test.storage)
				container := ""
				if kind == "token" {
					container = "/command-output"
				}
				_, written, err := s.download(t, container, func(o *nexus.Options) { o.MaxResult = 100 })
				require.Error(t, err)
				require.NotContains(t, err.Error(), "SECRET")
				require.LessOrEqual(t, len(written), 100)
				for _, text := range test.says {
					require.ErrorContains(t, err, text)
				}
				require.False(t, nexus.IsNotFound(err))
				require.Equal(t, name != "cut" && name != "without an end", nexus.Unusable(err), "only what was cut on the way may be whole the next time: %v", err)
			})
		}
	}
	for address, says := range map[string]string{plain: "460 bytes long, and at most 100 are taken", bySAS: "larger than the 100 bytes allowed"} {
		container := ""
		if address == plain {
			container = "/command-output"
		}
		_, _, err := stored(t, address, answer(200, strings.Repeat(content, 20))).download(t, container, func(o *nexus.Options) { o.MaxResult = 100 })
		require.ErrorContains(t, err, says, "the announced length is enough to refuse")
	}
}

func TestWhatStorageRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		storage   http.HandlerFunc
		kind      string
		says      []string
		notFound  bool
		forbidden bool
	}{
		{answer(403, "<Error><Message>SECRET</Message></Error>", "x-ms-error-code", "AuthorizationFailure"), "token", []string{"firewall", "Storage Blob Data Reader", "403 AuthorizationFailure"}, false, true},
		{answer(401, ""), "token", []string{"refuses the token of this application"}, false, false},
		{answer(403, "", "x-ms-error-code", "<script>"), "token", []string{"Azure answered 403: "}, false, true},
		{answer(403, ""), "signature", []string{"signature of the result has ended", "firewall"}, false, true},
		{answer(404, "", "x-ms-error-code", "BlobNotFound"), "token", []string{"the result is gone", "404 BlobNotFound"}, true, false},
		{answer(404, ""), "signature", []string{"the result is gone"}, true, false},
		{answer(302, "", "Location", "https://evil.example/x?sig=SECRET"), "token", []string{"does not give the result (status 302)"}, false, false},
		{answer(302, "", "Location", "https://evil.example/x?sig=SECRET"), "signature", []string{"a redirect was refused"}, false, false},
		{answer(206, content), "token", []string{"status 206"}, false, false},
	} {
		address, container := plain, "/command-output"
		if test.kind == "signature" {
			address, container = bySAS, ""
		}
		s := stored(t, address, test.storage)
		_, got, err := s.download(t, container)
		for _, text := range test.says {
			require.ErrorContains(t, err, text)
		}
		require.NotContains(t, err.Error(), "SECRET")
		require.NotContains(t, err.Error(), "<script>")
		require.Equal(t, test.notFound, nexus.IsNotFound(err))
		require.Equal(t, test.forbidden || test.notFound, nexus.Refused(err))
		require.Empty(t, got)
	}
}

func TestAnOperationWithoutAResult(t *testing.T) {
	t.Parallel()
	for body, says := range map[string]string{
		`{"status":"InProgress","properties":{"resultUrl":"https://x"}}`:                                       "still running",
		`{"status":"Failed","error":{"code":"X","message":"it broke"},"properties":{"resultUrl":"https://x"}}`: "it failed: it broke",
		`{"status":"Canceled"}`:  "it canceled: not stated",
		`{"status":"Succeeded"}`: "names no result",
		`{"status":"Succeeded","properties":{"resultUrl":"","resultRef":""}}`:                                                "names no result",
		`{"status":"Succeeded","properties":{"resultRef":"https://evil.example/x?sig=1"}}`:                                   "evil.example",
		`{"status":"Succeeded","properties":{"resultUrl":"https://first.example/x","resultRef":"https://second.example/x"}}`: "first.example",
	} {
		s := newService(t, answer(200, body))
		_, _, err := s.download(t, "")
		require.ErrorContains(t, err, says, body)
		require.Len(t, s.received(), 1)
	}
	s := newService(t, armError(404, "NotFound", "x"))
	_, _, err := s.download(t, "")
	require.ErrorContains(t, err, "the operation is no longer known")
	require.True(t, nexus.IsNotFound(err))
}

// The service's own words count when it gives no fresh address after one has expired.
func TestAnAddressThatIsNotGivenAgain(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		second http.HandlerFunc
		says   string
	}{
		"gone":        {armError(404, "NotFound", "x"), "the operation is no longer known"},
		"unsigned":    {answer(200, `{"status":"Succeeded","properties":{"resultUrl":"{}/bmm-run-command-output/b"}}`), "one without a signature then"},
		"elsewhere":   {answer(200, `{"status":"Succeeded","properties":{"resultUrl":"https://evil.example/b?sig=SECRET"}}`), "loopback addresses only"},
		"not allowed": {armError(403, "AuthorizationFailed", "x"), "operationStatuses/read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := false
			var s *service // its address is put in place of {}
			s = newService(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case !strings.Contains(r.URL.Path, "/operationStatuses/"):
					answer(403, "")(w, r)
				case !asked:
					asked = true
					answer(200, `{"status":"Succeeded","properties":{"resultUrl":"`+s.URL+bySAS+`"}}`)(w, r)
				default:
					test.second(&withAddress{w, s.URL}, r)
				}
			})
			_, _, err := s.download(t, "/bmm-run-command-output")
			require.ErrorContains(t, err, test.says)
			require.NotContains(t, err.Error(), "SECRET")
			require.Equal(t, 1, strings.Count(err.Error(), "DownloadResult"), err.Error())
			require.Len(t, s.received(), 3)
		})
	}
}

// withAddress writes a server's address in place of {}.
type withAddress struct {
	http.ResponseWriter
	url string
}

func (w *withAddress) Write(p []byte) (int, error) {
	return w.ResponseWriter.Write([]byte(replaced(string(p), w.url, "")))
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestAWriterThatFails(t *testing.T) {
	t.Parallel()
	for address, container := range map[string]string{plain: "/command-output", bySAS: ""} {
		s := stored(t, address, answer(200, content))
		if container != "" {
			container = s.URL + container
		}
		_, err := s.client(t).DownloadResult(t.Context(), operation, container, full{})
		require.ErrorContains(t, err, "the disk is full")
	}
}
