package mdesim

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// fault400 is a refusal of a write, with a documented code.
type fault400 struct{ code, message string }

// fields reads a JSON object of strings. Names are compared exactly, because the
// API's body parameters are case-sensitive and encoding/json's are not.
func (c *call) fields(known ...string) (map[string]string, *fault400) {
	raw := map[string]json.RawMessage{}
	dec := json.NewDecoder(bytes.NewReader(c.body))
	if err := dec.Decode(&raw); err != nil && err != io.EOF {
		return nil, &fault400{"InvalidRequestBody", "The request body is not a JSON object"}
	}
	if dec.More() {
		return nil, &fault400{"InvalidRequestBody", "The request body is more than one JSON value"}
	}
	out := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if !slices.Contains(known, name) {
			return nil, &fault400{"InvalidRequestBody", "The property '" + name + "' does not exist in the request; names are case-sensitive: " + strings.Join(known, ", ")}
		}
		var s string
		if err := json.Unmarshal(raw[name], &s); err != nil {
			return nil, &fault400{"InvalidRequestBody", "The property '" + name + "' must be a string"}
		}
		out[name] = s
	}
	return out, nil
}

func (c *call) bad(f *fault400) response {
	return c.t.problem(http.StatusBadRequest, f.code, f.message)
}

// isolateMachine isolates a device (documentation: isolate-machine.md). The page
// names no default for IsolationType; the simulator takes Full. A device that is
// isolated already may be isolated again, so that a doubled call shows as a
// second effect.
func isolateMachine(c *call) response {
	body, bad := c.fields("Comment", "IsolationType")
	if bad != nil {
		return c.bad(bad)
	}
	d, ok := c.t.byID(c.id)
	if !ok {
		return c.noMachine()
	}
	scope := orDefault(body["IsolationType"], "Full")
	if bad := requireComment(body); bad != nil {
		return c.bad(bad)
	}
	if bad := d.canIsolate(scope); bad != nil {
		return c.bad(bad)
	}
	return c.start(d, TypeIsolate, scope, body["Comment"])
}

// unisolateMachine releases a device (documentation: unisolate-machine.md). The
// page does not say what happens to a device that is not isolated; the simulator
// refuses.
func unisolateMachine(c *call) response {
	body, bad := c.fields("Comment")
	if bad != nil {
		return c.bad(bad)
	}
	d, ok := c.t.byID(c.id)
	if !ok {
		return c.noMachine()
	}
	if bad := requireComment(body); bad != nil {
		return c.bad(bad)
	}
	return c.start(d, TypeUnisolate, "", body["Comment"])
}

func requireComment(body map[string]string) *fault400 {
	if strings.TrimSpace(body["Comment"]) == "" {
		return &fault400{"MissingRequiredParameter", "The required parameter 'Comment' is missing"}
	}
	return nil
}

// canIsolate applies the page's constraints: Full needs Windows 10 1703 or later,
// Windows 11 or Linux, to which the simulator adds Windows Server from 2016 on;
// Selective needs Windows 10 1709 or later or Windows 11; UnManagedDevice is for
// devices that are not onboarded.
func (d *device) canIsolate(scope string) *fault400 {
	switch scope {
	case "Full", "Selective":
	case "UnManagedDevice":
		if d.OnboardingStatus == "onboarded" {
			return &fault400{"InvalidInput", "Machine " + d.ID + " is managed: isolation type UnManagedDevice is only for unmanaged devices"}
		}
		return nil
	default:
		return &fault400{"InvalidInput", "'" + scope + "' is not an isolation type: use Full, Selective or UnManagedDevice"}
	}
	if d.OnboardingStatus != "onboarded" {
		return &fault400{"InvalidInput", "Machine " + d.ID + " is not onboarded (" + d.OnboardingStatus + ")"}
	}
	release, _ := strconv.Atoi(string(d.Version))
	full := d.OSPlatform == "Windows11" || d.OSPlatform == "Windows10" && release >= 1703 || serverOrLinux(d.OSPlatform)
	selective := d.OSPlatform == "Windows11" || d.OSPlatform == "Windows10" && release >= 1709
	if scope == "Full" && full || scope == "Selective" && selective {
		return nil
	}
	return &fault400{"OsPlatformNotSupported", scope + " isolation is not supported on " + strings.TrimSpace(d.OSPlatform+" "+string(d.Version))}
}

