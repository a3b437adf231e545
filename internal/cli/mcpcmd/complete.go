package mcpcmd

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/tools"
)

// described is a word with what a shell shows beside it.
func described(word, text string) string { return word + "\t" + text }

// toolNames are the tools with what they do.
func toolNames() []string {
	list, _ := tools.Catalogue() // none is no completion
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = described(t.Name, t.Brief())
	}
	return names
}

// toolsetNames are the toolsets, in the order of their tools.
func toolsetNames() []string {
	list, _ := tools.Catalogue()
	var names []string
	for _, t := range list {
		if !slices.Contains(names, string(t.Toolset)) {
			names = append(names, string(t.Toolset))
		}
	}
	return names
}

// toolsetChoices are the words that --toolsets takes.
func toolsetChoices() []string { return append([]string{"default", "all"}, toolsetNames()...) }

// owned are the flags of a command beside those of the tool that it is about, with the values that each takes: nil for a flag
// without one, empty for any.
type owned map[string][]string

func callFlags() owned { return owned{"json": nil, "help": nil, "tenant": {"sim"}} }

func explainOwn() owned {
	return owned{
		"as": {}, "via": {"slack", "mcp", "shell"}, "verified": nil, "agent": {}, "at": {}, "group": {}, "tenant": {"sim"}, "help": nil,
	}
}

// ownCompletion completes the words of a command that reads its flags itself. The flag that both programs have and that it
// does not take is kept out of what is offered; --tenant is offered already.
func ownCompletion(cmd *cobra.Command, own func() owned) *cobra.Command {
	cmd.ValidArgsFunction = completeTool(own)
	cmd.Flags().Bool("check-config", false, "")
	_ = cmd.Flags().MarkHidden("check-config")
	return cmd
}

// completeTool completes the words of a command that is about a tool: its name, its flags and their values.
func completeTool(own func() owned) cli.Completer {
	return func(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		c := completion{own: own()}
		c.read(args)
		return c.word(word), c.directive
	}
}

// completion is a command line up to the word that is being typed.
type completion struct {
	own       owned
	tool      tools.Tool
	given     []string // the tool's flags that are there already
	words     int      // how many words stand without a flag, the tool's name left out
	value     string   // the flag whose value is being typed
	literal   bool     // nothing more is a flag
	directive cobra.ShellCompDirective
}

func (c *completion) read(args []string) {
	c.directive = cobra.ShellCompDirectiveNoFileComp
	for _, a := range args {
		name, _, inline := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		switch {
		case c.value != "":
			c.value = ""
		case c.literal || !strings.HasPrefix(a, "-"):
			if c.tool.Name == "" && !c.literal {
				c.tool, _ = find(a)
				continue
			}
			c.words++
		case a == "--":
			c.literal = true
		default:
			c.given = append(c.given, name)
			if !inline && c.takesValue(name) {
				c.value = name
			}
		}
	}
}

// arg is the tool's argument behind a flag.
func (c *completion) arg(flag string) (tools.Arg, bool) {
	return c.tool.Arg(strings.ReplaceAll(flag, "-", "_"))
}

func (c *completion) takesValue(flag string) bool {
	if a, ok := c.arg(flag); ok {
		return a.Type != tools.TypeBoolean
	}
	return c.own[flag] != nil
}

// word lists what the word that is being typed can become.
func (c *completion) word(word string) []string {
	name, start, inline := strings.Cut(strings.TrimPrefix(word, "--"), "=")
	switch {
	case c.value != "":
		return c.values(c.value, word)
	case inline && strings.HasPrefix(word, "--") && !c.literal:
		return prefixed("--"+name+"=", c.values(name, start))
	case strings.HasPrefix(word, "-") && !c.literal:
		return c.flags(word)
	case c.tool.Name == "" && !c.literal:
		return cli.InList(toolNames(), word)
	}
	return c.positional(word)
}

// values are what a flag takes, as far as that is a list.
func (c *completion) values(flag, start string) []string {
	a, ok := c.arg(flag)
	if !ok {
		return cli.InList(c.own[flag], start)
	}
	return c.enum(a, start)
}

func (c *completion) enum(a tools.Arg, start string) []string {
	if len(a.Enum) == 0 {
		return nil
	}
	if a.Type == tools.TypeStrings {
		c.directive |= cobra.ShellCompDirectiveNoSpace
	} else if strings.Contains(start, ",") {
		return nil
	}
	return cli.InList(a.Enum, start)
}

// positional is the argument that a word without a flag would be.
func (c *completion) positional(word string) []string {
	names := c.tool.Positional()
	if len(names) == 0 {
		return nil
	}
	a, _ := c.arg(names[min(c.words, len(names)-1)])
	if c.words >= len(names) && a.Type != tools.TypeStrings {
		return nil
	}
	return c.enum(a, word)
}

// flags are the tool's flags that are not there yet, and the command's own.
func (c *completion) flags(start string) (found []string) {
	add := func(flag, text string) {
		if strings.HasPrefix("--"+flag, start) {
			found = append(found, described("--"+flag, text))
		}
	}
	for _, a := range c.tool.Args {
		if a.Type == tools.TypeStrings || !slices.Contains(c.given, a.Flag()) {
			add(a.Flag(), a.Description)
		}
	}
	own := make([]string, 0, len(c.own))
	for flag := range c.own {
		own = append(own, flag)
	}
	slices.Sort(own)
	for _, flag := range own {
		if _, hidden := c.arg(flag); !hidden && flag != "tenant" && (flag == "group" || !slices.Contains(c.given, flag)) {
			add(flag, "")
		}
	}
	return found
}

func prefixed(before string, words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = before + w
	}
	return out
}
