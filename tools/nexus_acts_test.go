package tools

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/internal/simulate"
	"github.com/mde-ops/mde-ops/nexus/nexussim"
)

const (
	operationPath = "/subscriptions/*/providers/Microsoft.NetworkCloud/locations/*/operationStatuses/*"
	clusterPath   = "/subscriptions/*/resourceGroups/*/providers/Microsoft.NetworkCloud/clusters/*"
)

// sent is an approved request that was sent to Azure and is under way there.
func (o *office) sent(tool, args string) approvals.Request {
	o.t.Helper()
	r := o.collectAsked(tool, args)
	o.push(r.ID)
	r, err := o.Gate.Get(o.t.Context(), r.ID)
	require.NoError(o.t, err)
	require.Equal(o.t, approvals.StepAccepted, r.Steps[0].State, r.Steps[0].Message)
	return r
}

// steps are how the steps of a request ended, by the names of their nodes.
func (o *office) steps(r approvals.Request) map[string]approvals.StepStatus {
	o.t.Helper()
	r, err := o.Gate.Get(o.t.Context(), r.ID)
	require.NoError(o.t, err)
	ends := map[string]approvals.StepStatus{}
	for i, s := range r.Steps {
		target := r.Plan.Steps[i].Target
		ends[target[strings.LastIndex(target, "/")+1:]] = s
	}
	return ends
}

func TestEveryFaultOfAReportIsNamedAtItsNodeAndHarmsNoOther(t *testing.T) {
	t.Parallel()
	const kept, none = true, false
	type end struct {
		state approvals.StepState
		text  string
		raw   bool
	}
	for _, round := range []map[nexussim.Result]end{
		{
			nexussim.ResultZipped:    {approvals.StepSucceeded, "quarantine", kept},
			nexussim.ResultPlain:     {approvals.StepSucceeded, "quarantine", kept},
			nexussim.ResultStopped:   {approvals.StepSucceeded, "the agent may be stopped", kept},
			nexussim.ResultCut:       {approvals.StepFailed, "can't be read", kept},
			nexussim.ResultTraversal: {approvals.StepFailed, "can't be read", kept},
		},
		{
			nexussim.ResultEmpty:   {approvals.StepFailed, "can't be read", kept},
			nexussim.ResultDamaged: {approvals.StepFailed, "can't be read", kept},
			nexussim.ResultHash:    {approvals.StepFailed, "MD5", none},
			nexussim.ResultGone:    {approvals.StepFailed, "404", none},
		},
		{
			nexussim.ResultForeign:   {approvals.StepFailed, "is not followed", none},
			nexussim.ResultTimeLimit: {approvals.StepTimedOut, "the limit of 600 s was reached", kept},
			nexussim.ResultTimedOut:  {approvals.StepTimedOut, "the limit of 600 s was reached", none},
			nexussim.ResultExit:      {approvals.StepFailed, "exit code \"1\"", none},
			nexussim.ResultFailed:    {approvals.StepFailed, "could not be run on the machine", none},
		},
		{
			nexussim.ResultCanceled: {approvals.StepCancelled, "canceled", none},
			nexussim.ResultLost:     {approvals.StepFailed, "no longer knows", none},
		},
	} {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			o := staffed(t)
			meant := map[string]end{"rack1control01": {approvals.StepSucceeded, "quarantine", kept}}
			names := []string{"rack1control02", "rack1compute01", "rack1compute02", "rack1compute03", "rack1compute05"}
			for i, result := range slices.Sorted(maps.Keys(round)) {
				o.Nexus.SetNode("contoso-cluster", names[i], func(n *nexussim.Node) { n.Result = result })
				meant[names[i]] = round[result]
			}
			named := slices.Sorted(maps.Keys(meant))
			r := o.collectAsked("nexus_collect_reports", fmt.Sprintf(`{"cluster":"contoso-cluster","nodes":["%s"],"reason":"x"}`, strings.Join(named, `","`)))
			o.finish(r.ID)
			raw := map[string]bool{}
			for _, m := range o.keptOf(r) {
				raw[m.DeviceName] = true
			}
			for name, s := range o.steps(r) {
				want := meant[name]
				require.Equal(t, want.state, s.State, "%s: %s", name, s.Message)
				require.Contains(t, s.Message, want.text)
				require.NotContains(t, s.Message, "sig=")
				target, _ := r.Plan.Target(r.Plan.Steps[slices.Index(named, name)].Target)
				require.Equal(t, want.raw, raw[target.Name], "%s is kept", target.Name)
			}
			require.Len(t, o.Nexus.Effects(), len(meant))
		})
	}
}

