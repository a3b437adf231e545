package tools

import (
	"fmt"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/nearest"
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

// didYouMean is the end of a text about an unknown word.
func didYouMean(word string, offered []string) string {
	if near, ok := nearest.Word(word, offered); ok {
		return ", did you mean " + near + "?"
	}
	return "."
}
