package mdesim_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

func (r *rig) live(id, commands string) answer {
	r.t.Helper()
	return r.send(http.MethodPost, "/api/machines/"+id+"/runliveresponse", `{"Commands":[`+commands+`],"Comment":"look"}`)
}

func getFile(path string) string {
	quoted, _ := json.Marshal(path)
	return `{"type":"GetFile","params":[{"key":"Path","value":` + string(quoted) + `}]}`
}

func runScript(name, args string) string {
	return `{"type":"RunScript","params":[{"key":"ScriptName","value":"` + name + `"},{"key":"Args","value":"` + args + `"}]}`
}

func putFile(name string) string {
	return `{"type":"PutFile","params":[{"key":"FileName","value":"` + name + `"}]}`
}

// commandStates are the statuses of an action's commands.
func (r *rig) commandStates(action string) string {
	r.t.Helper()
	var states []string
	for _, c := range r.get("/api/machineactions/" + action).body["commands"].([]any) {
		states = append(states, c.(map[string]any)["commandStatus"].(string))
	}
	return strings.Join(states, " ")
}

func (r *rig) resultLink(action string, index int) answer {
	r.t.Helper()
	return r.get(fmt.Sprintf("/api/machineactions/%s/GetLiveResponseResultDownloadLink(index=%d)", action, index))
}

// follow gets a signed link without a token, unpacked when it is gzip.
func (r *rig) follow(link string) (int, []byte) {
	r.t.Helper()
	plain := *r
	plain.token = ""
	a := plain.send(http.MethodGet, link, "")
	if bytes.HasPrefix(a.raw, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(a.raw))
		require.NoError(r.t, err)
		a.raw, err = io.ReadAll(z)
		require.NoError(r.t, err)
	}
	return a.status, a.raw
}

