package report

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

const (
	zipEndSize   = 22      // the record that ends a zip; a report's has no comment
	maxDirectory = 1 << 20 // bytes of a zip's directory: a thousand members need less
	pageSize     = 256 << 10
)

func isZip(head []byte) bool {
	return len(head) >= 4 && (string(head[:4]) == "PK\x03\x04" || string(head[:4]) == "PK\x05\x06")
}

// zip reads the members of a zip. It is held in memory as it is, packed, because its directory stands at its end; what is
// unpacked is read as a stream. The layer below bounds what is held.
func (in *intake) zip(r io.Reader) error {
	held, err := readPages(r)
	if err != nil {
		return damaged("zip", err)
	}
	if err := checkZipEnd(held); err != nil {
		return err
	}
	directory, err := zip.NewReader(held, held.size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		return damaged("zip", err)
	}
	if in.zipped == nil {
		in.zipped = newMeter(nil, in.limits.Unpacked, "unpacked")
	}
	for _, member := range directory.File {
		if err := in.zipMember(member); err != nil {
			return err
		}
	}
	return nil
}

func (in *intake) zipMember(member *zip.File) error {
	if err := in.enter(member.Name); err != nil {
		return err
	}
	switch kind := member.Mode().Type(); {
	case kind == fs.ModeDir || strings.HasSuffix(member.Name, "/"):
		return nil
	case kind == fs.ModeSymlink:
		return leadsOut(member.Name, "is a link")
	case kind != 0:
		return unusual(member.Name, "zip mode "+kind.String())
	case member.Flags&1 != 0:
		return &Error{Fault: FaultArchive, Text: fmt.Sprintf("%q in the zip is encrypted, so it can't be read", harmless(member.Name))}
	}
	// A member that is not read is not unpacked either, but says itself how large it would be.
	if member.UncompressedSize64 > uint64(in.limits.Unpacked)-in.claimed {
		return in.zipped.over
	}
	in.claimed += member.UncompressedSize64
	content, err := member.Open()
	if err != nil {
		return damaged("zip", err)
	}
	defer content.Close()
	in.zipped.r = layer{content, "zip"}
	return blame(in.file(member.Name, in.zipped), in.zipped)
}

// checkZipEnd refuses a zip that goes on after its end, and one whose directory is larger than a report's: archive/zip would
// read all of it into memory, whatever number of members it claims.
func checkZipEnd(held *pages) error {
	refuse := func(why string) error {
		return &Error{Fault: FaultArchive, Text: "the zip archive " + why + ": collect the report again"}
	}
	end := make([]byte, zipEndSize)
	if _, err := held.ReadAt(end, held.size-zipEndSize); err != nil && !errors.Is(err, io.EOF) {
		return damaged("zip", io.ErrUnexpectedEOF)
	}
	if string(end[:4]) != "PK\x05\x06" {
		return refuse("is cut in the middle, or something follows its end")
	}
	size, offset := int64(binary.LittleEndian.Uint32(end[12:])), int64(binary.LittleEndian.Uint32(end[16:]))
	switch {
	case size > maxDirectory:
		return &Error{Fault: FaultTooLarge, Text: fmt.Sprintf("the zip archive has a directory of more than %s, which no report's has: it was not read on", bytesText(maxDirectory))}
	case size == 0xffff || offset+size != held.size-zipEndSize:
		// 65,535 bytes would make archive/zip look for another directory, of any size.
		return refuse("has a directory that is not where its end says")
	}
	return nil
}

// pages holds bytes without ever copying them into a larger room.
type pages struct {
	list [][]byte
	size int64
}

func readPages(r io.Reader) (*pages, error) {
	held := &pages{}
	for room := 4 << 10; ; room = min(2*room, pageSize) {
		page := make([]byte, room)
		used := 0
		for used < room {
			n, err := r.Read(page[used:])
			used += n
			if errors.Is(err, io.EOF) {
				held.keep(page[:used])
				return held, nil
			}
			if err != nil {
				return nil, err
			}
		}
		held.keep(page)
	}
}

func (h *pages) keep(page []byte) {
	h.list = append(h.list, page)
	h.size += int64(len(page))
}

// ReadAt implements [io.ReaderAt].
func (h *pages) ReadAt(p []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, errors.New("a place before the start")
	}
	done := 0
	for _, page := range h.list {
		if offset >= int64(len(page)) {
			offset -= int64(len(page))
			continue
		}
		done += copy(p[done:], page[offset:])
		offset = 0
		if done == len(p) {
			return done, nil
		}
	}
	return done, io.EOF
}
