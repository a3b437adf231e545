package download

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// tee hashes the raw bytes on their way to be unpacked.
type tee struct {
	src  io.Reader
	hash hash.Hash
}

func newTee(src io.Reader) *tee { return &tee{src: src, hash: sha256.New()} }

// Read implements io.Reader.
func (t *tee) Read(p []byte) (int, error) {
	n, err := t.src.Read(p)
	_, _ = t.hash.Write(p[:n]) // a hash never fails
	return n, err
}

// sum returns the hash in hex.
func (t *tee) sum() string { return hex.EncodeToString(t.hash.Sum(nil)) }

// isGzip reports whether a body begins like a gzip file (RFC 1952): its mark and the only method there is.
func isGzip(magic []byte) bool {
	return len(magic) >= 3 && magic[0] == 0x1f && magic[1] == 0x8b && magic[2] == 8
}

// unpacker reads the content of a gzip body and checks that the body ends where its content does.
type unpacker struct {
	body         *bufio.Reader
	zip          *gzip.Reader
	concatenated bool
}

// newUnpacker reads the header of the first member.
func newUnpacker(body *bufio.Reader, concatenated bool) (*unpacker, error) {
	zip, err := gzip.NewReader(body)
	if err != nil {
		return nil, gzipError(err)
	}
	zip.Multistream(false) // the next member is looked at here, to tell it from garbage
	return &unpacker{body: body, zip: zip, concatenated: concatenated}, nil
}

// Read implements io.Reader.
func (u *unpacker) Read(p []byte) (int, error) {
	n, err := u.zip.Read(p)
	if err == nil || n > 0 {
		return n, nil // an error comes again at the next call
	}
	if !errors.Is(err, io.EOF) {
		return 0, gzipError(err)
	}
	return 0, u.next()
}

// next is called at a member's end: it returns io.EOF at the body's end too, and nil when another member was begun.
func (u *unpacker) next() error {
	magic, err := u.body.Peek(3)
	if len(magic) == 0 {
		return err
	}
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case !isGzip(magic):
		return errors.New("bytes that belong to nothing follow the end of the gzip content")
	case !u.concatenated:
		return errors.New("the body holds several gzip members where one is expected; download it without unpacking to look at it")
	}
	if err := u.zip.Reset(u.body); err != nil {
		return gzipError(err)
	}
	u.zip.Multistream(false)
	return nil
}

// gzipError explains what gzip found. Errors of the network below pass as they are.
func gzipError(err error) error {
	switch {
	case errors.Is(err, errBroken):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("the gzip content is truncated: the body ends before it does")
	case errors.Is(err, gzip.ErrChecksum):
		return errors.New("the gzip content is damaged: its checksum or length is wrong")
	}
	return fmt.Errorf("the gzip content is damaged: %w", err)
}
