package slackbot

import (
	"context"
	"errors"
	"fmt"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// keptWorkspace is the name under which a store keeps the workspace that it belongs to.
const keptWorkspace = "slack-workspace"

// Keeper keeps small values that the processes share; *store.DB does.
type Keeper interface {
	Kept(ctx context.Context, name string) (store.Kept, error)
	Keep(ctx context.Context, saw store.Kept, value string) error
}

// Workspace is the id of the workspace that the bot token belongs to. It is refused when it is not the configured one, or
// not the one that the store belongs to: two workspaces on one store would count each other's people.
func (p *People) Workspace(ctx context.Context) (string, error) { return p.ownTeam(ctx) }

// accept checks the workspace that Slack named.
func (p *People) accept(ctx context.Context, team string) error {
	if err := servable(team, p.only); err != nil || p.keeper == nil {
		return err
	}
	owner, err := claim(ctx, p.keeper, team)
	if err != nil {
		return noAnswer(err, "the store could not be asked which workspace it belongs to; nothing was done, try again")
	}
	return owned(owner, team)
}

// servable refuses a workspace that is none, or not the only one that is served, where that is set.
func servable(team, only string) error {
	switch {
	case !blockkit.IsTeam(team):
		return refusedWorkspace("the Slack app is installed for the whole organization %s: install it into one workspace", team)
	case only != "" && team != only:
		return refusedWorkspace("the Slack bot token belongs to the workspace %s and MDE_SLACK_TEAM says %s: use the token of the app as it is installed there", team, only)
	}
	return nil
}

// owned refuses a workspace on a store of another.
func owned(owner, team string) error {
	if owner != team {
		return refusedWorkspace("the store belongs to the Slack workspace %s and the bot token to %s, and one store serves one workspace: "+
			"set MDE_STORE to another store, or give this one away with `mde-slackbot migrate --slack-team %s`", owner, team, team)
	}
	return nil
}

func refusedWorkspace(format string, args ...any) error {
	return approvals.Refuse(approvals.KindDenied, nil, format, args...)
}

// claim returns the workspace that a store belongs to, which is team where it belonged to none.
func claim(ctx context.Context, k Keeper, team string) (string, error) {
	for {
		saw, err := k.Kept(ctx, keptWorkspace)
		if err != nil || saw.Version > 0 {
			return saw.Value, err
		}
		err = k.Keep(ctx, saw, team)
		if approvals.KindOf(err) != approvals.KindConflict { // else somebody was faster
			return team, err
		}
	}
}

// GiveStore makes a store belong to another workspace, and returns to which it belonged; empty when to none.
func GiveStore(ctx context.Context, k Keeper, team string) (string, error) {
	if !blockkit.IsTeam(team) {
		return "", fmt.Errorf("%q is not the id of a Slack workspace, which begins with T", team)
	}
	saw, err := k.Kept(ctx, keptWorkspace)
	if err != nil || saw.Value == team {
		return saw.Value, err
	}
	if err := k.Keep(ctx, saw, team); err != nil {
		return "", errors.Join(errors.New("the store was not given to another workspace"), err)
	}
	return saw.Value, nil
}
