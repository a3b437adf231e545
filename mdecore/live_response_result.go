package mdecore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ScriptResult is the liveResponseScriptResult resource (get-live-response-result.md): what a RunScript left behind. Its
// texts are the machine's and may hold anything.
type ScriptResult struct {
	ScriptName   string     `json:"script_name"`
	ExitCode     Int        `json:"exit_code"`
	ScriptOutput ScriptText `json:"script_output"`
	ScriptErrors ScriptText `json:"script_errors"`
	// Raw is the result as it came. ParseScriptResult keeps it whatever else it finds.
	Raw []byte `json:"-"`
}

// ScriptText is a script's output: a string, or a list of lines.
type ScriptText string

// UnmarshalJSON implements json.Unmarshaler.
func (s *ScriptText) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '[' {
		var lines []string
		if err := json.Unmarshal(data, &lines); err != nil {
			return errors.New("a script's output is neither a text nor a list of lines")
		}
		*s = ScriptText(strings.Join(lines, "\n"))
		return nil
	}
	text, _, err := jsonText(data)
	*s = ScriptText(text)
	return err
}

// ParseScriptResult reads the result of a RunScript. A byte order mark and unescaped line ends within texts are
// tolerated. On an error the returned result still has its Raw bytes, and nothing else.
func ParseScriptResult(raw []byte) (*ScriptResult, error) {
	out := &ScriptResult{}
	data := bytes.TrimPrefix(raw, []byte("\ufeff"))
	if !json.Valid(data) {
		data = escapeControls(data)
	}
	err := parseScript(data, out)
	if err != nil {
		out = &ScriptResult{}
	}
	out.Raw = raw
	return out, err
}

// parseScript reads the documented object. A missing exit code must not pass for 0, which means success.
func parseScript(data []byte, out *ScriptResult) error {
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil || fields == nil {
		return errors.New("it is not a JSON object")
	}
	code := string(fields["exit_code"])
	if code == "" || code == "null" || code == `""` {
		return errors.New("it has no exit_code")
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("it cannot be read: %w", err)
	}
	return nil
}

// escapeControls escapes raw control characters inside the strings of a JSON text, where they are not allowed but
// occur: the documentation's own sample has a raw line end in script_output.
func escapeControls(data []byte) []byte {
	var out bytes.Buffer
	inside, escaped := false, false
	for _, b := range data {
		switch {
		case inside && b < 0x20:
			fmt.Fprintf(&out, `\u%04x`, b)
			escaped = false
			continue
		case escaped:
			escaped = false
		case inside && b == '\\':
			escaped = true
		case b == '"':
			inside = !inside
		}
		out.WriteByte(b)
	}
	return out.Bytes()
}
