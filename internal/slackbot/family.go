package slackbot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/internal/nearest"
	"github.com/mde-ops/mde-ops/tools"
)

// familyOf is the toolset that a tool's name begins with, as in nexus_list_nodes: its command is two words, "nexus nodes". It
// is empty for other tools.
func familyOf(t tools.Tool) string {
	if strings.HasPrefix(t.Name, string(t.Toolset)+"_") {
		return string(t.Toolset)
	}
	return ""
}

// familyWord is the command of a tool of a family: the family, and what the tool is called in it.
func familyWord(family, tool string) string {
	rest := strings.TrimPrefix(tool, family+"_")
	for _, reads := range []string{"get_", "list_"} {
		rest = strings.TrimPrefix(rest, reads)
	}
	return family + " " + strings.ReplaceAll(rest, "_", "-")
}

// isFamily reports whether a word is that of a family of commands.
func (g *grammar) isFamily(word string) bool {
	return slices.ContainsFunc(g.verbs, func(v verb) bool {
		family := familyOf(v.tool)
		return family != "" && strings.EqualFold(family, word)
	})
}

// inFamily finds the command that two words name, as they stand in its word or in its tool's name.
func (g *grammar) inFamily(words []string) (verb, bool) {
	if len(words) < 2 || !g.isFamily(words[0]) {
		return verb{}, false
	}
	two := strings.ToLower(words[0] + " " + words[1])
	i := slices.IndexFunc(g.verbs, func(v verb) bool {
		family := familyOf(v.tool)
		full := family + " " + strings.ReplaceAll(strings.TrimPrefix(v.tool.Name, family+"_"), "_", "-")
		return family != "" && (v.word == two || full == strings.ReplaceAll(two, "_", "-"))
	})
	if i < 0 {
		return g.tool(spoken()[two])
	}
	return g.verbs[i], true
}

// asksForFamily reports whether words ask what commands a family has: its word alone, or with help.
func (g *grammar) asksForFamily(words []string) bool {
	return g.isFamily(words[0]) && (len(words) == 1 || strings.EqualFold(words[1], "help"))
}

// familyHelp lists the commands of a family.
func (g *grammar) familyHelp(family string) string {
	family = strings.ToLower(family)
	lines := []string{familyWords(family)}
	for _, v := range g.verbs {
		if familyOf(v.tool) == family {
			lines = append(lines, "  "+v.usage()+": "+v.title())
		}
	}
	return strings.Join(append(lines, "", "/mde help "+family+" WORD says more, with an example."), "\n")
}

// unknown is the text for words that no command has.
func (g *grammar) unknown(words []string) error {
	if len(words) < 2 || !g.isFamily(words[0]) {
		return g.unknownWord(words[0])
	}
	family, offer := strings.ToLower(words[0]), ""
	var known []string
	for _, v := range g.verbs {
		if familyOf(v.tool) == family {
			known = append(known, strings.TrimPrefix(v.word, family+" "))
		}
	}
	for word := range spoken() {
		if short, ok := strings.CutPrefix(word, family+" "); ok {
			known = append(known, short)
		}
	}
	slices.Sort(known)
	if near, ok := nearest.Word(words[1], known); ok {
		offer = fmt.Sprintf(" Did you mean /mde %s %s?", family, near)
	}
	return invalid("/mde %s does not know the word %q.%s /mde help %s lists all of them.", family, words[1], offer, family)
}
