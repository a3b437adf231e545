package nexus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/download"
)

// storageVersion is the version of the storage service that a request with a token has to name.
const storageVersion = "2023-11-03"

// endpointResult stands for the address of a result in logs and measurements.
const endpointResult = "GET /{container}/{blob}"

// DownloadResult streams the result of a succeeded operation to w: from the customer's container with a token, from any
// other allowed storage by its signature alone. container is the cluster's ContainerURL; where there is one, the result must
// be in it. The address is read anew from the service and never shown. On an error w holds incomplete content, or content
// that must not be used.
func (c *Client) DownloadResult(ctx context.Context, operation, container string, w io.Writer) (Result, error) {
	const op = "DownloadResult"
	link, err := c.resultOf(ctx, op, operation, container)
	if err != nil {
		return Result{}, err
	}
	if !signed(link) {
		return c.fromContainer(ctx, op, link, w)
	}
	return c.bySignature(ctx, op, link, w, func(ctx context.Context) (string, error) {
		again, err := c.resultOf(ctx, op, operation, container)
		if err != nil {
			return "", err
		}
		if !signed(again) {
			return "", &Error{Op: op, Message: "the service named a signed address for the result first, and one without a signature then"}
		}
		return again.String(), nil
	})
}

// resultOf asks for the address of an operation's result, and checks it.
func (c *Client) resultOf(ctx context.Context, op, operation, container string) (*url.URL, error) {
	status, address, err := c.status(ctx, op, operation)
	if err != nil {
		return nil, err
	}
	switch {
	case status.State == Running:
		return nil, &Error{Op: op, Message: "the operation is still running, so that there is no result yet", RetryAfter: status.RetryAfter}
	case status.State != Succeeded:
		return nil, &Error{Op: op, Code: status.Code, Message: fmt.Sprintf("the operation has no result, because it %s: %s", status.State, orUnknown(status.Message))}
	case address == "":
		return nil, &Error{Op: op, Message: "the operation has succeeded, but it names no result"}
	}
	link, err := c.opts.Cloud.resultAt(address, container)
	if err != nil {
		return nil, &Error{Op: op, Message: "the result is not fetched", Err: unusable{err}}
	}
	return link, nil
}

// bySignature fetches a result with nothing but the signature in its address. again gives a fresh address when the first
// has expired.
func (c *Client) bySignature(ctx context.Context, op string, link *url.URL, w io.Writer, again func(context.Context) (string, error)) (Result, error) {
	start, first := time.Now(), true
	stated, out := &statedHashes{}, newSink(w, c.opts.MaxResult)
	got, err := c.links.Fetch(context.WithValue(ctx, statedKey{}, stated), out, download.Request{
		MaxBytes: c.opts.MaxResult,
		Source: func(ctx context.Context) (string, error) {
			if first {
				first = false
				return link.String(), nil
			}
			return again(ctx)
		},
	})
	if err != nil {
		err = linkError(op, link.Host, err)
	} else if err = stated.check(out.md5()); err != nil {
		err = &Error{Op: op, Message: "the result from " + link.Host + " must not be used", Err: err}
	}
	c.log(ctx, op, endpointResult, nil, err, time.Since(start))
	if err != nil {
		return Result{}, err
	}
	return Result{Bytes: got.Bytes, SHA256: got.SHA256, Host: link.Host}, nil
}

// linkError makes an *Error of a failed download by signature. When it was the service that gave no fresh address, the
// service's own words are what counts.
func linkError(op, host string, err error) error {
	var ours *Error
	if errors.As(err, &ours) {
		return ours
	}
	failed := &Error{Op: op, Message: err.Error(), Err: err, RetryAfter: azpipe.RetryAfterOf(err)}
	var from *download.Error
	if errors.As(err, &from) {
		failed.Status, failed.Code = from.Status, from.Code
		failed.advice = storageAdvice(host, from.Status, true)
		if from.TooLarge {
			failed.Err = unusable{err}
		}
	}
	return failed
}

