package tools

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
)

// shelf is a catalogue of which every tool is offered in another way.
func shelf() []Tool {
	return []Tool{
		{Name: "find_devices", Toolset: Devices, Surface: Default, Risk: approvals.RiskRead},
		{Name: "tag_devices", Toolset: Devices, Surface: InToolset, Risk: approvals.RiskAnnotate},
		{Name: "isolate_devices", Toolset: Response, Surface: Default, Risk: approvals.RiskContain},
		{Name: "offboard_devices", Toolset: Response, Surface: ByName, Risk: approvals.RiskOff},
		{Name: "mde_get", Toolset: Session, Surface: ByName, Risk: approvals.RiskRead},
		{Name: "list_certificates", Toolset: Exposure, Surface: InToolset, Risk: approvals.RiskRead},
		{Name: "odd", Toolset: Devices, Surface: "new", Risk: approvals.RiskRead},
	}
}

func TestASelectionOffersWhatItSays(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		s    Selection
		want []string
	}{
		"nothing said":          {Selection{}, []string{"find_devices", "isolate_devices"}},
		"default by name":       {Selection{Toolsets: []string{" default "}}, []string{"find_devices", "isolate_devices"}},
		"a toolset":             {Selection{Toolsets: []string{"devices"}}, []string{"find_devices", "tag_devices"}},
		"two, one being none":   {Selection{Toolsets: []string{"exposure", "", "response"}}, []string{"isolate_devices", "list_certificates"}},
		"a toolset besides":     {Selection{Toolsets: []string{"default", "exposure"}}, []string{"find_devices", "isolate_devices", "list_certificates"}},
		"every toolset":         {Selection{Toolsets: []string{"all"}}, []string{"find_devices", "tag_devices", "isolate_devices", "list_certificates"}},
		"a tool besides":        {Selection{Tools: []string{"mde_get"}}, []string{"find_devices", "isolate_devices", "mde_get"}},
		"off by default":        {Selection{Toolsets: []string{"exposure"}, Tools: []string{"offboard_devices"}}, []string{"offboard_devices", "list_certificates"}},
		"without one":           {Selection{Exclude: []string{"isolate_devices"}}, []string{"find_devices"}},
		"named and excluded":    {Selection{Tools: []string{"mde_get"}, Exclude: []string{"mde_get"}}, []string{"find_devices", "isolate_devices"}},
		"only what reads":       {Selection{Toolsets: []string{"all"}, ReadOnly: true}, []string{"find_devices", "list_certificates"}},
		"read-only wins":        {Selection{Tools: []string{"isolate_devices"}, ReadOnly: true}, []string{"find_devices"}},
		"a surface of tomorrow": {Selection{Toolsets: []string{"devices"}, Tools: []string{"odd"}}, []string{"find_devices", "tag_devices", "odd"}},
	} {
		got, err := Select(shelf(), c.s)
		require.NoError(t, err, name)
		names := make([]string, len(got))
		for i, tool := range got {
			names[i] = tool.Name
		}
		require.Equal(t, c.want, names, name)
	}
}

func TestASelectionRefusesWhatThereIsNot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		s     Selection
		texts []string
	}{
		"a toolset": {Selection{Toolsets: []string{"device"}}, []string{`no toolset "device"`, "did you mean devices?", "exposure"}},
		"a tool":    {Selection{Tools: []string{"isolate_device"}}, []string{`no tool "isolate_device"`, "did you mean isolate_devices?"}},
		"excluded":  {Selection{Exclude: []string{"tag-devices"}}, []string{`no tool to exclude "tag-devices"`, "did you mean tag_devices?"}},
		"all of them": {
			Selection{Toolsets: []string{"zzzzzz"}, Tools: []string{"mdeget"}, Exclude: []string{"od"}},
			[]string{`"zzzzzz"`, `"mdeget"`, "did you mean mde_get?", `"od"`},
		},
		"nothing is left": {Selection{Toolsets: []string{"exposure"}, Exclude: []string{"list_certificates"}}, []string{"no tool to offer"}},
	} {
		got, err := Select(shelf(), c.s)
		require.Empty(t, got, name)
		for _, text := range c.texts {
			require.ErrorContains(t, err, text, name)
		}
	}
}

// weight is what tools cost: what a model reads of them, and what a client is sent.
func weight(t *testing.T, list []Tool) (visible, whole int) {
	t.Helper()
	for _, tool := range list {
		visible += len(tool.Name) + len(tool.Summary) + len(tool.InputSchema)
		b, err := json.Marshal(map[string]any{
			"name": tool.Name, "title": tool.Title, "description": tool.Summary, "inputSchema": tool.InputSchema, "outputSchema": tool.OutputSchema,
			"annotations": map[string]bool{"readOnlyHint": false, "destructiveHint": false, "idempotentHint": false, "openWorldHint": false},
		})
		require.NoError(t, err)
		whole += len(b) + 1
	}
	return visible, whole
}

// TestSurfaceBudgets keeps what a model and a client have to read of the tools small.
func TestSurfaceBudgets(t *testing.T) {
	all, err := Catalogue()
	require.NoError(t, err)
	shown, err := Select(all, Selection{})
	require.NoError(t, err)
	visible, list := weight(t, shown)
	inSets, err := Select(all, Selection{Toolsets: []string{everyToolset}})
	require.NoError(t, err)
	allVisible, everything := weight(t, inSets)
	t.Logf("default: %d tools, %d bytes for a model (%d a tool), tools/list %d bytes", len(shown), visible, visible/len(shown), list)
	t.Logf("all toolsets: %d tools, %d bytes for a model, tools/list %d bytes", len(inSets), allVisible, everything)
	heavy := slices.Clone(all)
	slices.SortFunc(heavy, func(a, b Tool) int { return len(b.InputSchema) + len(b.Summary) - len(a.InputSchema) - len(a.Summary) })
	for _, tool := range heavy[:min(5, len(heavy))] {
		own, _ := weight(t, []Tool{tool})
		t.Logf("%s: %d bytes, output schema %d", tool.Name, own, len(tool.OutputSchema))
	}
	require.LessOrEqual(t, visible, 14_000)
	require.LessOrEqual(t, visible/len(shown), 600)
	require.LessOrEqual(t, list, 30_000)
	require.LessOrEqual(t, everything, 90_000)
}
