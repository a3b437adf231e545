package report

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strconv"
)

const (
	defaultLimit = 64 << 20
	tarBlock     = 512
)

// Read reads a result as it was downloaded: gzip, tar, zip or JSON, told by the first bytes. Its errors are [*Error], but
// for those of r.
func Read(r io.Reader, l Limits) (*Report, error) {
	in := newIntake(l)
	report, err := in.packed(r)
	switch {
	case in.source != nil:
		return nil, in.source
	case err != nil:
		return nil, err
	}
	return report, nil
}

// intake is one reading. What is wrong with the source counts first, whatever the layers above make of it.
type intake struct {
	limits Limits
	source error // of the caller's reader
	archive
}

func newIntake(l Limits) *intake {
	if l.Packed <= 0 {
		l.Packed = defaultLimit
	}
	if l.Unpacked <= 0 {
		l.Unpacked = defaultLimit
	}
	return &intake{limits: l}
}

// packed reads the bytes as they came.
func (in *intake) packed(r io.Reader) (*Report, error) {
	buffered := bufio.NewReaderSize(newMeter(watch{r, in}, in.limits.Packed, "packed"), 32<<10)
	if head, _ := buffered.Peek(2); string(head) != "\x1f\x8b" {
		return in.unpacked(newMeter(buffered, in.limits.Unpacked, "unpacked"))
	}
	unzipped, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, damaged("gzip", err)
	}
	content := newMeter(layer{unzipped, "gzip"}, in.limits.Unpacked, "unpacked")
	report, err := in.unpacked(content)
	return report, blame(err, content)
}

// blame finds out whether a report reads wrongly because its archive is damaged: the archive's checksum stands at its end.
func blame(err error, content io.Reader) error {
	var failed *Error
	if !errors.As(err, &failed) || failed.Fault != FaultInvalid && failed.Fault != FaultCut {
		return err
	}
	if _, worse := io.Copy(io.Discard, content); worse != nil {
		return worse
	}
	return err
}

// unpacked reads a tar, a zip or JSON.
func (in *intake) unpacked(r io.Reader) (*Report, error) {
	buffered := bufio.NewReaderSize(r, 4<<10)
	head, _ := buffered.Peek(tarBlock)
	switch {
	case isTar(head):
		return in.tar(buffered)
	case isZip(head):
		if err := in.zip(buffered); err != nil {
			return nil, err
		}
		return in.found()
	}
	return decode(buffered)
}

// watch remembers an error of the caller's reader, because the layers above it would turn it into one of theirs.
type watch struct {
	r  io.Reader
	in *intake
}

func (w watch) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.in.source = err
	}
	return n, err
}

// meter counts bytes and ends with an error at the first one too many, and stays so.
type meter struct {
	r    io.Reader
	left int64
	over *Error
}

func newMeter(r io.Reader, limit int64, state string) *meter {
	text := fmt.Sprintf("the result has more than %s when %s, which no report has: it was not read on; "+
		"look at what the node wrote before collecting it again", bytesText(limit), state)
	return &meter{r: r, left: limit, over: &Error{Fault: FaultTooLarge, Text: text}}
}

func (m *meter) Read(p []byte) (int, error) {
	if m.left < 0 {
		return 0, m.over
	}
	n, err := m.r.Read(p)
	if m.left -= int64(n); m.left < 0 {
		return 0, m.over
	}
	return n, err
}

// layer turns the errors of an unpacker into ours.
type layer struct {
	r    io.Reader
	kind string
}

func (l layer) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = damaged(l.kind, err)
	}
	return n, err
}

// damaged is what an unpacker's error means; one that is ours already stays as it is.
func damaged(kind string, err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	what := "is damaged"
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		what = "is cut in the middle"
	}
	return &Error{Fault: FaultArchive, Text: fmt.Sprintf("the %s archive %s: collect the report again", kind, what), Err: err}
}

// bytesText is a number of bytes for people.
func bytesText(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return strconv.FormatInt(n>>20, 10) + " MB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
