package mdesim

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

const snmpAuth = "#microsoft.windowsDefenderATP.api.SnmpAuthParams"

// scanProperties are the properties of a definition's body.
func scanProperties() []string {
	return []string{"scanType", "scanName", "isActive", "target", "intervalInHours", "targetType", "scannerAgent", "scanAuthenticationParams"}
}

// readScan puts the properties of a body into a definition. All of them are
// required of a new one.
func (c *call) readScan(d *scanDefinition, complete bool) *fault400 {
	raw, bad := c.object(scanProperties()...)
	if bad != nil {
		return bad
	}
	for _, name := range scanProperties() {
		if complete && len(raw[name]) == 0 {
			return &fault400{"MissingRequiredParameter", "The required parameter '" + name + "' is missing"}
		}
	}
	agent := struct{ MachineID string }{d.agent}
	for _, p := range []struct {
		name, what string
		into       any
	}{
		{"scanType", "a string", &d.kind},
		{"scanName", "a string", &d.name},
		{"isActive", "true or false", &d.active},
		{"target", "a string", &d.target},
		{"intervalInHours", "a whole number", &d.hours},
		{"targetType", "a string", &d.targetType},
		{"scannerAgent", "an object with a machineId", &agent},
	} {
		if bad := property400(raw, p.name, p.into, p.what); bad != nil {
			return bad
		}
	}
	d.agent = agent.MachineID
	if bad := d.readAuth(raw["scanAuthenticationParams"]); bad != nil {
		return bad
	}
	return d.check()
}

// readAuth keeps how a scan authenticates. A refusal never repeats any of it.
func (d *scanDefinition) readAuth(raw json.RawMessage) *fault400 {
	if len(raw) == 0 {
		return nil
	}
	var auth map[string]any
	if json.Unmarshal(raw, &auth) != nil || auth == nil {
		return &fault400{"InvalidRequestBody", "The property 'scanAuthenticationParams' must be an object"}
	}
	methods := map[string]string{
		"CommunityString": "communityString", "NoAuthNoPriv": "username", "AuthNoPriv": "username authProtocol authPassword",
		"AuthPriv": "username authProtocol authPassword privProtocol privPassword",
	}
	method, _ := auth["type"].(string)
	needed, ok := methods[method]
	switch {
	case auth["@odata.type"] != snmpAuth:
		return &fault400{"InvalidRequestBody", "The property '@odata.type' of 'scanAuthenticationParams' must be '" + snmpAuth + "'"}
	case !ok:
		return &fault400{"InvalidInput", "The property 'type' of 'scanAuthenticationParams' must be CommunityString, NoAuthNoPriv, AuthNoPriv or AuthPriv"}
	case auth["keyVaultUrl"] != nil:
		needed = "keyVaultSecretName"
	}
	for _, name := range strings.Fields(needed) {
		if s, ok := auth[name].(string); !ok || s == "" {
			return &fault400{"MissingRequiredParameter", "The required parameter '" + name + "' of 'scanAuthenticationParams' is missing"}
		}
	}
	d.auth = auth
	return nil
}

// check finds what is wrong with a definition.
func (d *scanDefinition) check() *fault400 {
	switch {
	case d.kind != "Network":
		return &fault400{"InvalidInput", "'" + d.kind + "' is not a scan type: use Network"}
	case strings.TrimSpace(d.name) == "":
		return &fault400{"MissingRequiredParameter", "The required parameter 'scanName' is missing"}
	case d.hours < 1:
		return &fault400{"InvalidInput", "intervalInHours must be at least 1"}
	case !slices.Contains([]string{"Ip", "IP Address", "Hostname"}, d.targetType):
		return &fault400{"InvalidInput", "'" + d.targetType + "' is not a target type: use Ip or Hostname"}
	}
	for target := range strings.SplitSeq(d.target, ",") {
		target = strings.TrimSpace(target)
		if _, err := netip.ParseAddr(target); (err == nil) == (d.targetType == "Hostname") || target == "" {
			return &fault400{"InvalidInput", "'" + target + "' is not a target of the type " + d.targetType}
		}
	}
	return nil
}

