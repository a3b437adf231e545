package tools

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

// Problem is one thing that is wrong with a call's arguments.
type Problem struct {
	// Arg is the argument's name as it was given; empty when the problem is with the arguments as a whole.
	Arg string
	// Text says what is wrong and how to mend it.
	Text string
}

// Problems are all that is wrong with a call's arguments, so that a caller can mend them in one go. It is the cause of
// the refusal that [Dispatcher.Call] returns, so that a form can show each text beside its field.
type Problems []Problem

// Error joins the problems in one line.
func (p Problems) Error() string {
	texts := make([]string, len(p))
	for i, q := range p {
		texts[i] = q.Text
		if q.Arg != "" {
			texts[i] = clean(q.Arg, 60) + ": " + q.Text
		}
	}
	return strings.Join(texts, "; ")
}

// refusal is the refusal of a call to tool for these problems; nil when there are none.
func (p Problems) refusal(tool string) error {
	switch len(p) {
	case 0:
		return nil
	case 1:
		return approvals.Refuse(approvals.KindInvalid, p, "%s was not called: %s.", tool, strings.TrimSuffix(p.Error(), "."))
	}
	return approvals.Refuse(approvals.KindInvalid, p, "%s was not called, %d arguments must be mended: %s.", tool, len(p),
		strings.TrimSuffix(p.Error(), "."))
}

func problem(arg, text string, args ...any) Problem {
	return Problem{Arg: arg, Text: fmt.Sprintf(text, args...)}
}

// nearest returns which of offered is most like word, and false when none is alike enough to be a slip of it.
func nearest(word string, offered []string) (string, bool) {
	word = strings.ToLower(strings.ReplaceAll(word, "-", "_"))
	best, least := "", len(word)/2+1
	for _, o := range slices.Sorted(slices.Values(offered)) {
		if d := distance(word, strings.ToLower(o)); d < least {
			best, least = o, d
		}
	}
	return best, best != ""
}

// distance is the Levenshtein distance of a and b in bytes. Words longer than any name we offer are not compared.
func distance(a, b string) int {
	if len(a) > 64 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// didYouMean is the end of a text about an unknown word.
func didYouMean(word string, offered []string) string {
	if near, ok := nearest(word, offered); ok {
		return ", did you mean " + near + "?"
	}
	return "."
}
