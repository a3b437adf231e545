package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/nexus"
)

const (
	// maxReports bounds the nodes of one call, because what is not sent within an hour of its approval is not sent.
	maxReports = 250
	// reportsAtOnce is how many nodes may be writing or giving their report at a time.
	reportsAtOnce = 8
)

type collectReportsIn struct {
	Cluster string   `json:"cluster" jsonschema:"Name or resource id" form:"azure"`
	Nodes   []string `json:"nodes,omitempty" jsonschema:"Resource or machine names; all when empty" form:"azure"`
	Limit   int      `json:"limit_seconds,omitempty" jsonschema:"Time each node may take" range:"60,14400" default:"600"`
	asking
}

func nexusCollectReports() declaration {
	return spec[collectReportsIn, requestView]{
		name: "nexus_collect_reports", title: "Collect nodes' reports", toolset: Nexus, surface: InToolset, risk: approvals.RiskContain,
		summary: "Ask to collect the Defender agent's report of all or named nodes of a Nexus cluster into evidence. " +
			"Others must approve it in Slack. That some nodes fail is usual; nexus_threat_summary reads what came.",
		positional: []string{"cluster", "nodes"}, untrusted: true,
		hints:    Annotations{Destructive: true, OpenWorld: true},
		plan:     planReports,
		performs: performs{apply: applyReport, find: findReport, follow: followReport, collect: collectReport},
	}
}

// reportStep is how long a node may take, and the cluster (resource id) it is of.
type reportStep struct {
	Cluster      string `json:"cluster"`
	LimitSeconds int    `json:"limit_seconds"`
}

func planReports(ctx context.Context, s *session, in collectReportsIn) (approvals.Plan, error) {
	c, err := s.cluster(ctx, in.Cluster)
	if err != nil {
		return approvals.Plan{}, err
	}
	all, err := s.nodes(ctx, c)
	if err != nil {
		return approvals.Plan{}, err
	}
	nodes, err := nodesNamed(all, in.Nodes)
	if err != nil {
		return approvals.Plan{}, err
	}
	if err := reachable(c); err != nil {
		return approvals.Plan{}, err
	}
	args, err := json.Marshal(reportStep{c.ID.String(), in.Limit})
	if err != nil {
		return approvals.Plan{}, err
	}
	plan := approvals.Plan{Parallel: reportsAtOnce}
	for _, n := range nodes {
		if why := n.Unfit(); why != "" {
			plan.Warnings = append(plan.Warnings, fmt.Sprintf("left out: %s, because %s", nodeName(n), clean(why, 100)))
			continue
		}
		plan.Targets = append(plan.Targets, nodeTarget(c, n))
		plan.Steps = append(plan.Steps, approvals.Step{Action: "collect_report", Target: n.ID.String(), Args: args, Summary: "collect the agent's report of " + nodeName(n)})
	}
	if err := canCollect(c, len(nodes), plan); err != nil {
		return approvals.Plan{}, err
	}
	if c.ContainerURL == "" {
		plan.Warnings = append(plan.Warnings, "the cluster names no container of its own for results: the reports pass through the cluster manager's storage")
	}
	plan.Preview = fmt.Sprintf("Collect the Defender agent's report of %s of Nexus cluster %s", count(len(plan.Steps), "node"), c.ID.Name)
	return plan, nil
}

// canCollect refuses a collection without nodes, or with more than can be done in time.
func canCollect(c *nexus.Cluster, asked int, plan approvals.Plan) error {
	switch n := len(plan.Steps); {
	case asked == 0:
		return approvals.Refuse(approvals.KindNotFound, nil, "Nothing was sent: Azure lists no nodes of %s in its managed resource group %s", c.ID.Name, quoted(c.ManagedResourceGroup, 90))
	case n == 0:
		return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: none of the %d nodes can give a report now: %s", asked, fewOf(plan.Warnings))
	case n > maxReports:
		return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %d nodes are more than the %d of one call; name some of them", n, maxReports)
	}
	return nil
}

// count is a number of things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func nodeTarget(c *nexus.Cluster, n *nexus.Node) approvals.Target {
	return approvals.Target{ID: n.ID.String(), Kind: kindNode, Name: nodeName(n), Group: c.ID.Name, Health: n.Protection.Health}
}

func applyReport(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
	step, id, err := nexusStep[reportStep](t)
	if err != nil {
		return worker.Receipt{}, damaged(t, err)
	}
	if err := with.nexus.ready(); err != nil {
		return worker.Receipt{}, err
	}
	if err := with.ready(ctx); err != nil {
		return worker.Receipt{}, err
	}
	done, err := with.nexus.writer.StartReport(ctx, id, time.Duration(step.LimitSeconds)*time.Second)
	if err != nil {
		return worker.Receipt{}, nexusSorted(err)
	}
	return with.nexus.receipt(t, done), nil
}

// findReport finds nothing: Azure records no trace of a command on a node that would tell ours from another's. A collection whose
// answer was lost ends as unknown, and people collect from that node again if they need its report.
func findReport(context.Context, hands, worker.Task, time.Time) (worker.Receipt, bool, error) {
	return worker.Receipt{}, false, nil
}

