// Command gen writes docs/tools.md and tools/catalogue_generated.go from the tools' own declarations, and docs/coverage.md
// from the table of operations and the client's methods, so that none can say anything else.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mde-ops/mde-ops/internal/slackbot/manifest"
	"github.com/mde-ops/mde-ops/tools"
)

//go:generate go run . ../..

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: gen ROOT-OF-THE-MODULE")
	}
	catalogue, err := tools.Generate()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(args[0], "tools", "catalogue_generated.go"), catalogue, 0o600); err != nil {
		return err
	}
	page, err := page()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(args[0], "docs", "tools.md"), []byte(page), 0o600); err != nil {
		return err
	}
	covered, err := coverage(filepath.Join(args[0], "mdecore"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(args[0], "docs", "coverage.md"), []byte(covered), 0o600); err != nil {
		return err
	}
	app, err := manifest.YAML(manifest.Options{})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(args[0], "deploy", "slack-manifest.yaml"), []byte(app), 0o600)
}

// page is docs/tools.md.
func page() (string, error) {
	list, err := tools.Derive()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("# Tools\n\n<!-- Written by `make generate` from the declarations in tools/. Don't edit. -->\n\n" +
		"Every tool is the same for an assistant (MCP), in Slack and in the shell (`mde-mcp call`). A tool whose risk is not\n" +
		"`read` only makes a request; docs/approvals.md says who decides.\n\n| tool | toolset | risk | |\n| --- | --- | --- | --- |\n")
	for _, t := range list {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | %s |\n", t.Name, t.Name, t.Toolset, risks(t, ", "), cell(t.Brief()))
	}
	for _, t := range list {
		if err := section(&b, t); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

func section(b *strings.Builder, t tools.Tool) error {
	needs, err := permissions(t)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n", t.Name, t.Summary)
	fmt.Fprintf(b, "Risk %s; read-only %s, destructive %s, idempotent %s, open world %s.\n\n", "`"+risks(t, "`, and of some calls `")+"`",
		yes(t.Annotations.ReadOnly), yes(t.Annotations.Destructive), yes(t.Annotations.Idempotent), yes(t.Annotations.OpenWorld))
	b.WriteString(strings.TrimSpace(offered(t)+" "+needs) + "\n\n")
	if len(t.Args) == 0 {
		b.WriteString("It takes no arguments.\n")
		return nil
	}
	b.WriteString("| argument | type | | what it is |\n| --- | --- | --- | --- |\n")
	for _, a := range t.Args {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", a.Name, kind(a), need(a), cell(a.Description))
	}
	return nil
}

// risks are those that calls of a tool can have.
func risks(t tools.Tool, between string) string {
	if t.Raised == "" {
		return string(t.Risk)
	}
	return string(t.Risk) + between + string(t.Raised)
}

func kind(a tools.Arg) string {
	switch {
	case len(a.Enum) > 0:
		return "`" + strings.Join(a.Enum, "`, `") + "`"
	case a.Type == tools.TypeStrings:
		return "one or many strings"
	}
	return string(a.Type)
}

func need(a tools.Arg) string {
	var words []string
	if a.Required {
		words = append(words, "required")
	}
	if a.Positional {
		words = append(words, "positional")
	}
	if a.Default != "" {
		words = append(words, "default `"+a.Default+"`")
	}
	return strings.Join(words, ", ")
}

// cell keeps a text inside one cell of a table.
func cell(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "|", "\\|"), "\n", " ") }

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
