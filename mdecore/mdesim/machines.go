package mdesim

import (
	"net/http"
	"strings"
)

func readMachine() permissions {
	return anyOf("Machine.Read.All Machine.ReadWrite.All", "Machine.Read Machine.ReadWrite")
}

func writeMachine() permissions { return anyOf("Machine.ReadWrite.All", "Machine.ReadWrite") }

func machineRoutes() []route {
	user := anyOf("User.Read.All", "User.Read.All")
	return []route{
		on(http.MethodGet, "list_machines", "/api/machines", "get-machines.md", readMachine(), listMachines),
		on(http.MethodGet, "find_machines_by_ip", "/api/machines/findbyip(ip='{ip}',timestamp={timestamp})", "find-machines-by-ip.md", readMachine(), findByIP),
		on(http.MethodGet, "find_machine_info_by_ip", "/api/machines/find(timestamp={timestamp},key={ip})", "find-machine-info-by-ip.md", anyOf("Machine.ReadWrite.All Machine.Read.All", ""), findInfoByIP),
		on(http.MethodGet, "find_machines_by_tag", "/api/machines/findbytag", "find-machines-by-tag.md", readMachine(), findByTag),
		on(http.MethodPost, "add_or_remove_tag_for_multiple_machines", "/api/machines/AddOrRemoveTagForMultipleMachines", "add-or-remove-multiple-machine-tags.md", writeMachine(), tagMachines),
		on(http.MethodPost, "add_or_remove_machine_tag", "/api/machines/{machine_id}/tags", "add-or-remove-machine-tags.md", writeMachine(), tagMachine),
		on(http.MethodPost, "set_device_value", "/api/machines/{machine_id}/setDeviceValue", "set-device-value.md", writeMachine(), setDeviceValue),
		on(http.MethodPatch, "update_machine", "/api/machines/{machine_id}", "update-machine-method.md", writeMachine(), updateMachine),
		on(http.MethodGet, "get_machine", "/api/machines/{machine_id}", "get-machine-by-id.md", readMachine(), getMachine),
		on(http.MethodGet, "list_machine_logon_users", "/api/machines/{machine_id}/logonusers", "get-machine-log-on-users.md", user, logonUsers),
		on(http.MethodGet, "list_machine_alerts", "/api/machines/{machine_id}/alerts", "get-machine-related-alerts.md", readAlert(), machineAlerts),
		on(http.MethodGet, "count_machine_alerts", "/api/machines/{machine_id}/alerts/$count", "get-machine-related-alerts.md", readAlert(), countMachineAlerts),
	}
}

// device is a machine and what the API does not tell about it. A device is never
// changed in place: updates replace it, so that lists can be read without a lock.
type device struct {
	Machine
	offline bool
	users   []LogonUser
}

// fleet is the tenant's devices. Its slice is replaced on every change.
type fleet struct {
	list []*device
	byID map[string]int // by the id in lower case
	// unsettled are the actions that will change their device if they succeed.
	unsettled []*action
}

// snapshot returns the devices as they are now.
func (t *Tenant) snapshot() []*device {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle()
	return t.devices.list
}

// byID finds a device by its id.
func (t *Tenant) byID(id string) (*device, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.settle()
	i, ok := t.devices.byID[strings.ToLower(id)]
	if !ok {
		return nil, false
	}
	return t.devices.list[i], true
}

// byIDOrName finds a device as GET /api/machines/{id} does: by id or by computer
// name. When several devices have the name it is the one seen last, because the
// documentation does not say which: callers must not rely on names here.
func (t *Tenant) byIDOrName(key string) (*device, bool) {
	if d, ok := t.byID(key); ok {
		return d, true
	}
	var found *device
	for _, d := range t.snapshot() {
		if strings.EqualFold(d.ComputerDNSName, key) && (found == nil || d.LastSeen.After(found.LastSeen)) {
			found = d
		}
	}
	return found, found != nil
}

func enum(values ...string) propertyType { return propertyType{kind: kindEnum, enum: values} }

// machineSchema is the filterable properties of get-machines.md.
func machineSchema() schema[*device] {
	str := propertyType{kind: kindString}
	return schema[*device]{
		"id":              {str, func(d *device) any { return d.ID }},
		"computerDnsName": {str, func(d *device) any { return text(d.ComputerDNSName) }},
		"version":         {str, func(d *device) any { return text(string(d.Version)) }},
		"osPlatform":      {str, func(d *device) any { return d.OSPlatform }},
		"lastIpAddress":   {str, func(d *device) any { return text(string(d.LastIPAddress)) }},
		"rbacGroupId":     {propertyType{kind: kindInt}, func(d *device) any { return d.RBACGroupID }},
		"lastSeen":        {propertyType{kind: kindTime}, func(d *device) any { return d.LastSeen }},
		"aadDeviceId":     {propertyType{kind: kindGUID}, func(d *device) any { return text(strings.ToLower(string(d.AADDeviceID))) }},
		"machineTags":     {propertyType{kind: kindStrings}, func(d *device) any { return d.MachineTags }},
		"deviceValue":     {enum("Normal", "Low", "High"), func(d *device) any { return d.DeviceValue }},
		"exposureLevel":   {enum("None", "Low", "Medium", "High"), func(d *device) any { return d.ExposureLevel }},
		"riskScore": {
			enum("None", "Informational", "Low", "Medium", "High"),
			func(d *device) any { return d.RiskScore },
		},
		"onboardingStatus": {
			enum("onboarded", "CanBeOnboarded", "Unsupported", "InsufficientInfo"),
			func(d *device) any { return d.OnboardingStatus },
		},
		"healthStatus": {
			enum("Active", "Inactive", "ImpairedCommunication", "NoSensorData", "NoSensorDataImpairedCommunication", "Unknown"),
			func(d *device) any { return d.HealthStatus },
		},
	}
}

func listMachines(c *call) response {
	all := c.t.snapshot()
	if len(all) == 0 {
		return c.t.problem(http.StatusNotFound, "ResourceNotFound", "No recent machines were found")
	}
	return listing[*device]{
		context: "Machines",
		schema:  machineSchema(),
		wire:    func(d *device, _ bool) any { return &d.Machine },
	}.serve(c, all)
}

func getMachine(c *call) response {
	d, ok := c.t.byIDOrName(c.id)
	if !ok {
		return c.noMachine()
	}
	return c.machine(d)
}

// machine answers with one device.
func (c *call) machine(d *device) response {
	return c.t.ok(http.StatusOK, struct {
		Context string `json:"@odata.context"`
		*Machine
	}{c.metadata("Machines/$entity"), &d.Machine})
}

func (c *call) noMachine() response {
	return c.t.problem(http.StatusNotFound, "ResourceNotFound", "Machine "+c.id+" was not found")
}

func logonUsers(c *call) response {
	d, ok := c.t.byID(c.id)
	if !ok {
		return c.noMachine()
	}
	return c.list("Users", append([]LogonUser{}, d.users...), "")
}
