package mdecore

import (
	"context"
	"iter"
)

// ListMachineLogonUsers iterates over the users who were logged on to a machine.
// Documentation page: get-machine-log-on-users.md.
//
//mde:op GET /api/machines/{machine_id}/logonusers roles=User.Read.All
func (c *Client) ListMachineLogonUsers(ctx context.Context, machineID string) iter.Seq2[*User, error] {
	return list[User](ctx, c, call{op: "ListMachineLogonUsers", args: args{machineArg(machineID)}}, Page{})
}

// ListMachineAlerts iterates over the alerts of a machine. Documentation page: get-machine-related-alerts.md.
//
//mde:op GET /api/machines/{machine_id}/alerts roles=Alert.ReadWrite.All,Alert.Read.All
func (c *Client) ListMachineAlerts(ctx context.Context, machineID string) iter.Seq2[*Alert, error] {
	return list[Alert](ctx, c, call{op: "ListMachineAlerts", args: args{machineArg(machineID)}}, Page{})
}

// CountMachineAlerts counts the alerts of a machine for which a filter holds, without fetching them; an empty filter
// counts all. Only an example on the page shows this, with the filter "status ne 'Resolved'".
// Documentation page: get-machine-related-alerts.md.
func (c *Client) CountMachineAlerts(ctx context.Context, machineID string, filter Filter) (int, error) {
	const op, via = "CountMachineAlerts", "ListMachineAlerts"
	what := Query{Filter: filter}.call(call{op: op, via: via, args: args{machineArg(machineID)}})
	table, err := what.operation()
	if err != nil {
		return 0, refuse(op, err)
	}
	what.link = what.address(c.service(table).endpoint, table.Path+"/$count")
	count, err := fetch[Int](ctx, c, what)
	switch {
	case err != nil:
		return 0, err
	case *count < 0:
		return 0, &Error{Op: op, Message: "the service counted less than none"}
	}
	return int(*count), nil
}
