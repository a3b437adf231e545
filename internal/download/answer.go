package download

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxErrorBody is how much of an error answer is read.
const maxErrorBody = 64 << 10

// storageCode returns the error code of a storage service's answer: its x-ms-error-code header, or the Code element of
// its XML body.
func storageCode(resp *http.Response) string {
	if code := resp.Header.Get("x-ms-error-code"); isCode(code) {
		return code
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	if err != nil {
		return ""
	}
	return parseStorageError(body)
}

// parseStorageError reads the code from <Error><Code>AuthenticationFailed</Code>...</Error>, or returns "".
func parseStorageError(body []byte) string {
	var parsed struct {
		XMLName xml.Name `xml:"Error"`
		Code    string   `xml:"Code"`
	}
	if xml.Unmarshal(body, &parsed) != nil || !isCode(parsed.Code) {
		return ""
	}
	return parsed.Code
}

// isCode reports whether s is a plain word, as the service's error codes are: anything else is somebody's text.
func isCode(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// contentRange is the place of a partial answer in the whole: bytes first to last, both counted, of total (-1 when the
// server does not know it).
type contentRange struct{ first, last, total int64 }

// parseContentRange reads "bytes 0-99/1000" or "bytes 0-99/*" (RFC 9110, section 14.4).
func parseContentRange(value string) (contentRange, error) {
	unit, rest, _ := strings.Cut(value, " ")
	place, size, sized := strings.Cut(rest, "/")
	first, last, ranged := strings.Cut(place, "-")
	if !strings.EqualFold(unit, "bytes") || !sized || !ranged {
		return contentRange{}, fmt.Errorf("the Content-Range %q is not like \"bytes 0-99/1000\"", shorten(value))
	}
	r := contentRange{total: -1}
	var err error
	if r.first, err = parseCount(first); err == nil {
		r.last, err = parseCount(last)
	}
	if err == nil && size != "*" {
		r.total, err = parseCount(size)
	}
	if err != nil || r.last < r.first || (r.total >= 0 && r.last >= r.total) {
		return contentRange{}, fmt.Errorf("the Content-Range %q makes no sense", shorten(value))
	}
	return r, nil
}

// parseCount reads a number of digits only: ParseInt alone would accept a sign.
func parseCount(s string) (int64, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, errors.New("not a number")
	}
	return strconv.ParseInt(s, 10, 64)
}

// shorten keeps a header value printable.
func shorten(s string) string { return s[:min(len(s), 80)] }

// strongETag returns an ETag by which content can be told to be the same byte for byte, or "".
func strongETag(header http.Header) string {
	tag := header.Get("ETag")
	if len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' {
		return "" // none, or weak (W/"...")
	}
	return tag
}
