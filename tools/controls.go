package tools

import (
	"context"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/control"
	"github.com/mde-ops/mde-ops/approvals/worker"
)

type liftIn struct {
	Scope string `json:"scope,omitempty" jsonschema:"What is stopped: all, restore or a toolset" form:"word" default:"all"`
	asking
}

// liftStop has the risk of what can't be undone, because everything that was held goes on at once.
func liftStop() declaration {
	return spec[liftIn, requestView]{
		name: approvals.ToolLift, title: "Lift a stop", toolset: Requests, surface: InToolset, risk: approvals.RiskDestroy,
		summary: "Ask to lift the kill switch or the freeze of a toolset. Only people in Slack can ask, and the approvers of destructive tools " +
			"must agree there.",
		positional: []string{"scope"}, untrusted: true,
		hints: Annotations{Destructive: true},
		plan: func(ctx context.Context, s *session, in liftIn) (approvals.Plan, error) {
			return s.gate.Board().PlanLift(ctx, s.tenant, in.Scope, in.Reason)
		},
		performs: onBoard(func(ctx context.Context, b *control.Board, a control.Act) error { return b.Lift(ctx, a) }),
	}
}

type resumeIn struct {
	ID string `json:"id" jsonschema:"Id of the paused request" form:"request"`
	asking
}

func resumeRequest() declaration {
	return spec[resumeIn, requestView]{
		name: approvals.ToolResume, title: "Let a paused request go on", toolset: Requests, surface: InToolset, risk: approvals.RiskContain,
		summary: "Ask to send the rest of a request that was paused because too many of its steps failed. " +
			"Needs at least the approvals that the request itself needs.",
		positional: []string{"id"}, untrusted: true,
		hints: Annotations{Destructive: true},
		plan: func(ctx context.Context, s *session, in resumeIn) (approvals.Plan, error) {
			r, err := s.gate.Get(ctx, strings.ToUpper(in.ID))
			if err != nil {
				return approvals.Plan{}, err
			}
			return s.gate.Board().PlanResume(ctx, r)
		},
		performs: onBoard(func(ctx context.Context, b *control.Board, a control.Act) error { return b.Resume(ctx, a) }),
	}
}

// onBoard performs a step by its effect on our own switches. It is in force as soon as it is written.
func onBoard(effect func(context.Context, *control.Board, control.Act) error) performs {
	const done = "written"
	receiptOf := func(t worker.Task) worker.Receipt {
		return worker.Receipt{ActionID: t.Plan.Tool + ":" + t.RequestID, RemoteStatus: done}
	}
	return performs{
		apply: func(ctx context.Context, with hands, t worker.Task) (worker.Receipt, error) {
			if with.board == nil {
				return worker.Receipt{}, noBoard()
			}
			err := effect(ctx, with.board, control.Act{RequestID: t.RequestID, Step: t.Step})
			if kind := approvals.KindOf(err); err != nil && kind != "" && kind != approvals.KindStore {
				return worker.Receipt{}, &worker.Refused{Text: clean(err.Error(), 400), Err: err}
			}
			if err != nil {
				return worker.Receipt{}, err // it may be written: its trace is looked for
			}
			return receiptOf(t), nil
		},
		find: func(ctx context.Context, with hands, t worker.Task, _ time.Time) (worker.Receipt, bool, error) {
			if with.board == nil {
				return worker.Receipt{}, false, noBoard()
			}
			found, err := with.board.Done(ctx, control.Act{RequestID: t.RequestID, Step: t.Step})
			return receiptOf(t), found, err
		},
		follow: func(context.Context, hands, worker.Task, string) (worker.Progress, error) {
			return worker.Progress{RemoteStatus: done, State: approvals.StepSucceeded}, nil
		},
	}
}

// noBoard says that a performer was made without the switches.
func noBoard() error {
	text := "this worker has no switches (PerformerOptions.Board); nothing was done"
	return &worker.Refused{Text: text, Err: approvals.Refuse(approvals.KindInvalid, nil, "%s", text)}
}
