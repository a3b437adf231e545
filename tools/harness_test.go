package tools

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/nexus/nexussim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// world is a dispatcher and a performer in a simulated world.
type world struct {
	*toolstest.House
	t         *testing.T
	d         *Dispatcher
	performer *Performer
}

func open(t *testing.T, o toolstest.Options) *world {
	t.Helper()
	w := &world{House: toolstest.Open(t, o), t: t}
	var err error
	w.d, err = NewDispatcher(w.options())
	require.NoError(t, err)
	w.performer, err = NewPerformer(PerformerOptions{
		Reader: w.Reader, Writer: w.Writer, Tenant: mdesim.DefaultTenantID, Evidence: w.Evidence, Origins: w.Gate, NexusReader: w.NexusReader, NexusWriter: w.NexusWriter,
	})
	require.NoError(t, err)
	return w
}

func (w *world) options() Options {
	return Options{
		Reader: w.Reader, Gate: w.Gate, Evidence: w.Evidence, Tenant: mdesim.DefaultTenantID, Cloud: "simulated", Clock: w.Clock.Now,
		Nexus: &NexusReader{Client: w.NexusReader, Subscriptions: []string{nexussim.DefaultSubscription}},
		TokenInfo: func(context.Context) (TokenInfo, error) {
			return TokenInfo{TenantID: mdesim.DefaultTenantID, AppID: mdesim.DefaultReaderID, Roles: mdesim.ReaderRoles(), ExpiresAt: w.Clock.Now()}, nil
		},
	}
}

// call runs a tool as Alice.
func (w *world) call(tool, args string) (Result, error) {
	return w.d.Call(w.t.Context(), Call{Tool: tool, Args: json.RawMessage(args), Requester: toolstest.Alice()})
}

// ok runs a tool that must answer, and holds the answer against the tool's own output schema.
func (w *world) ok(tool, args string) Result {
	w.t.Helper()
	res, err := w.call(tool, args)
	require.NoError(w.t, err)
	conforms(w.t, w.d, res)
	return res
}

// refused runs a tool that must refuse, with every piece of text in its refusal, and without any write to the tenant.
func (w *world) refused(tool, args string, kind approvals.Kind, texts ...string) string {
	w.t.Helper()
	before := w.Tenant.Writes()
	_, err := w.call(tool, args)
	require.Error(w.t, err)
	require.Equal(w.t, kind, approvals.KindOf(err), err.Error())
	for _, text := range texts {
		require.Contains(w.t, err.Error(), text)
	}
	require.Equal(w.t, before, w.Tenant.Writes(), "a refusal must not write")
	require.Empty(w.t, w.requests(), "a refusal must not make a request")
	return err.Error()
}

func (w *world) requests() []requestLine {
	w.t.Helper()
	res, err := w.call("list_requests", `{}`)
	require.NoError(w.t, err)
	return res.Output.(listRequestsOut).Requests
}

// ask runs an acting tool that policy gates.
func (w *world) ask(tool, args string) (requestView, approvals.Request) {
	w.t.Helper()
	res := w.ok(tool, args)
	require.NotNil(w.t, res.Request)
	return res.Output.(requestView), *res.Request
}

// task is the worker's view of the first step of a request.
func task(r approvals.Request) worker.Task {
	return worker.Task{RequestID: r.ID, Tag: approvals.Tag(r.ID, 0), Plan: r.Plan, Step: r.Plan.Steps[0], Requester: r.Requester}
}

// conforms holds a result against its tool's output schema.
func conforms(t *testing.T, d *Dispatcher, res Result) {
	t.Helper()
	for _, tool := range d.Tools() {
		if tool.Name != res.Tool {
			continue
		}
		var s jsonschema.Schema
		require.NoError(t, json.Unmarshal(tool.OutputSchema, &s))
		resolved, err := s.Resolve(nil)
		require.NoError(t, err)
		b, err := json.Marshal(res.Output)
		require.NoError(t, err)
		var v any
		require.NoError(t, json.Unmarshal(b, &v))
		require.NoError(t, resolved.Validate(v), string(b))
		require.NotEmpty(t, res.Text)
		return
	}
	t.Fatalf("%s is not in the list of tools", res.Tool)
}

func errorAs[T error](err error, target *T) bool { return errors.As(err, target) }
