package tools

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

var update = flag.Bool("update", false, "write testdata/catalogue.json anew")

func TestEveryToolIsWhole(t *testing.T) {
	all, err := Catalogue()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for _, tool := range all {
		t.Run(tool.Name, func(t *testing.T) {
			for name, raw := range map[string]json.RawMessage{"input": tool.InputSchema, "output": tool.OutputSchema} {
				var s jsonschema.Schema
				require.NoError(t, json.Unmarshal(raw, &s), name)
				require.Equal(t, "object", s.Type, name)
				require.NotEmpty(t, s.Properties, name)
				require.NotNil(t, s.AdditionalProperties, "%s must say whether it has more", name)
				_, err := s.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
				require.NoError(t, err, name)
				described(t, name, &s)
			}
			require.NotEmpty(t, tool.Title)
			require.True(t, tool.Risk.Valid())
			visible := len(tool.Name) + len(tool.Summary) + len(tool.InputSchema)
			require.LessOrEqual(t, visible, 900, "what a model must read of one tool")
		})
	}
}

// described requires a description and no list of types at every property.
func described(t *testing.T, path string, s *jsonschema.Schema) {
	t.Helper()
	require.Empty(t, s.Types, path)
	for name, p := range s.Properties {
		require.NotEmpty(t, p.Description, "%s.%s", path, name)
		described(t, path+"."+name, p)
	}
	if s.Items != nil {
		described(t, path+"[]", s.Items)
	}
}

func TestRisksAndHintsAreThoseOfTheDesign(t *testing.T) {
	facts, err := Facts()
	require.NoError(t, err)
	risks := map[string]approvals.Risk{}
	for name, f := range facts {
		risks[name] = f.Risk
	}
	for name, risk := range risks {
		require.Equal(t, designed(name), risk, name)
		raised := map[string]approvals.Risk{"nexus_set_enforcement_level": approvals.RiskExecute}
		require.Equal(t, raised[name], facts[name].Raised, name)
	}
	all, err := Catalogue()
	require.NoError(t, err)
	for _, tool := range all {
		require.Equal(t, tool.Risk == approvals.RiskRead && tool.Name != "cancel_request", tool.Annotations.ReadOnly, tool.Name)
		require.Equal(t, tool.Acts(), tool.Annotations.Destructive, tool.Name)
		if tool.Untrusted {
			require.Contains(t, string(tool.OutputSchema), "untrusted text", tool.Name)
		}
	}
}

// designed is the risk that the design gives a tool: what it could do if it ran wrongly.
func designed(tool string) approvals.Risk {
	for risk, names := range map[approvals.Risk]string{
		approvals.RiskAnnotate: "tag_devices set_device_value update_alerts create_alert update_incident",
		approvals.RiskCollect:  "scan_devices collect_package get_file fetch_evidence export_assessment",
		approvals.RiskContain:  "isolate_devices restrict_apps add_indicators extend_timebox resume_request nexus_set_enforcement_level nexus_start_scan nexus_collect_reports",
		approvals.RiskExpose:   "release_devices unrestrict_apps undo_request cancel_action allow_indicators remove_indicators",
		approvals.RiskExecute:  "run_live_response run_script put_file upload_library_file delete_library_file set_authenticated_scan delete_authenticated_scans",
		approvals.RiskDestroy:  "stop_and_quarantine lift_stop",
		approvals.RiskOff:      "offboard_devices",
	} {
		if slices.Contains(strings.Fields(names), tool) {
			return risk
		}
	}
	return approvals.RiskRead
}

