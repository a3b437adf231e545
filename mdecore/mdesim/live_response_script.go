package mdesim

import (
	"strconv"
	"strings"
)

// scriptRun is what a script left behind.
type scriptRun struct {
	output, errors []string
	exit           int
	writes         []deviceFile
	skipped        int
}

// deviceFile is a file on a device.
type deviceFile struct {
	path    string
	content []byte
}

// interpret runs the few statements that PowerShell, batch and shell scripts have
// in common under different names: to print, to report an error, to write a file
// and to exit. All others are counted and said to be skipped, so that nobody takes
// the output for a real device's.
func interpret(script, args, host string) scriptRun {
	run := scriptRun{}
	words := replacements(args, host)
	for _, line := range strings.Split(strings.ReplaceAll(script, "\r\n", "\n"), "\n") {
		line = strings.TrimSpace(line)
		if isRemark(line) {
			continue
		}
		verb, rest, _ := strings.Cut(line, " ")
		if run.statement(strings.ToLower(verb), words.Replace(strings.TrimSpace(rest))) {
			break
		}
	}
	if run.skipped > 0 {
		run.output = append(run.output, "(simulated device: "+strconv.Itoa(run.skipped)+" statements of the script were not run)")
	}
	return run
}

func isRemark(line string) bool {
	return line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "::") || strings.HasPrefix(strings.ToLower(line), "rem ") ||
		strings.EqualFold(line, "@echo off")
}

// statement runs one statement and reports whether the script ends with it.
func (r *scriptRun) statement(verb, rest string) bool {
	switch verb {
	case "exit":
		r.exit, _ = strconv.Atoi(rest)
		return true
	case "throw":
		r.errors, r.exit = append(r.errors, unquoted(rest)), 1
		return true
	case "write-error":
		r.errors = append(r.errors, unquoted(rest))
	case "set-content":
		path, text := firstWord(rest)
		r.write(path, unquoted(text))
	case "echo", "write-output", "write-host":
		if text, path, ok := strings.Cut(rest, ">"); ok {
			if path = strings.TrimSpace(path); path == "&2" {
				r.errors = append(r.errors, unquoted(strings.TrimSpace(text)))
				return false
			}
			r.write(unquoted(path), unquoted(strings.TrimSpace(text)))
			return false
		}
		r.output = append(r.output, unquoted(rest))
	default:
		r.skipped++
	}
	return false
}

// write writes a file on the device.
func (r *scriptRun) write(path, text string) {
	if path == "" {
		r.errors = append(r.errors, "the path of the file to write is empty")
		return
	}
	r.writes = append(r.writes, deviceFile{path, []byte(text + "\n")})
}

// replacements are the variables of the three languages.
func replacements(args, host string) *strings.Replacer {
	pairs := []string{}
	for i, arg := range strings.Fields(args) {
		n := strconv.Itoa(i + 1)
		pairs = append(pairs, "$args["+strconv.Itoa(i)+"]", arg, "$"+n, arg, "%"+n, arg)
	}
	label, _, _ := strings.Cut(host, ".")
	return strings.NewReplacer(append(pairs, "$env:COMPUTERNAME", label, "%COMPUTERNAME%", label, "$HOSTNAME", host, "$args", args, "$@", args)...)
}

func unquoted(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	return s
}

// firstWord splits off the first word, which may be quoted.
func firstWord(s string) (word, rest string) {
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		if end := strings.IndexByte(s[1:], s[0]); end >= 0 {
			return s[1 : end+1], strings.TrimSpace(s[end+2:])
		}
	}
	word, rest, _ = strings.Cut(s, " ")
	return word, strings.TrimSpace(rest)
}
