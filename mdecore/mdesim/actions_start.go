package mdesim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// start creates an action when the device may have it and has none of its kind in
// progress. Check and effect are one step under the lock: of two simultaneous
// calls one is refused.
func (c *call) start(d *device, o order) response {
	t := c.t
	t.mu.Lock()
	bad := t.refuseStart(d, o)
	var view MachineAction
	var effect Effect
	if bad == nil {
		view, effect = t.create(c, d, o)
	}
	t.mu.Unlock()
	if bad != nil {
		return c.bad(bad)
	}
	resp := c.one(orDefault(o.status, http.StatusCreated), view)
	resp.effect = &effect
	return resp
}

// opposites are the types that exclude each other on a device while one of them
// is in progress. Every other type excludes itself.
func opposites(kind string) []string {
	switch kind {
	case TypeIsolate, TypeUnisolate:
		return []string{TypeIsolate, TypeUnisolate}
	case TypeRestrict, TypeUnrestrict:
		return []string{TypeRestrict, TypeUnrestrict}
	}
	return []string{kind}
}

// inProgress reports whether an action of the device that excludes the order is
// not final yet; the caller holds t.mu. Two files can be quarantined at a time,
// one file not twice.
func (t *Tenant) inProgress(machineID string, o order) bool {
	now, kinds := t.now(), opposites(o.kind)
	return slices.ContainsFunc(t.byMachine[machineID], func(a *action) bool {
		sameFile := o.file == nil || a.file == nil || *o.file == *a.file
		return slices.Contains(kinds, a.Type) && sameFile && !final(t.at(a, now).Status)
	})
}

// refuseStart says why an action cannot begin; the caller holds t.mu. Most pages
// give a text and no code for an action that is in progress, so it has the
// generic one; isolation and live response have the code that is documented for
// live response. To release what is not held is not documented: refused.
func (t *Tenant) refuseStart(d *device, o order) *fault400 {
	busy := t.inProgress(d.ID, o)
	switch {
	case busy && (o.kind == TypeIsolate || o.kind == TypeLiveResponse):
		return &fault400{"ActiveRequestAlreadyExists", "There is already an active request on machine " + d.ID}
	case busy:
		return &fault400{"BadRequest", "Action is already in progress"}
	case o.kind == TypeUnisolate && !t.isolated(d.ID):
		return &fault400{"BadRequest", "Machine " + d.ID + " is not isolated"}
	case o.kind == TypeUnrestrict && !t.restricted(d.ID):
		return &fault400{"BadRequest", "Code execution is not restricted on machine " + d.ID}
	}
	return nil
}

// create stores an action and its effect; the caller holds t.mu.
func (t *Tenant) create(c *call, d *device, o order) (MachineAction, Effect) {
	o.failing = o.failing || d.listedIn(t.FailingDevices)
	a := &action{
		order:   o,
		offline: d.offline || d.listedIn(t.OfflineDevices),
		MachineAction: MachineAction{
			ID: guid(t.ids), Type: o.kind, Scope: Nullable(o.scope), Requestor: c.caller.name, RequestorComment: o.comment,
			RequestSource: "PublicApi", Status: StatusPending, MachineID: d.ID, ComputerDNSName: d.ComputerDNSName,
			CreationTime: t.now(), RelatedFileInfo: o.file, Commands: []CommandStatus{},
		},
	}
	t.actions = append(t.actions, a)
	t.byAction[a.ID] = a
	t.byMachine[d.ID] = append(t.byMachine[d.ID], a)
	if a.done != nil {
		t.devices.unsettled = append(t.devices.unsettled, a)
	}
	effect := t.record(c, a, o.kind, o.comment)
	return t.view(a), effect
}

// record notes the effect of an action; the caller holds t.mu.
func (t *Tenant) record(c *call, a *action, kind, comment string) Effect {
	e := Effect{Type: kind, MachineID: a.MachineID, ActionID: a.ID, Comment: comment}
	switch {
	case kind == TypeCancel:
	case a.file != nil:
		e.Scope = a.file.FileIdentifier
	default:
		e.Scope = string(a.Scope)
	}
	return t.note(c, e)
}

// note fills in who did what when, and keeps the effect; the caller holds t.mu.
func (t *Tenant) note(c *call, e Effect) Effect {
	e.Path, _ = canonical(c.r.URL.Path)
	e.Method, e.Requestor, e.Time = c.r.Method, c.caller.name, t.now()
	t.effects = append(t.effects, e)
	return e
}

func (d *device) listedIn(names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool {
		return strings.EqualFold(n, d.ID) || strings.EqualFold(n, d.ComputerDNSName)
	})
}

// target reads the body and finds the device of an action. The fields are
// strings, Comment always among them; required ones must not be blank.
func (c *call) target(fields ...string) (*device, map[string]string, *response) {
	failed := func(resp response) (*device, map[string]string, *response) { return nil, nil, &resp }
	body, bad := c.fields(append(fields, "Comment")...)
	if bad != nil {
		return failed(c.bad(bad))
	}
	d, ok := c.t.byID(c.id)
	if !ok {
		return failed(c.noMachine())
	}
	if bad := required(body, "Comment"); bad != nil {
		return failed(c.bad(bad))
	}
	return d, body, nil
}

// required refuses a body in which a field is missing or blank.
func required(body map[string]string, names ...string) *fault400 {
	for _, name := range names {
		if strings.TrimSpace(body[name]) == "" {
			return &fault400{"MissingRequiredParameter", "The required parameter '" + name + "' is missing"}
		}
	}
	return nil
}

// notManaged refuses a device without a sensor.
func (d *device) notManaged() *fault400 {
	if d.managed() {
		return nil
	}
	return &fault400{"InvalidInput", "Machine " + d.ID + " is not onboarded (" + d.OnboardingStatus + ")"}
}

// needs refuses a device that is not managed or whose system the action is not
// documented for.
func (d *device) needs(action string, supported bool) *fault400 {
	if bad := d.notManaged(); bad != nil || supported {
		return bad
	}
	return &fault400{"OsPlatformNotSupported", action + " is not supported on " + strings.TrimSpace(d.OSPlatform+" "+string(d.Version))}
}

// windowsClient reports whether the device is Windows 11, or Windows 10 of at
// least a release such as 1709 or 22H2.
func (d *device) windowsClient(release string) bool {
	return d.OSPlatform == "Windows11" || d.OSPlatform == "Windows10" && strings.ToUpper(string(d.Version)) >= release
}

// windowsServer reports whether the device is Windows Server of at least a year.
func (d *device) windowsServer(year int) bool {
	text, ok := strings.CutPrefix(d.OSPlatform, "WindowsServer")
	have, err := strconv.Atoi(strings.TrimSuffix(text, "R2"))
	return ok && err == nil && have >= year
}

func (d *device) linux() bool {
	return platformFamily(d.OSPlatform) == "linux"
}
