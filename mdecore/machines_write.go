package mdecore

import (
	"context"
	"strconv"
	"strings"
)

// TagAction says whether a tag is added or removed.
type TagAction string

// The two ways to change a tag.
const (
	TagAdd    TagAction = "Add"
	TagRemove TagAction = "Remove"
)

// maxTagged is the documented number of machines in one call.
const maxTagged = 500

// MachineTagRequest is the body of AddOrRemoveMachineTag.
type MachineTagRequest struct {
	// Value is the tag. Required.
	Value string `json:"Value"`
	// Action is TagAdd or TagRemove. Required.
	Action TagAction `json:"Action"`
}

// check refuses a request that the service would refuse.
func (r MachineTagRequest) check() error {
	if err := checkEnum("tag action", r.Action, TagAdd, TagRemove); err != nil {
		return err
	}
	return checkTag(r.Value)
}

// MachinesTagRequest is the body of AddOrRemoveTagForMultipleMachines.
type MachinesTagRequest struct {
	// Value is the tag. Required.
	Value string `json:"Value"`
	// Action is TagAdd or TagRemove. Required.
	Action TagAction `json:"Action"`
	// MachineIDs are 1 to 500 machines.
	MachineIDs []string `json:"MachineIds"`
}

// check refuses a request that the service would refuse.
func (r MachinesTagRequest) check() error {
	if n := len(r.MachineIDs); n == 0 || n > maxTagged {
		return invalid("number of machine ids", strconv.Itoa(n), "it must be 1 to 500; TagMachines takes any number")
	}
	return checkTagging(MachineTagRequest{r.Value, r.Action}, r.MachineIDs)
}

// checkTagging checks a tag and the machines that it is for.
func checkTagging(r MachineTagRequest, machineIDs []string) error {
	for _, id := range machineIDs {
		if err := checkMachineID(id); err != nil {
			return err
		}
	}
	return r.check()
}

// AddOrRemoveMachineTag adds a tag to a machine or removes it, and returns the machine as it is then.
// Documentation page: add-or-remove-machine-tags.md.
//
//mde:op POST /api/machines/{machine_id}/tags roles=Machine.ReadWrite.All
func (c *Client) AddOrRemoveMachineTag(ctx context.Context, machineID string, req MachineTagRequest) (*Machine, error) {
	return c.changeMachine(ctx, "AddOrRemoveMachineTag", machineID, req, req.check())
}

// AddOrRemoveTagForMultipleMachines adds a tag to at most 500 machines or removes it, and returns the machines that the
// service changed: a machine that is not among them must not be taken for done. TagMachines does that comparison.
// Documentation page: add-or-remove-multiple-machine-tags.md.
//
//mde:op POST /api/machines/AddOrRemoveTagForMultipleMachines roles=Machine.ReadWrite.All
func (c *Client) AddOrRemoveTagForMultipleMachines(ctx context.Context, req MachinesTagRequest) ([]*Machine, error) {
	return c.tagBatch(ctx, "AddOrRemoveTagForMultipleMachines", req)
}

// tagBatch is AddOrRemoveTagForMultipleMachines on behalf of the named method.
func (c *Client) tagBatch(ctx context.Context, op string, req MachinesTagRequest) ([]*Machine, error) {
	got, err := send[page[*Machine]](ctx, c, call{op: op, via: "AddOrRemoveTagForMultipleMachines", body: req, invalid: req.check()})
	if err != nil {
		return nil, err
	}
	return got.Value, nil
}

// TagMachines adds a tag to any number of machines or removes it, 500 a call, and says for each machine what became of
// it. A machine is done when the service's answer names it; one that is named twice in machineIDs is sent once. A batch
// that the service refuses does not stop the next ones; one whose outcome is unknown does. The error is nil when all
// machines are done, otherwise a *BulkError. Documentation page: add-or-remove-multiple-machine-tags.md.
//
//mde:op POST /api/machines/AddOrRemoveTagForMultipleMachines roles=Machine.ReadWrite.All
func (c *Client) TagMachines(ctx context.Context, req MachineTagRequest, machineIDs []string) ([]ItemResult, error) {
	const op = "TagMachines"
	if len(machineIDs) == 0 {
		return nil, refuse(op, invalid("number of machine ids", "0", "it must be at least 1"))
	}
	if err := checkTagging(req, machineIDs); err != nil {
		return nil, refuse(op, err)
	}
	return bulk[string]{
		op: op, size: maxTagged, fold: true, id: func(id string) string { return id },
		send: func(ctx context.Context, batch []string) (map[string]error, error) {
			changed, err := c.tagBatch(ctx, op, MachinesTagRequest{req.Value, req.Action, batch})
			return missing(op, batch, changed), err
		},
	}.run(ctx, machineIDs)
}

