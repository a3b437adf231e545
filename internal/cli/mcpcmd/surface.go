package mcpcmd

import (
	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/cli"
)

// surfaceFlags say which tools a server offers.
type surfaceFlags struct {
	toolsets, tools, exclude []string
	readOnly                 bool
}

// bind defines the flags on a command that serves.
func (f *surfaceFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&f.toolsets, "toolsets", nil, `offer the tools of these toolsets; "all", and "default" for the usual ones (MDE_TOOLSETS)`)
	cmd.Flags().StringSliceVar(&f.tools, "tools", nil, "offer these tools besides (MDE_TOOLS)")
	cmd.Flags().StringSliceVar(&f.exclude, "exclude-tools", nil, "never offer these tools (besides MDE_EXCLUDE_TOOLS)")
	cmd.Flags().BoolVar(&f.readOnly, "read-only", false, "offer only tools that read (MDE_READ_ONLY)")
	for flag, words := range map[string]func() []string{"toolsets": toolsetChoices, "tools": toolNames, "exclude-tools": toolNames} {
		_ = cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
			return cli.ListOf(words()...)(cmd, args, word)
		})
	}
}

// over is what is configured with what was typed: a flag takes the place of its setting, but for those that only take away,
// which add up.
func (f *surfaceFlags) over(s app.Surface) app.Surface {
	if len(f.toolsets) > 0 {
		s.Toolsets = f.toolsets
	}
	if len(f.tools) > 0 {
		s.Tools = f.tools
	}
	s.Exclude = append(append([]string{}, s.Exclude...), f.exclude...)
	s.ReadOnly = s.ReadOnly || f.readOnly
	return s
}
