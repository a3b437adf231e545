package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/policy"
)

// vocabulary is what the example policies may name: tools of this version, one for each risk.
func vocabulary() policy.Known {
	return policy.Known{Tools: map[string]approvals.ToolInfo{
		"find_devices":    {Risk: approvals.RiskRead, Toolset: "devices"},
		"isolate_devices": {Risk: approvals.RiskContain, Toolset: "response"},
		"release_devices": {Risk: approvals.RiskExpose, Toolset: "response"},
		"cancel_action":   {Risk: approvals.RiskExpose, Toolset: "response"},
		"lift_stop":       {Risk: approvals.RiskDestroy, Toolset: "requests"},
	}}
}

func TestTheExamplePoliciesAnswerAsTheirCasesSay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../docs/examples/policies/*_test.yaml")
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			of := strings.TrimSuffix(file, "_test.yaml") + ".yaml"
			data, err := os.ReadFile(of)
			require.NoError(t, err)
			p, findings := policy.Review(of, data, vocabulary())
			require.Empty(t, severe(findings), "an example that people copy")
			data, err = os.ReadFile(file)
			require.NoError(t, err)
			cases, err := policy.ReadCases(file, data)
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(cases), 8)
			for _, r := range p.Try(cases) {
				require.True(t, r.OK(), r.String())
			}
		})
	}
}

// severe leaves out that this version has no tool of some risk yet.
func severe(findings []policy.Finding) []policy.Finding {
	var out []policy.Finding
	for _, f := range findings {
		if !strings.Contains(f.Text, "no tool of this version") {
			out = append(out, f)
		}
	}
	return out
}
