package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/failpoint"
)

// FileOptions is what a File is made of.
type FileOptions struct {
	// Path is the file, in a folder that is there. Full files are renamed to Path.<last row> and kept; Path.cursor says how
	// far the export has come.
	Path string
	// Size is when a file is full, in bytes; 0 means 100 MiB.
	Size int64
}

// File is a Sink that adds JSON lines to a file of mode 0600. One process may use it at a time.
type File struct {
	path   string
	size   int64
	opened bool
	at     store.Ending
}

// NewFile makes the sink. Nothing is opened before the first row.
func NewFile(o FileOptions) (*File, error) {
	path, err := filepath.Abs(o.Path)
	if err != nil || o.Path == "" {
		return nil, fmt.Errorf("the export file %q is no path", o.Path)
	}
	return &File{path: path, size: usual(o.Size, 100<<20)}, nil
}

// String implements Sink.
func (f *File) String() string { return f.path }

// Position implements Sink: the last whole line of the file, or what the cursor says when there is none. Half a line, which a
// crash may leave, is cut off.
func (f *File) Position(context.Context) (store.Ending, error) {
	if f.opened {
		return f.at, nil
	}
	at, ok, err := f.lastLine()
	if err == nil && !ok {
		at, err = f.cursor()
	}
	if err != nil {
		return store.Ending{}, fmt.Errorf("the export file %s can't be used: %w", f.path, err)
	}
	f.at, f.opened = at, true
	return at, nil
}

// open opens the file for adding, and refuses one that others may read.
func (f *File) open() (*os.File, error) {
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("others may use it (mode %s): chmod 600 it", info.Mode().Perm())
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// maxLine is the longest line that is looked for at a file's end, in bytes; a row is far shorter.
const maxLine = 4 << 20

// lastLine reads the last whole line, and cuts off what comes after it.
func (f *File) lastLine() (at store.Ending, ok bool, err error) {
	file, err := f.open()
	if err != nil {
		return at, false, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil || end == 0 {
		return at, false, err
	}
	start := max(0, end-maxLine)
	text := make([]byte, end-start)
	if _, err := file.ReadAt(text, start); err != nil {
		return at, false, err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if whole < len(text) {
		if err := file.Truncate(start + int64(whole)); err != nil {
			return at, false, err
		}
	}
	if whole == 0 {
		if start > 0 {
			return at, false, errors.New("its end is no row of the audit: move it away")
		}
		return at, false, nil
	}
	begin := bytes.LastIndexByte(text[:whole-1], '\n') + 1
	var r Row
	if err := json.Unmarshal(text[begin:whole], &r); err != nil || r.Seq < 1 || r.Hash == "" {
		return at, false, errors.New("its last line is no row of the audit: move it away")
	}
	return store.Ending{Seq: r.Seq, Hash: r.Hash}, true, nil
}

func (f *File) cursor() (at store.Ending, err error) {
	b, err := os.ReadFile(f.path + ".cursor")
	if errors.Is(err, fs.ErrNotExist) {
		return at, nil
	}
	if err == nil {
		if _, scan := fmt.Sscanf(string(b), "%d %s\n", &at.Seq, &at.Hash); scan != nil {
			err = fmt.Errorf("%s.cursor holds something else: remove it to export every row again", f.path)
		}
	}
	return at, err
}

// Send implements Sink.
func (f *File) Send(_ context.Context, _ store.Ending, rows []approvals.Event) error {
	text, err := lines(rows)
	if err == nil {
		err = f.rotate(int64(len(text)))
	}
	if err == nil {
		err = f.append(text)
	}
	last := rows[len(rows)-1]
	at := store.Ending{Seq: last.Seq, Hash: last.Hash}
	if err == nil {
		err = writeWhole(f.path+".cursor", fmt.Appendf(nil, "%d %s\n", at.Seq, at.Hash))
	}
	if err != nil {
		f.opened = false // what the file holds now is for the next try to find out
		return fmt.Errorf("the export file %s can't be written: %w", f.path, err)
	}
	f.at = at
	return nil
}

func (f *File) append(text []byte) error {
	file, err := f.open()
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	failpoint.Hit(failpoint.DuringExport)
	return errors.Join(err, file.Sync(), file.Close())
}

// rotate renames a full file after its last row. A name that is taken is not taken away.
func (f *File) rotate(more int64) error {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || info.Size() == 0 || info.Size()+more <= f.size {
		return err
	}
	to := fmt.Sprintf("%s.%012d", f.path, f.at.Seq)
	for n := 2; ; n++ {
		err := os.Link(f.path, to)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) || n > 1000 {
			return err
		}
		to = fmt.Sprintf("%s.%012d-%d", f.path, f.at.Seq, n)
	}
	return os.Remove(f.path)
}

// writeWhole replaces a file at once.
func writeWhole(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
