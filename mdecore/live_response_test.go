package mdecore_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func live(commands ...mdecore.LiveResponseCommand) mdecore.LiveResponseRequest {
	return mdecore.LiveResponseRequest{Comment: "looking into an alert", Commands: commands}
}

func TestLiveResponseInTheSimulatedTenant(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{ActionPending: -1, ActionRunning: time.Millisecond}
	c, opts := simulated(t, tenant, nil), mdecore.DownloadOptions{}
	ctx, wait := t.Context(), mdecore.WaitOptions{Interval: 5 * time.Millisecond}
	id := tenant.Device("host01").ID
	action, err := c.StartLiveResponse(ctx, id, live(
		mdecore.PutFile{FileName: "memdump.exe"}, mdecore.RunScript{ScriptName: "inventory.ps1", Args: `C:\out.txt`}, mdecore.GetFile{Path: `C:\out.txt`},
		mdecore.GetFile{Path: `C:\missing.txt`}, mdecore.GetFile{Path: `C:\out.txt`},
	))
	require.NoError(t, err)
	action, err = c.WaitMachineAction(ctx, action.ID, wait)
	require.NoError(t, err)
	require.Equal(t, mdecore.ActionFailed, action.Status)
	require.Len(t, action.Commands, 5)
	for i, want := range []mdecore.CommandState{mdecore.CommandCompleted, mdecore.CommandCompleted, mdecore.CommandCompleted, mdecore.CommandFailed, mdecore.CommandCreated} {
		require.Equal(t, want, action.Commands[i].CommandStatus)
	}

	script, err := c.LiveResponseScriptResult(ctx, action.ID, 1, opts)
	require.NoError(t, err)
	require.Equal(t, "inventory.ps1", script.ScriptName)
	require.Zero(t, script.ExitCode)
	require.EqualValues(t, "inventory of host01", script.ScriptOutput)

	var file bytes.Buffer
	opts.Unpack = true
	result, err := c.LiveResponseResult(ctx, action.ID, 2, &file, opts)
	require.NoError(t, err)
	require.Equal(t, "device host01\n", file.String())
	require.True(t, result.Unpacked)

	for index, want := range map[int]string{
		0: "only a RunScript and a GetFile have one", 3: "it failed: The file 'C:\\missing.txt' was not found", 4: "it was not run, because the session ended before as Failed", 5: "none of that index",
	} {
		_, err := c.LiveResponseResult(ctx, action.ID, index, &file, opts)
		var none *mdecore.NoResultError
		require.ErrorAs(t, err, &none)
		require.ErrorContains(t, err, want)
	}
	_, err = c.LiveResponseScriptResult(ctx, action.ID, 2, opts)
	require.ErrorContains(t, err, "not a script's")
	_, err = c.LiveResponseResult(ctx, action.ID, -1, &file, opts)
	require.True(t, mdecore.NotSent(err))
	isolation, err := c.IsolateMachine(ctx, id, mdecore.IsolateRequest{Comment: "w", IsolationType: mdecore.IsolationFull})
	require.NoError(t, err)
	_, err = c.LiveResponseResult(ctx, isolation.ID, 0, &file, opts)
	require.ErrorContains(t, err, "not a LiveResponse")
}

func TestAMachineHasOneSession(t *testing.T) {
	t.Parallel()
	tenant := &mdesim.Tenant{ActionPending: time.Hour}
	c := simulated(t, tenant, nil)
	ctx, id := t.Context(), tenant.Device("host01").ID
	get := live(mdecore.GetFile{Path: `C:\x`})
	require.NoError(t, c.CheckLiveResponseIdle(ctx, id))
	first, err := c.StartLiveResponse(ctx, id, get)
	require.NoError(t, err)
	writes := tenant.Writes()
	_, err = c.LiveResponseResult(ctx, first.ID, 0, &bytes.Buffer{}, mdecore.DownloadOptions{})
	require.ErrorContains(t, err, "not completed yet")

	_, err = c.StartLiveResponse(ctx, id, get)
	var active *mdecore.ActiveSessionError
	require.ErrorAs(t, err, &active)
	require.Equal(t, first.ID, active.Action.ID)
	require.True(t, mdecore.NotSent(err))
	require.Equal(t, writes, tenant.Writes(), "nothing was sent to the machine")

	_, err = c.RunLiveResponse(ctx, id, get)
	require.ErrorAs(t, err, &active)
	require.True(t, mdecore.Refused(err))
	require.ErrorContains(t, err, "has a live response session already")
	require.Len(t, tenant.Effects(), 1)
	require.NoError(t, c.CheckLiveResponseIdle(ctx, tenant.Device("host02").ID))
	_, err = c.StartLiveResponse(ctx, id, live())
	require.ErrorContains(t, err, "at least one")
}

