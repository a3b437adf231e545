package tools

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/nexus"
)

type startScanIn struct {
	Cluster string `json:"cluster" jsonschema:"Name or resource id" form:"azure"`
	asking
}

func nexusStartScan() declaration {
	return spec[startScanIn, requestView]{
		name: "nexus_start_scan", title: "Scan a cluster's nodes", toolset: Nexus, surface: InToolset, risk: approvals.RiskContain,
		summary: "Ask to scan all nodes of a Nexus cluster now. Others must approve it in Slack. " +
			"The request ends when Azure has handed it to the nodes; nexus_scan_progress shows each node.",
		positional: []string{"cluster"}, untrusted: true,
		hints:    Annotations{Destructive: true, OpenWorld: true},
		plan:     planNexusScan,
		performs: performs{apply: applyNexusScan, find: findNexusScan, follow: followNexusScan},
	}
}

// clusterScanStep is the level at which a scan was approved: it decides whether the agent touches what it finds.
type clusterScanStep struct {
	Level nexus.Level `json:"level"`
}

func planNexusScan(ctx context.Context, s *session, in startScanIn) (approvals.Plan, error) {
	c, err := s.cluster(ctx, in.Cluster)
	if err != nil {
		return approvals.Plan{}, err
	}
	nodes, err := s.nodes(ctx, c)
	if err != nil {
		return approvals.Plan{}, err
	}
	if err := canScanNodes(c); err != nil {
		return approvals.Plan{}, err
	}
	args, err := json.Marshal(clusterScanStep{c.Level})
	if err != nil {
		return approvals.Plan{}, err
	}
	plan := approvals.Plan{
		Preview: fmt.Sprintf("Scan all nodes of Nexus cluster %s now (level %s)", c.ID.Name, levelWord(c.Level)),
		Targets: []approvals.Target{clusterTarget(c)},
		Steps:   []approvals.Step{{Action: "scan_runtime", Target: c.ID.String(), Args: args, Summary: "scan all nodes of " + c.ID.Name}},
	}
	unfit := countUnfit(nodes)
	plan.Warnings = append(plan.Warnings, fmt.Sprintf("a scan is load on %s at once", count(len(nodes)-unfit, "node")))
	if has, _ := c.Level.Capabilities(); hasCapability(has, nexus.CapRemedy) {
		plan.Warnings = append(plan.Warnings, fmt.Sprintf("at level %s the agent quarantines what it finds", c.Level))
	}
	if unfit > 0 {
		plan.Warnings = append(plan.Warnings, fmt.Sprintf("off or not ready, so that a scan misses them: %s", count(unfit, "node")))
	}
	return plan, nil
}

func hasCapability(has []nexus.Capability, c nexus.Capability) bool {
	for _, h := range has {
		if h == c {
			return true
		}
	}
	return false
}

// canScanNodes refuses a scan that could not be made. A level that is not known may not scan.
func canScanNodes(c *nexus.Cluster) error {
	has, known := c.Level.Capabilities()
	switch {
	case !known:
		return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: whether %s can scan at its level %s is not known", c.ID.Name, quoted(string(c.Level), 40))
	case !hasCapability(has, nexus.CapScan):
		return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: runtime protection of %s is %s, so there is nothing to scan with; nexus_set_enforcement_level enables it",
			c.ID.Name, c.Level)
	}
	if scan, ok := c.Scan(); ok && scan.Status == "InProgress" {
		return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: a scan of %s that began at %s is being handed to its nodes; nexus_scan_progress shows it",
			c.ID.Name, scan.Start.UTC().Format(time.RFC3339))
	}
	return reachable(c)
}

// correlationOf is a GUID by which Azure's record of a scan is known for ours: made of the step's tag, so that whoever looks
// for it after a restart makes the same.
func correlationOf(t worker.Task) string {
	sum := sha256.Sum256([]byte("mde-ops scan " + t.Tag))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // a GUID of our own making (RFC 9562, version 8)
	h := hex.EncodeToString(sum[:16])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

func applyNexusScan(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
	step, id, err := nexusStep[clusterScanStep](t)
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
	if err := canScanNodes(now); err != nil {
		return worker.Receipt{}, &worker.Refused{Text: clean(err.Error(), 400), Err: err}
	}
	if now.Level != step.Level {
		return worker.Receipt{}, &worker.Refused{Text: fmt.Sprintf("%s was at %s when this was approved and is at %s now; nothing was sent: look at it, and ask again",
			id.Name, levelWord(step.Level), levelWord(now.Level))}
	}
	done, err := with.nexus.writer.ScanRuntime(ctx, id, correlationOf(t))
	if err != nil {
		return worker.Receipt{}, nexusSorted(err)
	}
	return with.nexus.receipt(t, done), nil
}

// findNexusScan looks for our scan among the cluster's actions, of which there is the latest only. That another one is there says
// nothing of ours, and a runtime that records none says nothing at all: the step ends as unknown then.
func findNexusScan(ctx context.Context, with hands, t worker.Task, _ time.Time) (worker.Receipt, bool, error) {
	id, err := nexus.ParseID(t.Step.Target)
	if err != nil {
		return worker.Receipt{}, false, err
	}
	if err := with.nexus.sees(); err != nil {
		return worker.Receipt{}, false, err
	}
	now, err := with.nexus.reader.GetCluster(ctx, id)
	if err != nil {
		return worker.Receipt{}, false, err
	}
	scan, seen := now.Scan()
	ours := seen && strings.EqualFold(scan.CorrelationID, correlationOf(t))
	return with.nexus.receipt(t, nexus.Accepted{}), ours, nil
}

// followNexusScan ends when the request was handed to the nodes. Why one failed often only the cluster's record of it says.
func followNexusScan(ctx context.Context, with hands, t worker.Task, actionID string) (worker.Progress, error) {
	p, ended, err := with.nexus.look(ctx, t, actionID)
	if err != nil || !ended {
		return p, err
	}
	id, err := nexus.ParseID(t.Step.Target)
	if err != nil {
		return worker.Progress{}, err
	}
	now, err := with.nexus.reader.GetCluster(ctx, id)
	if err != nil {
		return worker.Progress{}, err
	}
	scan, seen := now.Scan()
	ours := seen && strings.EqualFold(scan.CorrelationID, correlationOf(t))
	switch {
	case ours && scan.Status == "InProgress" && (p.State == approvals.StepSucceeded || p.RemoteStatus == untoldStatus):
		return worker.Progress{RemoteStatus: scan.Status, State: approvals.StepAccepted}, nil
	case p.State == approvals.StepSucceeded && ours && scan.Status == "Failed", p.State != approvals.StepSucceeded && ours && scan.Status == "Completed":
		p.State = map[bool]approvals.StepState{true: approvals.StepFailed, false: approvals.StepSucceeded}[scan.Status == "Failed"]
	}
	if p.State == approvals.StepSucceeded {
		p.Message = "Azure has handed the request to the nodes; nexus_scan_progress shows how far each is"
		return p, nil
	}
	if ours {
		p.Message += fmt.Sprintf("; the cluster says %s (correlation %s)", quoted(scan.Message, 300), clean(scan.CorrelationID, 60))
	}
	return p, nil
}
