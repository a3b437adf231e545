package mdecore_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

func TestAFailedDownloadSaysItOnce(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"not ready": {answer(404, refusal), "DownloadInvestigationPackage: the service answered 404 SomeCode: no link was issued: some text: " +
			(&mdecore.NotReadyError{ActionID: actionID}).Error() + " [correlation 43f4cb08-8fac-4b65-9db1-745c2ae65f3a]"},
		"refused": {answer(403, refusal), "DownloadInvestigationPackage: the service answered 403 SomeCode: no link was issued: some text" +
			" [correlation 43f4cb08-8fac-4b65-9db1-745c2ae65f3a]"},
		"throttled": {answer(429, refusal, "Retry-After", "3600"), "DownloadInvestigationPackage: the service answered 429 SomeCode: no link was issued: some text" +
			" (try again in 1h0m0s) [correlation 43f4cb08-8fac-4b65-9db1-745c2ae65f3a]"},
		"no link": {answer(200, `{"value":"x"}`), "DownloadInvestigationPackage: no link was issued: the service answered with something else than a link"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newService(t, tc.answer).clientOf(t).DownloadInvestigationPackage(t.Context(), actionID, io.Discard, mdecore.DownloadOptions{})
			require.EqualError(t, err, tc.want)
			var failed *mdecore.DownloadError
			require.ErrorAs(t, err, &failed, "the download's own error stays inside")
			var waiting *mdecore.NotReadyError
			require.Equal(t, name == "not ready", errors.As(err, &waiting))
		})
	}
	_, err := newService(t, answer(200, "")).clientOf(t).DownloadInvestigationPackage(t.Context(), "../x", io.Discard, mdecore.DownloadOptions{})
	require.True(t, mdecore.NotSent(err))
	require.Equal(t, 1, strings.Count(err.Error(), "is invalid"), err.Error())
}

// What was written with the first link is left behind when there is no second one.
func TestALinkThatIsNotRenewedLeavesBytesBehind(t *testing.T) {
	t.Parallel()
	issued, sent := 0, 0
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/api"):
			if issued++; issued > 1 {
				answer(403, refusal)(w, r)
				return
			}
			answer(200, `{"value":"http://`+r.Host+`/blob?sig=c2lnbmF0dXJl"}`)(w, r)
		case sent > 0:
			w.WriteHeader(http.StatusForbidden)
		default:
			sent++
			w.Header().Set("ETag", `"1"`)
			cutAfter(200)(w, r)
		}
	})
	_, err := s.clientOf(t).DownloadInvestigationPackage(t.Context(), actionID, io.Discard, mdecore.DownloadOptions{})
	require.EqualError(t, err, "DownloadInvestigationPackage: the service answered 403 SomeCode: no link was issued: some text; "+
		"11 bytes were written and are incomplete [correlation 43f4cb08-8fac-4b65-9db1-745c2ae65f3a]")
}
