package slackbot

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
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
		case familyOf(t) != "":
			word = familyWord(familyOf(t), t.Name)
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

// spoken are the words that people use for tools whose names say it otherwise.
func spoken() map[string]string {
	return map[string]string{
		"quarantine": "stop_and_quarantine", "package": "collect_package", "status": "get_request", "who": "whoami", "query": "run_query",
		"nexus status": "nexus_get_runtime_protection", "nexus level": "nexus_set_enforcement_level", "nexus set": "nexus_set_enforcement_level",
		"nexus scan": "nexus_start_scan", "nexus progress": "nexus_scan_progress", "nexus collect": "nexus_collect_reports",
		"nexus threats": "nexus_threat_summary",
	}
}

// phrase finds the command that words begin with, and how many of them name it: one, or two as in "indicators add" and
// "alert update".
func (g *grammar) phrase(words []string) (verb, int, bool) {
	if v, ok := g.inFamily(words); ok {
		return v, 2, true
	}
	if len(words) > 1 {
		for _, noun := range plurals(words[0]) {
			if v, ok := g.tool(strings.ToLower(words[1]) + "_" + noun); ok {
				return v, 2, true
			}
		}
	}
	v, ok := g.verb(words[0])
	if !ok {
		v, ok = g.tool(spoken()[strings.ToLower(words[0])])
	}
	return v, 1, ok
}

// plurals are a word as it is in the names of tools: as typed, and with or without an s at its end.
func plurals(word string) []string {
	word = strings.ToLower(strings.ReplaceAll(word, "-", "_"))
	return []string{word, word + "s", strings.TrimSuffix(word, "s")}
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
	i := slices.IndexFunc(g.verbs, func(v verb) bool { return v.form == "" && v.tool.Name == name })
	if i < 0 {
		return verb{}, false
	}
	return g.verbs[i], true
}

// tools are all tools, in the order of the catalogue.
func (g *grammar) tools() []tools.Tool {
	var list []tools.Tool
	for _, v := range g.verbs {
		if v.form == "" {
			list = append(list, v.tool)
		}
	}
	return list
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
	if words := strings.Fields(on); len(words) > 0 {
		if v, _, ok := g.phrase(words); ok {
			return v.help()
		}
		if g.isFamily(words[0]) {
			return g.familyHelp(words[0])
		}
	}
	lines := []string{}
	if on != "" {
		lines = append(lines, g.unknown(strings.Fields(on)).Error())
	}
	for _, set := range g.families() {
		lines = append(lines, "", cmp.Or(familyWords(set), "In an emergency"))
		for _, v := range g.verbs {
			if string(v.tool.Toolset) == set {
				lines = append(lines, "  /mde "+v.word+": "+v.title())
			}
		}
	}
	return strings.Join(append(lines, "", "/mde help WORD says more, with an example. A command without what it needs opens a form.",
		"Whatever changes a device is first shown to its approvers; nothing happens until they say yes."), "\n")
}

// families are the toolsets in the order of the tools; our own words have none and come first.
func (g *grammar) families() []string {
	var sets []string
	for _, v := range g.verbs {
		if set := string(v.tool.Toolset); !slices.Contains(sets, set) {
			sets = append(sets, set)
		}
	}
	return sets
}

// familyWords is the name of a toolset as a heading.
func familyWords(set string) string {
	words := strings.ReplaceAll(set, "_", " ")
	return sentence(words)
}

// help is all about one command.
func (v verb) help() string {
	lines := []string{v.usage(), v.summary()}
	for _, a := range v.tool.Args {
		lines = append(lines, fmt.Sprintf("  %s: %s", a.Flag(), a.Description))
	}
	if v.form == "" {
		lines = append(lines, "For example: "+v.example())
	}
	return strings.Join(lines, "\n")
}

// example is a command that could be typed.
func (v verb) example() string {
	words, end := []string{"/mde " + v.word}, ""
	for _, a := range v.tool.Args {
		switch {
		case a.Name == reasonArgument:
			end = " because it talks to a known C2"
		case a.Positional && (a.Required || a.Device()):
			words = append(words, exampleOf(a))
		}
	}
	return strings.Join(words, " ") + end
}

// exampleOf is a value that an argument could have.
func exampleOf(a tools.Arg) string {
	switch {
	case a.Device():
		return "host01"
	case len(a.Enum) > 0:
		return strings.ToLower(a.Enum[0])
	case a.Request():
		return "K7Q2M4XT"
	case a.Name == "sha1":
		return "3395856ce81f2b7382dee72602f798b642f14140"
	case a.Type == tools.TypeInteger:
		return strconv.Itoa(max(a.Min, 1))
	}
	return strings.ToUpper(a.Name)
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
