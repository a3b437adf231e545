package nexussim

import (
	"fmt"
	"net/http"
	"strings"
)

// accepted answers a call that began an operation.
func (c *call) accepted(o *operation) response {
	if c.a.Form == AtOnce && o.kind != "report" {
		o.ends = o.begun
		c.a.settle()
		return response{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: encode(c.status(o))}
	}
	address := fmt.Sprintf("%s/subscriptions/%s/providers/Microsoft.NetworkCloud/locations/%s/operationStatuses/%s?api-version=%s",
		c.origin(), c.a.Subscription, strings.ToUpper(o.cluster.seed.Location), o.id, c.version)
	resp := response{status: http.StatusAccepted, header: http.Header{"Location": {address}}}
	if c.a.Form == BothHeaders {
		resp.header.Set("Azure-AsyncOperation", address)
	}
	resp.header.Set("Retry-After", c.a.RetryAfter)
	return resp
}

func (c *call) operationStatus() response {
	id := c.r.URL.Path[strings.LastIndex(c.r.URL.Path, "/")+1:]
	o := c.a.operations[strings.ToLower(id)]
	if o == nil || o.node != nil && o.node.seed.Result == ResultLost {
		return problem(http.StatusNotFound, "ResourceNotFound", "The operation '"+id+"' was not found.")
	}
	resp := answer(http.StatusOK, c.status(o))
	if !o.done {
		resp.header.Set("Retry-After", c.a.RetryAfter)
	}
	return resp
}

// status is an operation as Resource Manager shows it: a running one in a 200, with nothing in its properties.
func (c *call) status(o *operation) map[string]any {
	const times = "2006-01-02T15:04:05.0000000Z"
	s := map[string]any{
		"id": fmt.Sprintf("/subscriptions/%s/providers/Microsoft.NetworkCloud/locations/%s/operationStatuses/%s",
			c.a.Subscription, strings.ToUpper(o.cluster.seed.Location), o.id),
		"name": o.id, "resourceId": o.resource, "startTime": o.begun.Format(times), "status": "InProgress", "properties": nil,
	}
	if !o.done {
		return s
	}
	s["endTime"], s["status"], s["error"] = o.ends.Format(times), "Succeeded", map[string]any{}
	if o.fails != "" {
		s["status"], s["error"] = "Failed", fault("SIMULATED_RuntimeProtectionDisabled", o.fails)
	}
	if o.kind == "report" {
		c.reported(o, s)
	}
	return s
}

func fault(code, message string) map[string]any {
	return map[string]any{"code": code, "message": message, "details": []any{}, "additionalInfo": []any{}}
}

// reported tells how a command on a node ended.
func (c *call) reported(o *operation, s map[string]any) {
	const ran = "====Action Command Output====\nExecuting mde-agent-information command\n"
	exit, head := "0", ran+"MDE agent is running, proceeding with data extract\nGetting MDE agent information for "+o.node.seed.Name+"\n"
	switch o.node.seed.Result {
	case ResultFailed:
		s["status"], s["error"] = "Failed", fault("SIMULATED_CommandFailed", "The command could not be run on the machine.")
		return
	case ResultCanceled:
		s["status"], s["error"] = "Canceled", fault("SIMULATED_Canceled", "The operation was canceled.")
		return
	case ResultTimeLimit:
		exit, head = "252", ran
	case ResultTimedOut:
		exit, head = "252", ran
		s["status"], s["error"] = "Failed", fault("SIMULATED_TimeLimit", "The time limit was reached.")
	case ResultExit:
		exit, head = "1", ran+"MDE agent is not running\n"
	default: // the others end well, whatever their result is
	}
	properties := map[string]any{"exitCode": exit, "outputHead": head}
	if exit == "0" || exit == "252" {
		at := c.publish(o)
		properties["resultUrl"] = at
		if o.cluster.seed.OwnStorage {
			properties["resultRef"] = at
		}
	}
	s["properties"] = properties
}
