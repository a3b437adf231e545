package tools

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/nexus"
	"github.com/mde-ops/mde-ops/nexus/report"
)

// The action types of a report's evidence: as it came, and what was read from it.
const (
	actionReport  = "mde-agent-information"
	actionDecoded = "mde-agent-information.decoded"
)

// storedReport is what was read from a report, as it is kept.
type storedReport struct {
	Format int `json:"format"`
	// Cluster and Node are resource ids; Machine is what the node was called when it was asked.
	Cluster string `json:"cluster"`
	Node    string `json:"node"`
	Machine string `json:"machine"`
	// Raw is the evidence id of the report as it came.
	Raw    string         `json:"raw"`
	Report *report.Report `json:"report"`
}

// storedFormat is the number of storedReport's form.
const storedFormat = 1

// summary is the report in a few words.
func (s *storedReport) summary() string {
	text := fmt.Sprintf("%s, %s, %d in quarantine", count(len(s.Report.Scans), "scan"), count(len(s.Report.Threats), "threat"), len(s.Report.Quarantine))
	if len(s.Report.Missing) > 0 {
		text += "; the report lacks " + strings.Join(s.Report.Missing, ", ") + ": the agent may be stopped"
	}
	return text
}

// nexusDeviceID is a node as the evidence store knows devices: by a word. A resource id is none.
func nexusDeviceID(node nexus.ID) string {
	sum := sha256.Sum256([]byte(strings.ToLower(node.String())))
	return "nexus-" + hex.EncodeToString(sum[:16])
}

var notWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^A-Za-z0-9._-]+`) })

// reportActionID is an operation as the evidence store knows actions: its id, as a word.
func reportActionID(actionID string) string {
	return notWord().ReplaceAllString(actionID[strings.LastIndex(actionID, "/")+1:], "-")
}

// decodes bounds what is decoded at a time by its size, so that a large report is decoded alone.
type decodes struct{ room *semaphore.Weighted }

// maxDecoded is the most that is decoded at a time, in unpacked bytes: reports of 50 MB one after the other, usual ones beside
// each other.
const maxDecoded = 64 << 20

func newDecodes() *decodes { return &decodes{semaphore.NewWeighted(maxDecoded)} }

// enter waits for room for so many bytes, and returns what gives it back.
func (d *decodes) enter(ctx context.Context, size int64) (leave func(), err error) {
	weight := min(max(size, 1), maxDecoded)
	if err := d.room.Acquire(ctx, weight); err != nil {
		return nil, err
	}
	return func() { d.room.Release(weight) }, nil
}

// decode reads a report that was kept, and keeps what was read from it.
func (h hands) decode(ctx context.Context, t worker.Task, raw evidence.Manifest) (*storedReport, error) {
	size := int64(maxDecoded) // what could not be unpacked may be of any size
	if raw.Unpacked != nil && raw.Unpacked.Size > 0 {
		size = raw.Unpacked.Size
	}
	leave, err := h.nexus.decodes.enter(ctx, size)
	if err != nil {
		return nil, err
	}
	defer leave()
	content, err := h.evidence.Get(ctx, raw.ID)
	if err != nil {
		return nil, err
	}
	defer func() { _ = content.Close() }()
	read, err := report.Read(content, report.Limits{})
	if err != nil {
		return nil, err
	}
	var step reportStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return nil, damaged(t, err)
	}
	stored := &storedReport{Format: storedFormat, Cluster: step.Cluster, Node: t.Step.Target, Machine: raw.DeviceName, Raw: raw.ID, Report: read}
	_, err = h.keep(ctx, t, collectable{
		device: raw.DeviceID, actionType: actionDecoded, actionID: raw.ActionID + ".decoded", at: raw.CollectedAt,
		name: strings.TrimSuffix(raw.Name, ".tar.gz") + ".decoded.json", contentType: "application/json",
		fetch: func(_ context.Context, w io.Writer) error {
			return json.NewEncoder(w).Encode(stored)
		},
	})
	return stored, err
}

// reportFault ends a step whose report came and can't be read. The report itself is kept, for whoever looks into it. That the
// evidence store failed is no fault of the report's, and is tried again.
func reportFault(end worker.Progress, raw evidence.Manifest, err error) (worker.Progress, error) {
	var bad *report.Error
	if !errors.As(err, &bad) {
		return worker.Progress{}, err
	}
	if end.State == approvals.StepSucceeded {
		end.State = approvals.StepFailed
	}
	if end.Message != "" {
		end.Message += "; "
	}
	end.Message += fmt.Sprintf("the report can't be read: %s; it is kept as it came, as %s", clean(bad.Error(), 300), keptText(raw))
	return end, nil
}