// followReport looks at a node's command until its end. One that reached its time limit may have left something all the same.
func followReport(ctx context.Context, with hands, t worker.Task, actionID string) (worker.Progress, error) {
	if err := with.nexus.sees(); err != nil {
		return worker.Progress{}, err
	}
	o, gone, err := with.nexus.status(ctx, t, actionID)
	switch {
	case err != nil:
		return worker.Progress{}, err
	case gone != "":
		return worker.Progress{RemoteStatus: untoldStatus, State: approvals.StepFailed, Message: gone + "; collect from this node again"}, nil
	case o.State == nexus.Running:
		return worker.Progress{RemoteStatus: o.Status, State: approvals.StepAccepted}, nil
	}
	return reportEnd(t, o), nil
}

// reportEnd is how a command on a node ended, by its exit code and by what Azure says.
func reportEnd(t worker.Task, o *nexus.OperationStatus) worker.Progress {
	end := worker.Progress{RemoteStatus: o.Status, State: approvals.StepFailed, Results: o.HasResult && o.State == nexus.Succeeded}
	said := ""
	if o.OutputHead != "" {
		said = "; its output begins with " + quoted(o.OutputHead, 300)
	}
	var step reportStep
	_ = json.Unmarshal(t.Step.Args, &step) // only for the text
	switch {
	case o.ExitCode == nexus.TimeLimitExit:
		end.State = approvals.StepTimedOut
		end.Message = fmt.Sprintf("the limit of %d s was reached: collect from this node again with a larger limit_seconds%s", step.LimitSeconds, said)
	case o.ExitCode != "" && o.ExitCode != "0":
		end.Message = fmt.Sprintf("the command on the node ended with exit code %s%s", quoted(o.ExitCode, 20), said)
	case o.State == nexus.Canceled:
		end.State, end.Message = approvals.StepCancelled, operationFault(o)
	case o.State == nexus.Failed:
		end.Message = operationFault(o)
	case !o.HasResult:
		end.Message = "Azure says that it succeeded and names no result" + said
	default:
		end.State, end.Results = approvals.StepSucceeded, false
	}
	return end
}

// collectReport brings a node's report into evidence as it came, and what is read from it beside.
func collectReport(ctx context.Context, with hands, t worker.Task, actionID string) (worker.Progress, error) {
	id, err := nexus.ParseID(t.Step.Target)
	if err != nil {
		return worker.Progress{}, damaged(t, err)
	}
	if err := with.nexus.sees(); err != nil {
		return worker.Progress{}, err
	}
	o, gone, err := with.nexus.status(ctx, t, actionID)
	switch {
	case err != nil:
		return worker.Progress{}, nexusFetchFault(err)
	case gone != "":
		return worker.Progress{}, &worker.Refused{Text: gone + "; collect from this node again"}
	}
	operation, err := with.nexus.operationOf(t, actionID)
	if err != nil {
		return worker.Progress{}, err
	}
	end := reportEnd(t, o)
	if end.State != approvals.StepSucceeded && !end.Results {
		return end, nil
	}
	container, err := with.nexus.container(ctx, t)
	if err != nil {
		return worker.Progress{}, nexusFetchFault(err)
	}
	raw, err := with.keep(ctx, t, collectable{
		device: nexusDeviceID(id), actionType: actionReport, actionID: reportActionID(actionID), at: o.End,
		name: "mde-agent-information-" + id.Name + ".tar.gz", contentType: "application/gzip",
		fetch: func(ctx context.Context, w io.Writer) error {
			_, err := with.nexus.reader.DownloadResult(ctx, operation, container, w)
			return err
		},
	})
	if err != nil {
		return worker.Progress{}, nexusFetchFault(err)
	}
	stored, err := with.decode(ctx, t, raw)
	if err != nil {
		return reportFault(end, raw, err)
	}
	if end.State == approvals.StepSucceeded {
		end.Message = stored.summary() + "; "
	} else {
		end.Message += "; all the same a report came: " + stored.summary() + "; "
	}
	end.Message += "the report is " + keptText(raw)
	return end, nil
}

// container is where the cluster of a step has its results written to, by now.
func (h nexusHands) container(ctx context.Context, t worker.Task) (string, error) {
	var step reportStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return "", damaged(t, err)
	}
	id, err := nexus.ParseID(step.Cluster)
	if err != nil {
		return "", damaged(t, err)
	}
	c, err := h.reader.GetCluster(ctx, id)
	if err != nil {
		return "", err
	}
	return c.ContainerURL, nil
}

// nexusFetchFault sorts the error of a fetch for the worker: what can't help to try again is a worker.Refused.
func nexusFetchFault(err error) error {
	switch {
	case err == nil:
		return nil
	case nexus.NotSent(err):
		return &worker.NotSent{RetryAfter: nexus.RetryAfter(err), Err: err}
	case nexus.Refused(err), nexus.Unusable(err):
		return &worker.Refused{Text: clean(err.Error(), 600), Err: err}
	}
	return err
}
