package slackbot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/tools"
)

// reasonArgument is the argument that the words after because fill.
const reasonArgument = "reason"

// verb is a command word and the tool behind it.
type verb struct {
	word string
	tool tools.Tool
}

// grammar is every command, read from the tools' own declarations so that nothing is declared twice.
type grammar struct {
	verbs []verb
}

// newGrammar makes the commands of the tools. A reading tool's word is what it reads (get_device: device); an acting
// tool's word is what it does (isolate_devices: isolate). Where two tools would share a word the whole name is used.
func newGrammar(list []tools.Tool) *grammar {
	count := map[string]int{"help": 1}
	for _, t := range list {
		count[shortWord(t.Name)]++
	}
	g := &grammar{}
	for _, t := range list {
		word := shortWord(t.Name)
		if count[word] > 1 {
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
	i := slices.IndexFunc(g.verbs, func(v verb) bool { return strings.EqualFold(v.word, word) || v.tool.Name == word })
	if i < 0 {
		return verb{}, false
	}
	return g.verbs[i], true
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

// help is the text for /mde help, or for /mde help WORD.
func (g *grammar) help(on string) string {
	if v, ok := g.verb(on); ok {
		lines := []string{v.usage(), v.tool.Summary}
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
		lines = append(lines, v.usage()+"\n      "+v.tool.Title)
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
