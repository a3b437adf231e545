package azpipe

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

const (
	someJWT    = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	someSecret = "Q~8sup3rS3cretValue.with-marks_x"
)

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		"Authorization: Bearer " + someJWT:                 "Authorization: Bearer REDACTED",
		"token " + someJWT + " was refused":                "token REDACTED was refused",
		"Bearer abcdefghijklmnopqrstuvwxyz":                "Bearer REDACTED",
		"Get \"https://x/y?sv=1&sig=a%2Bb%3D&se=2\": EOF":  "Get \"https://x/y?sv=1&sig=REDACTED&se=2\": EOF",
		"https://x/y?u=https%3A%2F%2Fz%3Fsig%3Dabc%252B&v": "https://x/y?u=https%3A%2F%2Fz%3Fsig%3DREDACTED&v",
		"SIG=abc": "SIG=REDACTED",
		"client_id=1&client_secret=" + someSecret + "&scope=s":     "client_id=1&client_secret=REDACTED&scope=s",
		`{"access_token":"opaque","expires_in":1}`:                 `{"access_token":"REDACTED","expires_in":1}`,
		`{\"client_secret\": \"x y\"}`:                             `{\"client_secret\": \"REDACTED\"}`,
		"Basic authentication is off, the design=ok, code=Expired": "Basic authentication is off, the design=ok, code=Expired",
		"AADSTS7000215: Invalid client secret provided.":           "AADSTS7000215: Invalid client secret provided.",
		"": "",
	} {
		require.Equal(t, want, Redact(text))
	}
}

func FuzzRedact(f *testing.F) {
	for _, s := range []string{"", "sig=", "Bearer x", someJWT, `"access_token":"`, "%3D", "sig%3Dsig=sig=", "Bearer Bearer ", "eyJ.eyJ.."} {
		f.Add(s, "tail")
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		once := Redact(before + "&sig=" + someSecret + "&" + after)
		require.NotContains(t, once, someSecret)
		require.Equal(t, once, Redact(once), "redacting twice must change nothing")
		require.NotContains(t, Redact(before+" Authorization: Bearer "+someJWT+" "+after), someJWT[40:])
		require.NotContains(t, Redact(before+`{"client_secret":"`+someSecret+`"}`+after), someSecret)
	})
}

func TestTransportErrorsHoldNoSignature(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){"cut": cut, "short": shortBody} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newService(t, script(answer))
				_, _, err := send(t.Context(), t, s.pipe(t, nil), "POST", Operation{})
				require.Error(t, err)
				for e := err; e != nil; e = errors.Unwrap(e) {
					require.NotContains(t, e.Error(), "c2VjcmV0", "%T", e)
				}
			})
		})
	}
}

func TestScrubError(t *testing.T) {
	inner := errors.New("proxy said sig=abc")
	leaky := &url.Error{Op: "Get", URL: "https://x/?sig=abc", Err: inner}
	for _, err := range []error{inner, leaky, errors.Join(errors.New("outer"), leaky), &url.Error{Op: "Get", URL: "https://x/", Err: leaky}} {
		clean := scrubError(err)
		for e := clean; e != nil; e = errors.Unwrap(e) {
			require.NotContains(t, e.Error(), "abc")
		}
		var asURL *url.Error
		if errors.As(clean, &asURL) {
			require.NotContains(t, asURL.URL, "abc")
		}
	}
	harmless := errors.New("connection refused")
	require.Same(t, harmless, scrubError(harmless), "a harmless error stays what it is")
	require.Equal(t, io.EOF, scrubError(io.EOF))
	require.NoError(t, scrubError(nil))
}
