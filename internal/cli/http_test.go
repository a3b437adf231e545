package cli_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func heard(s *surroundings, ts *testscript.TestScript, args []string) {
	re, err := regexp.Compile(args[2])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	found, ok := s.process(ts, args[0]).stdout.wait(ctx, re)
	if !ok || len(found) < 2 {
		ts.Fatalf("%s did not say %q\n%s", args[0], args[2], s.logs())
	}
	ts.Setenv(args[1], found[1])
}

// signsIn gets a token as a person's client would.
func signsIn(s *surroundings, ts *testscript.TestScript, args []string) {
	form := url.Values{
		"grant_type": {"password"}, "client_id": {mdesim.AzureCLIAppID}, "username": {args[1]}, "password": {mdesim.DefaultUserPassword},
		"scope": {"api://" + mdesim.DefaultWebAPIID + "/" + mdesim.DefaultWebAPIScope},
	}
	resp, err := s.server.Client().PostForm(s.server.URL+"/"+mdesim.DefaultTenantID+"/oauth2/v2.0/token", form) //nolint:noctx // a script that hangs is ended by its deadline
	ts.Check(err)
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Token string `json:"access_token"`
	}
	ts.Check(json.NewDecoder(resp.Body).Decode(&answer))
	ts.Setenv(args[0], answer.Token)
}

// asks calls a tool as a client of the newest era does.
func asks(s *surroundings, ts *testscript.TestScript, args []string) {
	address, token, tool := args[1], args[2], args[3]
	re, err := regexp.Compile(args[5])
	ts.Check(err)
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q,"arguments":%s,"_meta":{`+
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"a script","version":"1"},`+
		`"io.modelcontextprotocol/clientCapabilities":{}}}}`, tool, args[4])
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	ts.Check(err)
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": tool,
	} {
		req.Header.Set(name, value)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Logf("%s is answered %d %s", tool, resp.StatusCode, answer)
	if resp.StatusCode != number(ts, args[0]) || !re.Match(answer) {
		ts.Fatalf("want %s and %q\n%s", args[0], args[5], s.logs())
	}
}
