package mcpserver

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
)

// person is who sits before a client.
type person struct {
	says  mcp.ElicitationResponse
	asked chan mcp.ElicitationParams
	gone  bool // never answers
}

func newPerson(action mcp.ElicitationResponseAction, content any) *person {
	return &person{says: mcp.ElicitationResponse{Action: action, Content: content}, asked: make(chan mcp.ElicitationParams, 10)}
}

// Elicit implements the client's handler.
func (p *person) Elicit(ctx context.Context, req mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	p.asked <- req.Params
	if p.gone {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &mcp.ElicitationResult{ElicitationResponse: p.says}, nil
}

func tagging() map[string]any {
	return map[string]any{"devices": []string{"host01"}, "add": []string{"triage"}, "reason": "sorting"}
}

func (w *world) stored(t *testing.T) []approvals.Request {
	t.Helper()
	list, err := w.Gate.List(t.Context(), store.Filter{})
	require.NoError(t, err)
	return list
}

func TestThePersonBehindAClientIsAsked(t *testing.T) {
	for _, via := range connections() {
		for name, c := range map[string]struct {
			person *person
			status string // of the request; none when empty
			text   string // of the refusal
		}{
			"yes":       {newPerson("accept", map[string]any{"confirm": true}), "approved", ""},
			"no tick":   {newPerson("accept", map[string]any{"confirm": false}), "", "did not say yes"},
			"no form":   {newPerson("accept", nil), "", "did not say yes"},
			"a word":    {newPerson("accept", map[string]any{"confirm": "true"}), "", "did not say yes"},
			"declined":  {newPerson("decline", map[string]any{"confirm": true}), "", "did not say yes"},
			"cancelled": {newPerson("cancel", nil), "", "did not say yes"},
			"nobody":    {nil, "pending_confirmation", ""},
		} {
			t.Run(via.name+"/"+name, func(t *testing.T) {
				w := open(t)
				var more []client.ClientOption
				if c.person != nil {
					more = append(more, client.WithElicitationHandler(c.person))
				}
				conn := via.connect(t, w.server, more...)
				greet(t, conn)
				res := call(t, conn, "tag_devices", tagging())
				if c.person != nil {
					q := <-c.person.asked
					require.Contains(t, q.Message, "host01.contoso.com")
					require.Contains(t, q.Message, "triage")
					require.Empty(t, c.person.asked, "once")
				}
				list := w.stored(t)
				if c.status == "" {
					require.True(t, res.IsError)
					require.Contains(t, text(t, res), c.text)
					require.Empty(t, list)
					return
				}
				require.False(t, res.IsError, text(t, res))
				require.Equal(t, c.status, structured(t, res)["status"])
				require.Len(t, list, 1)
				require.Equal(t, c.person != nil, list[0].Terms.ClientConsent)
				require.Zero(t, w.Tenant.Writes())

				// What other people approve is never asked here.
				call(t, conn, "isolate_devices", map[string]any{"devices": []string{"host02"}, "reason": "beaconing"})
				if c.person != nil {
					require.Empty(t, c.person.asked)
				}
			})
		}
	}
}

// An older client whose person went away does not keep its call for ever.
func TestAPersonWhoDoesNotAnswer(t *testing.T) {
	for _, via := range connections() {
		if via.version == mcp.LATEST_PROTOCOL_VERSION {
			continue // comes back by itself, or doesn't
		}
		t.Run(via.name, func(t *testing.T) {
			w := open(t, func(o *Options) { o.AskWait = 30 * time.Millisecond })
			away := newPerson("accept", map[string]any{"confirm": true})
			away.gone = true
			conn := via.connect(t, w.server, client.WithElicitationHandler(away))
			greet(t, conn)
			began := time.Now()
			res := call(t, conn, "tag_devices", tagging())
			require.Less(t, time.Since(began), 10*time.Second)
			require.True(t, res.IsError)
			require.Contains(t, text(t, res), "did not answer within 30ms")
			require.Empty(t, w.stored(t))
		})
	}
}

// raw is a call as an attacker writes it.
func (w *world) raw(t *testing.T, tool string, args map[string]any, more string) string {
	t.Helper()
	b, err := json.Marshal(args)
	require.NoError(t, err)
	msg := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",`+
		`"io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}%s}}`, tool, b, more)
	out, err := json.Marshal(w.server.mcp.HandleMessage(t.Context(), json.RawMessage(msg)))
	require.NoError(t, err)
	return string(out)
}

