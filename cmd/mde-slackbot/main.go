// Command mde-slackbot is the Slack face of mde-ops and the worker that performs what was approved.
package main

import (
	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/cli/slackcmd"
)

func main() { cli.Main(slackcmd.Run) }