// missing are the machines of a batch that an answer does not name.
func missing(op string, batch []string, answered []*Machine) map[string]error {
	named := make(map[string]bool, len(answered))
	for _, m := range answered {
		if m != nil {
			named[strings.ToLower(m.ID)] = true
		}
	}
	failed := map[string]error{}
	for _, id := range batch {
		if !named[strings.ToLower(id)] {
			failed[id] = unconfirmed(op, "machine", id)
		}
	}
	return failed
}

// DeviceValueRequest is the body of SetDeviceValue.
type DeviceValueRequest struct {
	// DeviceValue is Normal, Low or High. Required.
	DeviceValue DeviceValue `json:"DeviceValue"`
}

// SetDeviceValue says what a machine is worth to the organisation, and returns the machine as it is then.
// Documentation page: set-device-value.md.
//
//mde:op POST /api/machines/{machine_id}/setDeviceValue roles=Machine.ReadWrite.All
func (c *Client) SetDeviceValue(ctx context.Context, machineID string, req DeviceValueRequest) (*Machine, error) {
	return c.changeMachine(ctx, "SetDeviceValue", machineID, req, req.DeviceValue.check())
}

// check refuses what is not a documented value.
func (v DeviceValue) check() error {
	return checkEnum("device value", v, DeviceValueNormal, DeviceValueLow, DeviceValueHigh)
}

// UpdateMachineRequest is the body of UpdateMachine. What is left out stays as it is; at least one is required.
type UpdateMachineRequest struct {
	// MachineTags is the whole set of tags that the machine shall have, those that it has already included. Nil leaves
	// the tags alone; an empty list that is not nil asks for no tags at all.
	MachineTags []string `json:"machineTags,omitzero"`
	// DeviceValue is Normal, Low or High; empty leaves it alone.
	DeviceValue DeviceValue `json:"deviceValue,omitempty"`
}

// check refuses a request that the service would refuse.
func (r UpdateMachineRequest) check() error {
	if r.MachineTags == nil && r.DeviceValue == "" {
		return invalid("update", "", "it names neither machineTags nor deviceValue")
	}
	for _, tag := range r.MachineTags {
		if err := checkTag(tag); err != nil {
			return err
		}
	}
	if r.DeviceValue == "" {
		return nil
	}
	return r.DeviceValue.check()
}

// UpdateMachine changes the tags or the value of a machine, and returns the machine as it is then. The page contradicts
// itself: in one place it says that tags are only appended, in another that those which are not sent are removed. So send
// the whole set, and compare the answer; to add or remove one tag, AddOrRemoveMachineTag is the safe way.
// Documentation page: update-machine-method.md.
//
//mde:op PATCH /api/machines/{machine_id} roles=Machine.ReadWrite.All
func (c *Client) UpdateMachine(ctx context.Context, machineID string, req UpdateMachineRequest) (*Machine, error) {
	return c.changeMachine(ctx, "UpdateMachine", machineID, req, req.check())
}

// changeMachine sends a change of a machine; invalid is what is wrong with its body. An answer about another machine is
// an error of uncertain outcome.
func (c *Client) changeMachine(ctx context.Context, op, machineID string, body any, invalid error) (*Machine, error) {
	machine, err := send[Machine](ctx, c, call{op: op, args: args{machineArg(machineID)}, body: body, invalid: invalid})
	if err != nil {
		return nil, err
	}
	return sameMachine(op, machineID, machine)
}

// sameMachine refuses an answer about another machine than the one that was asked for.
func sameMachine(op, id string, got *Machine) (*Machine, error) {
	if strings.EqualFold(got.ID, id) {
		return got, nil
	}
	return nil, otherEntity(op, "machine", id, got.ID)
}
