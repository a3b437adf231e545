package mdecore_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// noSignature asserts that no error in a chain holds a part of a link's query.
func noSignature(t *testing.T, err error) {
	t.Helper()
	for e := err; e != nil; e = errors.Unwrap(e) {
		require.NotContains(t, e.Error(), "c2lnbmF0dXJl")
	}
}

func TestDownloadSendsNoTokenAndIssuesAnExpiredLinkOnceMore(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("content ", 1000)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/blob1" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(packed.Len()))
		_, _ = w.Write(packed.Bytes())
	})
	issued := 0
	issue := func(context.Context) (mdecore.Link, error) {
		issued++
		return mdecore.Link(s.URL + "/blob" + strconv.Itoa(issued) + "?sig=c2lnbmF0dXJlLW9mLWEtbGluaw%3D%3D"), nil
	}
	var out bytes.Buffer
	result, err := s.clientOf(t).Download(t.Context(), issue, &out, mdecore.DownloadOptions{Unpack: true})
	require.NoError(t, err)
	require.Equal(t, content, out.String())
	raw, unpacked := sha256.Sum256(packed.Bytes()), sha256.Sum256([]byte(content))
	require.Equal(t, hex.EncodeToString(raw[:]), result.SHA256)
	require.Equal(t, hex.EncodeToString(unpacked[:]), result.ContentSHA256)
	require.Equal(t, 2, issued)
	for _, call := range s.received() {
		require.Empty(t, call.token)
	}
}

func TestDownloadFollowsNoForeignLink(t *testing.T) {
	t.Parallel()
	c, err := mdecore.New(&fakeCred{}, mdecore.Options{Cloud: mdecore.Public()})
	require.NoError(t, err)
	for _, link := range []string{
		"https://evil.example/?sig=c2lnbmF0dXJl", "http://x.blob.core.windows.net/?sig=c2lnbmF0dXJl", "https://127.0.0.1/?sig=c2lnbmF0dXJl",
		"https://x.blob.core.usgovcloudapi.net/?sig=c2lnbmF0dXJl", "https://x.blob.core.windows.net:8443/?sig=c2lnbmF0dXJl", "c2lnbmF0dXJl", "",
	} {
		var out bytes.Buffer
		_, err := c.Download(t.Context(), func(context.Context) (mdecore.Link, error) { return mdecore.Link(link), nil }, &out, mdecore.DownloadOptions{})
		var failed *mdecore.DownloadError
		require.ErrorAs(t, err, &failed)
		require.ErrorContains(t, err, "the issued link is", "nothing was sent")
		noSignature(t, err)
	}
}

// What the API said about a link that it did not issue must reach the caller.
func TestDownloadTellsWhyNoLinkWasIssued(t *testing.T) {
	t.Parallel()
	for status, check := range map[int]func(error) bool{
		403: mdecore.Refused, 404: mdecore.IsNotFound, 429: mdecore.NotSent,
	} {
		s := newService(t, answer(status, refusal, "Retry-After", "3600"))
		_, err := s.clientOf(t).DownloadInvestigationPackage(t.Context(), actionID, &bytes.Buffer{}, mdecore.DownloadOptions{})
		var failed *mdecore.Error
		require.ErrorAs(t, err, &failed)
		require.Equal(t, "DownloadInvestigationPackage", failed.Op)
		require.Equal(t, status, failed.Status)
		require.True(t, check(err), "%d: %v", status, err)
		require.ErrorContains(t, err, "some text")
		require.Len(t, s.received(), 1)
		if status == 429 {
			require.InDelta(t, 3600, mdecore.RetryAfter(err).Seconds(), 2)
		}
	}
}

func TestACutDownloadSaysHowMuchWasWritten(t *testing.T) {
	t.Parallel()
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			answer(200, `{"value":"\"http://`+r.Host+`/blob?sig=c2lnbmF0dXJlLW9mLWEtbGluaw%3D%3D\""}`)(w, r)
			return
		}
		cutAfter(200)(w, r)
	})
	var out bytes.Buffer
	_, err := s.clientOf(t).DownloadInvestigationPackage(t.Context(), actionID, &out, mdecore.DownloadOptions{})
	var failed *mdecore.DownloadError
	require.ErrorAs(t, err, &failed)
	require.EqualValues(t, out.Len(), failed.Written)
	require.ErrorContains(t, err, "11 bytes were written and are incomplete")
	noSignature(t, err)
}

func TestLinksThatAreNone(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"value":""}`, `{"value":null}`, `{}`, `{"value":"c2lnbmF0dXJl"}`, `{"value":"\"https://x/?sig=c2lnbmF0dXJl"}`, `{"value":"https://a b/?sig=c2lnbmF0dXJl"}`, `{"value":"/p?sig=c2lnbmF0dXJl"}`} {
		_, err := newService(t, answer(200, body)).clientOf(t).GetInvestigationPackageURI(t.Context(), actionID)
		var failed *mdecore.Error
		require.ErrorAs(t, err, &failed, body)
		noSignature(t, err)
	}
	link, err := newService(t, answer(200, `{"value":"\"https://x.blob.core.windows.net/p?sig=a%2Bb\""}`)).clientOf(t).GetInvestigationPackageURI(t.Context(), actionID)
	require.NoError(t, err)
	require.Equal(t, "https://x.blob.core.windows.net/p?sig=a%2Bb", link.Reveal())
}

func TestADownloadGoesOnAfterACutInTheTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{ActionPending: -1, ActionRunning: time.Millisecond}
	c := simulated(t, tenant, func(_ *azpipe.CredentialConfig, o *mdecore.Options) { o.Limit = &mdecore.Limit{} })
	ctx := t.Context()
	action, err := c.CollectInvestigationPackage(ctx, tenant.Device("host01").ID, mdecore.PackageRequest{Comment: "evidence"})
	require.NoError(t, err)
	_, err = c.WaitMachineAction(ctx, action.ID, mdecore.WaitOptions{Interval: 5 * time.Millisecond})
	require.NoError(t, err)
	var whole, again bytes.Buffer
	want, err := c.DownloadInvestigationPackage(ctx, action.ID, &whole, mdecore.DownloadOptions{})
	require.NoError(t, err)
	tenant.Fail(mdesim.Fault{Path: "/storage/**", Kind: mdesim.FaultTruncated})
	got, err := c.DownloadInvestigationPackage(ctx, action.ID, &again, mdecore.DownloadOptions{})
	require.NoError(t, err)
	require.Equal(t, want.SHA256, got.SHA256)
	require.Equal(t, whole.Bytes(), again.Bytes())
	tenant.Fail(mdesim.Fault{Path: "/storage/**", Kind: mdesim.FaultTruncated, Times: -1})
	_, err = c.DownloadInvestigationPackage(ctx, action.ID, new(bytes.Buffer), mdecore.DownloadOptions{})
	var failed *mdecore.DownloadError
	require.ErrorAs(t, err, &failed, "a download that is cut again and again fails, and says how far it came")
	require.Positive(t, failed.Written)
}
