package app

import "github.com/mde-ops/mde-ops/tools"

// Select returns the tools that are offered. A name that doesn't exist is an error that offers the nearest one.
func (s Surface) Select() ([]tools.Tool, error) {
	all, err := tools.Catalogue()
	if err != nil {
		return nil, err
	}
	return tools.Select(all, tools.Selection{Toolsets: s.Toolsets, Tools: s.Tools, Exclude: s.Exclude, ReadOnly: s.ReadOnly})
}
