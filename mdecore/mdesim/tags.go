package mdesim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// maxTagged is how many devices one call can tag, as documented.
const maxTagged = 500

// tagging is a change of one tag.
type tagging struct{ action, value string }

// tagBody reads what both tagging operations have in common.
func tagBody(body map[string]string) (tagging, *fault400) {
	if bad := required(body, "Value", "Action"); bad != nil {
		return tagging{}, bad
	}
	if body["Action"] != "Add" && body["Action"] != "Remove" {
		return tagging{}, &fault400{"InvalidInput", "'" + body["Action"] + "' is not an action: use Add or Remove"}
	}
	return tagging{body["Action"], body["Value"]}, nil
}

// apply changes a device. To add a tag twice, or to remove one that is not there,
// is no error and changes nothing.
func (g tagging) apply(d *device) {
	switch has := slices.Contains(d.MachineTags, g.value); {
	case g.action == "Remove":
		d.MachineTags = slices.DeleteFunc(d.MachineTags, func(tag string) bool { return tag == g.value })
	case !has:
		d.MachineTags = append(d.MachineTags, g.value)
	}
}

func (g tagging) effect() Effect {
	if g.action == "Add" {
		return Effect{Type: TypeAddTag, Scope: g.value}
	}
	return Effect{Type: TypeRemoveTag, Scope: g.value}
}

// tagMachine adds or removes a tag of a device (documentation:
// add-or-remove-machine-tags.md).
func tagMachine(c *call) response {
	body, bad := c.fields("Value", "Action")
	if bad != nil {
		return c.bad(bad)
	}
	g, bad := tagBody(body)
	if bad != nil {
		return c.bad(bad)
	}
	return c.change(g.effect(), g.apply)
}

// tagMachines adds or removes a tag of many devices (documentation:
// add-or-remove-multiple-machine-tags.md). The page says nothing of ids that the
// tenant does not know: the answer leaves them out.
func tagMachines(c *call) response {
	raw, bad := c.object("Value", "Action", "MachineIds")
	var ids []string
	body := map[string]string{}
	for _, name := range []string{"Value", "Action"} {
		var s string
		if bad == nil {
			bad = property400(raw, name, &s, "a string")
		}
		body[name] = s
	}
	if bad == nil {
		bad = property400(raw, "MachineIds", &ids, "a list of strings")
	}
	if bad != nil {
		return c.bad(bad)
	}
	g, bad := tagBody(body)
	switch {
	case bad != nil:
		return c.bad(bad)
	case len(ids) == 0:
		return c.bad(&fault400{"MissingRequiredParameter", "The required parameter 'MachineIds' is missing"})
	case len(ids) > maxTagged:
		return c.bad(&fault400{"MaximumBatchSizeExceeded", fmt.Sprintf("Maximum batch size exceeded. Received: %d, allowed: %d", len(ids), maxTagged)})
	}
	changed, effects := c.changeAll(ids, g.effect(), g.apply)
	if len(changed) == 0 {
		return c.t.problem(http.StatusNotFound, "ResourceNotFound", "None of the machines was found")
	}
	out := make([]*Machine, 0, len(changed))
	for _, d := range changed {
		out = append(out, &d.Machine)
	}
	resp := c.list("Machines", out, "")
	resp.effect = &effects[0]
	return resp
}

// setDeviceValue changes a device's value (documentation: set-device-value.md).
func setDeviceValue(c *call) response {
	body, bad := c.fields("DeviceValue")
	if bad == nil {
		bad = required(body, "DeviceValue")
	}
	if bad == nil {
		bad = knownValue(body["DeviceValue"])
	}
	if bad != nil {
		return c.bad(bad)
	}
	value := body["DeviceValue"]
	return c.change(Effect{Type: TypeSetDeviceValue, Scope: value}, func(d *device) { d.DeviceValue = value })
}

func knownValue(value string) *fault400 {
	if slices.Contains([]string{"Normal", "Low", "High"}, value) {
		return nil
	}
	return &fault400{"InvalidInput", "'" + value + "' is not a device value: use Normal, Low or High"}
}

// updateMachine changes tags and value of a device (documentation:
// update-machine-method.md). The page says in one place that tags are appended
// and in another that they are replaced. The simulator replaces them, because
// there a client that does not send the whole set loses tags and shows its fault.
func updateMachine(c *call) response {
	raw, bad := c.object("machineTags", "deviceValue")
	var tags *[]string
	var value *string
	if bad == nil {
		bad = property400(raw, "machineTags", &tags, "a list of strings")
	}
	if bad == nil {
		bad = property400(raw, "deviceValue", &value, "a string or null")
	}
	if bad == nil && value != nil {
		bad = knownValue(*value)
	}
	if bad != nil {
		return c.bad(bad)
	}
	effect := Effect{Type: TypeUpdateMachine}
	if tags != nil {
		effect.Scope = strings.Join(*tags, ",")
	}
	return c.change(effect, func(d *device) {
		if tags != nil {
			d.MachineTags = append([]string{}, *tags...)
		}
		if value != nil {
			d.DeviceValue = *value
		}
	})
}

// change changes the call's device, keeps the effect and answers with the device.
func (c *call) change(e Effect, apply func(*device)) response {
	changed, effects := c.changeAll([]string{c.id}, e, apply)
	if len(changed) == 0 {
		return c.noMachine()
	}
	resp := c.machine(changed[0])
	resp.effect = &effects[0]
	return resp
}

// changeAll changes those of the devices that the tenant knows, each once, and
// keeps an effect for each.
func (c *call) changeAll(ids []string, e Effect, apply func(*device)) (changed []*device, effects []Effect) {
	t := c.t
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, d := range t.devices.replace(ids, apply) {
		e.MachineID = d.ID
		changed, effects = append(changed, d), append(effects, t.note(c, e))
	}
	return changed, effects
}
