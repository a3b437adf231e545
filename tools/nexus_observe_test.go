package tools

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// Whoever can write requests into the database must not have people approve one cluster and the worker change another.
func TestAClusterIsWhatItsIDSays(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	_, r := w.ask("nexus_set_enforcement_level", `{"cluster":"edge-lab","level":"Passive","reason":"x"}`)
	_, err := w.performer.Observe(t.Context(), r.Plan)
	require.NoError(t, err)
	for what, forge := range map[string]func(*approvals.Target){
		"another name": func(t *approvals.Target) { t.Name = "contoso-cluster" },
		"a node":       func(t *approvals.Target) { t.Kind = kindNode },
		"a device":     func(t *approvals.Target) { t.Kind = kindDevice },
		"no id":        func(t *approvals.Target) { t.ID = "edge-lab" },
	} {
		plan := r.Plan
		plan.Targets = []approvals.Target{r.Plan.Targets[0]}
		forge(&plan.Targets[0])
		_, err := w.performer.Observe(t.Context(), plan)
		require.Equal(t, approvals.KindDenied, approvals.KindOf(err), what)
	}
	_, r = w.ask("nexus_collect_reports", `{"cluster":"contoso-cluster","nodes":["r01w001"],"reason":"x"}`)
	_, err = w.performer.Observe(t.Context(), r.Plan)
	require.NoError(t, err)
	r.Plan.Targets[0].Name = "rack1compute02 (r01w001)"
	_, err = w.performer.Observe(t.Context(), r.Plan)
	require.ErrorContains(t, err, "is not the node")
}
