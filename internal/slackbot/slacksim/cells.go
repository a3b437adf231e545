package slacksim

import (
	"strings"
	"unicode"
)

// style is how a cell looks; bits combine.
type style uint8

const (
	bold style = 1 << iota
	dim
	italic
	strike
	code
	accent // accent is a mention or a link.
	good
	bad
)

// cell is one character with its look.
type cell struct {
	r rune
	s style
}

// line is a row of cells.
type line []cell

func styled(s string, st style) line {
	out := make(line, 0, len(s))
	for _, r := range s {
		if r, ok := printable(r); ok {
			out = append(out, cell{r, st})
		}
	}
	return out
}

// printable returns what to draw for a rune: hostile text must not move the cursor or turn the writing direction.
func printable(r rune) (rune, bool) {
	switch {
	case r == '\t':
		return ' ', true
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c:
		return unicode.ReplacementChar, true
	case r == 0x200b, r == 0x200c, r == 0x2060, r == 0xfeff, r == 0x00ad:
		return 0, false
	case r != '\n' && (unicode.IsControl(r) || r == 0x2028 || r == 0x2029):
		return unicode.ReplacementChar, true
	}
	return r, true
}

// columns is how wide a rune is in a terminal.
func columns(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me), r == 0x200d, r >= 0xfe00 && r <= 0xfe0f:
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff,
		r >= 0x20000 && r <= 0x3fffd, r == 0x231b, r == 0x23f3, r == 0x2705, r == 0x274c, r == 0x26d4:
		return 2
	}
	return 1
}

func (l line) width() (n int) {
	for _, c := range l {
		n += columns(c.r)
	}
	return n
}

// wrap breaks cells into lines of at most width columns, at spaces where it can; newlines break always.
func wrap(cells line, width int) []line {
	var out []line
	start := 0
	for i := 0; i <= len(cells); i++ {
		if i == len(cells) || cells[i].r == '\n' {
			out = append(out, wrapParagraph(cells[start:i], width)...)
			start = i + 1
		}
	}
	return out
}

func wrapParagraph(p line, width int) []line {
	var out []line
	for left := p.width(); left > width; {
		cut, used, space := 0, 0, -1
		for cut < len(p) && used+columns(p[cut].r) <= width {
			if p[cut].r == ' ' {
				space = cut
			}
			used += columns(p[cut].r)
			cut++
		}
		cut = max(cut, 1)
		next := cut
		switch {
		case cut < len(p) && p[cut].r == ' ':
			next = cut + 1
		case space > 0:
			cut, next = space, space+1
		}
		left -= p[:next].width()
		out, p = append(out, p[:cut]), p[next:]
	}
	return append(out, p)
}

// pad fills a line with spaces up to width.
func (l line) pad(width int) line {
	if n := width - l.width(); n > 0 {
		return append(append(line{}, l...), styled(strings.Repeat(" ", n), 0)...)
	}
	return l
}

// paint writes a line, with terminal colours or without, and without spaces at its end.
func (l line) paint(color bool) string {
	end := len(l)
	for end > 0 && l[end-1].r == ' ' {
		end--
	}
	var b strings.Builder
	var now style
	for _, c := range l[:end] {
		if color && c.s != now {
			b.WriteString("\x1b[0")
			b.WriteString(sgr(c.s))
			b.WriteByte('m')
			now = c.s
		}
		b.WriteRune(c.r)
	}
	if now != 0 {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}

func sgr(s style) string {
	var b strings.Builder
	for _, p := range []struct {
		bit  style
		code string
	}{{bold, ";1"}, {dim, ";2"}, {italic, ";3"}, {strike, ";9"}, {code, ";33"}, {accent, ";36"}, {good, ";32"}, {bad, ";31"}} {
		if s&p.bit != 0 {
			b.WriteString(p.code)
		}
	}
	return b.String()
}
