package mcpserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/tools"
)

// Caller runs tools; *tools.Dispatcher does.
type Caller interface {
	Call(ctx context.Context, c tools.Call) (tools.Result, error)
}

// Options are what a server is made of.
type Options struct {
	// Tools are what is offered; tools.Catalogue gives them. Clients see them ordered by name, which is stable.
	Tools []tools.Tool
	// Dispatcher gives what runs them. It may wait, as for a store that is being opened: only calls wait for it. It is
	// asked at every call, and its error is shown to the caller when it is an *approvals.Error.
	Dispatcher func(ctx context.Context) (Caller, error)
	// Requester says who calls. Agent is the client's own name for itself.
	Requester func(ctx context.Context, agent string) approvals.Requester
	// Version is the program's version.
	Version string
	// Logger gets the causes of failures; nothing is logged when nil.
	Logger *slog.Logger
	// StartWait is how long a call waits for Dispatcher; 15 s unless set.
	StartWait time.Duration
	// ProgressEvery is the shortest time between two notifications of progress of one call; 1 s unless set.
	ProgressEvery time.Duration
	// WatchEvery is the shortest time between two looks at a resource that a client subscribed to, 1 s unless set; PollEvery is
	// after which time it is looked at when nothing announced a change, 1 min unless set.
	WatchEvery, PollEvery time.Duration
	// AskWait is how long the person behind an older client may take to answer; 2 min unless set.
	AskWait time.Duration
	// MaxBody bounds one message, in bytes; 1 MiB unless set. Hosts are further Host names that HTTP requests may carry,
	// besides loopback ones.
	MaxBody int64
	Hosts   []string
	// Extend adds to what is offered what no tool of ours is. Test suites do, whose own tools are then served as ours are.
	Extend func(*server.MCPServer)
	// Varies says that principals are offered different tools, so that nobody may share a list of them.
	Varies bool
	// Watch is told of every call of a tool, and what it returns of the outcome: ok, asked, failed, panicked or the kind of
	// refusal. Nobody is when nil. It must not block.
	Watch func(ctx context.Context, c Begun) (context.Context, func(outcome string))
}

// Server offers tools to MCP clients. It is safe for concurrent use.
type Server struct {
	mcp *server.MCPServer
	o   Options
	log *slog.Logger

	offered map[string]bool // names of tools
	watches *watches        // nil when nothing can be subscribed to
}

const (
	defaultStartWait = 15 * time.Second
	defaultMaxBody   = 1 << 20
	// catalogueLife is how long a client may keep the list of tools, in ms: it only changes with the program.
	catalogueLife = 60_000
)

// Ready is a Dispatcher option for a caller that is there already.
func Ready(c Caller) func(context.Context) (Caller, error) {
	return func(context.Context) (Caller, error) { return c, nil }
}

