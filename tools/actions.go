package tools

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mde-ops/mde-ops/mdecore"
)

// actionView is a machine action as callers see it.
type actionView struct {
	ID        string    `json:"id" jsonschema:"action id"`
	Type      string    `json:"type" jsonschema:"e.g. Isolate"`
	Scope     string    `json:"scope,omitempty" schema:"omit" jsonschema:"scope, e.g. Full"`
	Status    string    `json:"status" jsonschema:"Pending, InProgress, or how it ended"`
	Requestor string    `json:"requestor,omitempty" schema:"omit" jsonschema:"untrusted text: who or which application asked"`
	Comment   string    `json:"comment,omitempty" jsonschema:"untrusted text"`
	DeviceID  string    `json:"device_id,omitempty" schema:"omit" jsonschema:"device id"`
	Device    string    `json:"device,omitempty" schema:"omit" jsonschema:"untrusted text: DNS name"`
	Request   string    `json:"request_id,omitempty" jsonschema:"request of ours that started it"`
	CreatedAt time.Time `json:"created_at,omitzero" schema:"omit" jsonschema:"when it was created"`
}

func viewOfAction(a *mdecore.MachineAction) actionView {
	return actionView{
		ID: clean(a.ID, 60), Type: clean(string(a.Type), 60), Scope: clean(a.Scope, 60), Status: clean(string(a.Status), 60),
		Requestor: clean(a.Requestor, 120), Comment: clean(a.RequestorComment, 300), CreatedAt: a.CreationDateTimeUTC.Time,
	}
}

// fewDevices is up to how many devices have their actions read one by one. More are read as two lists of the tenant,
// because the budget of calls per minute is smaller than a fleet.
const fewDevices = 4

// actionHistory is how far back a fleet's actions are read: the tenant keeps them for 180 days.
const actionHistory = 180 * 24 * time.Hour

// actionsOf reads the machine actions of devices, newest first for each. For a fleet only those of the given types are read,
// or isolations and releases where none is given.
func (h *house) actionsOf(ctx context.Context, devices []*mdecore.Machine, types ...mdecore.ActionType) (map[string][]*mdecore.MachineAction, error) {
	var filters []string
	if len(types) == 0 {
		types = isolationTypes()
	}
	if len(devices) <= fewDevices {
		for _, d := range devices {
			filters = append(filters, "machineId eq "+literal(d.ID))
		}
	} else {
		for _, t := range types {
			var f filter
			f.eq("type", string(t))
			f.since("creationDateTimeUtc", h.clock().Add(-actionHistory))
			filters = append(filters, f.String())
		}
	}
	lists := make([][]*mdecore.MachineAction, len(filters))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for i, f := range filters {
		g.Go(func() (err error) {
			lists[i], err = listActions(gctx, h.reader, f)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	byDevice := map[string][]*mdecore.MachineAction{}
	for _, a := range slices.Concat(lists...) {
		id := strings.ToLower(a.MachineID)
		byDevice[id] = append(byDevice[id], a)
	}
	for _, of := range byDevice {
		slices.SortStableFunc(of, func(a, b *mdecore.MachineAction) int {
			return b.CreationDateTimeUTC.Compare(a.CreationDateTimeUTC.Time)
		})
	}
	return byDevice, nil
}

// listActions reads a whole list: half a list would hide an action that is open.
func listActions(ctx context.Context, reader *mdecore.Client, odata string) ([]*mdecore.MachineAction, error) {
	var out []*mdecore.MachineAction
	for a, err := range reader.ListMachineActions(ctx, mdecore.Query{Filter: mdecore.Filter(odata)}) {
		if mdecore.IsNotFound(err) {
			return nil, nil // the API's answer when there is none; a page that is missing later is another error
		}
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// isolation is whether a device is isolated, by its machine actions: the API's machine does not say.
type isolation string

const (
	isolated    isolation = "isolated"
	notIsolated isolation = "not isolated"
	isolating   isolation = "isolating"
	releasing   isolation = "releasing"
)

// isolationOf reads a device's actions, newest first.
func isolationOf(actions []*mdecore.MachineAction) isolation {
	if open := openIsolation(actions); open != nil {
		if open.Type == mdecore.ActionIsolate {
			return isolating
		}
		return releasing
	}
	if now := inForceOf(actions, isolationTypes()...); now != nil && now.Type == mdecore.ActionIsolate {
		return isolated
	}
	return notIsolated
}

// isolationTypes are the types of action that take each other back on a device's network, and restrictionTypes those on
// what it may run.
func isolationTypes() []mdecore.ActionType {
	return []mdecore.ActionType{mdecore.ActionIsolate, mdecore.ActionUnisolate}
}

func restrictionTypes() []mdecore.ActionType {
	return []mdecore.ActionType{mdecore.ActionRestrictCodeExecution, mdecore.ActionUnrestrictCodeExecution}
}

// inForceOf is the newest action of the types that succeeded; nil when there is none.
func inForceOf(actions []*mdecore.MachineAction, types ...mdecore.ActionType) *mdecore.MachineAction {
	for _, a := range actions {
		if a.Status == mdecore.ActionSucceeded && slices.Contains(types, a.Type) {
			return a
		}
	}
	return nil
}

// openIsolation is an isolation or release that is not final; nil when there is none.
func openIsolation(actions []*mdecore.MachineAction) *mdecore.MachineAction {
	return openOf(actions, isolationTypes()...)
}

// openOf is an action of the types that is not final; nil when there is none. A status that is not known counts as open.
func openOf(actions []*mdecore.MachineAction, types ...mdecore.ActionType) *mdecore.MachineAction {
	for _, a := range actions {
		if slices.Contains(types, a.Type) && !a.Status.Terminal() {
			return a
		}
	}
	return nil
}
