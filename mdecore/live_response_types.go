package mdecore

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// CommandType is what a live response command does. Unknown values are kept.
type CommandType string

// The types of live response commands.
const (
	CommandPutFile   CommandType = "PutFile"
	CommandRunScript CommandType = "RunScript"
	CommandGetFile   CommandType = "GetFile"
)

// CommandState is how far a live response command is. Unknown values are kept.
type CommandState string

// The states of a live response command. Only a completed one has a result, and a PutFile has none at all.
const (
	CommandCreated   CommandState = "Created"
	CommandCompleted CommandState = "Completed"
	CommandFailed    CommandState = "Failed"
)

// LiveResponseCommand is one of PutFile, RunScript and GetFile.
type LiveResponseCommand interface {
	// wire is the command as it is sent.
	wire() Command
	// check says what is wrong with the command, if anything.
	check() error
}

// PutFile puts a file of the library into the session's folder on the machine. It has no result.
type PutFile struct {
	// FileName is the file's name in the library.
	FileName string
}

// RunScript runs a script of the library. Its result is a ScriptResult. The service ends it after 10 minutes.
type RunScript struct {
	// ScriptName is the script's name in the library.
	ScriptName string
	// Args is the script's arguments as one string; empty for none.
	Args string
}

// GetFile collects a file of the machine. Its result is the file's content.
type GetFile struct {
	// Path is where the file is on the machine, e.g. C:\Windows\Temp\out.zip.
	Path string
}

func (p PutFile) wire() Command { return command(CommandPutFile, "FileName", p.FileName) }

func (p PutFile) check() error { return checkFileName("file name", p.FileName) }

func (r RunScript) wire() Command {
	if r.Args == "" {
		return command(CommandRunScript, "ScriptName", r.ScriptName)
	}
	return command(CommandRunScript, "ScriptName", r.ScriptName, "Args", r.Args)
}

func (r RunScript) check() error {
	if err := checkFileName("script name", r.ScriptName); err != nil {
		return err
	}
	return checkPlain("script arguments", r.Args)
}

func (g GetFile) wire() Command { return command(CommandGetFile, "Path", g.Path) }

func (g GetFile) check() error {
	if strings.TrimSpace(g.Path) == "" {
		return invalid("path", g.Path, "it is empty: name the file on the machine, e.g. C:\\Windows\\Temp\\out.zip")
	}
	return checkPlain("path", g.Path)
}

// command builds a command from pairs of key and value.
func command(kind CommandType, pairs ...string) Command {
	c := Command{Type: kind}
	for i := 0; i+1 < len(pairs); i += 2 {
		c.Params = append(c.Params, CommandParam{Key: pairs[i], Value: pairs[i+1]})
	}
	return c
}

// LiveResponseRequest is the body of RunLiveResponse.
type LiveResponseRequest struct {
	// Commands run one after another: first every PutFile, then every RunScript, then every GetFile, any number of each.
	// After a command that fails, the rest is not run.
	Commands []LiveResponseCommand `json:"Commands"`
	// Comment says why. Required here, so that the action can be understood and found again.
	Comment string `json:"Comment"`
}

// liveResponseBody is the request as it is sent.
type liveResponseBody struct {
	Commands []Command `json:"Commands"`
	Comment  string    `json:"Comment"`
}

// MarshalJSON writes the request as it is sent.
func (r LiveResponseRequest) MarshalJSON() ([]byte, error) {
	body := liveResponseBody{Commands: []Command{}, Comment: r.Comment}
	for _, c := range r.Commands {
		if c == nil {
			return nil, invalid("commands", "", "one of them is nil")
		}
		body.Commands = append(body.Commands, c.wire())
	}
	return json.Marshal(body)
}

// UnmarshalJSON reads a request in the form in which it is sent. A command or parameter that is not documented is an
// error, because it could not be checked.
func (r *LiveResponseRequest) UnmarshalJSON(data []byte) error {
	var body liveResponseBody
	if err := json.Unmarshal(data, &body); err != nil {
		return err
	}
	*r = LiveResponseRequest{Comment: body.Comment}
	for _, c := range body.Commands {
		typed, err := typedCommand(c)
		if err != nil {
			return err
		}
		r.Commands = append(r.Commands, typed)
	}
	return nil
}

// typedCommand is the reverse of wire.
func typedCommand(c Command) (LiveResponseCommand, error) {
	params := map[string]string{}
	for _, p := range c.Params {
		if _, twice := params[p.Key]; twice {
			return nil, fmt.Errorf("the live response command %q has the parameter %q twice", shorten(string(c.Type)), shorten(p.Key))
		}
		params[p.Key] = p.Value
	}
	take := func(key string) string {
		value := params[key]
		delete(params, key)
		return value
	}
	var out LiveResponseCommand
	switch c.Type {
	case CommandPutFile:
		out = PutFile{FileName: take("FileName")}
	case CommandRunScript:
		out = RunScript{ScriptName: take("ScriptName"), Args: take("Args")}
	case CommandGetFile:
		out = GetFile{Path: take("Path")}
	default:
		return nil, fmt.Errorf("%q is not a live response command: use PutFile, RunScript or GetFile", shorten(string(c.Type)))
	}
	for key := range params {
		return nil, fmt.Errorf("the live response command %s has no parameter %q", c.Type, shorten(key))
	}
	return out, nil
}

// check refuses what the service would refuse, and an order that it would not run.
func (r LiveResponseRequest) check() error {
	if len(r.Commands) == 0 {
		return invalid("commands", "", "there must be at least one PutFile, RunScript or GetFile")
	}
	last := CommandPutFile
	for i, c := range r.Commands {
		if c == nil {
			return invalid("commands", "", fmt.Sprintf("command %d is nil", i))
		}
		if err := c.check(); err != nil {
			return err
		}
		kind := c.wire().Type
		if commandRank(kind) < commandRank(last) {
			return invalid("commands", string(kind), fmt.Sprintf("command %d comes after a %s: the order is every PutFile, then every RunScript, then every GetFile", i, last))
		}
		last = kind
	}
	return checkComment(r.Comment, true)
}

// commandRank is a type's place in the documented order.
func commandRank(kind CommandType) int {
	return slices.Index([]CommandType{CommandPutFile, CommandRunScript, CommandGetFile}, kind)
}

// checkFileName refuses what can't be the name of a library file, or would reach another address than the one meant.
func checkFileName(field, name string) error {
	switch {
	case strings.TrimSpace(name) != name || name == "":
		return invalid(field, name, "it is empty, or begins or ends with white space")
	case utf8.RuneCountInString(name) > 200:
		return invalid(field, name, "it is longer than 200 characters")
	case strings.ContainsAny(name, `/\:*?"<>|%;#'`):
		return invalid(field, name, `it is a name in the library, not a path, and must not contain any of / \ : * ? " < > | % ; # '`)
	case strings.Contains(name, "..") || strings.HasPrefix(name, ".") || strings.HasSuffix(name, "."):
		return invalid(field, name, `it must not begin or end with "." or contain ".."`)
	}
	return checkPlain(field, name)
}
