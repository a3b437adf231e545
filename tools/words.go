package tools

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// ParseWords reads typed words as arguments: flags as "--name value", "--name=value" or, for booleans, "--name"; other words
// fill the positional arguments in order, the last of them taking all that follow when it is a list. A flag may be named
// by its last word alone where no other ends with it, and listed values may be typed in any case. A value that begins
// with a hyphen is given as "--name=-x". It returns the arguments for [Call.Args]; its error is an *approvals.Error of
// KindInvalid that names every problem with the words themselves. Values are checked by [Dispatcher.Call].
func (t Tool) ParseWords(words []string) (json.RawMessage, error) {
	p := wordParser{tool: t, values: map[string]any{}, open: t.Positional()}
	for i := 0; i < len(words); i++ {
		switch w := words[i]; {
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

// flag reads one flag and says how many of the words after it were its value.
func (p *wordParser) flag(word string, rest []string) int {
	name, value, given := strings.Cut(strings.TrimLeft(word, "-"), "=")
	a, ok := p.tool.flagArg(name)
	if !ok || !strings.HasPrefix(word, "--") {
		p.problems = append(p.problems, problem(word, "there is no such flag%s %s takes %s", didYouMean("--"+strings.ReplaceAll(name, "_", "-"), p.offers()), p.tool.Name, strings.Join(p.flags(), ", ")))
		return 0
	}
	switch {
	case given:
		p.set(a.Name, value)
	case a.Type == TypeBoolean:
		p.set(a.Name, "true")
	case len(rest) == 0 || strings.HasPrefix(rest[0], "--"):
		p.problems = append(p.problems, problem(word, "needs a value; one that begins with a hyphen is given as %s=-x", word))
	default:
		p.set(a.Name, rest[0])
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

// set stores a value in the argument's own type.
func (p *wordParser) set(name, text string) {
	a, _ := p.tool.Arg(name)
	if a.Type == TypeStrings {
		many, _ := p.values[name].([]string)
		for one := range strings.SplitSeq(strings.TrimSuffix(text, ","), ",") { // an empty one is kept, to be refused
			many = append(many, a.canonical(one))
		}
		p.values[name] = many
		return
	}
	if _, twice := p.values[name]; twice {
		p.problems = append(p.problems, problem(name, "is given twice"))
		return
	}
	var err error
	switch a.Type {
	case TypeInteger:
		if p.values[name], err = strconv.ParseInt(text, 10, 64); err != nil {
			p.problems = append(p.problems, problem(name, "is a whole number, not %s", quoted(text, 40)))
		}
	case TypeBoolean:
		if p.values[name], err = strconv.ParseBool(text); err != nil {
			p.problems = append(p.problems, problem(name, "is true or false, not %s", quoted(text, 40)))
		}
	case TypeString, TypeStrings:
		p.values[name] = a.canonical(text)
	}
}

// flags lists the tool's flags as they are typed.
func (p *wordParser) flags() []string {
	flags := make([]string, len(p.tool.Args))
	for i, a := range p.tool.Args {
		flags[i] = "--" + a.Flag()
	}
	slices.Sort(flags)
	return flags
}

// offers are the flags with their short forms.
func (p *wordParser) offers() []string {
	offers := p.flags()
	for _, a := range p.tool.Args {
		if last := a.Name[strings.LastIndexByte(a.Name, '_')+1:]; last != a.Name {
			offers = append(offers, "--"+last)
		}
	}
	return offers
}

// TakesValue reports whether the word after this one is its value: it is a flag of the tool that needs one and has none.
func (t Tool) TakesValue(word string) bool {
	name, isFlag := strings.CutPrefix(word, "--")
	a, known := t.flagArg(name)
	return isFlag && known && a.Type != TypeBoolean
}

// flagArg finds the argument that a flag names: by its name, or by its last word where only one ends with it, so that
// --type is isolation_type.
func (t Tool) flagArg(flag string) (Arg, bool) {
	name := strings.ReplaceAll(strings.ToLower(flag), "-", "_")
	if a, ok := t.Arg(name); ok {
		return a, true
	}
	var found []Arg
	for _, a := range t.Args {
		if name != "" && strings.HasSuffix(a.Name, "_"+name) {
			found = append(found, a)
		}
	}
	if len(found) != 1 {
		return Arg{}, false
	}
	return found[0], true
}

// Flag is the argument's name as a flag, without hyphens before it.
func (a Arg) Flag() string { return strings.ReplaceAll(a.Name, "_", "-") }

// canonical gives a listed value the spelling that the API uses, so that "selective" means Selective. Anything else is
// passed on, and refused by the checks with the list of values.
func (a Arg) canonical(value string) string {
	i := slices.IndexFunc(a.Enum, func(e string) bool { return strings.EqualFold(e, value) })
	if i < 0 {
		return value
	}
	return a.Enum[i]
}