// When nobody knows whether a session runs, none is started.
func TestNoSessionIsStartedBlindly(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 404, 429, 500} {
		s := newService(t, answer(status, refusal, "Retry-After", "0"))
		_, err := s.clientOf(t).StartLiveResponse(t.Context(), machineID, live(mdecore.GetFile{Path: "/x"}))
		require.True(t, mdecore.NotSent(err), "%d: %v", status, err)
		for _, call := range s.received() {
			require.Equal(t, http.MethodGet, call.method)
		}
	}
	surprise := newService(t, answer(200, `{"value":[{"id":"`+actionID+`","type":"LiveResponse","status":"Hibernating","machineId":"`+machineID+`"}]}`))
	require.ErrorContains(t, surprise.clientOf(t).CheckLiveResponseIdle(t.Context(), machineID), "Hibernating")
	other := newService(t, answer(200, `{"value":[{"id":"`+actionID+`","type":"LiveResponse","status":"Pending","machineId":"`+strings.Repeat("f", 40)+`"},
		{"id":"x","type":"Isolate","status":"Pending","machineId":"`+machineID+`"},{"id":"y","type":"LiveResponse","status":"TimeOut","machineId":"`+machineID+`"}]}`))
	require.NoError(t, other.clientOf(t).CheckLiveResponseIdle(t.Context(), machineID))
}

func TestLiveResponseRequestsAreCheckedBeforeTheyAreSent(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(201, anything(actionID)))
	for name, req := range badLiveResponses() {
		_, err := s.clientOf(t).RunLiveResponse(t.Context(), machineID, req)
		var invalid *mdecore.InvalidError
		require.ErrorAs(t, err, &invalid, name)
	}
	require.Empty(t, s.received())
	_, err := s.clientOf(t).RunLiveResponse(t.Context(), machineID, live(
		mdecore.PutFile{FileName: "a b.exe"}, mdecore.PutFile{FileName: "é.exe"}, mdecore.RunScript{ScriptName: "s.ps1"},
		mdecore.RunScript{ScriptName: "s.ps1", Args: `-Name "x"`}, mdecore.GetFile{Path: `C:\a`}, mdecore.GetFile{Path: "/b"},
	))
	require.NoError(t, err)
	require.JSONEq(t, `{"Comment":"looking into an alert","Commands":[
		{"type":"PutFile","params":[{"key":"FileName","value":"a b.exe"}]},{"type":"PutFile","params":[{"key":"FileName","value":"é.exe"}]},
		{"type":"RunScript","params":[{"key":"ScriptName","value":"s.ps1"}]},
		{"type":"RunScript","params":[{"key":"ScriptName","value":"s.ps1"},{"key":"Args","value":"-Name \"x\""}]},
		{"type":"GetFile","params":[{"key":"Path","value":"C:\\a"}]},{"type":"GetFile","params":[{"key":"Path","value":"/b"}]}]}`, s.received()[0].body)
}

func TestLiveResponseRequestFromJSON(t *testing.T) {
	t.Parallel()
	req := live(mdecore.RunScript{ScriptName: "s.ps1", Args: "x"}, mdecore.GetFile{Path: `C:\a`})
	data, err := json.Marshal(req)
	require.NoError(t, err)
	var again mdecore.LiveResponseRequest
	require.NoError(t, json.Unmarshal(data, &again))
	require.Equal(t, req, again)
	for _, bad := range []string{
		`{"Commands":[{"type":"DeleteFile","params":[]}]}`, `{"Commands":[{"type":"GetFile","params":[{"key":"Path","value":"a"},{"key":"Path","value":"b"}]}]}`,
		`{"Commands":[{"type":"GetFile","params":[{"key":"Path","value":"a"},{"key":"Args","value":"b"}]}]}`, `[]`,
	} {
		require.Error(t, json.Unmarshal([]byte(bad), &again), bad)
	}
}