// New makes a server. It touches neither store nor tenant.
func New(o Options) (*Server, error) {
	switch {
	case len(o.Tools) == 0:
		return nil, errors.New("mcpserver: no tools (Options.Tools)")
	case o.Dispatcher == nil:
		return nil, errors.New("mcpserver: no dispatcher (Options.Dispatcher)")
	case o.Requester == nil:
		return nil, errors.New("mcpserver: nobody says who calls (Options.Requester)")
	}
	if o.StartWait <= 0 {
		o.StartWait = defaultStartWait
	}
	if o.ProgressEvery <= 0 {
		o.ProgressEvery = progressEvery
	}
	if o.AskWait <= 0 {
		o.AskWait = defaultAskWait
	}
	if o.WatchEvery <= 0 {
		o.WatchEvery = watchEvery
	}
	if o.PollEvery <= 0 {
		o.PollEvery = pollEvery
	}
	if o.MaxBody <= 0 {
		o.MaxBody = defaultMaxBody
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	scope := mcp.CacheScopePublic
	if o.Varies {
		scope = mcp.CacheScopePrivate
	}
	s := &Server{o: o, log: o.Logger, offered: map[string]bool{}}
	s.mcp = server.NewMCPServer("mde-ops", o.Version, append(o.observed(),
		server.WithTitle("Microsoft Defender for Endpoint operations"),
		server.WithInstructions(instructions(o.Tools)),
		server.WithToolCapabilities(false), // the list never changes while the program runs
		server.WithMethodCacheHints(mcp.MethodToolsList, catalogueLife, scope),
		server.WithToolFilter(offeredTo),
		server.WithRecovery(),
		server.WithLogger(o.Logger),
	)...)
	for _, t := range o.Tools {
		offered, err := offer(t)
		if err != nil {
			return nil, err
		}
		s.mcp.AddTool(offered, s.handler(t.Name))
		s.offered[t.Name] = true
	}
	s.offerResources(scope)
	s.offerPrompts(scope)
	if o.Extend != nil {
		o.Extend(s.mcp)
	}
	return s, nil
}

// offer is a tool in the protocol's words. Both schemas are raw, because the library leaves one empty without a word when
// it can't derive it, and then lets every call pass.
func offer(t tools.Tool) (mcp.Tool, error) {
	for _, schema := range []json.RawMessage{t.InputSchema, t.OutputSchema} {
		if !bytes.HasPrefix(schema, []byte("{")) || !bytes.Contains(schema, []byte(`"properties":{"`)) {
			return mcp.Tool{}, fmt.Errorf("mcpserver: tool %q has an empty schema", t.Name)
		}
	}
	offered := mcp.NewToolWithRawSchema(t.Name, t.Summary, t.InputSchema)
	offered.RawOutputSchema = t.OutputSchema
	offered.Title = t.Title
	offered.Annotations = mcp.ToolAnnotation{
		ReadOnlyHint:    mcp.ToBoolPtr(t.Annotations.ReadOnly),
		DestructiveHint: mcp.ToBoolPtr(t.Annotations.Destructive),
		IdempotentHint:  mcp.ToBoolPtr(t.Annotations.Idempotent),
		OpenWorldHint:   mcp.ToBoolPtr(t.Annotations.OpenWorld),
	}
	return offered, nil
}

// handler runs one tool. It never returns a Go error, because the library makes every one a protocol error that models
// don't see, and never lets a panic out.
func (s *Server) handler(name string) server.ToolHandlerFunc {
	return func(ctx context.Context, req mcp.CallToolRequest) (res *mcp.CallToolResult, err error) {
		ctx, end := s.begin(ctx, name, req)
		var given *mcp.CallToolResult // none after a panic
		var wrong error
		defer func() { end(given, wrong) }()
		defer func() {
			if p := recover(); p != nil {
				s.log.ErrorContext(ctx, "a tool panicked", "tool", name, "panic", fmt.Sprint(p))
				res, err = failure("The call failed inside the server and nothing was sent to Defender by it; the server's log has the cause."), nil
			}
		}()
		given, wrong = s.call(ctx, name, req)
		if wrong != nil {
			return s.failed(ctx, name, wrong), nil
		}
		return given, nil
	}
}

// call hands a call to the dispatcher. Task parameters are not looked at, and what a client says that its person answered
// (inputResponses, requestState) is handed on as it is: no client can approve.
func (s *Server) call(ctx context.Context, name string, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	if !mayUse(ctx, name) {
		return nil, approvals.Refuse(approvals.KindDenied, nil, "your roles do not include %s", name)
	}
	args, err := arguments(req)
	if err != nil {
		return nil, err
	}
	d, err := s.dispatcher(ctx)
	if err != nil {
		return nil, err
	}
	c := tools.Call{Tool: name, Args: args, Requester: s.o.Requester(ctx, agent(ctx)), MayAsk: mayAsk(ctx), Answer: answer(req)}
	if m := s.meter(ctx, req); m != nil {
		defer m.close()
		c.Progress = m.told
	}
	out, err := d.Call(ctx, c)
	if err != nil {
		return nil, err
	}
	if out.Question != nil {
		return s.ask(ctx, d, c, out.Question)
	}
	return result(out), nil
}

// dispatcher waits for what runs tools.
func (s *Server) dispatcher(ctx context.Context) (Caller, error) {
	waiting, cancel := context.WithTimeout(ctx, s.o.StartWait)
	defer cancel()
	d, err := s.o.Dispatcher(waiting)
	if err == nil && d == nil {
		err = errors.New("no dispatcher")
	}
	if err != nil {
		return nil, notReady(ctx, err)
	}
	return d, nil
}

// notReady is the refusal of a call that came before the server could serve it, or when it never can.
func notReady(ctx context.Context, err error) error {
	switch {
	case approvals.KindOf(err) != "":
		return err
	case ctx.Err() != nil:
		return approvals.Refuse(approvals.KindNoAnswer, err, "the call was cancelled before the server was ready; nothing was done")
	case errors.Is(err, context.DeadlineExceeded):
		return approvals.Refuse(approvals.KindNoAnswer, err, "the server is still starting (its store is not open yet); nothing was done, call again in a moment")
	}
	return approvals.Refuse(approvals.KindNoAnswer, err, "the server could not start completely, so no tool can run; a person must read its log")
}

// arguments are the call's arguments as the client wrote them, so that our own checks see every byte.
func arguments(req mcp.CallToolRequest) (json.RawMessage, error) {
	switch raw := req.GetRawArguments().(type) {
	case nil:
		return nil, nil
	case json.RawMessage:
		return raw, nil
	default:
		b, err := json.Marshal(raw)
		if err != nil {
			return nil, approvals.Refuse(approvals.KindInvalid, err, "the arguments are not a JSON object")
		}
		return b, nil
	}
}

// failed turns an error into a result. Its text goes to the model, its cause to the log.
func (s *Server) failed(ctx context.Context, name string, err error) *mcp.CallToolResult {
	return failure(s.explain(ctx, name, err))
}

// explain is an error's text for the client. Its cause goes to the log.
func (s *Server) explain(ctx context.Context, name string, err error) string {
	var refused *approvals.Error
	if !errors.As(err, &refused) {
		s.log.ErrorContext(ctx, "a tool failed", "tool", name, "error", err)
		return "The call failed inside the server; the server's log has the cause."
	}
	attrs := []any{"tool", name, "kind", string(refused.Kind), "text", refused.Text}
	if refused.Cause != nil {
		attrs = append(attrs, "cause", refused.Cause.Error())
	}
	s.log.InfoContext(ctx, "a tool refused", attrs...)
	return refused.Text
}

func failure(text string) *mcp.CallToolResult { return mcp.NewToolResultError(text) }

// agent is the client's own name, in either era.
func agent(ctx context.Context) string {
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.ClientInfo != nil {
		return info.ClientInfo.Name
	}
	if session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo); ok {
		return session.GetClientInfo().Name
	}
	return ""
}
