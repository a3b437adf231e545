package tools

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/mde-ops/mde-ops/approvals"
)

// declarations lists every tool, in the order in which faces show them. Each family's file lists its own.
func declarations() []declaration {
	return slices.Concat(
		deviceTools(), alertTools(), responseTools(), liveResponseTools(), huntingTools(), indicatorTools(),
		entityTools(), exposureTools(), evidenceTools(), nexusTools(), requestTools(), sessionTools(),
	)
}

// Catalogue lists every tool in a stable order, without anything that could run one. It needs no store and no tenant, so
// that a face can offer the tools before those are there. It is what `make generate` wrote down; a dispatcher checks the
// declarations themselves.
func Catalogue() ([]Tool, error) {
	tools := slices.Clone(catalogue())
	if len(tools) == 0 {
		return nil, errors.New("the catalogue was not generated: run `make generate`")
	}
	return tools, nil
}

// catalogue is made once, because every start of a server waits for it.
var catalogue = sync.OnceValue(func() []Tool {
	written := writtenDown()
	tools := make([]Tool, len(written))
	for i, g := range written {
		tools[i] = g.tool
	}
	return tools
})

// writtenDown is what `make generate` wrote down. To make it copies every schema.
var writtenDown = sync.OnceValue(generated)

// Facts is what every tool states of itself, by name, from the declarations themselves: the vocabulary of policies, and what
// a worker checks plans against.
func Facts() (map[string]approvals.ToolInfo, error) {
	all, err := facts()
	return maps.Clone(all), err
}

// facts are made once: a doctor asks for them in every other check.
var facts = sync.OnceValues(func() (map[string]approvals.ToolInfo, error) {
	all, err := compileAll(declarations())
	if err != nil {
		return nil, err
	}
	facts := make(map[string]approvals.ToolInfo, len(all))
	for _, c := range all {
		info := c.tool.info()
		info.Through = c.borrows
		facts[c.tool.Name] = info
	}
	return facts, nil
})

// compileAll checks declarations, each and together, and reports every fault.
func compileAll(declared []declaration) ([]*compiled, error) {
	var faults []error
	all := make([]*compiled, 0, len(declared))
	seen := map[string]bool{}
	for _, d := range declared {
		c, err := d.compile()
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if seen[c.tool.Name] {
			faults = append(faults, fmt.Errorf("tool %q is declared twice", c.tool.Name))
		}
		seen[c.tool.Name] = true
		all = append(all, c)
	}
	for _, c := range all {
		if c.undo != "" && !seen[c.undo] {
			faults = append(faults, fmt.Errorf("tool %q: its inverse %q is not declared", c.tool.Name, c.undo))
		}
	}
	if len(all) == 0 {
		faults = append(faults, errors.New("no tool is declared"))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("the catalogue is not sound: %w", errors.Join(faults...))
	}
	return all, nil
}
