package mdesim

import (
	"net/http"
	"slices"
)

// cancelling are the permissions of which a caller needs any to ask for a
// cancellation at all.
const cancelling = "Machine.CollectForensics Machine.Isolate Machine.RestrictExecution Machine.Scan Machine.Offboard Machine.StopAndQuarantine Machine.LiveResponse"

// roleOf is the permission that a type of action needs. The page of the
// cancellation lists them all and does not say which is for what; the simulator
// wants the one with which the action could have been started.
func roleOf(kind string) string {
	switch kind {
	case TypeIsolate, TypeUnisolate:
		return "Machine.Isolate"
	case TypeRestrict, TypeUnrestrict:
		return "Machine.RestrictExecution"
	case TypeScan:
		return "Machine.Scan"
	case TypeQuarantine:
		return "Machine.StopAndQuarantine"
	case TypeCollectPackage:
		return "Machine.CollectForensics"
	case TypeOffboard:
		return "Machine.Offboard"
	}
	return "Machine.LiveResponse"
}

// cancelAction cancels an action that is not final (documentation:
// cancel-machine-action.md). The comment is optional, as on the page.
func cancelAction(c *call) response {
	body, bad := c.fields("Comment")
	if bad != nil {
		return c.bad(bad)
	}
	t := c.t
	t.mu.Lock()
	a, ok := t.action(c.id)
	if !ok {
		t.mu.Unlock()
		return c.noAction()
	}
	role, status := roleOf(a.Type), t.at(a, t.now()).Status
	allowed := slices.Contains(c.caller.permissions, role)
	var effect Effect
	if allowed && !final(status) {
		effect = t.cancel(c, a, body["Comment"])
	}
	view := t.view(a)
	t.mu.Unlock()
	switch {
	case !allowed:
		return t.problem(http.StatusForbidden, "Forbidden", "The caller does not have the required permission ("+role+") to cancel an action of type "+view.Type)
	case final(status):
		return c.bad(&fault400{"BadRequest", "Machine action " + view.ID + " cannot be cancelled: its status is " + status})
	}
	resp := c.one(http.StatusOK, view)
	resp.effect = &effect
	return resp
}

// cancel stores a cancellation and its effect; the caller holds t.mu.
func (t *Tenant) cancel(c *call, a *action, comment string) Effect {
	now := t.now()
	a.Status, a.CancellationTime, a.LastUpdate = StatusCancelled, &now, now
	a.CancellationBy, a.CancellationComment = Nullable(c.caller.name), Nullable(comment)
	return t.record(c, a, TypeCancel, comment)
}
