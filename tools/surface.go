package tools

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

// Selection says which tools a server offers. Its zero value is the default surface.
type Selection struct {
	// Toolsets are names of toolsets, "all" or "default"; none means "default".
	Toolsets []string
	// Tools are offered besides, whatever their surface; Exclude are not, whatever else is said.
	Tools, Exclude []string
	// ReadOnly leaves out every tool that acts on the tenant.
	ReadOnly bool
}

// The words that stand for several toolsets.
const (
	everyToolset   = "all"
	defaultSurface = "default"
)

// Select returns the tools that a selection offers, in the order of all. Names that don't exist are refused together, each
// with the nearest one that does, and so is a selection that leaves nothing. What is not offered is meant to be refused
// by name as well; policy is asked about the rest as always.
func Select(all []Tool, s Selection) ([]Tool, error) {
	s.Toolsets, s.Tools, s.Exclude = plainNames(s.Toolsets), plainNames(s.Tools), plainNames(s.Exclude)
	if len(s.Toolsets) == 0 {
		s.Toolsets = []string{defaultSurface}
	}
	if err := s.known(all); err != nil {
		return nil, err
	}
	var offered []Tool
	for _, t := range all {
		if s.offers(t) {
			offered = append(offered, t)
		}
	}
	if len(offered) == 0 {
		return nil, errors.New("the toolsets and tools that are asked for leave no tool to offer; ask for more, or exclude less")
	}
	return offered, nil
}

// offers says whether t is selected.
func (s Selection) offers(t Tool) bool {
	switch {
	case slices.Contains(s.Exclude, t.Name), s.ReadOnly && t.Risk != approvals.RiskRead:
		return false
	case slices.Contains(s.Tools, t.Name):
		return true
	case t.Surface == Default && slices.Contains(s.Toolsets, defaultSurface):
		return true
	case t.Surface == Default || t.Surface == InToolset:
		return slices.Contains(s.Toolsets, string(t.Toolset)) || slices.Contains(s.Toolsets, everyToolset)
	}
	return false // off by default, or a surface that this version does not know
}

// known refuses names that nothing has.
func (s Selection) known(all []Tool) error {
	names, sets := make([]string, len(all)), []string{everyToolset, defaultSurface}
	for i, t := range all {
		names[i] = t.Name
		if !slices.Contains(sets, string(t.Toolset)) {
			sets = append(sets, string(t.Toolset))
		}
	}
	var faults []error
	look := func(kind string, asked, there []string, list string) {
		for _, name := range asked {
			if !slices.Contains(there, name) {
				faults = append(faults, fmt.Errorf("there is no %s %q%s%s", kind, name, didYouMean(name, there), list))
			}
		}
	}
	look("toolset", s.Toolsets, sets, " There are "+strings.Join(sets, ", "))
	look("tool", s.Tools, names, "")
	look("tool to exclude", s.Exclude, names, "")
	return errors.Join(faults...)
}

// plainNames are names without spaces around them and without empty ones, as they come from a list with commas.
func plainNames(names []string) []string {
	var plain []string
	for _, n := range names {
		if n = strings.TrimSpace(n); n != "" {
			plain = append(plain, n)
		}
	}
	return plain
}
