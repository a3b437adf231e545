package mcpcmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/app/mcpapp"
	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/tools"
)

func toolsCommand(env cli.Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "tools",
		Short: "list the tools",
		Args:  cli.NoWords,
		RunE: func(*cobra.Command, []string) error {
			list, err := tools.Catalogue()
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(env.Stdout, views(list))
			}
			return writeTools(env.Stdout, list)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON, with schemas")
	return cmd
}

// toolView is a tool as `tools --json` shows it: what an MCP client sees of it, with the risk that policy goes by.
type toolView struct {
	Name         string          `json:"name"`
	Title        string          `json:"title"`
	Description  string          `json:"description"`
	Toolset      tools.Toolset   `json:"toolset"`
	Risk         approvals.Risk  `json:"risk"`
	InputSchema  json.RawMessage `json:"inputSchema"`
	OutputSchema json.RawMessage `json:"outputSchema"`
}

func views(list []tools.Tool) []toolView {
	out := make([]toolView, len(list))
	for i, t := range list {
		out[i] = toolView{t.Name, t.Title, t.Summary, t.Toolset, t.Risk, t.InputSchema, t.OutputSchema}
	}
	return out
}

func writeTools(w io.Writer, list []tools.Tool) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "TOOL\tRISK\tWHAT IT DOES")
	for _, t := range list {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", t.Name, t.Risk, t.Brief())
	}
	return tw.Flush()
}

func callCommand(env cli.Env, set *cli.Settings) *cobra.Command {
	return ownCompletion(&cobra.Command{
		Use:   "call TOOL [WORD…] [--flag value…] [--json]",
		Short: "run one tool; `mde-mcp tools` lists them",
		Example: "  mde-mcp call get_device host01\n" +
			"  mde-mcp call isolate_devices host01 --reason \"beaconing to a known C2\"\n" +
			"  mde-mcp call find_devices --os Windows11 --json",
		DisableFlagParsing: true, // the flags are the tool's
		RunE: func(cmd *cobra.Command, words []string) error {
			return call(cmd.Context(), env, *set, words)
		},
	}, callFlags)
}

// call runs one tool through the dispatcher, as every other face does.
func call(ctx context.Context, env cli.Env, set cli.Settings, words []string) error {
	words, opts, err := ownFlags(words)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		fmt.Fprintln(env.Stdout, "usage: mde-mcp call TOOL [WORD…] [--flag value…] [--json]\n`mde-mcp tools` lists the tools.")
		if opts.help {
			return nil
		}
		return cli.Usagef("call needs the name of a tool")
	}
	tool, err := find(words[0])
	if err != nil {
		return err
	}
	if opts.help {
		return writeHelp(env.Stdout, tool)
	}
	args, err := tool.ParseWords(words[1:])
	if err != nil {
		return cli.Usagef("%w\n%s", err, usage(tool))
	}
	if opts.tenant != cli.TenantConfigured {
		set.Tenant = opts.tenant
	}
	result, err := perform(ctx, env, set, tool, args)
	if ctx.Err() != nil && err != nil {
		return fmt.Errorf("interrupted before %s was answered; `mde-mcp call list_requests --mine` shows whether it made a request", tool.Name)
	}
	if err != nil {
		return err
	}
	if opts.json {
		return writeJSON(env.Stdout, result.Output)
	}
	_, err = fmt.Fprintln(env.Stdout, result.Text)
	return err
}

// writeHelp shows how a tool is called, with what its declaration says of each argument.
func writeHelp(w io.Writer, t tools.Tool) error {
	fmt.Fprintf(w, "%s\n\n%s\n\n", usage(t), t.Summary)
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, a := range t.Args {
		text := a.Description
		if a.Default != "" {
			text += " (default " + a.Default + ")"
		}
		fmt.Fprintf(tw, "  --%s\t%s\n", a.Flag(), text)
	}
	return tw.Flush()
}

func find(name string) (tools.Tool, error) {
	list, err := tools.Catalogue()
	if err != nil {
		return tools.Tool{}, err
	}
	for _, t := range list {
		if t.Name == name {
			return t, nil
		}
	}
	return tools.Tool{}, cli.Usagef("there is no tool %q; `mde-mcp tools` lists them", name)
}

func perform(ctx context.Context, env cli.Env, set cli.Settings, tool tools.Tool, args json.RawMessage) (tools.Result, error) {
	cfg, _, err := cli.Load(ctx, env, set, app.Config.CheckMCP)
	if err != nil {
		return tools.Result{}, err
	}
	a, err := mcpapp.Open(ctx, cfg, mcpapp.Options{Log: quiet(env, cfg)})
	if err != nil {
		return tools.Result{}, err
	}
	defer a.Close()
	who, err := a.Caller.Requester(ctx, approvals.ViaShell, "")
	if err != nil {
		return tools.Result{}, err
	}
	result, err := a.Dispatcher.Call(ctx, tools.Call{Tool: tool.Name, Args: args, Requester: who})
	if approvals.KindOf(err) == approvals.KindInvalid {
		return tools.Result{}, cli.Usage(err)
	}
	return result, err
}

// quiet makes the log of a command that answers who typed it: they get the answer or the error, and the log is for who asks
// for it.
func quiet(env cli.Env, cfg app.Config) *slog.Logger {
	if cfg.Sim {
		fmt.Fprintln(env.Stderr, "on a SIMULATED Defender tenant, which ends with this command")
	}
	if !cfg.Set["MDE_LOG_LEVEL"] {
		cfg.Log.Level = slog.LevelError
	}
	return app.NewLogger(env.Stderr, cfg.Log)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
