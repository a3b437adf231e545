package azpipe

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// TokenError says that no token could be had, so the request was not sent.
type TokenError struct {
	// Message is the reason for a person: the AADSTS text when the authority answered. It never holds a secret.
	Message string
	// Code is the AADSTS code, e.g. "AADSTS7000215", or "" when the authority gave none.
	Code string
	// Err is the context's error when the call was cancelled or ran out of time, else nil.
	Err error
}

// Error implements error.
func (e *TokenError) Error() string { return "no access token: " + e.Message }

// Unwrap returns the context's error, if that was the reason.
func (e *TokenError) Unwrap() error { return e.Err }

// NotSent is always true: without a token there is no request.
func (e *TokenError) NotSent() bool { return true }

// NonRetriable is there because azidentity has tried several times already.
func (e *TokenError) NonRetriable() {}

// failureLife is how long a failure answers those who ask after it. Whoever waited for the failed request asks at once.
const failureLife = 50 * time.Millisecond

// tokenGuard turns every failure of a credential into a TokenError, whatever credential it is.
//
// azcore asks for one token at a time, and after a failure lets the next caller that waits ask again. With a sign-in
// service that does not answer, the last of many callers would wait as often as there are callers, so that whoever
// waited during a failed request shares its failure.
type tokenGuard struct {
	cred     azcore.TokenCredential
	mu       sync.Mutex
	failed   error // of the newest request, unless its caller ended it
	failedAt time.Time
}

// GetToken implements azcore.TokenCredential.
func (g *tokenGuard) GetToken(ctx context.Context, opts policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if err := g.shared(); err != nil {
		return azcore.AccessToken{}, err
	}
	token, err := g.cred.GetToken(ctx, opts)
	if err != nil {
		err = newTokenError(ctx, err)
	}
	g.note(ctx, err)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	return token, nil
}

// shared is the failure of a request that has only just ended, if there was one.
func (g *tokenGuard) shared() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed == nil || time.Since(g.failedAt) > failureLife {
		return nil
	}
	return g.failed
}

// note keeps how a request ended. What its caller cut short says nothing about others.
func (g *tokenGuard) note(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failed, g.failedAt = err, time.Now()
}

// newTokenError makes a short text out of a credential's error. The original is not kept, because azidentity's prints
// the authority's whole answer and a transport error prints whole addresses.
// secrets are hidden wherever they stand, in case the authority echoes what it was sent.
func newTokenError(ctx context.Context, err error, secrets ...string) error {
	var done *TokenError
	if errors.As(err, &done) {
		return done
	}
	out := &TokenError{Message: err.Error()}
	if cause := ctx.Err(); cause != nil {
		out.Err = cause
	} else if errors.Is(err, context.DeadlineExceeded) {
		out.Err = context.DeadlineExceeded
	}
	var failed *azidentity.AuthenticationFailedError
	if errors.As(err, &failed) && failed.RawResponse != nil {
		describeAuthority(out, failed.RawResponse)
	}
	// Shortening comes last: half a secret would no longer be recognised.
	for _, secret := range secrets {
		out.Message = strings.ReplaceAll(out.Message, secret, redacted)
	}
	out.Message = oneLine(Redact(out.Message))
	return out
}

// describeAuthority takes the authority's own words out of its error answer.
func describeAuthority(out *TokenError, resp *http.Response) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return
	}
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Description == "" {
		out.Message = "the authority answered " + resp.Status + ": " + string(body)
		return
	}
	out.Message = answer.Description
	if code, _, ok := strings.Cut(answer.Description, ":"); ok && strings.HasPrefix(code, "AADSTS") {
		out.Code = code
	}
}

// oneLine puts a text on one line of at most 700 bytes.
func oneLine(text string) string {
	line := strings.Join(strings.Fields(text), " ")
	if len(line) > 700 {
		line = strings.ToValidUTF8(line[:700], "") + "..."
	}
	return line
}
