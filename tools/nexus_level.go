package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/nexus"
)

type setLevelIn struct {
	Cluster string `json:"cluster" jsonschema:"Name or resource id" form:"azure"`
	Level   string `json:"level" jsonschema:"Disabled, Passive, OnDemand or RealTime" form:"word"`
	asking
}

func nexusSetEnforcementLevel() declaration {
	return spec[setLevelIn, requestView]{
		name: "nexus_set_enforcement_level", title: "Set a cluster's enforcement level", toolset: Nexus, surface: InToolset,
		risk: approvals.RiskContain, raised: approvals.RiskExecute,
		summary: "Ask to set the runtime protection level of a Nexus cluster. One approver; two when the change takes the service, " +
			"real-time protection, scanning or remediation away.",
		positional: []string{"cluster", "level"}, untrusted: true,
		hints:    Annotations{Destructive: true, Idempotent: true, OpenWorld: true},
		plan:     planLevel,
		performs: performs{apply: applyLevel, find: findLevel, follow: followLevel},
	}
}

// levelStep is what a change was approved as: from one level to another, and no other way.
type levelStep struct {
	From nexus.Level `json:"from"`
	To   nexus.Level `json:"to"`
}

func planLevel(ctx context.Context, s *session, in setLevelIn) (approvals.Plan, error) {
	to, err := nexus.ParseLevel(in.Level)
	if err != nil {
		return approvals.Plan{}, approvals.Refuse(approvals.KindInvalid, err, "Nothing was sent: %s", clean(err.Error(), 300))
	}
	c, err := s.cluster(ctx, in.Cluster)
	if err != nil {
		return approvals.Plan{}, err
	}
	nodes, err := s.nodes(ctx, c)
	if err != nil {
		return approvals.Plan{}, err
	}
	if err := canChange(c, nodes, to); err != nil {
		return approvals.Plan{}, err
	}
	args, err := json.Marshal(levelStep{c.Level, to})
	if err != nil {
		return approvals.Plan{}, err
	}
	plan := approvals.Plan{
		Preview: fmt.Sprintf("Set Nexus cluster %s from %s to %s", c.ID.Name, levelWord(c.Level), to),
		Targets: []approvals.Target{clusterTarget(c)},
		Steps: []approvals.Step{{
			Action: "set_enforcement_level", Target: c.ID.String(), Args: args,
			Summary: fmt.Sprintf("set the enforcement level of %s from %s to %s", c.ID.Name, levelWord(c.Level), to),
		}},
	}
	if isLowering(c.Level, to) || len(loweredAlone(c, nodes, to)) > 0 {
		plan.Risk = approvals.RiskExecute
	}
	plan.Warnings = levelWarnings(c, nodes, to)
	return plan, nil
}

// canChange refuses a change that could not be made, or that would change nothing.
func canChange(c *nexus.Cluster, nodes []*nexus.Node, to nexus.Level) error {
	if c.Level == to {
		text := "every node that tells its level has it too"
		if others := drifting(c, nodes); len(others) > 0 {
			text = fmt.Sprintf("%d of %d nodes have another: %s", len(others), len(nodes), driftWords(others))
		}
		return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent, because there is nothing to do: %s is at %s already; %s", c.ID.Name, to, text)
	}
	if c.ETag == "" {
		return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: Azure states no etag of %s, so that a change by somebody else meanwhile could not be seen", c.ID.Name)
	}
	return reachable(c)
}

// reachable refuses a cluster that Azure can't change now. A state that is not known is none in which to try.
func reachable(c *nexus.Cluster) error {
	switch {
	case c.ConnectionStatus != "Connected":
		return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %s is not connected to Azure (clusterConnectionStatus %s); mend that first",
			c.ID.Name, quoted(c.ConnectionStatus, 40))
	case c.ProvisioningState != "Succeeded":
		return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %s is being changed or has failed (provisioningState %s); wait, or mend that first",
			c.ID.Name, quoted(c.ProvisioningState, 40))
	}
	return nil
}

// changing reports whether a cluster is being changed; a state that is not known may be such.
func changing(c *nexus.Cluster) bool {
	return !slices.Contains([]string{"Succeeded", "Failed", "Canceled"}, c.ProvisioningState)
}