func TestAChangeWhoseOperationIsNotToldAnyMoreEndsAsTheClusterDoes(t *testing.T) {
	t.Parallel()
	for tool, args := range map[string]string{
		"nexus_set_enforcement_level": `{"cluster":"contoso-cluster","level":"RealTime","reason":"x"}`,
		"nexus_start_scan":            `{"cluster":"contoso-cluster","reason":"x"}`,
	} {
		for _, status := range []int{403, 404} {
			t.Run(fmt.Sprint(tool, " ", status), func(t *testing.T) {
				t.Parallel()
				o := staffed(t)
				r := o.sent(tool, args)
				// The process starts again, and Azure tells nothing at an address without its signature.
				o.performer.hands.nexus.operations = newAddressBook()
				o.Nexus.Fail(simulate.Fault{Path: operationPath, Status: status, Times: -1})
				p, err := o.performer.Follow(t.Context(), task(r), r.Steps[0].ActionID)
				require.NoError(t, err)
				require.Equal(t, approvals.StepAccepted, p.State, "it is under way: %s", p.Message)
				require.Equal(t, "succeeded", o.finish(r.ID).Status)
				require.Len(t, o.Nexus.Effects(), 1)
			})
		}
	}
}

func TestAChangeThatWasNotMadeEndsAsFailed(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	r := o.sent("nexus_set_enforcement_level", `{"cluster":"contoso-cluster","level":"RealTime","reason":"x"}`)
	o.Clock.Add(20 * time.Second) // the operation has succeeded
	for _, c := range []struct {
		provisioning string
		ends         approvals.StepState
	}{{"Accepted", approvals.StepAccepted}, {"Failed", approvals.StepFailed}, {"Succeeded", approvals.StepFailed}} {
		o.Nexus.SetCluster("contoso-cluster", func(cl *nexussim.Cluster) { cl.Level, cl.Provisioning = "OnDemand", c.provisioning })
		p, err := o.performer.Follow(t.Context(), task(r), r.Steps[0].ActionID)
		require.NoError(t, err)
		require.Equal(t, c.ends, p.State, c.provisioning)
	}
	_, found, err := o.performer.Find(t.Context(), task(r), o.Clock.Now())
	require.NoError(t, err)
	require.False(t, found)
	o.Nexus.SetCluster("contoso-cluster", func(cl *nexussim.Cluster) { cl.Provisioning = "Accepted" })
	_, _, err = o.performer.Find(t.Context(), task(r), o.Clock.Now())
	require.ErrorContains(t, err, "is being changed")
}

func TestANewProcessFollowsWhatAnotherBegan(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	r := o.sent("nexus_collect_reports", `{"cluster":"edge-lab","nodes":["rack2compute01"],"reason":"x"}`)
	o.performer.hands.nexus.operations = newAddressBook()
	r = o.collectStarted(r.ID)
	first, err := o.performer.Collect(t.Context(), task(r), r.Steps[0].ActionID) // and then the process dies
	require.NoError(t, err)
	require.Equal(t, "succeeded", o.finish(r.ID).Status)
	require.Len(t, o.Nexus.Effects(), 1)
	require.Len(t, o.keptOf(r), 2, "the report as it came, and what was read from it")
	require.Equal(t, first.Message, o.view(r.ID).Steps[0].Message)
	for _, m := range o.keptOf(r) {
		require.NotContains(t, fmt.Sprintf("%+v", m), "sig=")
	}
}

