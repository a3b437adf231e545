package slacksim

import (
	"context"
	"fmt"
	"regexp"
	"slices"
)

// pressAgain is what the bot says to those who should press once more, and not what it says to those who should not.
var pressAgain = regexp.MustCompile(`(, |; |and )press again`)

// Patient is how people press and fill in who go by what they are told: while the app asks them to do it again, they do it
// again. A test that wants to see what an app answers to a single press uses [Workspace.Click] and [Workspace.Submit].
type Patient struct {
	Workspace *Workspace
	Again     *regexp.Regexp // Again matches what the app tells those who should repeat what they did. Default: the bot's words.
}

func (p Patient) again() *regexp.Regexp { return orDefault(p.Again, pressAgain) }

// Press presses a button of a message until the app has answered with something else than to press again: with a text for this
// person alone, or with a window. ctx bounds the wait. A button that is gone when it should be pressed again needs no press.
func (p Patient) Press(ctx context.Context, user, channel, messageTS, button string) error {
	who, err := p.Workspace.User(user)
	if err != nil {
		return err
	}
	for times := 1; ; times++ {
		seen, open := len(p.Workspace.Ephemerals(who.ID)), len(p.Workspace.Views(who.ID))
		if _, err := p.Workspace.Click(ctx, who.ID, channel, messageTS, button); err != nil {
			if times > 1 && ctx.Err() == nil {
				return nil
			}
			return err
		}
		var told []Message
		err := p.Workspace.WaitFor(ctx, func(now Snapshot) bool {
			told = now.Ephemerals[who.ID][min(seen, len(now.Ephemerals[who.ID])):]
			return len(told) > 0 || len(now.Views[who.ID]) > open
		})
		if err != nil {
			return fmt.Errorf("nothing answered %s, who pressed %q %d times: %w", who.Name, button, times, err)
		}
		if !slices.ContainsFunc(told, func(m Message) bool { return p.again().MatchString(m.Text) }) {
			return nil
		}
	}
}

// Fill waits for a window, types values into its fields, by block_id, and submits it until the app asks no more to do it again.
// What else the app has against a value is an error.
func (p Patient) Fill(ctx context.Context, user string, values map[string]string) error {
	who, err := p.Workspace.User(user)
	if err != nil {
		return err
	}
	if err := p.Workspace.WaitFor(ctx, func(now Snapshot) bool { return len(now.Views[who.ID]) > 0 }); err != nil {
		return fmt.Errorf("no window opened for %s: %w", who.Name, err)
	}
	views := p.Workspace.Views(who.ID)
	for {
		out, err := p.Workspace.Submit(ctx, who.ID, views[len(views)-1].ID, values)
		switch {
		case err != nil || len(out.Errors) == 0:
			return err
		case !p.again().MatchString(fmt.Sprint(out.Errors)):
			return fmt.Errorf("%s's window was not taken: %v", who.Name, out.Errors)
		}
	}
}
