package evidence

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// maxDirectory bounds the directory of a zip that is read into memory, in bytes: one file needs a few hundred.
const maxDirectory = 256 << 10

var errExpands = errors.New("it unpacks to more than the limit")

// unpack describes the content of an archive of one file; nil when the content is none. Whatever is wrong with an archive is
// a note: evidence may well be damaged, or made to do damage.
func unpack(ctx context.Context, r io.ReaderAt, size, limit int64) *Unpacked {
	var head [4]byte
	if n, _ := r.ReadAt(head[:], 0); n < len(head) {
		return nil
	}
	switch {
	case head[0] == 0x1f && head[1] == 0x8b:
		return unpackGzip(ctx, io.NewSectionReader(r, 0, size), limit)
	case bytes.Equal(head[:], []byte("PK\x03\x04")):
		return unpackZip(ctx, r, size, limit)
	}
	return nil
}

func unpackGzip(ctx context.Context, r io.Reader, limit int64) *Unpacked {
	u := &Unpacked{Archive: "gzip"}
	z, err := gzip.NewReader(r)
	if err != nil {
		u.Note = "it can't be unpacked: its head is damaged"
		return u
	}
	if z.Name != "" {
		u.Name = SafeName(z.Name)
	}
	return u.hash(ctx, z, limit)
}

func unpackZip(ctx context.Context, r io.ReaderAt, size, limit int64) *Unpacked {
	u := &Unpacked{Archive: "zip"}
	files, ok := zipFiles(r, size)
	switch {
	case !ok:
		u.Note = "it can't be unpacked: its directory is damaged, larger than the limit or of the 64-bit form"
		return u
	case files != 1:
		u.Note = fmt.Sprintf("it holds %d files; only one file is unpacked", files)
		return u
	}
	z, err := zip.NewReader(r, size)
	if err != nil || len(z.File) != 1 {
		u.Note = "it can't be unpacked: its directory is damaged"
		return u
	}
	f := z.File[0]
	u.Name = SafeName(f.Name)
	content, err := f.Open()
	if err != nil || f.Flags&1 != 0 {
		u.Note = "it can't be unpacked: the file is encrypted or packed in a way that is not known"
		return u
	}
	defer content.Close()
	return u.hash(ctx, content, limit)
}

// zipFiles reads how many files a zip says to hold, from the record at its end, without reading its directory. False means
// that the directory is not one to read.
func zipFiles(r io.ReaderAt, size int64) (int, bool) {
	const record = 22
	tail := make([]byte, min(size, record+1<<16-1))
	if n, err := r.ReadAt(tail, size-int64(len(tail))); n != len(tail) && err != nil {
		return 0, false
	}
	at := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if at < 0 || len(tail)-at < record {
		return 0, false
	}
	files, directory := binary.LittleEndian.Uint16(tail[at+10:]), binary.LittleEndian.Uint32(tail[at+12:])
	return int(files), files != 0xffff && directory <= maxDirectory
}

// hash fills in the hash of what r unpacks to.
func (u *Unpacked) hash(ctx context.Context, r io.Reader, limit int64) *Unpacked {
	sum := sha256.New()
	n, err := io.Copy(sum, &bounded{ctx: ctx, r: r, left: limit, over: errExpands})
	switch {
	case errors.Is(err, errExpands):
		u.Note = fmt.Sprintf("it unpacks to more than %d bytes; it was not hashed", limit)
	case err != nil:
		u.Note = "it can't be unpacked: it is damaged"
	default:
		u.SHA256, u.Size = hex.EncodeToString(sum.Sum(nil)), n
	}
	return u
}

// bounded reads at most left bytes and fails with over when there are more; it ends with its context.
type bounded struct {
	ctx  context.Context
	r    io.Reader
	left int64
	over error
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, b.over
	}
	return n, err
}
