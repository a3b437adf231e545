package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools"
)

// read is what a resource holds.
func read(t *testing.T, c *client.Client, uri string) (mcp.TextResourceContents, error) {
	t.Helper()
	var req mcp.ReadResourceRequest
	req.Params.URI = uri
	res, err := c.ReadResource(t.Context(), req)
	if err != nil {
		return mcp.TextResourceContents{}, err
	}
	require.Len(t, res.Contents, 1)
	text, ok := res.Contents[0].(mcp.TextResourceContents)
	require.True(t, ok)
	return text, nil
}

// alert is the id of an alert of the tenant.
func (w *world) alert(t *testing.T) string {
	t.Helper()
	for a, err := range w.Reader.ListAlerts(t.Context(), mdecore.AlertsQuery{}) {
		require.NoError(t, err)
		return a.ID
	}
	require.Fail(t, "there is no alert")
	return ""
}

// keep stores evidence that a request collected.
func (w *world) keep(t *testing.T, request string) evidence.Manifest {
	t.Helper()
	m, err := w.Evidence.Put(t.Context(), evidence.Meta{
		DeviceID: w.Tenant.Device(mdesim.NameHost).ID, DeviceName: mdesim.NameHost, ActionType: "CollectInvestigationPackage", ActionID: "a-" + request,
		RequestID: request, Requester: "alice@contoso.com", Approvers: []string{"bob@contoso.com"}, CollectedAt: w.Clock.Now(), Name: "package.zip",
	}, strings.NewReader("secret content of "+request))
	require.NoError(t, err)
	return m
}

func isolate(t *testing.T, c *client.Client) {
	t.Helper()
	call(t, c, "isolate_devices", map[string]any{"devices": []string{"host01"}, "reason": "beaconing"})
}

func TestAResourceIsWhatItsToolGives(t *testing.T) {
	for _, via := range connections() {
		t.Run(via.name, func(t *testing.T) {
			w := open(t)
			c := via.connect(t, w.server)
			greet(t, c)
			isolate(t, c)
			kept := w.keep(t, "REQ00001")
			device := w.Tenant.Device(mdesim.NameHost).ID
			for uri, same := range map[string]struct {
				tool string
				args map[string]any
			}{
				"request://REQ00001":      {"get_request", map[string]any{"id": "REQ00001"}},
				"device://" + device:      {"get_device", map[string]any{"device": device}},
				"device://host01":         {"get_device", map[string]any{"device": "host01"}},
				"device://host%30%31":     {"get_device", map[string]any{"device": "host01"}},
				"alert://" + w.alert(t):   {"get_alert", map[string]any{"alert_id": w.alert(t)}},
				"evidence://" + kept.ID:   {"list_evidence", map[string]any{"evidence_id": kept.ID}},
				"evidence://REQ00001":     {"list_evidence", map[string]any{"request_id": "REQ00001"}},
				"evidence://" + "REQ0000": {},
			} {
				got, err := read(t, c, uri)
				if same.tool == "" {
					require.ErrorContains(t, err, "evidence id", uri)
					continue
				}
				require.NoError(t, err, uri)
				require.Equal(t, "application/json", got.MIMEType)
				require.Equal(t, uri, got.URI)
				want, err := json.Marshal(call(t, c, same.tool, same.args).StructuredContent)
				require.NoError(t, err)
				require.JSONEq(t, string(want), got.Text, uri)
				require.NotContains(t, got.Text, "secret content")
			}
		})
	}
}

func TestTemplatesSayWhatTheyAre(t *testing.T) {
	for _, via := range connections() {
		t.Run(via.name, func(t *testing.T) {
			w := open(t)
			c := via.connect(t, w.server)
			capable := greet(t, c).Capabilities.Resources
			require.NotNil(t, capable)
			require.True(t, capable.Subscribe)
			require.False(t, capable.ListChanged)
			list, err := c.ListResourceTemplates(t.Context(), mcp.ListResourceTemplatesRequest{})
			require.NoError(t, err)
			var uris []string
			for _, r := range list.ResourceTemplates {
				uris = append(uris, r.URITemplate.Raw())
				require.NotEmpty(t, r.Title)
				require.Contains(t, strings.ToLower(r.Description), "untrusted text")
				require.Less(t, len(r.Description), 200)
				require.Equal(t, "application/json", r.MIMEType)
				require.NotNil(t, r.Annotations)
			}
			require.Equal(t, []string{"alert://{id}", "device://{id}", "evidence://{id}", "request://{id}"}, uris)
		})
	}
}

