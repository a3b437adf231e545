package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/mdecore/operations"
	"github.com/mde-ops/mde-ops/tools"
)

// offered says when a client is offered a tool.
func offered(t tools.Tool) string {
	switch t.Surface {
	case tools.Default:
		return "Offered by default."
	case tools.InToolset:
		return fmt.Sprintf("Offered with `--toolsets %s`, `all` or by name.", t.Toolset)
	case tools.ByName:
	}
	return "Off by default: offered only where `--tools` names it."
}

// permissions says which application permissions the two applications need for a tool; nothing for a tool that asks the
// tenant nothing.
func permissions(t tools.Tool) (string, error) {
	azure := azurePermissions(t.Name)
	asks, ok := tools.AsksOf(t.Name)
	if !ok {
		return azure, nil
	}
	var said, known []string
	for _, part := range []struct {
		who   string
		calls []string
	}{{"the reading application", asks.Reads}, {"for some calls also", asks.Parts}, {"to tell approvers more also", asks.Weighs}, {"the worker", asks.Works}} {
		if part.who == "the worker" {
			known = nil // it has an application of its own
		}
		roles, err := rolesFor(part.calls)
		if err != nil {
			return "", fmt.Errorf("%s: %w", t.Name, err)
		}
		roles = slices.DeleteFunc(roles, func(r string) bool { return slices.Contains(known, r) })
		if known = append(known, roles...); len(roles) > 0 {
			said = append(said, part.who+" "+strings.Join(roles, ", "))
		}
	}
	if len(said) == 0 {
		return azure, nil
	}
	return strings.TrimSpace("Permissions: " + strings.Join(said, "; ") + ". " + azure), nil
}

// azurePermissions says which actions of Azure the roles of the two applications need for a tool.
func azurePermissions(tool string) string {
	reads, works := tools.AzureActions(tool)
	if len(reads) == 0 {
		return ""
	}
	text := "In Azure: the reading application `" + strings.Join(reads, "`, `") + "`"
	if len(works) > 0 {
		text += "; the worker `" + strings.Join(works, "`, `") + "`"
	}
	return text + "."
}

// rolesFor is the least permission for each of the client's methods.
func rolesFor(calls []string) ([]string, error) {
	var roles []string
	for _, call := range calls {
		o, ok := operations.ByClient(call)
		if !ok {
			return nil, fmt.Errorf("no operation has the method %s", call)
		}
		text := "`" + strings.Join(least(o.RoleNames()), "` or `") + "`"
		if o.Graph {
			text += " (Microsoft Graph)"
		}
		if o.Roles != "" && !slices.Contains(roles, text) {
			roles = append(roles, text)
		}
	}
	return roles, nil
}

// least leaves out the permissions that can write where one that can only read will do.
func least(names []string) []string {
	if i := slices.IndexFunc(names, func(n string) bool { return strings.HasSuffix(n, ".Read.All") }); i >= 0 {
		return names[i : i+1]
	}
	return names
}
