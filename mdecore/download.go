package mdecore

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/internal/download"
)

// DownloadResult describes a complete download: sizes and SHA-256 of what was sent and of what was written (Bytes and SHA256
// of the body, ContentBytes and ContentSHA256 of the content, Unpacked, Resumes).
type DownloadResult = download.Result

// DownloadError says why a download failed and how much incomplete content was written.
type DownloadError = download.Error

// DownloadOptions bound a download. The zero value writes the body as it is, up to 4 GB.
type DownloadOptions struct {
	// Unpack writes the content of a gzip body instead of the body. Whether a body is gzip is seen by its first bytes.
	Unpack bool
	// Concatenated accepts a gzip body of several members, as services make that append to a file.
	Concatenated bool
	// MaxBytes limits the body as it is sent; 4 GB when zero.
	MaxBytes int64
	// MaxExpanded limits unpacked content; 16 GB when zero. Nothing beyond it is written.
	MaxExpanded int64
	// Progress is called with the bytes received and their total, -1 when it is unknown; nil for none.
	Progress func(done, total int64)
}

// Download streams what a signed link leads to into w. issue asks for the link, at the start and once more when it has
// expired meanwhile. The link's host must belong to the client's cloud (see Cloud.LinkAllowed), and no token is sent to it.
// A body that is cut is continued where the server can prove that it is still the same content. On an error w holds
// incomplete content; the *DownloadError inside the *Error says how much.
func (c *Client) Download(ctx context.Context, issue func(context.Context) (Link, error), w io.Writer, opts DownloadOptions) (DownloadResult, error) {
	return c.download(ctx, "Download", issue, w, opts)
}

// download is Download under another method's name.
func (c *Client) download(ctx context.Context, op string, issue func(context.Context) (Link, error), w io.Writer, opts DownloadOptions) (DownloadResult, error) {
	result, err := c.links.Fetch(ctx, w, download.Request{
		Source: func(ctx context.Context) (string, error) {
			link, err := issue(ctx)
			return link.Reveal(), err
		},
		Unpack: opts.Unpack, Concatenated: opts.Concatenated, MaxBytes: opts.MaxBytes, MaxExpanded: opts.MaxExpanded, Progress: opts.Progress,
	})
	if err != nil {
		return DownloadResult{}, downloadError(op, err)
	}
	return result, nil
}

// downloadError makes an *Error of a failed download. When it was the API that refused to issue a link, the API's own
// words are what counts.
func downloadError(op string, err error) error {
	failed := &Error{Op: op, Message: err.Error(), Err: err, RetryAfter: azpipe.RetryAfterOf(err)}
	var issuing *Error
	if errors.As(err, &issuing) {
		failed.Status, failed.Code, failed.RequestID, failed.Target = issuing.Status, issuing.Code, issuing.RequestID, issuing.Target
		failed.Message, failed.Body = unissued(issuing, err), issuing.Body
		failed.Err = &told{text: failed.Message, err: err}
		failed.RetryAfter = issuing.RetryAfter
	}
	return failed
}

// unissued says why there is no link, and what a download that had begun with an earlier one has left behind.
func unissued(issuing *Error, err error) string {
	text := "no link was issued: " + issuing.Message
	if cause := issuing.Err; cause != nil && cause.Error() != issuing.Message {
		text += ": " + cause.Error()
	}
	var begun *DownloadError
	if errors.As(err, &begun) && begun.Written > 0 {
		text += "; " + strconv.FormatInt(begun.Written, 10) + " bytes were written and are incomplete"
	}
	return text
}

// told is a cause that the error around it has already put in words.
type told struct {
	text string
	err  error
}

// Error implements error.
func (t *told) Error() string { return t.text }

// Unwrap returns the cause.
func (t *told) Unwrap() error { return t.err }

// stringAnswer is an answer that is one string.
type stringAnswer struct {
	Context string `json:"@odata.context"`
	Value   string `json:"value"`
}

// link reads a signed link out of an answer. The service wraps the link of an investigation package in quotes of its own
// (see the sample of get-package-sas-uri.md), which are taken off here.
func (a stringAnswer) link(op string) (Link, error) {
	text := strings.TrimSpace(a.Value)
	if strings.HasPrefix(text, `"`) {
		var inner string
		if json.Unmarshal([]byte(text), &inner) != nil {
			return "", &Error{Op: op, Message: "the service's link cannot be read"}
		}
		text = strings.TrimSpace(inner)
	}
	// What is wrong with a link is not shown, because an error about it would print its signature.
	if u, err := url.Parse(text); err != nil || !u.IsAbs() || u.Host == "" {
		return "", &Error{Op: op, Message: "the service answered with something else than a link"}
	}
	return Link(text), nil
}

// fetchLink performs a call that answers with a signed link.
func (c *Client) fetchLink(ctx context.Context, what call) (Link, error) {
	answer, err := fetch[stringAnswer](ctx, c, what)
	if err != nil {
		return "", err
	}
	return answer.link(what.op)
}
