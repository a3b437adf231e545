package demo

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// screen prints lines for people, in colour on a terminal.
type screen struct {
	w     io.Writer
	color bool
	names func(string) string
}

func newScreen(w io.Writer, names func(string) string) *screen {
	file, isFile := w.(*os.File)
	colour := isFile && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == ""
	return &screen{w: w, color: colour, names: names}
}

func (s *screen) paint(code, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// title begins a step of the story.
func (s *screen) title(n int, text string) {
	fmt.Fprintf(s.w, "\n%s\n", s.paint("1;36", fmt.Sprintf("%d. %s", n, text)))
}

// say prints one thing that somebody or something does.
func (s *screen) say(who, format string, args ...any) {
	fmt.Fprintf(s.w, "   %s %s\n", s.paint("1", fmt.Sprintf("%-11s", who)), indent(fmt.Sprintf(format, args...), 15))
}

// good prints what was checked.
func (s *screen) good(format string, args ...any) {
	fmt.Fprintf(s.w, "   %s %s\n", s.paint("32", "✓"), indent(fmt.Sprintf(format, args...), 5))
}

// message draws a Slack message as a person sees it.
func (s *screen) message(m slacksim.Message) {
	fmt.Fprintln(s.w, "   "+indent(slacksim.RenderText(m, s.render()), 3))
}

// view draws an open dialog as a person sees it.
func (s *screen) view(v slacksim.View) {
	fmt.Fprintln(s.w, "   "+indent(slacksim.RenderView(v, s.render()), 3))
}

func (s *screen) render() slacksim.RenderOptions {
	return slacksim.RenderOptions{Width: 84, Color: s.color, Names: s.names}
}

// indent moves every line but the first to the right.
func indent(text string, n int) string {
	return strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+strings.Repeat(" ", n))
}
