package slackbot

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/mattn/go-shellwords"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/nearest"
	"github.com/mde-ops/mde-ops/tools"
)

// maxCommand bounds a command's text in bytes; Slack itself sends less.
const maxCommand = 8000

// command is what a person typed after /mde.
type command struct {
	// Help asks for help; HelpOn is the word asked about, or empty.
	Help   bool
	HelpOn string
	// Control is one of the words that are no tool's, with the Words after it and the Reason.
	Control string
	Words   []string
	Reason  string
	// Tool and Args are the call, when it is none of these.
	Tool string
	Args json.RawMessage
}

// parse reads what was typed after /mde. Refusals are *approvals.Error with KindInvalid and say how to mend the command.
func (g *grammar) parse(text string) (command, error) {
	if len(text) > maxCommand {
		return command{}, invalid("The command is longer than %d bytes.", maxCommand)
	}
	head, reason, because := splitReason(unslack(text))
	words, err := split(head)
	if err != nil {
		return command{}, err
	}
	if len(words) == 0 || strings.EqualFold(words[0], "help") {
		return command{Help: true, HelpOn: strings.Join(words[min(1, len(words)):], " ")}, nil
	}
	if g.asksForFamily(words) {
		return command{Help: true, HelpOn: words[0]}, nil
	}
	v, named, ok := g.phrase(words)
	if !ok {
		return command{}, g.unknown(words)
	}
	if v.form != "" {
		return v.control(words[1:], reason)
	}
	words, err = v.addReason(v.connected(words[named:]), reason, because)
	if err != nil {
		return command{}, err
	}
	raw, err := v.tool.ParseWords(words)
	if err != nil {
		return command{}, err
	}
	return command{Tool: v.tool.Name, Args: raw}, nil
}

// connected reads "SHA1 on host01 host02" as the devices that follow the connecting word, for tools that act on devices and
// take something else before them. A device that is called so itself is named with its flag.
func (v verb) connected(words []string) []string {
	at := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, "on") || strings.EqualFold(w, "from") })
	i := slices.IndexFunc(v.tool.Args, func(a tools.Arg) bool { return a.Device() && a.Positional })
	if at < 0 || i < 0 || at == len(words)-1 {
		return words
	}
	out, rest := slices.Clone(words[:at]), words[at+1:]
	for len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
		out = append(out, "--"+v.tool.Args[i].Flag()+"="+rest[0])
		rest = rest[1:]
	}
	if positional := v.withoutFlags(out[:at], i); positional != nil {
		return append(append(positional, out[at:]...), rest...)
	}
	return append(out, rest...)
}

// withoutFlags gives the words before a connecting word to the arguments that are no devices, by their flags, in order; nil
// when there are none to give.
func (v verb) withoutFlags(before []string, devices int) []string {
	var out []string
	var open []tools.Arg
	for i, a := range v.tool.Args {
		if a.Positional && i != devices && !a.Device() {
			open = append(open, a)
		}
	}
	for i := 0; i < len(before); i++ {
		w := before[i]
		switch {
		case v.tool.TakesValue(w) && i+1 < len(before):
			out = append(out, w, before[i+1])
			i++
		case strings.HasPrefix(w, "-") || len(open) == 0:
			out = append(out, w)
		default:
			out = append(out, "--"+open[0].Flag()+"="+w)
			if open[0].Type != tools.TypeStrings {
				open = open[1:]
			}
		}
	}
	return out
}

func invalid(format string, args ...any) error {
	return approvals.Refuse(approvals.KindInvalid, nil, format, args...)
}

// splitReason cuts text at the first word "because" outside quotes. What follows is the person's own words and is kept as
// typed: an apostrophe in it must not be taken for a quote.
func splitReason(text string) (head, reason string, found bool) {
	var quote rune
	start := -1 // where the current word began
	for i, r := range text + " " {
		r = typedForm(r)
		switch {
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == ' ':
			if start >= 0 && strings.EqualFold(text[start:i], "because") {
				return text[:start], strings.TrimSpace(text[min(i, len(text)):]), true
			}
			start = -1
		case r == '"' || r == '\'':
			quote = r
			start = max(start, 0)
		case start < 0:
			start = i
		}
	}
	return text, "", false
}

// longDash undoes the long dash that phones make of two hyphens.
var longDash = strings.NewReplacer(" —", " --", " –", " --")

// split breaks the part before the reason into words. What a shell would treat specially is refused rather than guessed
// at: a swallowed backslash or semicolon would name another device than the one typed.
func split(head string) ([]string, error) {
	head = longDash.Replace(strings.Map(typedForm, head))
	if i := strings.IndexAny(head, "\\`$;&|<>()"); i >= 0 {
		return nil, invalid("%q can't be part of a command. Write the device's plain name or id, and put everything else after the word because.", head[i:i+1])
	}
	p := shellwords.NewParser()
	p.ParseEnv, p.ParseBacktick, p.ParseComment = false, false, false // whatever the library's globals say
	words, err := p.Parse(head)
	if err != nil || p.Position >= 0 {
		return nil, invalid("A quotation mark is opened and not closed.")
	}
	return words, nil
}

// addReason adds the words after because, as one flag so that they stay as typed.
func (v verb) addReason(words []string, reason string, because bool) ([]string, error) {
	if !because {
		return words, nil
	}
	if _, ok := v.tool.Arg(reasonArgument); !ok {
		return nil, invalid("/mde %s takes no reason. Leave out everything from the word because.", v.word)
	}
	if reason == "" {
		return nil, invalid("The reason after the word because is empty. Say in a few words why.")
	}
	return append(words, "--"+reasonArgument+"="+reason), nil
}

// unslack undoes what Slack does to typed text: entities, and links and mentions made of what was typed. The result is
// what the person saw in their own input line.
func unslack(text string) string {
	var b strings.Builder
	for text != "" {
		before, rest, found := strings.Cut(text, "<")
		b.WriteString(before)
		if !found {
			break
		}
		inside, after, closed := strings.Cut(rest, ">")
		if !closed {
			b.WriteString("<" + rest)
			break
		}
		b.WriteString(linkText(inside))
		text = after
	}
	return entities.Replace(b.String())
}

// linkText is what a person typed to make Slack write <inside>.
func linkText(inside string) string {
	target, label, labelled := strings.Cut(inside, "|")
	if labelled && label != "" && !strings.ContainsAny(target[:min(1, len(target))], "@#!") {
		return label
	}
	switch {
	case strings.HasPrefix(target, "@"), strings.HasPrefix(target, "#"):
		if label != "" {
			return target[:1] + label
		}
		return target
	case strings.HasPrefix(target, "!"):
		return "@" + strings.TrimPrefix(target, "!")
	}
	return strings.TrimPrefix(target, "mailto:")
}

// unknownWord is the text for a word that no command has.
func (g *grammar) unknownWord(word string) error {
	offer := ""
	if near, ok := nearest.Word(word, g.words()); ok {
		offer = fmt.Sprintf(" Did you mean /mde %s?", near)
	}
	return invalid("/mde does not know the word %q.%s /mde help lists all of them.", word, offer)
}
