package mcpserver

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// shownLines and shownBytes bound the text of a result. The structure beside it has everything.
	shownLines = 6
	shownBytes = 700
)

// brief is the beginning of a tool's text: what a model that reads the structure needs besides. What is left out is said. The
// last line of a request is what to do next, so that it stays.
func brief(text string) string {
	lines := strings.Split(text, "\n")
	if len(lines) <= shownLines && len(text) <= shownBytes {
		return text
	}
	last := ""
	if n := len(lines); n > 1 && !strings.HasPrefix(lines[n-1], "- ") {
		last, lines = "\n"+cutText(lines[n-1], shownBytes/3), lines[:n-1]
	}
	const more = "\n(more in structuredContent)"
	room := shownBytes - len(last) - len(more)
	kept := cutText(lines[0], room)
	for i, line := range lines[1:] {
		if i >= shownLines-3 || len(kept)+1+len(line) > room {
			break
		}
		kept += "\n" + line
	}
	return kept + more + last
}

// cutText is at most max bytes of a text, in whole characters.
func cutText(s string, max int) string {
	if len(s) <= max {
		return s
	}
	end := max - len("…")
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return fmt.Sprintf("%s…", s[:end])
}
