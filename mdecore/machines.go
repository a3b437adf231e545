package mdecore

import (
	"context"
	"iter"
	"slices"
	"strings"
)

// GetMachine returns one machine. The service also accepts a computer name here; this client takes ids only, because a
// name can mean several machines. Documentation page: get-machine-by-id.md.
//
//mde:op GET /api/machines/{machine_id} roles=Machine.ReadWrite.All,Machine.Read.All
func (c *Client) GetMachine(ctx context.Context, id string) (*Machine, error) {
	const op = "GetMachine"
	machine, err := fetch[Machine](ctx, c, call{op: op, args: args{machineArg(id)}})
	if err != nil {
		return nil, err
	}
	return sameMachine(op, id, machine)
}

// ListMachines iterates over machines. They can be filtered on computerDnsName, id, version, deviceValue, aadDeviceId,
// machineTags, lastSeen, exposureLevel, onboardingStatus, lastIpAddress, healthStatus, osPlatform, riskScore and
// rbacGroupId. Documentation page: get-machines.md.
//
//mde:op GET /api/machines roles=Machine.Read.All,Machine.ReadWrite.All
func (c *Client) ListMachines(ctx context.Context, q Query) iter.Seq2[*Machine, error] {
	return c.listMachines(ctx, "ListMachines", q)
}

// listMachines is ListMachines on behalf of the named method.
func (c *Client) listMachines(ctx context.Context, op string, q Query) iter.Seq2[*Machine, error] {
	return list[Machine](ctx, c, q.call(call{op: op, via: "ListMachines"}), q.Page)
}

// FindMachinesByName returns every machine whose DNS name is name, or, when name has no dot, whose first label is name.
// Upper and lower case are the same. Several machines may have the same name; none is not an error.
// Documentation page: get-machines.md.
//
//mde:op GET /api/machines roles=Machine.Read.All,Machine.ReadWrite.All
func (c *Client) FindMachinesByName(ctx context.Context, name string) ([]*Machine, error) {
	const op = "FindMachinesByName"
	name = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(name)), ".")
	if err := checkName(name); err != nil {
		return nil, refuse(op, err)
	}
	found, err := collect(c.listMachines(ctx, op, Query{Filter: Filter("startswith(computerDnsName," + odataString(name) + ")")}))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(m *Machine) bool { return !nameMatches(m.ComputerDNSName, name) }), nil
}

// nameMatches reports whether a DNS name is the wanted one, or begins with it as its first label. A dot at the end is the
// root's, and means nothing.
func nameMatches(dnsName, want string) bool {
	dnsName = strings.TrimSuffix(dnsName, ".")
	if strings.EqualFold(dnsName, want) {
		return true
	}
	label, _, _ := strings.Cut(dnsName, ".")
	return !strings.Contains(want, ".") && strings.EqualFold(label, want)
}

// checkName refuses what cannot be a computer name.
func checkName(name string) error {
	if name == "" {
		return invalid("computer name", name, "it is empty")
	}
	if len(name) > 255 {
		return invalid("computer name", name, "it is longer than 255 bytes")
	}
	for _, r := range name {
		if r < ' ' || r == 0x7f || r == '/' || r == '%' || r == '\\' {
			return invalid("computer name", name, "it holds a character that no computer name has")
		}
	}
	return nil
}

// FindMachinesByAadDeviceID returns the machines with a Microsoft Entra device id. The answer is compared, because a
// filter that the service did not apply would name other machines. Documentation page: get-machines.md.
//
//mde:op GET /api/machines roles=Machine.Read.All,Machine.ReadWrite.All
func (c *Client) FindMachinesByAadDeviceID(ctx context.Context, id string) ([]*Machine, error) {
	const op = "FindMachinesByAadDeviceID"
	if !guidPattern().MatchString(id) {
		return nil, refuse(op, invalid("Entra device id", id, "it must be a GUID like 11111111-2222-3333-4444-555555555555"))
	}
	// The property is a GUID, and an OData GUID literal has no quotes.
	found, err := collect(c.listMachines(ctx, op, Query{Filter: Filter("aadDeviceId eq " + strings.ToLower(id))}))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(m *Machine) bool { return !strings.EqualFold(m.AadDeviceID, id) }), nil
}
