package mdecore_test

import (
	"context"

	"github.com/mde-ops/mde-ops/mdecore"
)

const signedLink = `{"value":"https://store.blob.core.windows.net/c/file?sig=c2lnbmF0dXJlLW9mLWEtbGluaw%3D%3D"}`

func liveResponseOperations() map[string]operation {
	run := func(req mdecore.LiveResponseRequest) func(context.Context, *mdecore.Client) error {
		return func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.RunLiveResponse(ctx, machineID, req)
			return err
		}
	}
	all := map[string]operation{
		"RunLiveResponse": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.RunLiveResponse(ctx, id, mdecore.LiveResponseRequest{
				Comment: "why", Commands: []mdecore.LiveResponseCommand{mdecore.GetFile{Path: `C:\Windows\Temp\out.zip`}},
			})
			return err
		}).changing(),
		"CheckLiveResponseIdle": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			return c.CheckLiveResponseIdle(ctx, id)
		}),
		"GetLiveResponseResultLink": withID(actionID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.GetLiveResponseResultLink(ctx, id, 1)
			return err
		}).answering(signedLink).refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.GetLiveResponseResultLink(ctx, actionID, -1)
			return err
		}),
		"GetInvestigationPackageURI": withID(actionID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.GetInvestigationPackageURI(ctx, id)
			return err
		}).answering(signedLink),
	}
	for _, req := range badLiveResponses() {
		all["RunLiveResponse"] = all["RunLiveResponse"].refusing(run(req))
	}
	return all
}

// badLiveResponses are requests that must not be sent.
func badLiveResponses() map[string]mdecore.LiveResponseRequest {
	request := func(commands ...mdecore.LiveResponseCommand) mdecore.LiveResponseRequest {
		return mdecore.LiveResponseRequest{Comment: "why", Commands: commands}
	}
	put, run, get := mdecore.PutFile{FileName: "tool.exe"}, mdecore.RunScript{ScriptName: "s.ps1"}, mdecore.GetFile{Path: "/etc/hosts"}
	bad := map[string]mdecore.LiveResponseRequest{
		"no command":          request(),
		"nil":                 request(nil),
		"no comment":          {Commands: []mdecore.LiveResponseCommand{get}},
		"get before run":      request(get, run),
		"get before put":      request(get, put),
		"run before put":      request(put, run, put),
		"empty put":           request(mdecore.PutFile{}),
		"empty run":           request(mdecore.RunScript{Args: "x"}),
		"empty get":           request(mdecore.GetFile{Path: " "}),
		"second line":         request(mdecore.RunScript{ScriptName: "s.ps1", Args: "a\nb"}),
		"right to left":       request(mdecore.RunScript{ScriptName: "s.ps1", Args: "a\u202eb"}),
		"null byte":           request(mdecore.GetFile{Path: "/etc/hosts\x00.txt"}),
		"broken text":         request(mdecore.GetFile{Path: "/etc/\xff"}),
		"bad one at the end":  request(put, run, get, mdecore.GetFile{}),
		"broken text in args": request(mdecore.RunScript{ScriptName: "s.ps1", Args: "\xff"}),
	}
	for _, name := range badFileNames() {
		bad["put "+name], bad["run "+name] = request(mdecore.PutFile{FileName: name}), request(mdecore.RunScript{ScriptName: name})
	}
	return bad
}

func liveResponseSamples() map[string]any {
	return map[string]any{
		"run_live_response":             new(mdecore.MachineAction),
		"get_live_response_result_link": new(mdecore.StringAnswer),
		"get_investigation_package_uri": new(mdecore.StringAnswer),
	}
}

func liveResponseResources() map[string]any {
	return map[string]any{
		"liveResponseCommandStatus": mdecore.CommandStatus{},
		"liveResponseCommand":       mdecore.Command{},
		"liveResponseScriptResult":  mdecore.ScriptResult{},
		"stringValue":               mdecore.StringAnswer{},
	}
}

func liveResponseRequests() map[string]any {
	return map[string]any{"run_live_response": mdecore.LiveResponseRequest{}}
}