// isLowering reports whether a change takes something away, or may.
func isLowering(from, to nexus.Level) bool {
	lost, known := nexus.Lost(from, to)
	return !known || len(lost) > 0
}

// loweredAlone are the nodes that a change takes something away from because they are at another level than their cluster.
func loweredAlone(c *nexus.Cluster, nodes []*nexus.Node, to nexus.Level) []*nexus.Node {
	return slices.DeleteFunc(drifting(c, nodes), func(n *nexus.Node) bool { return !isLowering(n.Protection.Level, to) })
}

// levelWarnings are what an approver weighs: what is lost, on how many nodes, and which of them are at another level now.
func levelWarnings(c *nexus.Cluster, nodes []*nexus.Node, to nexus.Level) []string {
	var out []string
	lost, known := nexus.Lost(c.Level, to)
	switch {
	case !known:
		out = append(out, fmt.Sprintf("LOWERS, as far as can be told: what the present level %s does is not known", quoted(string(c.Level), 40)))
	case len(lost) > 0:
		words := make([]string, len(lost))
		for i, l := range lost {
			words[i] = string(l)
		}
		out = append(out, fmt.Sprintf("LOWERS the protection of %s: %s loses %s", count(len(nodes), "node"), c.ID.Name, strings.Join(words, ", ")))
	default:
		out = append(out, fmt.Sprintf("changes all %d nodes of %s", len(nodes), c.ID.Name))
	}
	if to == nexus.Disabled {
		out = append(out, "switches the Defender service off on every node: nothing is scanned, found or reported until it is enabled again")
	}
	if alone := loweredAlone(c, nodes, to); len(alone) > 0 {
		out = append(out, fmt.Sprintf("LOWERS, as far as can be told, the protection of nodes at another level than the cluster: %s", driftWords(alone)))
	}
	switch others := drifting(c, nodes); {
	case len(others) > 0:
		out = append(out, fmt.Sprintf("not at the cluster's level now: %s", driftWords(others)))
	case !slices.ContainsFunc(nodes, func(n *nexus.Node) bool { return n.Protection.Level != "" }):
		out = append(out, "which nodes are at another level than the cluster is not told by this api-version")
	}
	if unfit := countUnfit(nodes); unfit > 0 {
		out = append(out, fmt.Sprintf("off or not ready: %s, which can follow only when back", count(unfit, "node")))
	}
	return out
}

// drifting are the nodes that tell a level other than the cluster's.
func drifting(c *nexus.Cluster, nodes []*nexus.Node) []*nexus.Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n *nexus.Node) bool {
		return n.Protection.Level == "" || n.Protection.Level == c.Level
	})
}

func driftWords(nodes []*nexus.Node) string {
	const most = 5
	var words []string
	for _, n := range nodes[:min(len(nodes), most)] {
		words = append(words, nodeName(n)+" "+levelWord(n.Protection.Level))
	}
	if left := len(nodes) - most; left > 0 {
		words = append(words, fmt.Sprintf("and %d more", left))
	}
	return strings.Join(words, ", ")
}

func countUnfit(nodes []*nexus.Node) (n int) {
	for _, node := range nodes {
		if node.Unfit() != "" {
			n++
		}
	}
	return n
}

// levelWord is a level for people; one that the service invented is untrusted text.
func levelWord(l nexus.Level) string {
	if _, known := l.Capabilities(); known {
		return string(l)
	}
	return quoted(string(l), 40)
}

// nodeName is a node by both of its names.
func nodeName(n *nexus.Node) string {
	if n.MachineName == "" || strings.EqualFold(n.MachineName, n.ID.Name) {
		return clean(n.ID.Name, 80)
	}
	return clean(n.ID.Name, 80) + " (" + clean(n.MachineName, 80) + ")"
}

func clusterTarget(c *nexus.Cluster) approvals.Target {
	return approvals.Target{ID: c.ID.String(), Kind: kindCluster, Name: c.ID.Name, Group: c.ID.ResourceGroup, Health: c.ConnectionStatus}
}