// fromContainer fetches a result from a customer's container with a token.
func (c *Client) fromContainer(ctx context.Context, op string, link *url.URL, w io.Writer) (Result, error) {
	pipeline, err := c.storageAt(origin(link))
	if err != nil {
		return Result{}, refuse(op, err)
	}
	req, err := runtime.NewRequest(ctx, http.MethodGet, link.String())
	if err != nil {
		return Result{}, refuse(op, errors.New("the request can't be made"))
	}
	req.Raw().Header.Set("x-ms-version", storageVersion)
	// Without this net/http would unpack by itself, and neither the length nor the hashes would be the content's.
	req.Raw().Header.Set("Accept-Encoding", "identity")
	req.SetOperationValue(azpipe.Operation{Endpoint: endpointResult, Stream: true, AttemptTimeout: c.opts.ReadTimeout})
	start := time.Now()
	resp, err := pipeline.Do(req)
	var got Result
	if err != nil {
		err = transportError(op, req.Raw(), err)
	} else {
		got, err = c.receive(op, link.Host, resp, w)
	}
	c.log(ctx, op, endpointResult, resp, err, time.Since(start))
	return got, err
}

// storageAt returns the pipeline to a customer's storage, made at its first use.
func (c *Client) storageAt(endpoint string) (runtime.Pipeline, error) {
	c.storageMu.Lock()
	defer c.storageMu.Unlock()
	if made, ok := c.storage[endpoint]; ok {
		return made, nil
	}
	made, err := c.pipeline(endpoint, c.opts.Cloud.StorageScope)
	if err == nil {
		c.storage[endpoint] = made
	}
	return made, err
}

// receive copies an answer's content to w and checks its hashes. That it is as long as was announced is net/http's to check.
func (c *Client) receive(op, host string, resp *http.Response, w io.Writer) (Result, error) {
	defer func() { _ = resp.Body.Close() }()
	failed := answered(op, resp)
	switch {
	case resp.StatusCode != http.StatusOK:
		failed.Code = storageCode(resp)
		failed.Message = fmt.Sprintf("the storage %s does not give the result (status %d)", host, resp.StatusCode)
		failed.advice = storageAdvice(host, resp.StatusCode, false)
		return Result{}, failed
	case resp.ContentLength > c.opts.MaxResult:
		failed.Message = "the result is not fetched"
		failed.Err = unusable{fmt.Errorf("it is %d bytes long, and at most %d are taken", resp.ContentLength, c.opts.MaxResult)}
		return Result{}, failed
	case resp.ContentLength < 0 && resp.ProtoMajor == 1 && len(resp.TransferEncoding) == 0:
		failed.Message = "the storage says neither how long the result is nor where it ends, so that a cut could not be seen"
		return Result{}, failed
	}
	stated := &statedHashes{}
	stated.take(resp)
	out, sum := newSink(w, c.opts.MaxResult), sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), resp.Body)
	if err == nil {
		err = stated.check(out.md5())
	}
	if err != nil {
		failed.Message, failed.Err = fmt.Sprintf("the result from %s must not be used: %d bytes were written", host, out.written), err
		return Result{}, failed
	}
	return Result{Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil)), Host: host}, nil
}

// storageAdvice says what an answer of storage means.
func storageAdvice(host string, status int, bySignature bool) string {
	switch {
	case status == http.StatusUnauthorized && !bySignature:
		return "the storage " + host + " refuses the token of this application, also a fresh one: check its tenant"
	case status == http.StatusForbidden && bySignature:
		return "the storage " + host + " refuses: the signature of the result has ended (it lasts some hours), or the storage's firewall does not let this address in"
	case status == http.StatusForbidden:
		return "the storage " + host + " refuses: its firewall does not let this address in, or the application lacks the role \"Storage Blob Data Reader\" on the container"
	case status == http.StatusNotFound || status == http.StatusGone:
		return "the result is gone from the storage " + host + ": collect it again"
	}
	return ""
}

// storageCode is the storage service's code of an error, or nothing where that is not a plain word.
func storageCode(resp *http.Response) string {
	code := resp.Header.Get("x-ms-error-code")
	for _, r := range code {
		if (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9') {
			return ""
		}
	}
	return word(code)
}
