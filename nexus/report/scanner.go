package report

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	window       = 64 << 10
	maxDepth     = 1000
	maxFields    = 10_000 // of one object that is read
	maxKey       = 1 << 10
	maxEmptyRead = 100
	maxNamesHeld = 500
)

// scanner reads JSON from a stream, with a window of 64 KB. It holds only what it is asked to hold, but checks all: what it
// accepts, encoding/json accepts. (That package's Decoder holds a section whole; its tokens cost five times this.)
type scanner struct {
	r        io.Reader
	buf      []byte
	pos, end int
	passed   int64 // bytes before the window
	err      error // how r ended

	depth int
	path  []step
	names map[string]name

	// While holding, what is passed is kept in held, up to room; spilled tells that it was more.
	holding, spilled bool
	held             []byte
	room             int
}

// step is one step of the path to the present value: a field, or a place in a list.
type step struct {
	field string
	index int
}

func newScanner(r io.Reader) *scanner {
	return &scanner{r: r, buf: make([]byte, window), names: map[string]name{}}
}

// fill reads on; it reports false at the end.
func (s *scanner) fill() bool {
	s.passed += int64(s.end)
	s.pos, s.end = 0, 0
	for range maxEmptyRead {
		if s.err != nil {
			return false
		}
		if s.end, s.err = s.r.Read(s.buf); s.end > 0 {
			return true
		}
	}
	s.err = io.ErrNoProgress
	return false
}

// more reports whether there is another byte.
func (s *scanner) more() bool { return s.pos < s.end || s.fill() }

// peek is the next byte that is not white space.
func (s *scanner) peek() (byte, error) {
	for s.more() {
		switch c := s.buf[s.pos]; c {
		case ' ', '\n', '\r', '\t':
			s.pos++
		default:
			return c, nil
		}
	}
	return 0, s.ended()
}

// take passes n bytes of the window.
func (s *scanner) take(n int) {
	if s.holding {
		kept := min(n, s.room-len(s.held))
		s.held = append(s.held, s.buf[s.pos:s.pos+kept]...)
		s.spilled = s.spilled || kept < n
	}
	s.pos += n
}

// offset is the number of bytes that were passed.
func (s *scanner) offset() int64 { return s.passed + int64(s.pos) }

// ended is the error for an end where there has to be more.
func (s *scanner) ended() error {
	if !errors.Is(s.err, io.EOF) {
		return s.err
	}
	text := "the report is empty"
	if s.offset() > 0 {
		text = fmt.Sprintf("the JSON ends in the middle, after %d bytes%s", s.offset(), s.inside())
	}
	return &Error{Fault: FaultCut, Text: text + ": collect it again", Err: io.ErrUnexpectedEOF}
}

// invalid is the error for text that is no JSON, or none that can be read in one way only.
func (s *scanner) invalid(format string, args ...any) error {
	return &Error{Fault: FaultInvalid, Text: fmt.Sprintf("this is not a report: %s (byte %d%s)", fmt.Sprintf(format, args...), s.offset()+1, s.inside())}
}

func (s *scanner) unexpected(c byte, wanted string) error {
	return s.invalid("%s instead of %s", strconv.QuoteRuneToASCII(rune(c)), wanted)
}

func (s *scanner) inside() string {
	if len(s.path) == 0 {
		return ""
	}
	return " in " + s.at()
}

// at is the path of the present value, such as scanList[3].type.
func (s *scanner) at() string { return s.pathText(true) }

// pattern is the path without the places in lists, such as scanList[].type.
func (s *scanner) pattern() string { return s.pathText(false) }

func (s *scanner) pathText(places bool) string {
	var b strings.Builder
	for _, step := range s.path[:min(len(s.path), 20)] {
		switch {
		case step.field == "" && places:
			b.WriteString("[" + strconv.Itoa(step.index) + "]")
		case step.field == "":
			b.WriteString("[]")
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step.field)
		}
	}
	return b.String()
}

// object calls field for each field of the object that follows; field has to pass its value. A field that comes twice, be
// it in another spelling, is refused: parsers differ in which of them counts.
func (s *scanner) object(field func(name) error) error {
	if err := s.open('{'); err != nil {
		return err
	}
	var seen fields
	for first := true; ; first = false {
		if more, err := s.next('}', first); err != nil || !more {
			return err
		}
		n, err := s.name()
		if err != nil {
			return err
		}
		switch {
		case !seen.add(n.folded):
			return s.invalid("%q comes twice, so which one counts can't be told", n.text)
		case seen.full():
			return s.invalid("an object has more than %d fields", maxFields)
		}
		s.path = append(s.path, step{field: n.text})
		if err := field(n); err != nil {
			return err
		}
		s.path = s.path[:len(s.path)-1]
	}
}

// array calls item for each item of the list that follows; item has to pass it.
func (s *scanner) array(item func() error) error {
	if err := s.open('['); err != nil {
		return err
	}
	for i := 0; ; i++ {
		if more, err := s.next(']', i == 0); err != nil || !more {
			return err
		}
		s.path = append(s.path, step{index: i})
		if err := item(); err != nil {
			return err
		}
		s.path = s.path[:len(s.path)-1]
	}
}

// open passes the start of an object or list.
func (s *scanner) open(start byte) error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	if c != start {
		return s.unexpected(c, strconv.QuoteRune(rune(start)))
	}
	if s.depth++; s.depth > maxDepth {
		return s.invalid("it is nested deeper than %d", maxDepth)
	}
	s.take(1)
	return nil
}

// next passes the comma before another entry, or the end of the object or list; it tells which.
func (s *scanner) next(end byte, first bool) (bool, error) {
	c, err := s.peek()
	switch {
	case err != nil:
		return false, err
	case c == end:
		s.take(1)
		s.depth--
		return false, nil
	case first:
		return true, nil
	case c != ',':
		return false, s.unexpected(c, fmt.Sprintf("',' or %q", end))
	}
	s.take(1)
	if c, err = s.peek(); err == nil && c == end {
		return false, s.unexpected(c, "an entry after the comma")
	}
	return true, err
}

// skip passes a value, whatever it is.
func (s *scanner) skip() error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	switch {
	case c == '"':
		return s.skipString()
	case c == '{':
		return s.skipObject()
	case c == '[':
		return s.skipArray()
	case c == '-' || '0' <= c && c <= '9':
		return s.skipNumber()
	}
	return s.skipWord(c)
}

func (s *scanner) skipObject() error {
	if err := s.open('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		if more, err := s.next('}', first); err != nil || !more {
			return err
		}
		if err := s.skipKey(); err != nil {
			return err
		}
		if err := s.skip(); err != nil {
			return err
		}
	}
}

func (s *scanner) skipArray() error {
	if err := s.open('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		if more, err := s.next(']', first); err != nil || !more {
			return err
		}
		if err := s.skip(); err != nil {
			return err
		}
	}
}

// skipKey passes a field's name and the colon.
func (s *scanner) skipKey() error {
	c, err := s.peek()
	if err != nil {
		return err
	}
	if c != '"' {
		return s.unexpected(c, "the name of a field")
	}
	if err := s.skipString(); err != nil {
		return err
	}
	if c, err = s.peek(); err != nil {
		return err
	}
	if c != ':' {
		return s.unexpected(c, "':'")
	}
	s.take(1)
	return nil
}