func TestTheReportOfAnotherNodeIsNeverKept(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	r := o.collectStarted(o.sent("nexus_collect_reports", `{"cluster":"edge-lab","nodes":["rack2compute01"],"reason":"x"}`).ID)
	other := task(r)
	other.Step.Target = strings.ReplaceAll(other.Step.Target, "rack2compute01", "rack2compute02")
	_, err := o.performer.Collect(t.Context(), other, r.Steps[0].ActionID)
	var refused *worker.Refused
	require.ErrorAs(t, err, &refused)
	require.ErrorContains(t, err, "rack2compute01")
	require.Empty(t, o.keptOf(r))
}

func TestAClusterThatWasChangedBetweenIsReadAnew(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	o.Nexus.Fail(simulate.Fault{Method: "PATCH", Path: clusterPath, Status: 412})
	r := o.collectAsked("nexus_set_enforcement_level", `{"cluster":"contoso-cluster","level":"RealTime","reason":"x"}`)
	require.Equal(t, "succeeded", o.finish(r.ID).Status)
	require.Len(t, o.Nexus.Effects(), 1)

	// It was the level that was changed: that is not what was approved.
	o.Nexus.Fail(simulate.Fault{Method: "PATCH", Path: clusterPath, Status: 412})
	r = o.collectAsked("nexus_set_enforcement_level", `{"cluster":"edge-lab","level":"RealTime","reason":"x"}`)
	o.push(r.ID)
	o.Nexus.SetCluster("edge-lab", func(c *nexussim.Cluster) { c.Level = "Passive" })
	v := o.finish(r.ID)
	require.Equal(t, "failed", v.Status)
	require.Contains(t, v.Steps[0].Message, "was at Disabled when this was approved and is at Passive now")
	require.Len(t, o.Nexus.Effects(), 1)
}

func TestAnAnswerThatWasLostIsNeverAnsweredWithASecondWrite(t *testing.T) {
	t.Parallel()
	for tool, args := range map[string]string{
		"nexus_set_enforcement_level": `{"cluster":"contoso-cluster","level":"RealTime","reason":"x"}`,
		"nexus_start_scan":            `{"cluster":"contoso-cluster","reason":"x"}`,
		"nexus_collect_reports":       `{"cluster":"contoso-cluster","nodes":["rack1control01"],"reason":"x"}`,
	} {
		for _, kind := range []simulate.FaultKind{simulate.FaultCutBefore, simulate.FaultCutAfter, simulate.FaultStatus, simulate.FaultStatusAfter, simulate.FaultTruncated} {
			t.Run(fmt.Sprint(tool, " ", kind), func(t *testing.T) {
				t.Parallel()
				o := staffed(t)
				method := map[bool]string{true: "PATCH", false: "POST"}[tool == "nexus_set_enforcement_level"]
				o.Nexus.Fail(simulate.Fault{Method: method, Kind: kind, Status: 503})
				v := o.finish(o.collectAsked(tool, args).ID)
				require.Equal(t, 1, o.Nexus.Writes(), "%s: %s", v.Status, v.Steps[0].Message)
				done := len(o.Nexus.Effects()) == 1
				switch {
				case !done:
					require.Equal(t, "unknown", v.Status)
				case tool != "nexus_collect_reports":
					require.Equal(t, "succeeded", v.Status, v.Steps[0].Message)
				}
			})
		}
	}
}

// The cluster tells its latest scan: that of an earlier request says nothing of one that was lost on its way.
func TestAScanThatWasLostIsNotFoundInAnothers(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	first := o.finish(o.collectAsked("nexus_start_scan", `{"cluster":"contoso-cluster","reason":"the first"}`).ID)
	require.Equal(t, "succeeded", first.Status, first.Steps[0].Message)
	o.Nexus.Fail(simulate.Fault{Method: "POST", Kind: simulate.FaultCutBefore})
	lost := o.finish(o.collectAsked("nexus_start_scan", `{"cluster":"contoso-cluster","reason":"the second"}`).ID)
	require.Equal(t, "unknown", lost.Status, lost.Steps[0].Message)
	require.Len(t, o.Nexus.Effects(), 1)
}

func TestAWorkerRefusesALoweringThatIsSaidToBeNone(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	_, r := o.ask("nexus_set_enforcement_level", `{"cluster":"contoso-cluster","level":"Disabled","reason":"x"}`)
	require.Equal(t, approvals.RiskExecute, r.Plan.Risk)
	lied := task(r)
	lied.Plan.Risk = approvals.RiskContain
	_, err := o.performer.Apply(t.Context(), lied)
	var refused *worker.Refused
	require.ErrorAs(t, err, &refused)
	require.Zero(t, o.Nexus.Writes())
	_, err = o.performer.Apply(t.Context(), task(r))
	require.NoError(t, err, "but as it was planned it is sent")
}