// agent400 refuses a device that cannot scan; the caller holds t.mu.
func (t *Tenant) agent400(id string) *fault400 {
	if slices.ContainsFunc(agentsOf(t.devices.list), func(d *device) bool { return strings.EqualFold(d.ID, id) }) {
		return nil
	}
	return &fault400{"InvalidInput", "Machine '" + id + "' is not a scan agent: see DeviceAuthenticatedScanAgents"}
}

// createScan makes a definition; its first run is five minutes later
// (documentation: add-a-new-scan-definition.md).
func createScan(c *call) response {
	return c.changeScan(TypeCreateScan, func() (*scanDefinition, *fault400) {
		t := c.t
		d := &scanDefinition{createdBy: c.caller.name}
		bad := c.readScan(d, true)
		if bad == nil {
			bad = t.agent400(d.agent)
		}
		if bad != nil {
			return nil, bad
		}
		t.settledScans()
		d.id, d.next = guid(t.ids), t.now().Add(firstScan)
		t.scans.list = append(t.scans.list, d)
		return d, nil
	})
}

// updateScan changes the properties that the body has, and keeps the rest
// (documentation: add-a-new-scan-definition.md). Runs go on from now.
func updateScan(c *call) response {
	return c.changeScan(TypeUpdateScan, func() (*scanDefinition, *fault400) {
		d, ok := c.t.scan(c.id)
		if !ok {
			return nil, &fault400{"ResourceNotFound", "Scan definition " + c.id + " was not found"}
		}
		changed := *d
		bad := c.readScan(&changed, false)
		if bad == nil {
			bad = c.t.agent400(changed.agent)
		}
		if bad != nil {
			return nil, bad
		}
		*d = changed
		d.next = c.t.now().Add(firstScan)
		return d, nil
	})
}

// changeScan makes a change with the tenant locked, keeps its effect and answers
// with the definition, or with what was wrong.
func (c *call) changeScan(kind string, change func() (*scanDefinition, *fault400)) response {
	t := c.t
	var effect Effect
	var out map[string]any
	t.mu.Lock()
	d, bad := change()
	if bad == nil {
		effect = t.note(c, Effect{Type: kind, ActionID: d.id, MachineID: d.agent, Scope: d.target})
		out = t.wireScan(d, nil)
	}
	t.mu.Unlock()
	switch {
	case bad != nil && bad.code == "ResourceNotFound":
		return t.problem(http.StatusNotFound, bad.code, bad.message)
	case bad != nil:
		return c.bad(bad)
	}
	out["@odata.context"] = c.metadata("DeviceAuthenticatedScanDefinitions/$entity")
	resp := t.ok(http.StatusOK, out)
	resp.effect = &effect
	return resp
}

// deleteScans deletes definitions, or none when one is not known. The page
// documents no answer: it is 200 without a body (documentation:
// add-a-new-scan-definition.md).
func deleteScans(c *call) response {
	ids, bad := c.idsBody("ScanDefinitionIds")
	if bad != nil {
		return c.bad(bad)
	}
	unknown, effect := c.dropScans(ids)
	if effect == nil {
		return c.noScan(unknown)
	}
	resp := c.t.ok(http.StatusOK, nil)
	resp.body, resp.effect = nil, effect
	return resp
}

func (c *call) dropScans(ids []string) (unknown string, first *Effect) {
	t := c.t
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		if _, ok := t.scan(id); !ok {
			return id, nil
		}
	}
	for _, id := range ids {
		d, ok := t.scan(id)
		if !ok {
			continue // named twice
		}
		effect := t.note(c, Effect{Type: TypeDeleteScan, ActionID: d.id, MachineID: d.agent, Scope: d.target})
		if first == nil {
			first = &effect
		}
		t.scans.list = slices.DeleteFunc(slices.Clone(t.scans.list), func(o *scanDefinition) bool { return o == d })
	}
	return "", first
}
