// Package doctorcmd is the command `doctor` of both programs: how it shows what was found.
package doctorcmd

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/doctor"
)

// Examine looks, and shows each finding as soon as it is its turn.
type Examine func(ctx context.Context, show func(doctor.Finding)) ([]doctor.Finding, error)

// Command makes `doctor`.
func Command(env cli.Env, examine Examine) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:  "doctor",
		Args: cli.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), env, format, examine) },
	}
	cmd.Flags().StringVar(&format, "format", "text", "text, a line for each thing, or json")
	_ = cmd.RegisterFlagCompletionFunc("format", cli.OneOf("text", "json"))
	return cmd
}

// report is what --format json prints.
type report struct {
	OK       bool             `json:"ok"`
	Failed   int              `json:"failed"`
	Findings []doctor.Finding `json:"findings"`
}

func run(ctx context.Context, env cli.Env, format string, examine Examine) error {
	show := func(f doctor.Finding) { fmt.Fprintln(env.Stdout, f) }
	switch format {
	case "text":
	case "json":
		show = func(doctor.Finding) {}
	default:
		return cli.Usagef("--format %q: want text or json", format)
	}
	found, err := examine(ctx, show)
	if err != nil {
		return err
	}
	failed := doctor.Failed(found)
	if format == "json" {
		enc := json.NewEncoder(env.Stdout)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(report{OK: failed == 0, Failed: failed, Findings: found}); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d findings say that something can't work", failed, len(found))
	}
	return nil
}