// A cluster that is raised lowers a node that is above it.
func TestANodeAboveItsClusterIsLoweredByMoreThanOne(t *testing.T) {
	t.Parallel()
	for level, lowers := range map[string]bool{"RealTime": true, "Audit": true, "Brandnew": true, "Passive": false, "OnDemand": false, "Disabled": false} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			o := staffed(t)
			o.Nexus.SetCluster("contoso-cluster", func(c *nexussim.Cluster) { c.Level = "Passive" })
			o.Nexus.SetNode("contoso-cluster", "rack1compute02", func(n *nexussim.Node) { n.Level = level })
			_, r := o.ask("nexus_set_enforcement_level", `{"cluster":"contoso-cluster","level":"OnDemand","reason":"x"}`)
			warned := strings.Join(r.Plan.Warnings, "\n")
			if !lowers {
				require.Equal(t, approvals.RiskContain, r.Plan.Risk, warned)
				require.NotContains(t, warned, "LOWERS")
				return
			}
			require.Equal(t, approvals.RiskExecute, r.Plan.Risk)
			require.Contains(t, warned, "LOWERS, as far as can be told, the protection of nodes at another level than the cluster: rack1compute02")
			_, err := o.performer.Apply(t.Context(), task(r))
			require.NoError(t, err)
		})
	}
}

func TestAScanThatWouldRemediateWasApprovedAsOne(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	o.Nexus.SetCluster("contoso-cluster", func(c *nexussim.Cluster) { c.Level = "Passive" })
	r := o.collectAsked("nexus_start_scan", `{"cluster":"contoso-cluster","reason":"look, and touch nothing"}`)
	require.NotContains(t, strings.Join(r.Plan.Warnings, " "), "quarantines")
	o.Nexus.SetCluster("contoso-cluster", func(c *nexussim.Cluster) { c.Level = "RealTime" })
	v := o.finish(r.ID)
	require.Equal(t, "failed", v.Status)
	require.Contains(t, v.Steps[0].Message, "was at Passive when this was approved and is at RealTime now")
	require.Zero(t, o.Nexus.Writes())
}

func TestAWorkerWithoutNexusRefusesItsSteps(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	for tool, args := range map[string]string{
		"nexus_set_enforcement_level": `{"cluster":"contoso-cluster","level":"RealTime","reason":"x"}`,
		"nexus_start_scan":            `{"cluster":"edge-lab","reason":"x"}`,
		"nexus_collect_reports":       `{"cluster":"legacy-site","reason":"x"}`,
	} {
		o.Nexus.SetCluster("edge-lab", func(c *nexussim.Cluster) { c.Level = "Passive" })
		_, r := o.ask(tool, args)
		bare := *o.performer
		bare.hands.nexus.reader, bare.hands.nexus.writer = nil, nil
		var refused *worker.Refused
		_, err := bare.Apply(t.Context(), task(r))
		require.ErrorAs(t, err, &refused, tool)
		require.ErrorContains(t, err, "MDE_NEXUS_SUBSCRIPTIONS")
		_, err = bare.Follow(t.Context(), task(r), "eastus/1")
		require.ErrorContains(t, err, "MDE_NEXUS_SUBSCRIPTIONS")
	}
	require.Zero(t, o.Nexus.Writes())
}

func TestARefusalNamesAFewOfManyNodes(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	for _, n := range []string{"rack1control01", "rack1control02", "rack1compute01", "rack1compute02", "rack1compute03", "rack1compute05"} {
		o.Nexus.SetNode("contoso-cluster", n, func(n *nexussim.Node) { n.Power = "Off" })
	}
	text := o.refused("nexus_collect_reports", `{"cluster":"contoso-cluster","reason":"x"}`, approvals.KindInvalid, "none of the 8 nodes", "and 3 more")
	require.Equal(t, 5, strings.Count(text, "left out"))
}
