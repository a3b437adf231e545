package mdesim

// restrictExecution lets only signed code run on a device (documentation:
// restrict-code-execution.md).
func restrictExecution(c *call) response {
	d, body, failed := c.target()
	if failed != nil {
		return *failed
	}
	if bad := d.needs("Restricting code execution", d.windowsClient("1709")); bad != nil {
		return c.bad(bad)
	}
	return c.start(d, order{kind: TypeRestrict, comment: body["Comment"]})
}

// unrestrictExecution undoes restrictExecution (documentation:
// unrestrict-code-execution.md). The page does not say what happens to a device
// that is not restricted; the simulator refuses.
func unrestrictExecution(c *call) response {
	d, body, failed := c.target()
	if failed != nil {
		return *failed
	}
	return c.start(d, order{kind: TypeUnrestrict, comment: body["Comment"]})
}

// Restricted reports whether only signed code may run on a device: its last
// restriction or its removal that succeeded was a restriction.
func (t *Tenant) Restricted(machineID string) bool {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.restricted(machineID)
}

func (t *Tenant) restricted(machineID string) bool {
	return t.lastDone(machineID, TypeRestrict, TypeUnrestrict) == TypeRestrict
}
