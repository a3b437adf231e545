package download

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// accept judges an answer: nil when its body is the content, or exactly the rest of it.
func (s *stream) accept(resp *http.Response) error {
	switch {
	case resp.StatusCode == http.StatusOK && s.offset == 0:
		return s.acceptWhole(resp)
	case resp.StatusCode == http.StatusPartialContent && s.offset > 0:
		return s.acceptRest(resp)
	case resp.StatusCode == http.StatusOK, resp.StatusCode == http.StatusPreconditionFailed, resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return statusError(resp, "the body was cut and the server does not give the rest: the content has changed, or it cannot be asked for in parts")
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return statusError(resp, "a redirect was refused, because nobody has checked where it leads")
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusForbidden:
		return statusError(resp, "the link was refused, also a newly issued one")
	}
	return statusError(resp, "the server does not give the content")
}

// acceptWhole takes a first answer, or another one after no byte of the first was handed on.
func (s *stream) acceptWhole(resp *http.Response) error {
	s.etag, s.total = strongETag(resp.Header), resp.ContentLength
	switch {
	case s.total > s.req.MaxBytes:
		return s.tooLarge()
	case s.total < 0 && resp.ProtoMajor == 1 && len(resp.TransferEncoding) == 0:
		// Such a body ends with the connection, so one that was cut looks like a complete one.
		return &Error{Status: resp.StatusCode, Reason: "the server says neither how long the body is nor where it ends, so a cut could not be seen"}
	}
	return nil
}

// acceptRest takes a partial answer that is provably the missing rest of the same content.
func (s *stream) acceptRest(resp *http.Response) error {
	place, err := parseContentRange(resp.Header.Get("Content-Range"))
	refuse := func(reason string, args ...any) error {
		return &Error{Status: resp.StatusCode, Reason: "the rest of a cut body cannot be used: " + fmt.Sprintf(reason, args...)}
	}
	switch {
	case err != nil:
		return refuse("%s", err)
	case strongETag(resp.Header) != s.etag:
		return refuse("its ETag is another one, so the content has changed")
	case place.first != s.offset:
		return refuse("it begins at byte %d instead of %d", place.first, s.offset)
	case s.total < 0 && place.total < 0:
		return refuse("nobody says how long the whole is, so its end could not be seen")
	case s.total >= 0 && place.total >= 0 && place.total != s.total:
		return refuse("the whole is now %d bytes long instead of %d", place.total, s.total)
	case resp.ContentLength >= 0 && resp.ContentLength != place.last-place.first+1:
		return refuse("its length %d contradicts its Content-Range", resp.ContentLength)
	}
	if s.total < 0 {
		s.total = place.total
	}
	if s.total > s.req.MaxBytes {
		return s.tooLarge()
	}
	return nil
}

// again decides what follows a request that brought nothing: nil to try again, at once or after a wait.
func (s *stream) again(resp *http.Response, cause error) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	var untrusted *tls.CertificateVerificationError
	if errors.As(cause, &untrusted) {
		return &Error{Reason: "the server's certificate is not trusted", Err: cause}
	}
	if resp == nil {
		return s.pause(&Error{Reason: "no answer", Err: cause})
	}
	failed, ok := cause.(*Error) //nolint:errorlint // accept returns no wrapped ones
	if !ok {
		return cause
	}
	switch resp.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		if s.reissued {
			return cause
		}
		s.reissued, s.link = true, nil
		return nil
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return s.pause(failed)
	}
	return cause
}

// pause waits before the next try, or returns the failure when there were too many in a row or the wait is too long.
func (s *stream) pause(failed *Error) error {
	if s.offset-s.mark >= enoughProgress {
		s.failures = 0
	}
	s.mark = s.offset
	s.failures++
	wait := failed.RetryAfter
	if wait == 0 {
		wait = backoff(s.failures)
	}
	if s.failures > s.client.maxRetries || wait > s.client.maxWait || wait > 0 && !azpipe.MayWait(s.ctx) {
		return failed
	}
	// Sleeping into a deadline would turn a clear failure into a bare "deadline exceeded".
	if deadline, ok := s.ctx.Deadline(); ok && time.Until(deadline) < wait {
		return failed
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// backoff grows by powers of two with jitter. A first cut is continued at once.
func backoff(failures int) time.Duration {
	if failures <= 1 {
		return 0
	}
	return time.Duration(float64(retryDelay<<min(failures-2, 6)) * (0.8 + rand.Float64()*0.4))
}
