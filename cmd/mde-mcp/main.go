// Command mde-mcp serves Microsoft Defender for Endpoint tools over the Model Context Protocol and runs single tools
// from the shell.
package main

import (
	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/internal/cli/mcpcmd"
)

func main() { cli.Main(mcpcmd.Run) }
