package slacksim

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// openView finds the view a person has in front: only the top of the stack can be used.
func (s *state) openView(user, viewID string) (User, *View, error) {
	u, err := s.user(user)
	if err != nil {
		return User{}, nil, err
	}
	stack := s.stacks[u.ID]
	if len(stack) == 0 || stack[len(stack)-1] != viewID {
		return u, nil, fmt.Errorf("%w: %q", errNoView, viewID)
	}
	return u, s.views[viewID], nil
}

// Submit fills in a modal and presses its submit button. Values are by block_id or action_id of the inputs; a choice is given by
// its value or text, several choices separated by commas. What Slack's client refuses (a required input left empty, a length)
// is an error and reaches the app no more than in Slack. The app's answer (errors, update, push, clear, or nothing, which
// closes the modal) is carried out.
func (w *Workspace) Submit(ctx context.Context, user, viewID string, values map[string]string) (Outcome, error) {
	st := w.lock()
	u, v, err := st.openView(user, viewID)
	if err == nil && v.Submit == nil {
		err = fmt.Errorf("the modal %q has no submit button", viewID)
	}
	var filled Payload
	if err == nil {
		filled, err = fillIn(st.offering(v), values)
	}
	if err != nil {
		w.unlock()
		return Outcome{}, err
	}
	p := w.interaction(st, "view_submission", u, viewID)
	p["view"], p["response_urls"] = v.json(w, filled), []any{}
	w.unlock()
	var shown map[string]string
	out, err := w.act(ctx, u.ID, Interactive, p, func(st *state, ack json.RawMessage) error {
		var e error
		shown, e = st.showSubmission(u.ID, viewID, ack)
		return e
	})
	out.Errors = shown
	return out, err
}

// Close presses a modal's cancel button. The app hears of it when the view asked for that.
func (w *Workspace) Close(ctx context.Context, user, viewID string) (Outcome, error) {
	st := w.lock()
	u, v, err := st.openView(user, viewID)
	if err != nil {
		w.unlock()
		return Outcome{}, err
	}
	if v.ClearOnClose {
		st.closeAll(u.ID)
	} else {
		st.popView(u.ID, viewID)
	}
	st.notify()
	p := w.interaction(st, "view_closed", u, viewID)
	p["view"], p["is_cleared"] = v.json(w, Payload{}), v.ClearOnClose
	left := st.snapshot().Views[u.ID]
	w.unlock()
	if !v.NotifyOnClose {
		return Outcome{Views: left}, nil
	}
	return w.act(ctx, u.ID, Interactive, p, nil)
}

// ClickView presses a button inside an open modal, given as for Click.
func (w *Workspace) ClickView(ctx context.Context, user, viewID, button string) (Outcome, error) {
	st := w.lock()
	u, v, err := st.openView(user, viewID)
	var b Button
	if err == nil {
		b, err = pickButton(v.Buttons(), button)
	}
	if err != nil {
		w.unlock()
		return Outcome{}, err
	}
	p := w.interaction(st, "block_actions", u, viewID)
	p["view"], p["container"] = v.json(w, Payload{}), Payload{"type": "view", "view_id": viewID}
	p["actions"] = []any{w.action(st, b)}
	w.unlock()
	return w.act(ctx, u.ID, Interactive, p, nil)
}

// showSubmission carries out the app's answer to a submission and returns the errors shown beside inputs.
func (s *state) showSubmission(user, viewID string, ack json.RawMessage) (map[string]string, error) {
	var res struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   json.RawMessage   `json:"view"`
	}
	if len(ack) > 0 {
		if err := json.Unmarshal(ack, &res); err != nil {
			return nil, fmt.Errorf("trouble connecting: the answer to the submission is not an object: %w", err)
		}
	}
	stored := s.views[viewID]
	switch res.Action {
	case "":
		s.popView(user, viewID)
	case "clear":
		s.closeAll(user)
	case "errors":
		return s.showErrors(stored, res.Errors)
	case "update", "push":
		next, refused := parseView(s, string(res.View))
		if refused != nil {
			return nil, fmt.Errorf("trouble connecting: the answer's view was refused: %v %v", refused["error"], refused["response_metadata"])
		}
		if res.Action == "update" {
			s.replaceView(stored, next)
			return nil, nil
		}
		if len(s.stacks[user]) >= maxViewStack {
			return nil, fmt.Errorf("trouble connecting: push_limit_reached, Slack stacks %d modals", maxViewStack)
		}
		s.pushView(user, next)
	default:
		return nil, fmt.Errorf("trouble connecting: unknown response_action %q", res.Action)
	}
	return nil, nil
}

// showErrors puts errors beside inputs; an error keyed by anything but an input's block_id is what Slack shows as trouble connecting.
func (s *state) showErrors(v *View, errs map[string]string) (map[string]string, error) {
	for id := range errs {
		isInput := slices.ContainsFunc(v.Blocks, func(b Block) bool { return b.BlockID == id && b.Type == "input" })
		if !isInput {
			return nil, fmt.Errorf("trouble connecting: errors name the block %q, which is not an input of the modal", id)
		}
	}
	if len(errs) == 0 {
		return nil, fmt.Errorf("trouble connecting: response_action errors without errors")
	}
	// A copy, because snapshots share the view's content.
	next := *v
	next.Errors = errs
	s.views[v.ID] = &next
	return errs, nil
}
