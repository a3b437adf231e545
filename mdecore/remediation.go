package mdecore

import (
	"context"
	"iter"
)

// ListRemediationTasks iterates over the remediation tasks of the tenant. They can be filtered on status and createdon,
// which the page spells in small letters. Documentation page: get-remediation-all-activities.md.
//
//mde:op GET /api/remediationTasks roles=RemediationTasks.Read.All
func (c *Client) ListRemediationTasks(ctx context.Context, q Query) iter.Seq2[*RemediationTask, error] {
	return list[RemediationTask](ctx, c, q.call(call{op: "ListRemediationTasks"}), q.Page)
}

// GetRemediationTask returns one remediation task. Documentation page: get-remediation-one-activity.md.
//
//mde:op GET /api/remediationTasks/{task_id} roles=RemediationTasks.Read.All
func (c *Client) GetRemediationTask(ctx context.Context, taskID string) (*RemediationTask, error) {
	return named(ctx, c, call{op: "GetRemediationTask", args: args{idArg("remediation task id", taskID)}}, "remediation task", func(t *RemediationTask) string { return t.ID })
}

// ListRemediationTaskMachines iterates over the machines that a remediation task still has to reach. Documentation page:
// get-remediation-exposed-devices-activities.md.
//
//mde:op GET /api/remediationTasks/{task_id}/machineReferences roles=RemediationTasks.Read.All
func (c *Client) ListRemediationTaskMachines(ctx context.Context, taskID string) iter.Seq2[*MachineReference, error] {
	return list[MachineReference](ctx, c, call{op: "ListRemediationTaskMachines", args: args{idArg("remediation task id", taskID)}}, Page{})
}
