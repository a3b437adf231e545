package slackbot

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mattn/go-shellwords"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/tools"
)

// maxCommand bounds a command's text in bytes; Slack itself sends less.
const maxCommand = 8000

// command is what a person typed after /mde.
type command struct {
	// Help asks for help; HelpOn is the word asked about, or empty.
	Help   bool
	HelpOn string
	// Tool and Args are the call, when it is none for help.
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
	v, ok := g.verb(words[0])
	if !ok {
		return command{}, g.unknownWord(words[0])
	}
	args, err := v.arguments(words[1:])
	if err != nil {
		return command{}, err
	}
	if err := v.addReason(args, reason, because); err != nil {
		return command{}, err
	}
	raw, err := json.Marshal(args)
	if err != nil {
		return command{}, invalid("The command can't be understood: %v", err)
	}
	return command{Tool: v.tool.Name, Args: raw}, nil
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

// arguments reads positional words and flags into the tool's arguments by name.
func (v verb) arguments(words []string) (map[string]any, error) {
	args := map[string]any{}
	var free []string
	for i := 0; i < len(words); i++ {
		w := words[i]
		if !strings.HasPrefix(w, "-") || w == "-" {
			free = append(free, w)
			continue
		}
		used, err := v.flag(args, w, words[i+1:])
		if err != nil {
			return nil, err
		}
		i += used
	}
	return args, v.positionals(args, free)
}

// flag reads one --flag, or --flag=value, and reports how many of the following words were its value.
func (v verb) flag(args map[string]any, word string, rest []string) (int, error) {
	name, value, inline := strings.Cut(strings.TrimLeft(word, "-"), "=")
	a, ok := v.flagArgument(name)
	if !strings.HasPrefix(word, "--") || !ok {
		return 0, invalid("/mde %s has no flag %s.%s", v.word, "--"+name, v.offerFlags(name))
	}
	used := 0
	switch {
	case inline:
	case a.Type == tools.TypeBoolean:
		value = "true"
	case len(rest) == 0 || strings.HasPrefix(rest[0], "--"):
		return 0, invalid("--%s needs a value, such as --%s=%s.", a.flag(), a.flag(), a.example())
	default:
		value, used = rest[0], 1
	}
	return used, a.set(args, value)
}

func (v verb) positionals(args map[string]any, free []string) error {
	for _, name := range v.tool.Positional() {
		if len(free) == 0 {
			return nil
		}
		a, _ := v.arg(name)
		n := 1
		if a.Type == tools.TypeStrings {
			n = len(free)
		}
		for _, w := range free[:n] {
			if err := a.set(args, strings.TrimSuffix(w, ",")); err != nil {
				return err
			}
		}
		free = free[n:]
	}
	if len(free) > 0 {
		return invalid("/mde %s does not understand %q. Usage: %s", v.word, free[0], v.usage())
	}
	return nil
}

// addReason stores the words after because, where the tool has such an argument.
func (v verb) addReason(args map[string]any, reason string, because bool) error {
	if !because {
		return nil
	}
	if _, ok := v.arg(reasonArgument); !ok {
		return invalid("/mde %s takes no reason. Leave out everything from the word because.", v.word)
	}
	if _, twice := args[reasonArgument]; twice {
		return invalid("The reason is given twice. Keep the words after because and leave out --reason.")
	}
	if reason == "" {
		return invalid("The reason after the word because is empty. Say in a few words why.")
	}
	args[reasonArgument] = reason
	return nil
}

// set stores value as the argument's type. A flag given twice is refused, because nobody could tell which one counts.
func (a argument) set(args map[string]any, value string) error {
	if a.Type == tools.TypeStrings {
		list, _ := args[a.Name].([]string)
		args[a.Name] = append(list, a.canonical(value))
		return nil
	}
	if _, twice := args[a.Name]; twice {
		return invalid("--%s is given twice. Keep one.", a.flag())
	}
	typed, err := a.typed(value)
	if err != nil {
		return err
	}
	args[a.Name] = typed
	return nil
}

func (a argument) typed(value string) (any, error) {
	switch a.Type {
	case tools.TypeInteger:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return nil, invalid("--%s is a whole number, not %q.", a.flag(), value)
		}
		return n, nil
	case tools.TypeBoolean:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return nil, invalid("--%s is true or false, not %q.", a.flag(), value)
		}
		return b, nil
	case tools.TypeString, tools.TypeStrings:
	}
	return a.canonical(value), nil
}

// canonical gives a listed value the spelling that the API uses, so that "selective" means Selective. Anything else is
// passed on: the dispatcher refuses it with the list of values.
func (a argument) canonical(value string) string {
	i := slices.IndexFunc(a.Enum, func(e string) bool { return strings.EqualFold(e, value) })
	if i < 0 {
		return value
	}
	return a.Enum[i]
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
	if near, ok := nearest(strings.ToLower(word), g.words()); ok {
		offer = fmt.Sprintf(" Did you mean /mde %s?", near)
	}
	return invalid("/mde does not know the word %q.%s /mde help lists all of them.", word, offer)
}
