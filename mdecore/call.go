package mdecore

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/mde-ops/mde-ops/mdecore/operations"
)

// call describes one request.
type call struct {
	// op is the method's name, under which errors and logs speak of the call.
	op string
	// via is the method whose documented operation is used, when op is a convenience without one of its own.
	via string
	// args fill the path's parameters, in their order.
	args args
	// link is an absolute next link, used instead of path and query.
	link  string
	query url.Values
	body  any
	// upload is a body that is too large to hold, in place of body.
	upload *form
	// secrets stand in the body and must not come back in an error or log. Not nil, they also hide those that an answer
	// names.
	secrets []Secret
	// invalid is a fault of the body or the query, found before anything is sent.
	invalid error
}

// args are the values of a path's parameters; no documented path has more than two.
type args [2]arg

// arg is the value of a path's parameter and what is wrong with it.
type arg struct {
	value   string
	invalid error
}

// idArg is an id of the service's own making; field names it in a refusal, e.g. "alert id".
func idArg(field, id string) arg { return arg{id, checkID(field, id)} }

// machineArg is a machine id.
func machineArg(id string) arg { return arg{id, checkMachineID(id)} }

// operation returns the documented operation of a call, or what is wrong with the call.
func (what call) operation() (operations.Operation, error) {
	method := what.via
	if method == "" {
		method = what.op
	}
	table, ok := operations.ByClient(method)
	if !ok {
		return table, errors.New("there is no documented operation for " + method)
	}
	for _, a := range what.args {
		if a.invalid != nil {
			return table, a.invalid
		}
	}
	return table, what.invalid
}

// pageLimit is the largest page of a list, 0 when it is not documented to be paged by $skip.
func (what call) pageLimit() int {
	table, _ := what.operation()
	if strings.Contains(table.Query, "pageSize") {
		return 0 // exports are continued by their links only
	}
	return table.MaxTop
}

// address fills the parameters of a path, each as one escaped segment, and adds the query.
func (what call) address(base, path string) string {
	var b strings.Builder
	b.Grow(len(base) + len(path) + 48)
	b.WriteString(base)
	for _, a := range what.args {
		before, after, found := strings.Cut(path, "{")
		if !found {
			break
		}
		b.WriteString(before)
		b.WriteString(url.PathEscape(a.value))
		_, path, _ = strings.Cut(after, "}")
	}
	b.WriteString(path)
	if len(what.query) > 0 {
		// "+" for a space is a form's spelling; OData services want %20.
		b.WriteString("?" + strings.ReplaceAll(what.query.Encode(), "+", "%20"))
	}
	return b.String()
}

// fetch performs a call that reads one resource.
func fetch[T any](ctx context.Context, c *Client, what call) (*T, error) {
	out := new(T)
	if err := c.get(ctx, what, out); err != nil {
		return nil, err
	}
	return out, nil
}

// send performs a call that changes something and answers with a resource.
func send[T any](ctx context.Context, c *Client, what call) (*T, error) {
	out := new(T)
	if err := c.write(ctx, what, out); err != nil {
		return nil, err
	}
	return out, nil
}

// named fetches a resource and refuses an answer about another one than was asked for.
func named[T any](ctx context.Context, c *Client, what call, kind string, id func(*T) string) (*T, error) {
	got, err := fetch[T](ctx, c, what)
	if err != nil {
		return nil, err
	}
	if asked := what.args[0].value; !strings.EqualFold(id(got), asked) {
		return nil, otherEntity(what.op, kind, asked, id(got))
	}
	return got, nil
}