func TestALiveResponseRunsCommandByCommand(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now, ActionPending: 10 * time.Second, ActionRunning: time.Minute, TokenLife: 3 * time.Hour})
	host := r.Device("host01")
	a := r.live(host.ID, putFile("memdump.exe")+","+runScript("inventory.ps1", `C:\\out.txt`)+","+getFile(`c:\OUT.txt`))
	require.Equal(t, 201, a.status, string(a.raw))
	id := a.str("id")
	require.Equal(t, "LiveResponse", a.str("type"))
	for _, step := range []struct {
		wait           time.Duration
		status, states string
	}{
		{0, "Pending", "Created Created Created"},
		{10 * time.Second, "InProgress", "Created Created Created"},
		{time.Minute, "InProgress", "Completed Created Created"},
		{time.Minute, "InProgress", "Completed Completed Created"},
		{time.Minute, "Succeeded", "Completed Completed Completed"},
	} {
		now.Advance(step.wait)
		require.Equal(t, step.status, r.get("/api/machineactions/"+id).str("status"))
		require.Equal(t, step.states, r.commandStates(id))
	}
	refused(t, r.resultLink(id, 0), 404, "ResourceNotFound", "has no result")
	refused(t, r.resultLink(id, 3), 404, "ResourceNotFound", "no live response command 3")
	script := r.resultLink(id, 1).str("value")
	status, raw := r.follow(script)
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"script_name":"inventory.ps1","exit_code":0,"script_output":"inventory of host01","script_errors":""}`, string(raw))
	_, raw = r.follow(r.resultLink(id, 2).str("value"))
	require.Equal(t, "device host01\n", string(raw))

	// The link ends, another one can be had.
	now.Advance(30 * time.Minute)
	status, raw = r.follow(script)
	require.Equal(t, 403, status)
	require.Contains(t, string(raw), "<Code>AuthenticationFailed</Code>")
	status, _ = r.follow(r.resultLink(id, 1).str("value"))
	require.Equal(t, 200, status)
	require.Equal(t, 400, r.send(http.MethodGet, r.resultLink(id, 1).str("value"), "").status, "a token does not belong there")

	// What a session left on the device is there for the next.
	next := r.live(host.ID, getFile(`C:\out.txt`)+","+getFile(`C:\ProgramData\Microsoft\Windows Defender Advanced Threat Protection\Downloads\memdump.exe`)).str("id")
	now.Advance(time.Hour)
	require.Equal(t, "Completed Completed", r.commandStates(next))
	require.Equal(t, "LiveResponse", r.Effects()[0].Type)
}

func TestAfterAFailureTheRestIsNotRun(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now, TokenLife: time.Hour, FailingDevices: []string{"host05.contoso.com"}})
	for name, c := range map[string]struct{ device, commands, states, text string }{
		"unknown script": {"host01", runScript("nothing.ps1", "") + "," + getFile(`C:\x`), "Failed Created", "'nothing.ps1' was not found in the library"},
		"unknown file":   {"host02", putFile("nothing.exe") + "," + getFile(`C:\x`), "Failed Created", "'nothing.exe' was not found in the library"},
		"missing path":   {"host03", getFile(`C:\Windows\System32\drivers\etc\hosts`) + "," + getFile(`C:\nothing`), "Completed Failed", "was not found on the device"},
		"failing device": {"host05", getFile(`C:\Windows\System32\drivers\etc\hosts`), "Failed", "internal error"},
		"case on linux":  {"lnx-web01", getFile("/etc/hosts") + "," + getFile("/etc/HOSTS"), "Completed Failed", "was not found"},
	} {
		id := r.live(r.Device(c.device).ID, c.commands).str("id")
		now.Advance(time.Minute)
		require.Equal(t, "Failed", r.get("/api/machineactions/"+id).str("status"), name)
		require.Equal(t, c.states, r.commandStates(id), name)
		require.Contains(t, string(r.get("/api/machineactions/"+id).raw), c.text, name)
		refused(t, r.resultLink(id, strings.Count(c.states, " ")), 404, "ResourceNotFound", "has no result")
	}
}

func TestOneSessionForAMachineAndFiftyForATenant(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now, TokenLife: 4 * time.Hour})
	offline := r.Device("field-laptop04")
	id := r.live(offline.ID, getFile(`C:\x`)).str("id")
	refused(t, r.live(offline.ID, getFile(`C:\x`)), 400, "ActiveRequestAlreadyExists", "already an active request")
	now.Advance(2*time.Hour - time.Second)
	require.Equal(t, "Pending", r.get("/api/machineactions/"+id).str("status"))
	require.Equal(t, "Created", r.commandStates(id))
	now.Advance(time.Second)
	require.Equal(t, "TimeOut", r.get("/api/machineactions/"+id).str("status"))
	require.Equal(t, "Created", r.commandStates(id))
	require.Equal(t, 201, r.live(offline.ID, getFile(`C:\x`)).status)

	started := 1
	for _, d := range r.get("/api/machines").values() {
		if d["osPlatform"] == "Windows11" && d["onboardingStatus"] == "onboarded" && d["id"] != offline.ID && started < 50 {
			require.Equal(t, 201, r.live(d["id"].(string), getFile(`C:\x`)).status)
			started++
		}
	}
	require.Equal(t, 50, started)
	full := r.live(r.Device("lnx-web01").ID, getFile("/etc/hosts"))
	refused(t, full, 429, "TooManyRequests", "50 live response sessions")
	require.Equal(t, "60", full.header.Get("Retry-After"))
	now.Advance(time.Minute)
	require.Equal(t, 201, r.live(r.Device("lnx-web01").ID, getFile("/etc/hosts")).status)
}

func TestACancelledSessionStopsWhereItWas(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now, ActionPending: -1, ActionRunning: time.Minute, TokenLife: 2 * time.Hour})
	id := r.live(r.Device("host01").ID, runScript("inventory.ps1", `C:\\out.txt`)+","+getFile(`C:\out.txt`)).str("id")
	now.Advance(61 * time.Second)
	require.Equal(t, 200, r.send(http.MethodPost, "/api/machineactions/"+id+"/cancel", `{"Comment":"enough"}`).status)
	now.Advance(time.Hour)
	require.Equal(t, "Completed Created", r.commandStates(id))
}

func TestLiveResponsesThatAreRefused(t *testing.T) {
	t.Parallel()
	r := serve(t, &mdesim.Tenant{})
	host := r.Device("host01").ID
	for name, c := range map[string]struct{ device, commands, code string }{
		"none":            {host, "", "MissingRequiredParameter"},
		"order":           {host, getFile("x") + "," + putFile("y"), "InvalidInput"},
		"unknown command": {host, `{"type":"DeleteFile","params":[]}`, "InvalidInput"},
		"lower case":      {host, `{"type":"getfile","params":[{"key":"Path","value":"x"}]}`, "InvalidInput"},
		"wrong parameter": {host, `{"type":"GetFile","params":[{"key":"FileName","value":"x"}]}`, "InvalidInput"},
		"no parameter":    {host, `{"type":"GetFile","params":[]}`, "MissingRequiredParameter"},
		"Type":            {host, `{"Type":"GetFile","params":[{"key":"Path","value":"x"}]}`, "InvalidRequestBody"},
		"a number":        {host, `5`, "InvalidRequestBody"},
		"old server":      {r.Device("srv-legacy01").ID, getFile("x"), "OsPlatformNotSupported"},
		"not onboarded":   {r.Device("byod-laptop9").ID, getFile("x"), "InvalidInput"},
	} {
		a := r.live(c.device, c.commands)
		require.Equal(t, 400, a.status, name)
		require.Equal(t, c.code, a.code(), name)
	}
	require.Equal(t, 404, r.live(strings.Repeat("f", 40), getFile("x")).status)
	require.Equal(t, 404, r.resultLink("00000000-0000-4000-8000-000000000000", 0).status)
	isolation := r.isolate(host).str("id")
	require.Equal(t, 404, r.resultLink(isolation, 0).status)
	require.Equal(t, 400, r.get("/api/machineactions/"+isolation+"/GetLiveResponseResultDownloadLink(index=x)").status)
}

func TestScriptsAreRunAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	now := newClock()
	r := serve(t, &mdesim.Tenant{Clock: now.Now, ActionPending: -1, ActionRunning: -1})
	host := r.Device("host01").ID
	for script, want := range map[string]string{
		"Write-Output one\nexit 3\nWrite-Output two":              `{"exit_code":3,"script_output":"one","script_errors":""}`,
		"# remark\r\nWrite-Error \"no $args[0] here\"\r\n":        `{"exit_code":0,"script_output":"","script_errors":"no alpha here"}`,
		"throw 'broken'\nWrite-Output never":                      `{"exit_code":1,"script_output":"","script_errors":"broken"}`,
		"echo $2 on %COMPUTERNAME%\necho bad >&2":                 `{"exit_code":0,"script_output":"beta on host01","script_errors":"bad"}`,
		"Get-Process\nStop-Computer\necho done":                   `{"exit_code":0,"script_output":"done\n(simulated device: 2 statements of the script were not run)","script_errors":""}`,
		"Set-Content 'C:\\a b.txt' text\nSet-Content\nexit never": `{"exit_code":0,"script_output":"","script_errors":"the path of the file to write is empty"}`,
	} {
		require.Equal(t, 200, r.upload("s.ps1", script, "OverrideIfExists", "true").status)
		now.Advance(time.Second)
		id := r.live(host, runScript("s.ps1", "alpha beta")).str("id")
		now.Advance(time.Second)
		_, raw := r.follow(r.resultLink(id, 0).str("value"))
		var got map[string]any
		require.NoError(t, json.Unmarshal(raw, &got), string(raw))
		delete(got, "script_name")
		again, err := json.Marshal(got)
		require.NoError(t, err)
		require.JSONEq(t, want, string(again))
	}
}
