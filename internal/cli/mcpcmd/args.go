package mcpcmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/tools"
)

// callOptions are the flags of `call` that are not the tool's.
type callOptions struct {
	JSON   bool
	Tenant string
}

// parseCall reads the words after `call TOOL` into the tool's arguments. Flags and their types come from the tool's
// declaration; a value may begin with a hyphen as --flag=-x. What the words say is checked by the dispatcher.
func parseCall(t tools.Tool, words []string) (json.RawMessage, callOptions, error) {
	fs := pflag.NewFlagSet(t.Name, pflag.ContinueOnError)
	fs.SetInterspersed(true)
	fs.Usage = func() {}
	var opts callOptions
	fs.BoolVar(&opts.JSON, "json", false, "")
	fs.StringVar(&opts.Tenant, "tenant", "", "")
	for _, a := range t.Args {
		define(fs, a)
	}
	if err := fs.Parse(words); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return nil, opts, err
		}
		return nil, opts, cli.Usagef("%s: %w\n%s", t.Name, err, usage(t))
	}
	args, err := collect(fs, t)
	if err != nil {
		return nil, opts, err
	}
	if err := positionals(args, t, fs.Args()); err != nil {
		return nil, opts, err
	}
	raw, err := json.Marshal(args)
	if err != nil {
		return nil, opts, cli.Usagef("%s: the arguments can't be written as JSON: %w", t.Name, err)
	}
	return raw, opts, nil
}

// flagName is an argument's name on the command line.
func flagName(name string) string { return strings.ReplaceAll(name, "_", "-") }

func define(fs *pflag.FlagSet, a tools.Arg) {
	name := flagName(a.Name)
	switch a.Type {
	case tools.TypeStrings:
		fs.StringArray(name, nil, a.Description)
	case tools.TypeInteger:
		fs.Int64(name, 0, a.Description)
	case tools.TypeBoolean:
		fs.Bool(name, false, a.Description)
	case tools.TypeString:
		fs.String(name, "", a.Description)
	}
}

// collect reads the flags that were given. One that was not stays out, so that the tool's default applies.
func collect(fs *pflag.FlagSet, t tools.Tool) (map[string]any, error) {
	args := make(map[string]any)
	for _, a := range t.Args {
		name := flagName(a.Name)
		if !fs.Changed(name) {
			continue
		}
		value, err := read(fs, a.Type, name)
		if err != nil {
			return nil, cli.Usagef("%s: --%s: %w", t.Name, name, err)
		}
		args[a.Name] = value
	}
	return args, nil
}

func read(fs *pflag.FlagSet, kind tools.ArgType, name string) (any, error) {
	switch kind {
	case tools.TypeStrings:
		return fs.GetStringArray(name)
	case tools.TypeInteger:
		return fs.GetInt64(name)
	case tools.TypeBoolean:
		return fs.GetBool(name)
	case tools.TypeString:
		return fs.GetString(name)
	}
	return nil, fmt.Errorf("an argument of type %q can't be typed on a command line", kind)
}

// positionals gives the words without a flag to the arguments that take them, in order; a list takes all that are left.
func positionals(args map[string]any, t tools.Tool, words []string) error {
	for _, name := range t.Positional() {
		if len(words) == 0 {
			return nil
		}
		if _, twice := args[name]; twice {
			return cli.Usagef("%s: %s is given both as a word (%q) and as --%s: keep one", t.Name, name, words[0], flagName(name))
		}
		a, _ := t.Arg(name)
		if a.Type == tools.TypeStrings {
			args[name] = words
			return nil
		}
		args[name], words = words[0], words[1:]
	}
	if len(words) > 0 {
		return cli.Usagef("%s takes no further word: %q\n%s", t.Name, words[0], usage(t))
	}
	return nil
}

// usage is the one-line form of a call with its flags.
func usage(t tools.Tool) string {
	var b strings.Builder
	b.WriteString("usage: mde-mcp call " + t.Name)
	for _, name := range t.Positional() {
		a, _ := t.Arg(name)
		word := strings.ToUpper(name)
		if a.Type == tools.TypeStrings {
			word += "…"
		}
		b.WriteString(" [" + word + "]")
	}
	for _, a := range t.Args {
		b.WriteString(" [--" + flagName(a.Name))
		switch {
		case a.Type == tools.TypeBoolean:
		case len(a.Enum) > 0:
			b.WriteString(" " + strings.Join(a.Enum, "|"))
		default:
			b.WriteString(" " + strings.ToUpper(string(a.Type)))
		}
		b.WriteString("]")
	}
	b.WriteString(" [--json]")
	return b.String()
}