func TestContractLiveResponseSamples(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(contractDir(t), "samples")
	data, err := os.ReadFile(filepath.Join(dir, "run_live_response.request.json"))
	require.NoError(t, err)
	var req mdecore.LiveResponseRequest
	require.NoError(t, json.Unmarshal(data, &req))
	written, err := json.Marshal(req)
	require.NoError(t, err)
	require.JSONEq(t, string(data), string(written))

	data, err = os.ReadFile(filepath.Join(dir, "get_live_response_result_link.file-content.json"))
	require.NoError(t, err)
	for _, raw := range []string{string(data), strings.ReplaceAll(string(data), `\n`, "\n"), "\ufeff" + string(data)} {
		result, err := mdecore.ParseScriptResult([]byte(raw))
		require.NoError(t, err)
		require.Equal(t, "minidump.ps1", result.ScriptName)
		require.Contains(t, result.ScriptOutput, "51 MB\n")
		require.Equal(t, raw, string(result.Raw))
	}

	data, err = os.ReadFile(filepath.Join(dir, "get_investigation_package_uri.response.json"))
	require.NoError(t, err)
	link, err := newService(t, answer(200, string(data))).clientOf(t).GetInvestigationPackageURI(t.Context(), actionID)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(link.Reveal(), "https://api.security.microsoft.com:443/safedownload/"))
	require.True(t, strings.HasSuffix(link.Reveal(), "%3d"))
}

func TestParseScriptResult(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]mdecore.ScriptResult{
		`{"script_name":"s","exit_code":"-3","script_output":["a","b"],"script_errors":null}`: {ScriptName: "s", ExitCode: -3, ScriptOutput: "a\nb"},
		"{\"exit_code\":0,\"script_output\":\"a\r\nb\x00\\\"c\"}":                             {ScriptOutput: "a\r\nb\x00\"c"},
		`{"exit_code":1,"other":[1]}`:                                                         {ExitCode: 1},
	} {
		got, err := mdecore.ParseScriptResult([]byte(raw))
		require.NoError(t, err, raw)
		want.Raw = []byte(raw)
		require.Equal(t, &want, got)
	}
	for _, raw := range []string{
		"", "null", "[]", "not JSON", `{}`, `{"exit_code":null}`, `{"exit_code":""}`, `{"exit_code":"none"}`, `{"exit_code":1.5}`, `{"exit_code":0,"script_output":{}}`, `{"exit_code":0,"script_output":[{}]}`,
		`{"script_name":"s","exit_code":0`, "\x1f\x8b\x08",
	} {
		got, err := mdecore.ParseScriptResult([]byte(raw))
		require.Error(t, err, raw)
		require.Equal(t, &mdecore.ScriptResult{Raw: []byte(raw)}, got, "an exit code must not be guessed")
	}
}

// Whatever a script leaves behind: the raw bytes stay, and what was understood is understood the same way again.
func FuzzParseScriptResult(f *testing.F) {
	for _, seed := range []string{
		`{"script_name":"s.ps1","exit_code":0,"script_output":"out\n","script_errors":""}`, "{\"exit_code\":\"1\",\"script_output\":\"a\nb\"}", `{"exit_code":null}`,
		`{"exit_code":0,"script_output":["a"]}`, "\ufeff{\"exit_code\":0}", `{"exit_code":9223372036854775808}`, `{"exit_code":0,"script_output":"\ud800"}`, `{"exit_code":0,"script_output":"\`, "", "null", "[1]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		result, err := mdecore.ParseScriptResult(raw)
		require.NotNil(t, result)
		require.Equal(t, raw, result.Raw)
		if err != nil {
			require.Equal(t, &mdecore.ScriptResult{Raw: raw}, result)
			return
		}
		data, err := json.Marshal(result)
		require.NoError(t, err)
		again, err := mdecore.ParseScriptResult(data)
		require.NoError(t, err)
		again.Raw = raw
		require.Equal(t, result, again)
	})
}