// levelOf reads a step, and refuses one that sets what can't be set.
func levelOf(t worker.Task) (levelStep, nexus.ID, error) {
	step, id, err := nexusStep[levelStep](t)
	if err != nil {
		return step, id, err
	}
	if !step.To.Settable() || step.From == step.To {
		return step, nexus.ID{}, fmt.Errorf("it sets the level %s in place of %s", quoted(string(step.To), 40), quoted(string(step.From), 40))
	}
	// What a change takes away decides how many have to agree to it. A plan that says less was not made by this program; one that
	// says more was made for the sake of nodes at another level.
	if isLowering(step.From, step.To) && t.Plan.Risk != approvals.RiskExecute {
		return step, nexus.ID{}, fmt.Errorf("a change from %s to %s does not have risk %s", step.From, step.To, t.Plan.Risk)
	}
	return step, id, nil
}

// applyLevel changes the level from what was approved, guarded by what the cluster is at this moment.
func applyLevel(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
	step, id, err := levelOf(t)
	if err != nil {
		return worker.Receipt{}, damaged(t, err)
	}
	if err := with.nexus.ready(); err != nil {
		return worker.Receipt{}, err
	}
	now, err := with.nexus.writer.GetCluster(ctx, id)
	if err != nil {
		return worker.Receipt{}, nexusUnsent(err)
	}
	if now.Level != step.From {
		return worker.Receipt{}, &worker.Refused{Text: fmt.Sprintf("%s was at %s when this was approved and is at %s now; nothing was sent: look at it, and ask again",
			id.Name, levelWord(step.From), levelWord(now.Level))}
	}
	done, err := with.nexus.writer.SetEnforcementLevel(ctx, now, step.To)
	switch {
	case nexus.Changed(err): // somebody changed the cluster since it was read just now: it is read anew
		return worker.Receipt{}, &worker.NotSent{Err: err}
	case err != nil:
		return worker.Receipt{}, nexusSorted(err)
	}
	return with.nexus.receipt(t, done), nil
}

// findLevel looks whether the level is the one that was asked for. It was another one when the change was sent, and to set it
// twice is the same as once.
func findLevel(ctx context.Context, with hands, t worker.Task, _ time.Time) (worker.Receipt, bool, error) {
	step, id, err := levelOf(t)
	if err != nil {
		return worker.Receipt{}, false, err
	}
	if err := with.nexus.sees(); err != nil {
		return worker.Receipt{}, false, err
	}
	now, err := with.nexus.reader.GetCluster(ctx, id)
	switch {
	case err != nil:
		return worker.Receipt{}, false, err
	case now.Level == step.To:
		return with.nexus.receipt(t, nexus.Accepted{}), true, nil
	case changing(now):
		return worker.Receipt{}, false, fmt.Errorf("the cluster is being changed (provisioningState %s): whether by this request is seen at its end", quoted(now.ProvisioningState, 40))
	}
	return worker.Receipt{}, false, nil
}

// followLevel looks at the operation until its end, and then at the cluster: only what it says counts.
func followLevel(ctx context.Context, with hands, t worker.Task, actionID string) (worker.Progress, error) {
	step, id, err := levelOf(t)
	if err != nil {
		return worker.Progress{}, err
	}
	status, over, err := with.nexus.look(ctx, t, actionID)
	if err != nil || !over {
		return status, err
	}
	now, err := with.nexus.reader.GetCluster(ctx, id)
	switch {
	case err != nil:
		return worker.Progress{}, err
	case now.Level == step.To:
		return worker.Progress{RemoteStatus: status.RemoteStatus, State: approvals.StepSucceeded, Message: fmt.Sprintf("%s is at %s", id.Name, step.To)}, nil
	case changing(now) && (status.State == approvals.StepSucceeded || status.RemoteStatus == untoldStatus):
		return worker.Progress{RemoteStatus: now.ProvisioningState, State: approvals.StepAccepted}, nil
	}
	end := worker.Progress{RemoteStatus: status.RemoteStatus, State: approvals.StepFailed}
	end.Message = fmt.Sprintf("%s is at %s and not at %s", id.Name, levelWord(now.Level), step.To)
	if status.Message != "" {
		end.Message += ": " + status.Message
	}
	return end, nil
}