func TestAnAddressThatNamesNothingIsRefusedWithWhatToDo(t *testing.T) {
	for _, via := range connections() {
		t.Run(via.name, func(t *testing.T) {
			w := open(t)
			c := via.connect(t, w.server)
			greet(t, c)
			for uri, text := range map[string]string{
				"request://nope":         "is not a request id",
				"request://REQ99999":     "REQ99999",
				"request://":             "names nothing: write request://ID",
				"alert://da0_0":          "da0_0",
				"device://nobody":        "nobody",
				"device://a%zz":          "handler not found",
				"evidence://x":           "is not an evidence id",
				"mde://requests/approve": "handler not found",
				"file:///etc/passwd":     "handler not found",
			} {
				_, err := read(t, c, uri)
				require.ErrorContains(t, err, text, uri)
			}
		})
	}
}

// roles are two principals: one with every tool and one with few.
func roles(out http.ResponseWriter, r *http.Request) (Principal, bool) {
	key, _ := keyed(out, r)
	switch key.Key {
	case "few":
		return Principal{Key: "few", Tools: map[string]bool{"list_alerts": true, "get_alert": true}}, true
	case "all":
		return key, true
	}
	http.Error(out, "who?", http.StatusUnauthorized)
	return Principal{}, false
}

// as connects somebody over HTTP, to where others are as well.
func as(t *testing.T, url, who string, era []client.ClientOption) *client.Client {
	t.Helper()
	tr, err := transport.NewStreamableHTTP(url+"/mcp", httpOptions(who, era)...)
	require.NoError(t, err)
	c := start(t, client.NewClient(tr, era...))
	greet(t, c)
	return c
}

func eras() map[string][]client.ClientOption {
	return map[string][]client.ClientOption{"legacy": {client.WithProtocolVersion("2025-11-25")}, "modern": nil}
}

func TestRolesDecideWhatCanBeRead(t *testing.T) {
	for name, era := range eras() {
		t.Run(name, func(t *testing.T) {
			w := open(t, func(o *Options) { o.Varies = true })
			srv := httptest.NewServer(w.server.HTTP(HTTPOptions{Authenticate: roles}).Handler())
			t.Cleanup(srv.Close)
			all, few := as(t, srv.URL, "all", era), as(t, srv.URL, "few", era)
			isolate(t, all)
			_, err := read(t, all, "request://REQ00001")
			require.NoError(t, err)
			_, err = read(t, few, "request://REQ00001")
			require.ErrorContains(t, err, "there is no resource")
			require.ErrorContains(t, err, "there are: alert://ID")
			_, err = read(t, few, "alert://"+w.alert(t))
			require.NoError(t, err)
			list, err := few.ListResourceTemplates(t.Context(), mcp.ListResourceTemplatesRequest{})
			require.NoError(t, err)
			require.Len(t, list.ResourceTemplates, 1)
			require.Equal(t, "alert", list.ResourceTemplates[0].Name)
			open, err := few.ListResources(t.Context(), mcp.ListResourcesRequest{})
			require.NoError(t, err)
			require.Empty(t, open.Resources)
			open, err = all.ListResources(t.Context(), mcp.ListResourcesRequest{})
			require.NoError(t, err)
			require.Len(t, open.Resources, 1)
		})
	}
}

func TestWhatIsNotOfferedIsNoResourceEither(t *testing.T) {
	for _, via := range connections() {
		t.Run(via.name, func(t *testing.T) {
			w := open(t, func(o *Options) {
				var err error
				o.Tools, err = tools.Select(o.Tools, tools.Selection{Exclude: []string{"get_request", "list_evidence"}})
				require.NoError(t, err)
			})
			c := via.connect(t, w.server)
			greet(t, c)
			list, err := c.ListResourceTemplates(t.Context(), mcp.ListResourceTemplatesRequest{})
			require.NoError(t, err)
			require.Len(t, list.ResourceTemplates, 2)
			for _, uri := range []string{"request://REQ00001", "evidence://REQ00001"} {
				_, err = read(t, c, uri)
				require.ErrorContains(t, err, "not found")
			}
			res, err := c.ListResources(t.Context(), mcp.ListResourcesRequest{})
			require.NoError(t, err)
			require.Empty(t, res.Resources)
		})
	}
	w := open(t, func(o *Options) { o.Tools = only(t, "whoami") })
	capable := greet(t, connections()[0].connect(t, w.server)).Capabilities
	require.Nil(t, capable.Resources)
	require.Nil(t, capable.Prompts)
}

