package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Checkpoint is one signed statement about the audit.
type Checkpoint struct {
	// Origin names the audit that it is about: those of two deployments kept in one place must not be mixed up.
	Origin string
	// Number counts the checkpoints of an audit from 1, without gaps.
	Number int64
	// Rows is how many rows the audit had; Head is the hash (hex) of the last.
	Rows int64
	Head string
	// At is when it was made, in milliseconds.
	At time.Time
	// Previous is the SHA-256 (hex) of the text of the checkpoint before; empty for the first.
	Previous string
	// Restored says that the database was found to be older than the checkpoint before, or another one: rows after Since are
	// not the ones that earlier checkpoints are about.
	Restored bool
	Since    int64
}

// maxCheckpoint is the most that a file of a checkpoint may hold, in bytes.
const maxCheckpoint = 16 << 10

const (
	firstLine = "mde-ops audit checkpoint 1"
	nothing   = "none" // instead of a hash that is not there
)

// text is the signed form. It has exactly one spelling.
func (c Checkpoint) text() string {
	previous := c.Previous
	if previous == "" {
		previous = nothing
	}
	text := fmt.Sprintf("%s\norigin %s\nnumber %d\nrows %d\nhead %s\ntime %s\nprevious %s\n",
		firstLine, c.Origin, c.Number, c.Rows, c.Head, c.At.UTC().Format(timeLayout), previous)
	if c.Restored {
		text += fmt.Sprintf("restored-to %d\n", c.Since)
	}
	return text
}

const timeLayout = "2006-01-02T15:04:05.000Z"

// digest is what the next checkpoint names as its Previous.
func (c Checkpoint) digest() string {
	sum := sha256.Sum256([]byte(c.text()))
	return hex.EncodeToString(sum[:])
}

// String names it for people.
func (c Checkpoint) String() string {
	return fmt.Sprintf("checkpoint %d of %s", c.Number, c.At.UTC().Format(time.RFC3339))
}

// sign makes the note.
func (c Checkpoint) sign(s *Signer) ([]byte, error) {
	b, err := note.Sign(&note.Note{Text: c.text()}, s)
	if err != nil {
		return nil, fmt.Errorf("the audit's %v can't be signed: %w", c, err)
	}
	return b, nil
}

// openCheckpoint verifies a note and reads its text. A note that no known key signed is never read.
func openCheckpoint(b []byte, keys Keys) (Checkpoint, error) {
	if len(b) > maxCheckpoint {
		return Checkpoint{}, fmt.Errorf("it has more than %d bytes, so it is no checkpoint", maxCheckpoint)
	}
	n, err := note.Open(b, keys)
	var unknown *note.UnverifiedNoteError
	switch {
	case errors.As(err, &unknown):
		return Checkpoint{}, errors.New("no key of MDE_AUDIT_PUBLIC_KEYS signed it")
	case err != nil:
		return Checkpoint{}, errors.New("its signature does not fit its text: it was altered")
	}
	return parseCheckpoint(n.Text)
}

// parseCheckpoint reads the signed form and refuses every other spelling of the same.
func parseCheckpoint(text string) (Checkpoint, error) {
	bad := errors.New("its text is not that of a checkpoint that this program knows")
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	names := []string{"origin", "number", "rows", "head", "time", "previous", "restored-to"}
	if len(lines) < len(names) || len(lines) > len(names)+1 || lines[0] != firstLine {
		return Checkpoint{}, bad
	}
	values := make([]string, len(names))
	for i, line := range lines[1:] {
		name, value, ok := strings.Cut(line, " ")
		if !ok || name != names[i] {
			return Checkpoint{}, bad
		}
		values[i] = value
	}
	c := Checkpoint{Origin: values[0], Head: values[3], Previous: strings.TrimPrefix(values[5], nothing), Restored: len(lines) > len(names)}
	var errs [4]error
	c.Number, errs[0] = strconv.ParseInt(values[1], 10, 64)
	c.Rows, errs[1] = strconv.ParseInt(values[2], 10, 64)
	c.At, errs[2] = time.Parse(timeLayout, values[4])
	if c.Restored {
		c.Since, errs[3] = strconv.ParseInt(values[6], 10, 64)
	}
	if errors.Join(errs[:]...) != nil || c.Number < 1 || c.Rows < 1 || c.Since < 0 || c.Since > c.Rows || !isHash(c.Head) ||
		c.Previous != "" && !isHash(c.Previous) || c.text() != text {
		return Checkpoint{}, bad
	}
	return c, nil
}

func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && strings.ToLower(s) == s
}

// fileName is what a checkpoint is kept as; the names' order is the checkpoints'.
func fileName(number int64) string { return fmt.Sprintf("%012d.note", number) }

// fileNumber is the number that a name stands for, and false for a file that is no checkpoint.
func fileNumber(name string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSuffix(name, ".note"), 10, 64)
	return n, err == nil && n > 0 && fileName(n) == name
}
