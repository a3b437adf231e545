package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Completer answers what a shell asks for when somebody presses Tab. Nothing is opened or sent for an answer.
type Completer = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective)

// noFiles says that no file's name belongs there.
const noFiles = cobra.ShellCompDirectiveNoFileComp

// OneOf completes one of some words. A word may have a description after a tab.
func OneOf(words ...string) Completer {
	return func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return startingWith(words, word), noFiles
	}
}

// FirstOf completes one of some words as the only word of a command.
func FirstOf(words ...string) Completer {
	return func(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, noFiles
		}
		return startingWith(words, word), noFiles
	}
}

// ListOf completes the last of several words with commas between them, each once.
func ListOf(words ...string) Completer {
	return func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return InList(words, word), noFiles | cobra.ShellCompDirectiveNoSpace
	}
}

// InList are the lists that word can become with one of words at its end.
func InList(words []string, word string) []string {
	before := ""
	if i := strings.LastIndexByte(word, ','); i >= 0 {
		before = word[:i+1]
	}
	there := strings.Split(before, ",")
	var lists []string
	for _, w := range startingWith(words, word[len(before):]) {
		if name, _, _ := strings.Cut(w, "\t"); !slices.Contains(there, name) {
			lists = append(lists, before+w)
		}
	}
	return lists
}

func startingWith(words []string, start string) []string {
	var found []string
	for _, w := range words {
		if strings.HasPrefix(w, start) {
			found = append(found, w)
		}
	}
	return found
}

// YAMLFile completes the name of a YAML file.
func YAMLFile(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
}
