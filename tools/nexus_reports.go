package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/nexus"
)

// maxStoredReport is the most of a decoded report that is read.
const maxStoredReport = 64 << 20

// nodeReport is what was read from a node's report, and the evidence that it is kept as.
type nodeReport struct {
	*storedReport
	node     *nexus.Node
	evidence evidence.Manifest // of what was read
}

// reportOf is the latest decoded report of a node, or that of one request; nil when there is none. One that can't be trusted or
// read is an error and never passed over for an older one.
func (s *session) reportOf(ctx context.Context, n *nexus.Node, requestID string) (*nodeReport, error) {
	if s.evidence == nil {
		return nil, noEvidence()
	}
	q := evidence.Query{DeviceID: nexusDeviceID(n.ID), RequestID: requestID, Limit: 20}
	if requestID != "" {
		q.RequestID = strings.ToUpper(requestID)
	}
	for {
		l, err := s.evidence.List(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(l.Faults) > 0 {
			return nil, fmt.Errorf("evidence of the node can't be trusted: %s", strings.Join(l.Faults, "; "))
		}
		for _, m := range l.Manifests { // newest first
			if m.ActionType == actionDecoded && m.Removed == nil && strings.EqualFold(m.DeviceID, q.DeviceID) {
				return s.readStored(ctx, n, m)
			}
		}
		if q.Page = l.Next; q.Page == "" {
			return nil, nil
		}
	}
}

// readStored reads one decoded report, and makes sure that it is this node's.
func (s *session) readStored(ctx context.Context, n *nexus.Node, m evidence.Manifest) (*nodeReport, error) {
	if m.Size > maxStoredReport {
		return nil, fmt.Errorf("evidence %s is %d bytes long, and at most %d are read", m.ID, m.Size, maxStoredReport)
	}
	content, err := s.evidence.Get(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	defer func() { _ = content.Close() }()
	text, err := io.ReadAll(content)
	if err != nil {
		return nil, err
	}
	var stored storedReport
	switch err := json.Unmarshal(text, &stored); {
	case err != nil:
		return nil, fmt.Errorf("evidence %s can't be read: %w", m.ID, err)
	case stored.Format != storedFormat || stored.Report == nil:
		return nil, fmt.Errorf("evidence %s was written by another version (form %d)", m.ID, stored.Format)
	case !strings.EqualFold(stored.Node, n.ID.String()):
		return nil, fmt.Errorf("evidence %s is of another node", m.ID)
	}
	return &nodeReport{&stored, n, m}, nil
}

// eachReport gives the latest reports of nodes one after the other, so that never more than one is held. What can't be read of a
// node is told by its name.
func (s *session) eachReport(ctx context.Context, nodes []*nexus.Node, requestID string, take func(*nodeReport)) (missing []*nexus.Node, problems []string, err error) {
	if s.evidence == nil {
		return nil, nil, noEvidence()
	}
	for _, n := range nodes {
		r, err := s.reportOf(ctx, n, requestID)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil:
			problems = append(problems, nodeName(n)+": "+clean(err.Error(), 200))
		case r == nil:
			missing = append(missing, n)
		default:
			take(r)
		}
	}
	return missing, problems, nil
}

// noReport refuses a node without a report, with what makes one.
func noReport(n *nexus.Node) error {
	text := fmt.Sprintf("there is no report of %s in evidence: nexus_collect_reports asks for one", nodeName(n))
	if why := n.Unfit(); why != "" {
		text += "; now it can give none, because " + clean(why, 100)
	}
	return approvals.Refuse(approvals.KindNotFound, nil, "%s", text)
}