func TestTheListNamesWhatPeopleWaitFor(t *testing.T) {
	for _, via := range connections() {
		t.Run(via.name, func(t *testing.T) {
			w := open(t)
			c := via.connect(t, w.server)
			greet(t, c)
			list := func() []mcp.Resource {
				res, err := c.ListResources(t.Context(), mcp.ListResourcesRequest{})
				require.NoError(t, err)
				return res.Resources
			}
			require.Empty(t, list())
			isolate(t, c)
			require.Len(t, list(), 1)
			require.Equal(t, "request://REQ00001", list()[0].URI)
			require.Equal(t, "REQ00001 pending_approval", list()[0].Title)
			require.Contains(t, list()[0].Description, "untrusted text: ")
			w.carry(t, "cancelled")
			require.Empty(t, list())
		})
	}
}

// A client may list before it has said hello, and while the store is not open.
func TestListingWaitsForNoStore(t *testing.T) {
	opened := 0
	w := open(t, func(o *Options) {
		o.Dispatcher = func(context.Context) (Caller, error) {
			opened++
			return nil, errors.New("not yet")
		}
	})
	early := server.NewInProcessSession("early", nil)
	var out strings.Builder
	for _, method := range []string{"resources/list", "resources/templates/list", "prompts/list"} {
		answer, err := json.Marshal(w.server.mcp.HandleMessage(w.server.mcp.WithContext(t.Context(), early), fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":%q}`, method)))
		require.NoError(t, err)
		out.Write(answer)
	}
	require.Contains(t, out.String(), `"resources":[]`)
	require.Contains(t, out.String(), "request://{id}")
	require.Contains(t, out.String(), "shift_handover")
	require.Zero(t, opened)
	c := connections()[0].connect(t, w.server)
	greet(t, c)
	res, err := c.ListResources(t.Context(), mcp.ListResourcesRequest{})
	require.NoError(t, err)
	require.Empty(t, res.Resources)
	require.Equal(t, 1, opened)
}

func TestAPanicBehindAResourceIsAnError(t *testing.T) {
	w := open(t, func(o *Options) { o.Dispatcher = Ready(panics{}) })
	c := connections()[0].connect(t, w.server)
	greet(t, c)
	_, err := read(t, c, "request://REQ00001")
	require.ErrorContains(t, err, "failed inside the server")
	require.NotContains(t, err.Error(), "secret")
}

type panics struct{}

func (panics) Call(context.Context, tools.Call) (tools.Result, error) { panic("a secret") }

// What the era's own word for it is depends on the library: an unknown scheme it knows itself, everything else it calls internal.
func TestNotFoundHasTheCodeOfTheEra(t *testing.T) {
	for version, code := range map[string]int{"2025-11-25": mcp.RESOURCE_NOT_FOUND, mcp.LATEST_PROTOCOL_VERSION: mcp.INVALID_PARAMS} {
		w := open(t)
		meta := `"_meta":{"io.modelcontextprotocol/protocolVersion":"` + version + `","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}},`
		if version == "2025-11-25" {
			meta = ""
		}
		answer := w.server.mcp.HandleMessage(t.Context(), json.RawMessage(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{`+meta+`"uri":"nope://1"}}`))
		failed, ok := answer.(mcp.JSONRPCError)
		require.True(t, ok)
		require.Equal(t, code, failed.Error.Code, version)
	}
}

// only are the tools of these names.
func only(t *testing.T, names ...string) []tools.Tool {
	t.Helper()
	return slices.DeleteFunc(catalogue(t), func(one tools.Tool) bool { return !slices.Contains(names, one.Name) })
}