func TestTheCatalogueIsAsItWasReviewed(t *testing.T) {
	all, err := Catalogue()
	require.NoError(t, err)
	got, err := json.MarshalIndent(all, "", "  ")
	require.NoError(t, err)
	golden := filepath.Join("testdata", "catalogue.json")
	if *update {
		require.NoError(t, os.WriteFile(golden, append(got, '\n'), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got)+"\n", "run `go test ./tools -run Catalogue -update` and review the difference")
}

type badIn struct {
	Nested struct{ A string } `json:"nested" jsonschema:"not flat"`
}

type noAsking struct {
	Devices []string `json:"devices" jsonschema:"devices" form:"device"`
}

// whole is a sound acting declaration, to be broken in one way at a time.
func whole() spec[isolateIn, requestView] {
	return isolateDevices().(spec[isolateIn, requestView])
}

func TestUnsoundDeclarationsRefuseToStart(t *testing.T) {
	broken := func(change func(*spec[isolateIn, requestView])) declaration {
		s := whole()
		s.undo = ""
		change(&s)
		return s
	}
	read := spec[getDeviceIn, getDeviceOut]{
		surface: Default,
		name:    "read_it", title: "t", summary: "s", toolset: Devices, risk: approvals.RiskRead, read: readDevice,
	}
	acts := read
	acts.plan = func(context.Context, *session, getDeviceIn) (approvals.Plan, error) { return approvals.Plan{}, nil }
	for _, c := range []struct {
		name, text string
		d          []declaration
	}{
		{"no risk", `risk "" is not one of`, []declaration{broken(func(s *spec[isolateIn, requestView]) { s.risk = "" })}},
		{"unknown risk", `risk "mild"`, []declaration{broken(func(s *spec[isolateIn, requestView]) { s.risk = "mild" })}},
		{"no plan", "needs plan", []declaration{broken(func(s *spec[isolateIn, requestView]) { s.plan = nil })}},
		{"no apply", "needs plan, apply", []declaration{broken(func(s *spec[isolateIn, requestView]) { s.performs.apply = nil })}},
		{"no find", "needs plan, apply", []declaration{broken(func(s *spec[isolateIn, requestView]) { s.performs.find = nil })}},
		{"no follow", "needs plan, apply", []declaration{broken(func(s *spec[isolateIn, requestView]) { s.performs.follow = nil })}},
		{"no name", "its name", []declaration{broken(func(s *spec[isolateIn, requestView]) { s.name = "Isolate" })}},
		{"no summary", "summary", []declaration{broken(func(s *spec[isolateIn, requestView]) { s.summary = "" })}},
		{"read-only and acting", "not read-only", []declaration{broken(func(s *spec[isolateIn, requestView]) { s.hints.ReadOnly = true })}},
		{"unknown positional", "positional", []declaration{broken(func(s *spec[isolateIn, requestView]) { s.positional = []string{"device"} })}},
		{"unknown inverse", "inverse", []declaration{broken(func(s *spec[isolateIn, requestView]) { s.undo = "undo_it" })}},
		{"acting as a reading tool", "must not act", []declaration{acts}},
		{"acting without asking", "must embed asking", []declaration{spec[noAsking, requestView]{
			name: "act", title: "t", summary: "s", toolset: Response, risk: approvals.RiskContain,
			plan:     func(context.Context, *session, noAsking) (approvals.Plan, error) { return approvals.Plan{}, nil },
			performs: whole().performs,
		}}},
		{"nested input", "not struct", []declaration{spec[badIn, getDeviceOut]{name: "x", title: "t", summary: "s", toolset: Devices, risk: approvals.RiskRead}}},
		{"empty output", "no properties", []declaration{spec[getDeviceIn, struct{}]{name: "x", title: "t", summary: "s", toolset: Devices, risk: approvals.RiskRead}}},
		{"twice", "declared twice", []declaration{read, read}},
		{"none", "no tool is declared", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := compileAll(c.d)
			require.ErrorContains(t, err, c.text)
		})
	}
	_, err := compileAll([]declaration{read})
	require.NoError(t, err)
}

func TestNothingIsMissingAtTheStart(t *testing.T) {
	w := open(t, toolstest.Options{})
	for text, change := range map[string]func(*Options){
		"no client":   func(o *Options) { o.Reader = nil },
		"no gate":     func(o *Options) { o.Gate = nil },
		"no tenant":   func(o *Options) { o.Tenant = " " },
		"is negative": func(o *Options) { o.MaxDevices = -1 },
	} {
		o := w.options()
		change(&o)
		_, err := NewDispatcher(o)
		require.ErrorContains(t, err, text)
	}
	_, err := NewPerformer(PerformerOptions{Reader: w.Reader, Tenant: "t"})
	require.ErrorContains(t, err, "writing client")
	_, err = NewPerformer(PerformerOptions{Reader: w.Reader, Writer: w.Writer})
	require.ErrorContains(t, err, "tenant id")
	require.Equal(t, "find_devices", w.d.Tools()[0].Name)
	isolate, ok := w.d.byID["isolate_devices"]
	require.True(t, ok)
	require.Equal(t, []string{"devices"}, isolate.tool.Positional())
}
