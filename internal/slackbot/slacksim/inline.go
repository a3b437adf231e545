package slacksim

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// inliner turns mrkdwn into cells.
type inliner struct {
	names func(id string) string
	out   line
}

// mrkdwnCells draws an mrkdwn text as a person sees it: bold, italic, strike and code as looks, entities decoded, mentions as
// names, links as "label (address)", quotes behind a bar.
func mrkdwnCells(text string, base style, names func(string) string) line {
	in := &inliner{names: names}
	for i, part := range strings.Split(text, "```") {
		if i%2 == 0 {
			if i > 0 {
				part = strings.TrimPrefix(part, "\n")
			}
			if part != "" {
				in.freshLine()
				in.lines(part, base)
			}
			continue
		}
		in.freshLine()
		in.literal(strings.Trim(part, "\n"), base|code)
	}
	return in.out
}

// freshLine begins a new line unless one has just begun: a code block stands alone.
func (in *inliner) freshLine() {
	if n := len(in.out); n > 0 && in.out[n-1].r != '\n' {
		in.newline()
	}
}

func (in *inliner) newline() { in.out = append(in.out, cell{r: '\n'}) }

func (in *inliner) literal(s string, st style) {
	in.out = append(in.out, styled(emoji(unescape(s)), st)...)
}

func (in *inliner) lines(text string, base style) {
	for i, l := range strings.Split(text, "\n") {
		if i > 0 {
			in.newline()
		}
		for _, mark := range []string{"&gt;", ">"} {
			if rest, ok := strings.CutPrefix(l, mark); ok {
				in.out = append(in.out, styled("▏", base|dim)...)
				l = strings.TrimPrefix(rest, " ")
				in.out = append(in.out, cell{r: ' '})
				break
			}
		}
		in.span(l, base)
	}
}

// span draws one line's inline marks, from left to right.
func (in *inliner) span(s string, st style) {
	plain := 0
	flush := func(to int) { in.literal(s[plain:to], st) }
	for i := 0; i < len(s); {
		switch s[i] {
		case '<':
			e, n, ok := parseEntity(s[i:])
			if ok {
				flush(i)
				in.entity(e, st)
				plain = i + n
			}
			i += n
		case '*', '_', '~', '`':
			inner, n := marked(s, i)
			if n == 0 {
				i++
				continue
			}
			flush(i)
			in.mark(s[i], inner, st)
			i += n
			plain = i
		default:
			i++
		}
	}
	flush(len(s))
}

func (in *inliner) mark(marker byte, inner string, st style) {
	switch marker {
	case '`':
		in.literal("`"+inner+"`", st|code)
	case '*':
		in.span(inner, st|bold)
	case '_':
		in.span(inner, st|italic)
	case '~':
		in.span(inner, st|strike)
	}
}

// maxMark bounds how far apart two partners are looked for, so that a long hostile text is drawn in linear time.
const maxMark = 1000

// marked returns the text between the marker at s[i] and its partner, and the length of all three; 0 when it marks nothing.
func marked(s string, i int) (inner string, n int) {
	before, _ := utf8.DecodeLastRuneInString(s[:i])
	if i > 0 && isWord(before) {
		return "", 0
	}
	reach := min(len(s), i+maxMark)
	for from := i + 1; from <= reach; {
		k := strings.IndexByte(s[from:reach], s[i])
		if k < 0 {
			return "", 0
		}
		end := from + k
		inner = s[i+1 : end]
		after, _ := utf8.DecodeRuneInString(s[end+1:])
		fits := inner != "" && strings.TrimSpace(inner) == inner && (end+1 == len(s) || !isWord(after))
		if fits {
			return inner, end + 1 - i
		}
		from = end + 1
	}
	return "", 0
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func (in *inliner) entity(e Entity, st style) {
	name := func(prefix string) string {
		if in.names != nil {
			if n := in.names(e.Target); n != "" {
				return n
			}
		}
		return prefix + orDefault(e.Label, e.Target)
	}
	switch e.Kind {
	case EntityUser, EntityGroup, EntitySpecial:
		in.literal(name("@"), st|accent|bold)
	case EntityChannel:
		in.literal(name("#"), st|accent)
	case EntityDate:
		in.literal(e.Label, st)
	case EntityLink:
		if e.Label == "" || e.Label == e.Target {
			in.literal(e.Target, st|accent)
			return
		}
		in.literal(e.Label, st|accent)
		in.literal(" ("+e.Target+")", st|dim)
	default: // A bare address is ordinary text here.
		in.literal(e.Target, st)
	}
}

// emoji replaces the names of the few emoji that such messages use; others stay as they are.
func emoji(s string) string {
	if strings.Count(s, ":") < 2 {
		return s
	}
	return strings.NewReplacer(
		":white_check_mark:", "✅", ":x:", "❌", ":no_entry:", "⛔", ":hourglass:", "⌛", ":hourglass_flowing_sand:", "⏳",
		":warning:", "⚠", ":rotating_light:", "🚨", ":lock:", "🔒", ":unlock:", "🔓", ":shield:", "🛡", ":robot_face:", "🤖",
		":computer:", "💻", ":eyes:", "👀", ":question:", "❓", ":large_green_circle:", "🟢", ":red_circle:", "🔴",
	).Replace(s)
}
