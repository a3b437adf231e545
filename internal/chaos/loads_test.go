package chaos

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/internal/failpoint"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/tools"
)

// isolations are requests for one, three and two devices.
func isolations() load {
	return load{
		points: []string{
			failpoint.BeforeClaim, failpoint.PostSentAnswerLost, failpoint.AnswerReceivedNotStored, failpoint.DuringFollow,
			failpoint.BetweenSteps, failpoint.DuringExport, failpoint.AfterCheckpoint, failpoint.AfterClaimBeforePost,
		},
		inFlight: 8,
		ask: func(t *testing.T, h *house) {
			t.Helper()
			for _, n := range []int{1, 3, 2} {
				h.approve(t, h.ask(t, n))
			}
		},
		check: func(t *testing.T, v verdict) {
			t.Helper()
			require.Zero(t, v.skipped, "what was approved was not sent")
			require.Greater(t, v.once, v.unknown, "what reached the tenant was not found again")
		},
	}
}

// fleets are requests in waves whose first device fails, so that the stop rule pauses them and people are asked.
func fleets() load {
	return load{
		points:   []string{failpoint.BeforePause, failpoint.AfterAsking, failpoint.BeforeResume},
		inFlight: 4,
		policy: `version: 1
groups:
  oncall: {slack: ` + slacksim.OnCall + `}
defaults:
  from: oncall
  waves: {width: 2, stop_over: 20, wait: 1m}
`,
		ask: func(t *testing.T, h *house) {
			t.Helper()
			ids := []string{h.device(t, true)}
			for range 4 {
				ids = append(ids, h.device(t, false))
			}
			h.approve(t, h.isolate(t, ids))
		},
		check: func(t *testing.T, v verdict) {
			t.Helper()
			require.Positive(t, v.pauses)
			require.Positive(t, v.resumed)
		},
	}
}

func policyFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// resume has people say yes to every question whether a paused fleet may go on.
func resume(t *testing.T, h *house) {
	t.Helper()
	for _, r := range h.live(t) {
		if r.State == approvals.Pending && r.Plan.Tool == approvals.ToolResume {
			h.approve(t, r)
		}
	}
}

// boxes are isolations that end by themselves.
func boxes() load {
	return load{
		points:   []string{failpoint.BoxArmed, failpoint.BoxReleasing},
		inFlight: 4,
		ask: func(t *testing.T, h *house) {
			t.Helper()
			for n := range 2 {
				h.approve(t, h.boxed(t, n+1, 1500*time.Millisecond))
			}
		},
		check: func(t *testing.T, v verdict) {
			t.Helper()
			require.Zero(t, v.skipped, "what was approved was not sent")
			require.Greater(t, v.released, v.escalated)
		},
	}
}

// boxed requests the isolation of n fresh devices for a time that is shorter than the tool would take: the gate is asked
// directly.
func (h *house) boxed(t *testing.T, n int, span time.Duration) approvals.Request {
	t.Helper()
	var ids []string
	for range n {
		ids = append(ids, h.device(t, false))
	}
	args, err := json.Marshal(map[string]any{"devices": ids, "reason": "a crash test", "for": "15m"})
	require.NoError(t, err)
	who := h.requester(t)
	plan, err := h.app.Dispatcher.Plan(t.Context(), tools.Call{Tool: "isolate_devices", Args: args, Requester: who})
	require.NoError(t, err)
	require.NotNil(t, plan.TimeBox)
	plan.TimeBox.For = span
	plan.Preview = strings.ReplaceAll(plan.Preview, "15m", span.String())
	r, err := h.app.Gate.Submit(t.Context(), gate.Submission{Plan: plan, Requester: who})
	require.NoError(t, err)
	return r
}
