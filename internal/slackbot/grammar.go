package slackbot

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/tools"
)

// reasonArgument is the argument that the words after because fill.
const reasonArgument = "reason"

// verb is a command word and the tool behind it, or one of our own words.
type verb struct {
	word string
	tool tools.Tool
	// form and brief are the help of a word that is no tool's.
	form, brief string
}

// grammar is every command, read from the tools' own declarations so that nothing is declared twice.
type grammar struct {
	verbs []verb
}

// newGrammar makes the commands of the tools. A reading tool's word is what it reads (get_device: device); an acting
// tool's word is what it does (isolate_devices: isolate). Where two tools would share a word the whole name is used.
func newGrammar(list []tools.Tool) *grammar {
	count := map[string]int{"help": 1, wordLift: 1}
	g := &grammar{verbs: controls()}
	for _, v := range g.verbs {
		count[v.word]++
	}
	for _, t := range list {
		count[shortWord(t.Name)]++
	}
	for _, t := range list {
		word := shortWord(t.Name)
		switch {
		case t.Name == approvals.ToolLift:
			word = wordLift
		case count[word] > 1:
			word = strings.ReplaceAll(t.Name, "_", "-")
		}
		g.verbs = append(g.verbs, verb{word: word, tool: t})
	}
	return g
}

func shortWord(tool string) string {
	do, what, found := strings.Cut(tool, "_")
	switch {
	case !found:
		return tool
	case do == "get" || do == "list" || do == "find":
		return strings.ReplaceAll(what, "_", "-")
	}
	return do
}

func (g *grammar) verb(word string) (verb, bool) {
	i := slices.IndexFunc(g.verbs, func(v verb) bool { return strings.EqualFold(v.word, word) || (v.form == "" && v.tool.Name == word) })
	if i < 0 {
		return verb{}, false
	}
	return g.verbs[i], true
}

// tool is the verb of the tool of that name.
func (g *grammar) tool(name string) (verb, bool) {
	i := slices.IndexFunc(g.verbs, func(v verb) bool { return v.tool.Name == name })
	if i < 0 {
		return verb{}, false
	}
	return g.verbs[i], true
}

// toolsets are those of tools that act, in the order of the tools.
func (g *grammar) toolsets() []string {
	var sets []string
	for _, v := range g.verbs {
		set := strings.ToLower(string(v.tool.Toolset))
		if v.form == "" && v.tool.Acts() && !slices.Contains(sets, set) {
			sets = append(sets, set)
		}
	}
	return sets
}

func (g *grammar) words() []string {
	words := []string{"help"}
	for _, v := range g.verbs {
		words = append(words, v.word)
	}
	return words
}

// usage is the command's form on one line.
func (v verb) usage() string {
	if v.form != "" {
		return v.form
	}
	words, flags, end := []string{"/mde " + v.word}, []string{}, ""
	for _, a := range v.tool.Args {
		flag := "--" + a.Flag()
		switch {
		case a.Name == reasonArgument:
			end = " because REASON"
		case a.Positional && a.Required:
			words = append(words, strings.ToUpper(a.Name))
		case a.Positional:
			words = append(words, "["+strings.ToUpper(a.Name)+"]")
		case a.Type == tools.TypeBoolean:
			flags = append(flags, "["+flag+"]")
		case len(a.Enum) > 0:
			flags = append(flags, "["+flag+" "+strings.ToLower(strings.Join(a.Enum, "|"))+"]")
		default:
			flags = append(flags, "["+flag+" …]")
		}
	}
	return strings.Join(append(words, flags...), " ") + end
}

func (v verb) summary() string { return cmp.Or(v.brief, v.tool.Summary) }

func (v verb) title() string { return cmp.Or(v.brief, v.tool.Title) }

// help is the text for /mde help, or for /mde help WORD.
func (g *grammar) help(on string) string {
	if v, ok := g.verb(on); ok {
		lines := []string{v.usage(), v.summary()}
		for _, a := range v.tool.Args {
			lines = append(lines, fmt.Sprintf("  %s: %s", a.Flag(), a.Description))
		}
		return strings.Join(lines, "\n")
	}
	lines := []string{}
	if on != "" {
		lines = append(lines, g.unknownWord(on).Error())
	}
	for _, v := range g.verbs {
		lines = append(lines, v.usage()+"\n      "+v.title())
	}
	return strings.Join(append(lines, "Whatever changes a device is first shown to its approvers; nothing happens until they say yes."), "\n")
}

// entities undoes the only three escapes Slack writes, in one pass, so that a typed "&lt;" stays as typed.
var entities = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

// typedForm is the plain form of what phones and word processors write instead of what was typed.
func typedForm(r rune) rune {
	switch r {
	case '\u00a0', '\u2007', '\u202f', '\t', '\n', '\r':
		return ' '
	case '“', '”', '„', '‟', '«', '»':
		return '"'
	case '‘', '’', '‚', '‛':
		return '\''
	}
	return r
}
