package tools

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// liveStep is what a frozen live response step holds.
type liveStep struct {
	Commands []liveCommand `json:"commands"`
}

// planLive resolves the device, finds the library files and freezes all commands into one step: Defender runs one live
// response at a time on a device, as one machine action.
func (s *session) planLive(ctx context.Context, ref string, commands []liveCommand) (approvals.Plan, error) {
	if err := checkOrder(commands); err != nil {
		return approvals.Plan{}, err
	}
	devices, err := s.resolve(ctx, []string{ref})
	if err != nil {
		return approvals.Plan{}, err
	}
	m := devices[0]
	if err := checkPaths(m, commands); err != nil {
		return approvals.Plan{}, err
	}
	files, err := s.libraryFor(ctx, commands)
	if err != nil {
		return approvals.Plan{}, err
	}
	if commands, err = fromLibrary(commands, files); err != nil {
		return approvals.Plan{}, err
	}
	open, err := s.recentOf(ctx, mdecore.ActionLiveResponse)
	if err != nil {
		return approvals.Plan{}, err
	}
	warnings, err := preflight(devices, func(f *finding, m *mdecore.Machine) {
		f.canCollect(m, open[m.ID], mdecore.ActionLiveResponse)
		f.liveResponse(m)
		f.commands(m, commands, files)
	})
	if err != nil {
		return approvals.Plan{}, err
	}
	return livePlan(m, commands, warnings)
}

func livePlan(m *mdecore.Machine, commands []liveCommand, warnings []string) (approvals.Plan, error) {
	var lines []string
	for i, c := range commands {
		line := c.text()
		if c.SHA256 != "" {
			line += " (SHA-256 " + c.SHA256 + ")"
		}
		if len(commands) > 1 {
			line = fmt.Sprintf("%d. %s", i+1, line)
		}
		lines = append(lines, line)
	}
	what := strings.Join(lines, "; ")
	step, err := stepOn(m, "live_response", clean(what, 300)+" on "+label(m), liveStep{commands})
	return approvals.Plan{
		Preview: "Live response on " + label(m) + ": " + what, Warnings: warnings,
		Targets: []approvals.Target{targetOf(m)}, Steps: []approvals.Step{step},
	}, err
}

// checkPaths holds every path against the device's system.
func checkPaths(m *mdecore.Machine, commands []liveCommand) error {
	var problems Problems
	for _, c := range commands {
		if c.Type != mdecore.CommandGetFile {
			continue
		}
		if text := badPath(c.Path, onWindows(m)); text != "" {
			problems = append(problems, problem("", "%s %s", quoted(c.Path, 200), text))
		}
	}
	if len(problems) > 0 {
		return approvals.Refuse(approvals.KindInvalid, problems, "Nothing was sent: %s (%s runs %s)", problems.Error(), label(m), clean(m.OSPlatform, 60))
	}
	return nil
}

func onWindows(m *mdecore.Machine) bool {
	return strings.HasPrefix(strings.ToLower(m.OSPlatform), "windows")
}

// libraryFor reads the library when a command needs it.
func (s *session) libraryFor(ctx context.Context, commands []liveCommand) ([]*mdecore.LibraryFile, error) {
	if !slices.ContainsFunc(commands, func(c liveCommand) bool { return c.Type != mdecore.CommandGetFile }) {
		return nil, nil
	}
	return s.library(ctx)
}

// fromLibrary gives each command that names a library file the library's own spelling and hash.
func fromLibrary(commands []liveCommand, files []*mdecore.LibraryFile) ([]liveCommand, error) {
	commands = slices.Clone(commands)
	var problems Problems
	for i, c := range commands {
		if c.Type == mdecore.CommandGetFile {
			continue
		}
		f := libraryFileOf(files, c.Name)
		switch {
		case f == nil:
			problems = append(problems, problem("", "the library has no file %s%s", quoted(c.Name, 120), didYouMean(c.Name, libraryNames(files))))
		case !goodSum(f.SHA256):
			problems = append(problems, problem("", "Defender gives no SHA-256 of %s, so that nobody could approve its content", quoted(f.FileName, 120)))
		default:
			commands[i].Name, commands[i].SHA256 = f.FileName, strings.ToLower(f.SHA256)
		}
	}
	if len(problems) > 0 {
		return nil, approvals.Refuse(approvals.KindInvalid, problems, "Nothing was sent: %s; list_library shows what there is", problems.Error())
	}
	return commands, nil
}

// liveResponse applies the systems of run-live-response.md. A system that is not known is refused.
func (f *finding) liveResponse(m *mdecore.Machine) {
	release := releaseOf(m.Version)
	switch platform := strings.ToLower(m.OSPlatform); {
	case platform == "windows11", platform == "windowsserver2022", platform == "windowsserver2025", platform == "macos", slices.Contains(linuxes(), platform):
	case platform == "windows10" && release >= 1909:
	case platform == "windows10" && release >= 1709:
		f.warn("%s runs Windows 10 %s, which has live response only with its update (a KB that Defender's documentation names)", label(m), clean(m.Version, 20))
	case platform == "windowsserver2019":
		f.warn("%s runs Windows Server 2019, for which live response is a preview", label(m))
	default:
		f.refuse("has no live response: it runs %s, and that needs Windows 10 1709 or newer, Windows 11, Windows Server 2019 or newer, macOS or Linux",
			quoted(strings.TrimSpace(m.OSPlatform+" "+m.Version), 80))
	}
}

// commands says what is odd about what is to run.
func (f *finding) commands(m *mdecore.Machine, commands []liveCommand, files []*mdecore.LibraryFile) {
	if highValue(m) && slices.ContainsFunc(commands, func(c liveCommand) bool { return c.Type != mdecore.CommandGetFile }) {
		f.warn("%s is a high-value device (value %s, tags %s)", label(m), quoted(string(m.DeviceValue), 40), quoted(strings.Join(m.MachineTags, " "), 120))
	}
	for _, c := range commands {
		if c.Type != mdecore.CommandRunScript {
			continue
		}
		if file := libraryFileOf(files, c.Name); c.Args != "" && file != nil && !file.HasParameters {
			f.warn("%s gets arguments, but the library says that it takes none", quoted(c.Name, 120))
		}
		ext := strings.ToLower(path.Ext(c.Name))
		if foreign := ext == ".sh" || ext == ".py"; foreign == onWindows(m) {
			f.warn("%s may not be a script for %s, which runs %s", quoted(c.Name, 120), label(m), clean(m.OSPlatform, 60))
		}
	}
}
