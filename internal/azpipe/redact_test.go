package azpipe

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"unicode"

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
		`{"u":"https://x/y?sv=1\u0026sig=a%2Bb\u0026se=2"}`:        `{"u":"https://x/y?sv=1\u0026sig=REDACTED\u0026se=2"}`,
		`https://x/?sv=1\u0026sig\u003dabc`:                        `https://x/?sv=1\u0026sig\u003dREDACTED`,
		"u=https%253A%252F%252Fz%253Fa%253D1%2526sig%253Dabc&v=1":  "u=https%253A%252F%252Fz%253Fa%253D1%2526sig%253DREDACTED&v=1",
		"<a href=\"https://x/?sv=1&amp;sig=abc&amp;se=1\">":        "<a href=\"https://x/?sv=1&amp;sig=REDACTED&amp;se=1\">",
		`{"access_token":"ab\u002bcd\/ef","expires_in":1}`:         `{"access_token":"REDACTED","expires_in":1}`,
		`{\"access_token\":\"ab\\u002bcd\",\"x\":\"y\"}`:           `{\"access_token\":\"REDACTED\",\"x\":\"y\"}`,
		"": "",
	} {
		require.Equal(t, want, Redact(text))
	}
}

// FuzzRedact plants secrets of every form into outside text: none may survive, wherever it stands, and the text around a
// secret stays what it was.
func FuzzRedact(f *testing.F) {
	for _, s := range []string{"", "sig=", "Bearer x", someJWT, `"access_token":"`, "%3D", "sig%3Dsig=sig=", "Bearer Bearer ", "eyJ.eyJ..", `\u0026`} {
		f.Add(s, "tail", "c2VjcmV0")
	}
	f.Fuzz(func(t *testing.T, before, after, seed string) {
		sas, token := secretOf(seed)
		for _, tc := range []struct{ start, secret, end string }{
			{"?sv=1&sig=", sas, "&se=2"},
			{`?sv=1\u0026sig=`, sas, `\u0026se=2`},
			{"%3Fsv%3D1%26sig%3D", url.QueryEscape(sas), "&se=2"},
			{"%253Fsv%253D1%2526sig%253D", url.QueryEscape(url.QueryEscape(sas)), " "},
			{"client_secret=", sas, "&scope=s"},
			{`{"client_secret":"`, someSecret + token, `"}`},
			{`{\"refresh_token\": \"`, token, `\"}`},
			{"Authorization: Bearer ", token, "\n"},
			{"Authorization: Basic ", token, "\n"},
		} {
			planted := Redact(before + " " + tc.start + tc.secret + tc.end + after)
			require.NotContains(t, planted, tc.secret)
			require.Equal(t, planted, Redact(planted), "redacting twice must change nothing")
			quiet := harmless(before) + " " + tc.start
			require.Equal(t, quiet+redacted+tc.end+harmless(after), Redact(quiet+tc.secret+tc.end+harmless(after)))
		}
		require.NotContains(t, Redact(before+" Authorization: Bearer "+someJWT+" "+after), someJWT[40:])
	})
}

// secretOf makes a percent-encoded SAS signature and a token out of any text.
func secretOf(seed string) (sas, token string) {
	sum := sha256.Sum256([]byte(seed))
	return url.QueryEscape(base64.StdEncoding.EncodeToString(sum[:])), base64.RawURLEncoding.EncodeToString(sum[:])
}

// harmless makes a text in which nothing can be taken for a secret.
func harmless(s string) string {
	return " " + strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return 'x'
		}
		if strings.ContainsRune(`"'=:%\ `, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?")) + " "
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
