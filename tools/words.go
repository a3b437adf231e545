package tools

import (
	"encoding/json"
	"slices"
	"strings"
)

// because begins the reason in a command that people type: "isolate host01 because beaconing to a known C2".
const because = "because"

// ParseWords reads typed words as arguments: flags as "--name value", "--name=value" or, for booleans, "--name"; other words
// fill the positional arguments in order, the last of them taking all that follow when it is a list. A value that begins
// with a hyphen is given as "--name=-x". What follows the bare word "because" is the reason. It returns the arguments for
// [Call.Args]; its error is an *approvals.Error of KindInvalid that names every problem with the words themselves. Values
// are checked by [Dispatcher.Call].
func (t Tool) ParseWords(words []string) (json.RawMessage, error) {
	p := wordParser{tool: t, values: map[string]any{}, open: t.Positional()}
	for i := 0; i < len(words); i++ {
		switch w := words[i]; {
		case w == because && p.takes("reason") && i > 0:
			p.set("reason", strings.Join(words[i+1:], " "))
			i = len(words)
		case w == "--":
			for _, rest := range words[i+1:] {
				p.positional(rest)
			}
			i = len(words)
		case strings.HasPrefix(w, "-") && w != "-":
			i += p.flag(w, words[i+1:])
		default:
			p.positional(w)
		}
	}
	if err := p.problems.refusal(t.Name); err != nil {
		return nil, err
	}
	return remarshal(p.values), nil
}

type wordParser struct {
	tool     Tool
	values   map[string]any
	open     []string // positional arguments that are not filled
	problems Problems
}

func (p *wordParser) takes(name string) bool {
	_, ok := p.tool.Arg(name)
	return ok
}

// flag reads one flag and says how many of the words after it were its value.
func (p *wordParser) flag(word string, rest []string) int {
	name, value, given := strings.Cut(strings.TrimLeft(word, "-"), "=")
	name = strings.ReplaceAll(name, "-", "_")
	a, ok := p.tool.Arg(name)
	if !ok || !strings.HasPrefix(word, "--") {
		p.problems = append(p.problems, problem(word, "there is no such flag%s %s takes %s", didYouMean(name, p.names()), p.tool.Name, p.flags()))
		return 0
	}
	switch {
	case given:
		p.set(name, value)
	case a.Type == TypeBoolean:
		p.set(name, "true")
	case len(rest) == 0 || strings.HasPrefix(rest[0], "--"):
		p.problems = append(p.problems, problem(word, "needs a value; one that begins with a hyphen is given as %s=-x", word))
	default:
		p.set(name, rest[0])
		return 1
	}
	return 0
}

// positional fills the next argument that has no flag.
func (p *wordParser) positional(word string) {
	for len(p.open) > 0 {
		a, _ := p.tool.Arg(p.open[0])
		if _, filled := p.values[a.Name]; !filled || a.Type == TypeStrings {
			p.set(a.Name, word)
			if a.Type != TypeStrings {
				p.open = p.open[1:]
			}
			return
		}
		p.open = p.open[1:]
	}
	p.problems = append(p.problems, problem(word, "is one word too many; a value of several words needs quotation marks"))
}

// set stores a value in the argument's own type; what does not fit is left as text for the checks to refuse.
func (p *wordParser) set(name, text string) {
	a, _ := p.tool.Arg(name)
	if a.Type == TypeStrings {
		many, _ := p.values[name].([]string)
		p.values[name] = append(many, strings.FieldsFunc(text, func(r rune) bool { return r == ',' })...)
		return
	}
	if _, twice := p.values[name]; twice {
		p.problems = append(p.problems, problem(name, "is given twice"))
		return
	}
	p.values[name] = text
	if (a.Type == TypeInteger || a.Type == TypeBoolean) && json.Valid([]byte(text)) {
		p.values[name] = json.RawMessage(text)
	}
}

func (p *wordParser) names() []string {
	names := make([]string, len(p.tool.Args))
	for i, a := range p.tool.Args {
		names[i] = a.Name
	}
	return names
}

func (p *wordParser) flags() string {
	names := p.names()
	for i := range names {
		names[i] = "--" + strings.ReplaceAll(names[i], "_", "-")
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
