package tools

import (
	"context"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// liveResponseTools lists the toolset live_response, and the package that is collected like its results.
func liveResponseTools() []declaration {
	return []declaration{
		collectPackage(), runLiveResponse(), getFile(), runScript(), putFile(), listLibrary(), uploadLibraryFile(), deleteLibraryFile(),
	}
}

// livePerforms is how the live response tools perform their one step.
func livePerforms(gives bool) performs {
	p := performs{apply: applyLive, find: findDeviceAction(mdecore.ActionLiveResponse), follow: followLive}
	if gives {
		p.collect = collectLive
	}
	return p
}

type runLiveResponseIn struct {
	Device   string   `json:"device" jsonschema:"Device id, name or IP" form:"device"`
	Commands []string `json:"commands" jsonschema:"At most 10, in this order: put_file NAME, run_script NAME [ARGS], get_file PATH" form:"line" range:"1,1000"`
	asking
}

func runLiveResponse() declaration {
	return spec[runLiveResponseIn, requestView]{
		name: "run_live_response", title: "Run live response commands", toolset: LiveResponse, surface: InToolset, risk: approvals.RiskExecute,
		summary: "Ask to run a sequence of live response commands on one device; one that fails ends it. Results become evidence. " +
			"Others must approve it in Slack.",
		positional: []string{"device", "commands"}, untrusted: true,
		hints:    Annotations{Destructive: true, OpenWorld: true},
		plan:     planSequence,
		performs: livePerforms(true),
	}
}

func planSequence(ctx context.Context, s *session, in runLiveResponseIn) (approvals.Plan, error) {
	commands, err := parseCommands(in.Commands)
	if err != nil {
		return approvals.Plan{}, err
	}
	return s.planLive(ctx, in.Device, commands)
}

type getFileIn struct {
	Device string   `json:"device" jsonschema:"Device id, name or IP" form:"device"`
	Paths  []string `json:"paths" jsonschema:"Full paths, at most 10" form:"line" range:"1,1000"`
	asking
}

func getFile() declaration {
	return spec[getFileIn, requestView]{
		name: "get_file", title: "Get files of a device", toolset: LiveResponse, surface: InToolset, risk: approvals.RiskCollect,
		summary: "Ask to collect files of one device into evidence, by live response; one that is not there ends it. " +
			"Others must approve it in Slack.",
		positional: []string{"device", "paths"}, untrusted: true,
		hints:    Annotations{Destructive: true, OpenWorld: true},
		plan:     planGetFile,
		performs: livePerforms(true),
	}
}

func planGetFile(ctx context.Context, s *session, in getFileIn) (approvals.Plan, error) {
	var commands []liveCommand
	for _, path := range in.Paths {
		commands = append(commands, liveCommand{Type: mdecore.CommandGetFile, Path: path})
	}
	return s.planLive(ctx, in.Device, commands)
}

type runScriptIn struct {
	Device string `json:"device" jsonschema:"Device id, name or IP" form:"device"`
	Script string `json:"script" jsonschema:"Name in the library" form:"line" range:"1,200"`
	Args   string `json:"args,omitempty" jsonschema:"Its arguments" form:"line" range:"1,1000"`
	asking
}

func runScript() declaration {
	return spec[runScriptIn, requestView]{
		name: "run_script", title: "Run a library script", toolset: LiveResponse, surface: InToolset, risk: approvals.RiskExecute,
		summary: "Ask to run a script of the library on one device, for at most 10 minutes; its output becomes evidence. " +
			"Others must approve it in Slack.",
		positional: []string{"device", "script", "args"}, untrusted: true,
		hints: Annotations{Destructive: true, OpenWorld: true},
		plan: func(ctx context.Context, s *session, in runScriptIn) (approvals.Plan, error) {
			return s.planLive(ctx, in.Device, []liveCommand{{Type: mdecore.CommandRunScript, Name: in.Script, Args: in.Args}})
		},
		performs: livePerforms(true),
	}
}

type putFileIn struct {
	Device string `json:"device" jsonschema:"Device id, name or IP" form:"device"`
	File   string `json:"file" jsonschema:"Name in the library" form:"line" range:"1,200"`
	asking
}

func putFile() declaration {
	return spec[putFileIn, requestView]{
		name: "put_file", title: "Put a library file on a device", toolset: LiveResponse, surface: InToolset, risk: approvals.RiskExecute,
		summary: "Ask to copy a file of the library into the live response folder of one device; nothing runs it. " +
			"Others must approve it in Slack.",
		positional: []string{"device", "file"}, untrusted: true,
		hints: Annotations{Destructive: true, OpenWorld: true},
		plan: func(ctx context.Context, s *session, in putFileIn) (approvals.Plan, error) {
			return s.planLive(ctx, in.Device, []liveCommand{{Type: mdecore.CommandPutFile, Name: in.File}})
		},
		performs: livePerforms(false),
	}
}
