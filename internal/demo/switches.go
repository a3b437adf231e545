package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// boxFor is the time-box of the story: the shortest there is.
const boxFor = 15 * time.Minute

func (s *story) timebox(ctx context.Context) error {
	var err error
	s.boxed, err = s.submitWith(ctx, "isolate_devices", map[string]any{
		"devices": []string{"host01"}, "reason": "beaconing again; look within a quarter of an hour", "for": "15m",
	})
	if err != nil {
		return err
	}
	if err := s.press(ctx, s.boxed); err != nil {
		return err
	}
	if err := s.oneWrite(3, "isolate"); err != nil {
		return err
	}
	if err := s.toTheEnd(ctx, s.boxed); err != nil {
		return err
	}
	boxes, err := s.mcp.Gate.Timeboxes(ctx, s.boxed.id)
	if err != nil {
		return err
	}
	if len(boxes) != 1 || !boxes[0].Open() {
		return fmt.Errorf("request %s has no time-box that runs: %v", s.boxed.id, boxes)
	}
	s.good("it will be released at %s, and nobody has to be asked again", boxes[0].Due.UTC().Format(time.RFC3339))
	return nil
}

func (s *story) stop(ctx context.Context) error {
	told, err := s.types(ctx, slacksim.Alice, "stop because the assistant asks for too much")
	if err != nil {
		return err
	}
	s.say("slack", "only @alice sees: %s", told)
	ans, err := s.assistant.call(ctx, "isolate_devices", map[string]any{"devices": []string{"host02.contoso.com"}, "reason": "beaconing to a known C2"})
	if err != nil {
		return err
	}
	if !ans.refused || !strings.Contains(ans.text, "everything is stopped") {
		return fmt.Errorf("while everything is stopped the call was not refused for that: %s", ans.text)
	}
	s.say("mcp", "%s", ans.text)
	return s.writes(3, "nothing was sent to the tenant")
}

// types lets somebody type a /mde command and returns what only they are shown.
func (s *story) types(ctx context.Context, user, text string) (string, error) {
	before := len(s.workspace.Ephemerals(user))
	s.say(s.workspace.DisplayName(user), "types /mde %s", text)
	if _, err := s.workspace.Command(ctx, user, slacksim.Security, "/mde", text); err != nil {
		return "", err
	}
	var told string
	err := s.workspace.WaitFor(ctx, func(snap slacksim.Snapshot) bool {
		shown := snap.Ephemerals[user]
		if len(shown) > before {
			told = shown[len(shown)-1].Text
		}
		return len(shown) > before
	})
	return told, err
}

func (s *story) lift(ctx context.Context) error {
	told, err := s.types(ctx, slacksim.Alice, "lift because the assistant was told to ask for less")
	if err != nil {
		return err
	}
	waiting, err := s.mcp.Gate.List(ctx, store.Filter{States: []approvals.State{approvals.Pending}})
	if err != nil {
		return err
	}
	if len(waiting) != 1 || waiting[0].Plan.Tool != approvals.ToolLift {
		return fmt.Errorf("no request asks to lift the stop: %s", told)
	}
	id := waiting[0].ID
	card, err := s.cardOf(ctx, id, func(slacksim.Message) bool { return true })
	if err != nil {
		return fmt.Errorf("the card of %s did not appear: %w", id, err)
	}
	s.say("slack", "a card appears in #security")
	s.message(card)
	for i, who := range []string{slacksim.Bob, slacksim.Carol} {
		if err := s.stillStopped(ctx, i); err != nil {
			return err
		}
		if err := s.patient().Press(ctx, who, slacksim.Security, card.TS, "Approve"); err != nil {
			return err
		}
		if err := s.confirms(ctx, who, approvals.ScopeAll); err != nil {
			return err
		}
		s.say(s.workspace.DisplayName(who), "presses Approve, and types "+approvals.ScopeAll+" into the window that opens")
	}
	r, err := s.mcp.Gate.Wait(ctx, id, func(r approvals.Request) bool { return r.State.Terminal() }, s.stepLimit)
	if err != nil {
		return err
	}
	if stops, err := s.mcp.Gate.Board().InForce(ctx); err != nil || len(stops) > 0 {
		return errors.Join(fmt.Errorf("request %s is %s and still stopped is %v", id, r.State, stops), err)
	}
	s.good("two approvers said yes: nothing is stopped any more")
	return nil
}

// confirms types what the window asks for that a yes opens to what is large or can't be taken back.
func (s *story) confirms(ctx context.Context, user, typed string) error {
	ctx, cancel := context.WithTimeout(ctx, s.stepLimit)
	defer cancel()
	return s.patient().Fill(ctx, user, map[string]string{cards.BlockTyped: typed})
}

// stillStopped checks that so many approvals lift nothing.
func (s *story) stillStopped(ctx context.Context, approved int) error {
	stops, err := s.mcp.Gate.Board().InForce(ctx)
	if err == nil && len(stops) == 0 {
		err = fmt.Errorf("after %d approvals nothing is stopped any more", approved)
	}
	return err
}

func (s *story) released(ctx context.Context) error {
	s.clock.forward(boxFor)
	s.say("demo", "sends the clock of everything ahead by %v", boxFor)
	release, err := s.releasedBy(ctx)
	if err != nil {
		return err
	}
	r, err := s.mcp.Gate.Wait(ctx, release, func(r approvals.Request) bool { return r.State.Terminal() }, s.stepLimit)
	if err != nil {
		return err
	}
	if r.State != approvals.Succeeded || len(r.Votes) != 0 || r.Parent != s.boxed.id {
		return fmt.Errorf("the release %s of request %s is %s with %d votes: %s", r.ID, s.boxed.id, r.State, len(r.Votes), r.Message)
	}
	if err := s.oneWrite(4, "unisolate"); err != nil {
		return err
	}
	if s.tenant.Isolated(s.tenant.Device("host01").ID) {
		return errors.New("host01 is still isolated in the tenant")
	}
	s.good("host01 is back on the network, by request %s, which was approved with %s", r.ID, s.boxed.id)
	return nil
}

// releasedBy waits until the time-box has made its request, and returns that.
func (s *story) releasedBy(ctx context.Context) (string, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		boxes, err := s.mcp.Gate.Timeboxes(ctx, s.boxed.id)
		if err != nil {
			return "", err
		}
		for _, b := range boxes {
			if b.ReleaseID != "" {
				return b.ReleaseID, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("the time-box of %s was not ended in time (%v): %w", s.boxed.id, boxes, ctx.Err())
		}
	}
}