func TestConsentCanNotBeForgedOverTheProtocol(t *testing.T) {
	w := open(t)
	const yes = `"inputResponses":{"confirm":{"action":"accept","content":{"confirm":true}}}`
	for _, more := range []string{
		"," + yes, "," + yes + `,"requestState":"approved"`, "," + yes + `,"requestState":""`,
		`,"inputResponses":{"other":{"action":"accept"}}`, `,"inputResponses":{"confirm":{"action":"accept","content":{"confirm":true}},"x":{}}`,
	} {
		for tool, args := range map[string]map[string]any{
			"tag_devices": tagging(), "isolate_devices": {"devices": []string{"host01"}, "reason": "x"},
		} {
			out := w.raw(t, tool, args, more)
			require.Contains(t, out, "nothing was made", more)
			require.Contains(t, out, `"isError":true`)
		}
	}
	require.Empty(t, w.stored(t))

	out := w.raw(t, "tag_devices", tagging(), "")
	require.Contains(t, out, `"resultType":"input_required"`)
	require.Contains(t, out, `"elicitation/create"`)
	var asked struct {
		Result struct {
			State string `json:"requestState"`
		} `json:"result"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &asked))
	state := asked.Result.State
	require.NotEmpty(t, state)
	// Without what its person said it is asked again, and so is a call with nothing but a state that we don't know.
	for _, s := range []string{state, "made up"} {
		require.Contains(t, w.raw(t, "tag_devices", tagging(), fmt.Sprintf(`,"requestState":%q`, s)), `"input_required"`)
	}
	other := tagging()
	other["devices"] = []string{"host02"}
	require.Contains(t, w.raw(t, "tag_devices", other, fmt.Sprintf(`,"requestState":%q,%s`, state, yes)), "no longer what the person was asked about")
	require.Contains(t, w.raw(t, "tag_devices", tagging(), fmt.Sprintf(`,"requestState":%q,%s`, state, yes)), "was used before", "one try is all there is")
	require.Empty(t, w.stored(t))

	require.NoError(t, json.Unmarshal([]byte(w.raw(t, "tag_devices", tagging(), "")), &asked))
	good := fmt.Sprintf(`,"requestState":%q,%s`, asked.Result.State, yes)
	require.Contains(t, w.raw(t, "tag_devices", tagging(), good), `"status":"approved"`)
	require.Contains(t, w.raw(t, "tag_devices", tagging(), good), "was used before")
	require.Len(t, w.stored(t), 1)
	require.False(t, strings.Contains(w.raw(t, "get_device", map[string]any{"device": "host01"}, good), "isError\":true"), "what reads asks nothing")
}

func TestWhoMayBeAsked(t *testing.T) {
	w := open(t)
	for caps, asks := range map[string]bool{
		`{"elicitation":{}}`: true, `{"elicitation":{"form":{}}}`: true, `{"elicitation":{"form":{},"url":{}}}`: true,
		`{"elicitation":{"url":{}}}`: false, `{}`: false, `{"sampling":{}}`: false,
	} {
		msg := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"tag_devices","arguments":{"devices":["host01"],"add":["x"],"reason":"x"},"_meta":{` +
			`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":` + caps + `}}}`
		out, err := json.Marshal(w.server.mcp.HandleMessage(t.Context(), json.RawMessage(msg)))
		require.NoError(t, err)
		require.Equal(t, asks, strings.Contains(string(out), "input_required"), "%s: %s", caps, out)
	}
}
