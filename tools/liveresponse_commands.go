package tools

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// maxCommands bounds one live response, so that an approver can read it.
const maxCommands = 10

// liveCommand is one command as it is frozen into a step.
type liveCommand struct {
	Type mdecore.CommandType `json:"type"`
	// Name is a file of the library as the library spells it, SHA256 its content at the plan.
	Name   string `json:"name,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Args   string `json:"args,omitempty"`
	// Path is on the device.
	Path string `json:"path,omitempty"`
}

// liveVerbs are the words of commands, in the order in which Defender runs them.
func liveVerbs() []string { return []string{"put_file", "run_script", "get_file"} }

// rank is the command's place in that order.
func (c liveCommand) rank() int {
	return slices.Index([]mdecore.CommandType{mdecore.CommandPutFile, mdecore.CommandRunScript, mdecore.CommandGetFile}, c.Type)
}

// wire is the command as the client takes it; nil for one that is not known.
func (c liveCommand) wire() mdecore.LiveResponseCommand {
	switch c.Type {
	case mdecore.CommandPutFile:
		return mdecore.PutFile{FileName: c.Name}
	case mdecore.CommandRunScript:
		return mdecore.RunScript{ScriptName: c.Name, Args: c.Args}
	case mdecore.CommandGetFile:
		return mdecore.GetFile{Path: c.Path}
	}
	return nil
}

// text is the command as a person types it, made harmless. parseCommand reads it back where nothing had to be made so.
func (c liveCommand) text() string {
	switch c.Type {
	case mdecore.CommandPutFile:
		return "put_file " + wordOf(c.Name)
	case mdecore.CommandRunScript:
		if c.Args == "" {
			return "run_script " + wordOf(c.Name)
		}
		return "run_script " + wordOf(c.Name) + " " + clean(c.Args, 1000)
	case mdecore.CommandGetFile:
		return "get_file " + clean(c.Path, 1000)
	}
	return "unknown command"
}

// wordOf is a name in a command line: in quotation marks where it would not be one word.
func wordOf(name string) string {
	if strings.ContainsAny(name, " \t\"") {
		return `"` + clean(name, 200) + `"`
	}
	return clean(name, 200)
}

// parseCommands reads the commands of one live response and refuses all of them when one is wrong.
func parseCommands(lines []string) ([]liveCommand, error) {
	var problems Problems
	var commands []liveCommand
	for i, line := range lines {
		c, err := parseCommand(line)
		if err != nil {
			problems = append(problems, problem("commands", "command %d %s", i+1, err.Error()))
			continue
		}
		commands = append(commands, c)
	}
	if len(problems) > 0 {
		return nil, approvals.Refuse(approvals.KindInvalid, problems, "Nothing was sent: %s", problems.Error())
	}
	return commands, nil
}

// parseCommand reads "put_file NAME", "run_script NAME [ARGS]" or "get_file PATH". A name with spaces is put in double
// quotes. What follows the script's name is its arguments as they are; what follows get_file is the path as it is.
func parseCommand(line string) (liveCommand, error) {
	verb, rest, _ := strings.Cut(strings.Trim(line, " "), " ")
	rest = strings.Trim(rest, " ")
	switch verb {
	case "get_file":
		path, more, err := firstCommandWord(rest)
		if !strings.HasPrefix(rest, `"`) { // without quotation marks all of it is the path
			path, more, err = rest, "", nil
		}
		return liveCommand{Type: mdecore.CommandGetFile, Path: path}, completeCommand(line, path, more, err, "get_file PATH")
	case "put_file":
		name, more, err := firstCommandWord(rest)
		return liveCommand{Type: mdecore.CommandPutFile, Name: name}, completeCommand(line, name, more, err, "put_file NAME")
	case "run_script":
		name, args, err := firstCommandWord(rest)
		return liveCommand{Type: mdecore.CommandRunScript, Name: name, Args: args}, completeCommand(line, name, "", err, "run_script NAME [ARGS]")
	}
	return liveCommand{}, fmt.Errorf("(%s) is none of %s%s", quoted(line, 60), strings.Join(liveVerbs(), ", "), didYouMean(verb, liveVerbs()))
}

// completeCommand says what is wrong with a command that is not what it has to be.
func completeCommand(line, name, more string, err error, want string) error {
	switch {
	case err != nil:
		return fmt.Errorf("(%s) %w", quoted(line, 60), err)
	case strings.TrimSpace(name) == "":
		return fmt.Errorf("(%s) is not complete: write %s", quoted(line, 60), want)
	case more != "":
		return fmt.Errorf("(%s) has too much: write %s, and a name with spaces in double quotes", quoted(line, 60), want)
	}
	return nil
}

// firstCommandWord splits off the first word, which may stand in double quotes, from what follows it.
func firstCommandWord(s string) (name, rest string, err error) {
	quotedName, isQuoted := strings.CutPrefix(s, `"`)
	if !isQuoted {
		name, rest, _ = strings.Cut(s, " ")
		if strings.Contains(name, `"`) {
			return "", "", fmt.Errorf("has a quotation mark inside a name")
		}
		return name, strings.Trim(rest, " "), nil
	}
	name, rest, ok := strings.Cut(quotedName, `"`)
	if !ok {
		return "", "", fmt.Errorf("has a quotation mark that nothing closes")
	}
	if rest != "" && rest[0] != ' ' {
		return "", "", fmt.Errorf("has no space after the quotation mark that closes the name")
	}
	return strings.Trim(name, " "), strings.Trim(rest, " "), nil
}

// checkOrder refuses what Defender would not run as it is written.
func checkOrder(commands []liveCommand) error {
	if len(commands) == 0 || len(commands) > maxCommands {
		return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: one live response takes 1 to %d commands, not %d", maxCommands, len(commands))
	}
	for i := 1; i < len(commands); i++ {
		if commands[i].rank() < commands[i-1].rank() {
			return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: command %d (%s) comes after a %s. Defender runs every put_file first, "+
				"then every run_script, then every get_file; put them in this order, or ask in two calls",
				i+1, quoted(commands[i].text(), 60), liveVerbs()[commands[i-1].rank()])
		}
		if slices.Contains(commands[:i], commands[i]) {
			return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: command %d (%s) is there twice; name it once", i+1, quoted(commands[i].text(), 60))
		}
	}
	return nil
}

// badPath says why a path is not that of one file on a device, or returns "". What an approver reads must be what is taken,
// so that nothing in it may stand for something else.
func badPath(path string, windows bool) string {
	separators := "/"
	if windows {
		separators = `/\`
		letter := len(path) > 3 && (path[0]|0x20 >= 'a' && path[0]|0x20 <= 'z') && path[1] == ':' && path[2] == '\\'
		switch {
		case !letter:
			return `is not a full path on Windows, such as C:\Windows\Temp\out.zip`
		case strings.ContainsAny(path, `/*?<>|"`) || strings.Contains(path[2:], ":"):
			return `has a character that the name of one file can't have: / * ? < > | " or a second :`
		}
	} else if !strings.HasPrefix(path, "/") {
		return "is not a full path, such as /var/log/syslog"
	}
	parts := strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune(separators, r) })
	if slices.Contains(parts, "..") || slices.Contains(parts, ".") {
		return "has a part . or ..; write the path that is meant"
	}
	if strings.ContainsAny(path[len(path)-1:], separators) {
		return "is a folder; name one file"
	}
	return ""
}
