package slackcmd

import (
	"encoding/json"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/slackbot/manifest"
)

// manifestCommand prints the manifest of the Slack app.
func manifestCommand(env cli.Env) *cobra.Command {
	var o manifest.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "manifest",
		Short: "print the manifest of the Slack app, to make it from or to compare it with",
		Args:  cli.NoWords,
		RunE: func(*cobra.Command, []string) error {
			text, err := manifest.YAML(o)
			if err == nil && asJSON {
				text, err = inJSON(text)
			}
			if err != nil {
				return cli.Usage(err)
			}
			_, err = fmt.Fprint(env.Stdout, text)
			return err
		},
	}
	cmd.Flags().StringVar(&o.HTTP, "http", "", "the https address at which Slack reaches the bot, in place of Socket Mode")
	cmd.Flags().BoolVar(&o.Rotate, "rotate", false, "a bot token that is renewed every twelve hours (MDE_SLACK_REFRESH_TOKEN)")
	cmd.Flags().BoolVar(&o.Looks, "looks", false, "also the scopes with which the doctor looks whether channels exist")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func inJSON(text string) (string, error) {
	var tree map[string]any
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		return "", err
	}
	raw, err := json.MarshalIndent(tree, "", "  ")
	return string(raw) + "\n", err
}