func serverOrLinux(platform string) bool {
	if year, ok := strings.CutPrefix(platform, "WindowsServer"); ok {
		return year >= "2016" && year < "2100"
	}
	return slices.Contains([]string{"Ubuntu", "RedHatEnterpriseLinux", "Debian", "CentOS", "SUSE", "OracleLinux", "Linux"}, platform)
}

// start creates an action when the device has none in progress. Check and effect
// are one step under the lock: of two simultaneous calls one is refused.
func (c *call) start(d *device, kind, scope, comment string) response {
	t := c.t
	t.mu.Lock()
	bad := t.refuseStart(d, kind)
	var view MachineAction
	var effect Effect
	if bad == nil {
		view, effect = t.create(c, d, MachineAction{Type: kind, Scope: Nullable(scope), RequestorComment: comment})
	}
	t.mu.Unlock()
	if bad != nil {
		return c.bad(bad)
	}
	resp := c.one(http.StatusCreated, view)
	resp.effect = &effect
	return resp
}

// refuseStart says why an action cannot begin; the caller holds t.mu. The pages
// give the release a text and no code for this case, so it has the generic one.
func (t *Tenant) refuseStart(d *device, kind string) *fault400 {
	switch {
	case t.inProgress(d.ID) && kind == TypeUnisolate:
		return &fault400{"BadRequest", "Action is already in progress"}
	case t.inProgress(d.ID):
		return &fault400{"ActiveRequestAlreadyExists", "There is already an active request on machine " + d.ID}
	case kind == TypeUnisolate && !t.isolated(d.ID):
		return &fault400{"BadRequest", "Machine " + d.ID + " is not isolated"}
	}
	return nil
}

// create stores an action and its effect; the caller holds t.mu.
func (t *Tenant) create(c *call, d *device, ma MachineAction) (MachineAction, Effect) {
	ma.ID, ma.Requestor, ma.RequestSource = guid(t.ids), c.caller.name, "PublicApi"
	ma.MachineID, ma.ComputerDNSName, ma.CreationTime = d.ID, d.ComputerDNSName, t.now()
	ma.Status, ma.Commands = StatusPending, []struct{}{}
	a := &action{
		MachineAction: ma,
		offline:       d.offline || d.listedIn(t.OfflineDevices),
		failing:       d.listedIn(t.FailingDevices),
	}
	t.actions = append(t.actions, a)
	t.byAction[ma.ID] = a
	t.byMachine[d.ID] = append(t.byMachine[d.ID], a)
	effect := t.record(c, a, ma.Type, ma.RequestorComment)
	return t.at(a, ma.CreationTime), effect
}

// record notes an effect; the caller holds t.mu.
func (t *Tenant) record(c *call, a *action, kind, comment string) Effect {
	reqPath, _ := canonical(c.r.URL.Path)
	e := Effect{
		Method: c.r.Method, Path: reqPath, Type: kind, MachineID: a.MachineID, ActionID: a.ID,
		Comment: comment, Requestor: c.caller.name, Time: t.now(),
	}
	if kind == TypeIsolate {
		e.Scope = string(a.Scope)
	}
	t.effects = append(t.effects, e)
	return e
}

func (d *device) listedIn(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return strings.EqualFold(n, d.ID) || strings.EqualFold(n, d.ComputerDNSName)
	})
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
	var status string
	var effect Effect
	if ok {
		if status = t.at(a, t.now()).Status; !final(status) {
			now := t.now()
			a.Status, a.CancellationTime, a.LastUpdate = StatusCancelled, &now, now
			a.CancellationBy, a.CancellationComment = Nullable(c.caller.name), Nullable(body["Comment"])
			effect = t.record(c, a, TypeCancel, body["Comment"])
		}
	}
	var view MachineAction
	if ok {
		view = a.MachineAction
	}
	t.mu.Unlock()
	switch {
	case !ok:
		return c.noAction()
	case final(status):
		return c.bad(&fault400{"BadRequest", "Machine action " + view.ID + " cannot be cancelled: its status is " + status})
	}
	resp := c.one(http.StatusOK, view)
	resp.effect = &effect
	return resp
}
