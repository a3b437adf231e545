package mdesim

// isolateMachine isolates a device (documentation: isolate-machine.md). The page
// names no default for IsolationType; the simulator takes Full. A device that is
// isolated already may be isolated again, so that a doubled call shows as a
// second effect.
func isolateMachine(c *call) response {
	d, body, failed := c.target("IsolationType")
	if failed != nil {
		return *failed
	}
	scope := orDefault(body["IsolationType"], "Full")
	if bad := d.canIsolate(scope); bad != nil {
		return c.bad(bad)
	}
	return c.start(d, order{kind: TypeIsolate, scope: scope, comment: body["Comment"]})
}

// unisolateMachine releases a device (documentation: unisolate-machine.md). The
// page does not say what happens to a device that is not isolated; the simulator
// refuses.
func unisolateMachine(c *call) response {
	d, body, failed := c.target()
	if failed != nil {
		return *failed
	}
	return c.start(d, order{kind: TypeUnisolate, comment: body["Comment"]})
}

// canIsolate applies the page's constraints: Full needs Windows 10 1703 or later,
// Windows 11 or Linux, to which the simulator adds Windows Server from 2016 on;
// Selective needs Windows 10 1709 or later or Windows 11; UnManagedDevice is for
// devices that are not onboarded.
func (d *device) canIsolate(scope string) *fault400 {
	switch scope {
	case "Full":
		return d.needs("Full isolation", d.windowsClient("1703") || d.windowsServer(2016) || d.linux())
	case "Selective":
		return d.needs("Selective isolation", d.windowsClient("1709"))
	case "UnManagedDevice":
		if d.OnboardingStatus == "onboarded" {
			return &fault400{"InvalidInput", "Machine " + d.ID + " is managed: isolation type UnManagedDevice is only for unmanaged devices"}
		}
		return nil
	}
	return &fault400{"InvalidInput", "'" + scope + "' is not an isolation type: use Full, Selective or UnManagedDevice"}
}

// Isolated reports whether a device is isolated: its last isolation or release
// that succeeded was an isolation.
func (t *Tenant) Isolated(machineID string) bool {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.isolated(machineID)
}

func (t *Tenant) isolated(machineID string) bool {
	return t.lastDone(machineID, TypeIsolate, TypeUnisolate) == TypeIsolate
}

// lastDone is which of two types of action succeeded last on a device, or "".
func (t *Tenant) lastDone(machineID, one, other string) string {
	now, last := t.now(), ""
	for _, a := range t.byMachine[machineID] {
		if (a.Type == one || a.Type == other) && t.at(a, now).Status == StatusSucceeded {
			last = a.Type
		}
	}
	return last
}
