package mcpcmd

import (
	"strings"

	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/tools"
)

// callOptions are the flags of `call` that are not the tool's.
type callOptions struct {
	help, json bool
	tenant     string // cli.TenantConfigured when not given
}

// ownFlags takes the flags of `call` itself out of its words; all others are for the tool. Words after "--" and words that
// are the value of a tool's flag are left.
func ownFlags(words []string) (rest []string, o callOptions, err error) {
	o.tenant = cli.TenantConfigured
	var tool tools.Tool
	for i := 0; i < len(words); i++ {
		name, value, inline := strings.Cut(words[i], "=")
		switch {
		case words[i] == "--":
			return append(rest, words[i:]...), o, nil
		case len(rest) > 1 && tool.TakesValue(rest[len(rest)-1]):
			rest = append(rest, words[i])
		case words[i] == "--help" || words[i] == "-h":
			o.help = true
		case words[i] == "--json":
			o.json = true
		case name == "--tenant" && inline:
			o.tenant = value
		case name == "--tenant" && i+1 < len(words):
			i++
			o.tenant = words[i]
		case name == "--tenant":
			return nil, o, cli.Usagef("--tenant needs a value, such as --tenant sim")
		default:
			if rest = append(rest, words[i]); len(rest) == 1 {
				tool, _ = find(words[i]) // an unknown one is refused by whoever called
			}
		}
	}
	return rest, o, nil
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
		b.WriteString(" [--" + a.Flag())
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
