package report

import "slices"

// skipString passes the string that begins here.
func (s *scanner) skipString() error {
	s.take(1)
	for s.more() {
		rest := s.buf[s.pos:s.end]
		n := plain(rest)
		if s.take(n); n == len(rest) {
			continue
		}
		switch c := rest[n]; c {
		case '"':
			s.take(1)
			return nil
		case '\\':
			if err := s.skipEscape(); err != nil {
				return err
			}
		default:
			return s.invalid("a control character (%#02x) in a text", c)
		}
	}
	return s.ended()
}

// plain is the number of bytes before the first that means something in a string.
func plain(text []byte) int {
	for i, c := range text {
		if c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return len(text)
}

// skipEscape passes a backslash and what belongs to it.
func (s *scanner) skipEscape() error {
	s.take(1)
	c, err := s.raw()
	if err != nil {
		return err
	}
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return nil
	case 'u':
	default:
		return s.unexpected(c, `what may follow a \`)
	}
	for range 4 {
		if c, err = s.raw(); err != nil {
			return err
		}
		if lower := c | 0x20; (c < '0' || c > '9') && (lower < 'a' || lower > 'f') {
			return s.unexpected(c, "a hexadecimal digit")
		}
	}
	return nil
}

// raw passes one byte, also white space.
func (s *scanner) raw() (byte, error) {
	if !s.more() {
		return 0, s.ended()
	}
	c := s.buf[s.pos]
	s.take(1)
	return c, nil
}

// skipNumber passes a number in the form of RFC 8259, section 6.
func (s *scanner) skipNumber() error {
	s.accept('-', '-')
	if !s.accept('0', '0') {
		if err := s.digits(); err != nil {
			return err
		}
	}
	if s.accept('.', '.') {
		if err := s.digits(); err != nil {
			return err
		}
	}
	if !s.accept('e', 'E') {
		return nil
	}
	s.accept('+', '-')
	return s.digits()
}

// digits passes at least one digit.
func (s *scanner) digits() error {
	found := false
	for s.more() {
		rest := s.buf[s.pos:s.end]
		n := 0
		for n < len(rest) && '0' <= rest[n] && rest[n] <= '9' {
			n++
		}
		found = found || n > 0
		if s.take(n); n < len(rest) {
			break
		}
	}
	switch {
	case found:
		return nil
	case !s.more():
		return s.ended()
	}
	return s.unexpected(s.buf[s.pos], "a digit")
}

// accept passes the next byte if it is one of two.
func (s *scanner) accept(a, b byte) bool {
	if !s.more() || s.buf[s.pos] != a && s.buf[s.pos] != b {
		return false
	}
	s.take(1)
	return true
}

// skipWord passes true, false or null.
func (s *scanner) skipWord(c byte) error {
	word := ""
	switch c {
	case 't':
		word = "true"
	case 'f':
		word = "false"
	case 'n':
		word = "null"
	default:
		return s.unexpected(c, "a value")
	}
	for i := range len(word) {
		got, err := s.raw()
		if err != nil {
			return err
		}
		if got != word[i] {
			return s.unexpected(got, word)
		}
	}
	return nil
}

// name is the name of a field: as it is shown, and folded, so that startTime and start_time are the same.
type name struct{ text, folded string }

// name reads a field's name and the colon. Names recur, so those that were seen are not made again.
func (s *scanner) name() (name, error) {
	s.hold(maxKey)
	err := s.skipKey()
	s.holding = false
	if err != nil {
		return name{}, err
	}
	if known, ok := s.names[string(s.held)]; ok {
		return known, nil
	}
	// What is held ends with the colon, unless it was too long.
	v := value{raw: s.held, whole: !s.spilled}
	if v.whole {
		v.raw = v.raw[:len(v.raw)-1]
	}
	text, _, _ := v.text(maxKey)
	n := name{text: harmless(text), folded: fold(text)}
	if canonical := documented(n.folded); canonical != "" {
		n.text = canonical
	}
	if len(s.names) < maxNamesHeld && v.whole {
		s.names[string(s.held)] = n
	}
	return n, nil
}

// hold begins to keep what is passed, up to room bytes.
func (s *scanner) hold(room int) {
	s.holding, s.spilled, s.held, s.room = true, false, s.held[:0], room
}

// value reads a value and keeps as much of it as small values need. It is good until the next one is read.
func (s *scanner) value() (value, error) {
	s.hold(maxRaw)
	err := s.skip()
	s.holding = false
	return value{raw: s.held, whole: !s.spilled}, err
}

// fields are the names that an object has had.
type fields struct {
	few  []string
	many map[string]struct{}
}

// add reports false for a name that was there before.
func (f *fields) add(folded string) bool {
	if f.many == nil && len(f.few) < 32 {
		if slices.Contains(f.few, folded) {
			return false
		}
		f.few = append(f.few, folded)
		return true
	}
	if f.many == nil {
		f.many = map[string]struct{}{}
		for _, known := range f.few {
			f.many[known] = struct{}{}
		}
	}
	_, known := f.many[folded]
	f.many[folded] = struct{}{}
	return !known
}

func (f *fields) full() bool { return len(f.many) > maxFields }
