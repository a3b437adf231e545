package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/sethvargo/go-envconfig"

	"github.com/mde-ops/mde-ops/internal/nearest"
)

// faults are the things wrong with a configuration, collected so that a person mends them in one go.
type faults []string

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Sprintf(format, args...)) }

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &faultsError{f}
}

// faultsError is the text of faults for the person who must mend them.
type faultsError struct{ list faults }

// Error lists every fault.
func (e *faultsError) Error() string {
	return fmt.Sprintf("the configuration has %d fault(s):\n  - %s", len(e.list), strings.Join(e.list, "\n  - "))
}

// JoinFaults makes one report of what several checks of a configuration found; nil when they found nothing.
func JoinFaults(errs ...error) error {
	var all faults
	for _, err := range errs {
		var found *faultsError
		switch {
		case err == nil:
		case errors.As(err, &found):
			all = append(all, found.list...)
		default:
			all.add("%v", err)
		}
	}
	return all.err()
}

// environment is a process environment with secrets read from files where NAME_FILE says so. It remembers which names
// are settings, so that a misspelt one is noticed instead of silently ignored.
type environment struct {
	values map[string]string
	files  map[string]string // the files of NAME_FILE variables that stood for NAME
	masked map[string]bool   // names whose value did not parse
	known  map[string]bool
	last   string
	bad    faults
}

func newEnvironment(environ []string) *environment {
	e := &environment{
		values: make(map[string]string), files: make(map[string]string),
		masked: make(map[string]bool), known: make(map[string]bool),
	}
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(name, "MDE_") && value != "" && !unanswered(value) {
			e.values[name] = value
		}
	}
	return e
}

// unanswered reports whether a value is the name of a question of a bundle (.mcpb): clients hand that on where a person left
// an optional question empty.
func unanswered(value string) bool {
	return strings.HasPrefix(value, "${user_config.") && strings.HasSuffix(value, "}")
}

// isSecret reports whether a setting may also be given as a file.
func isSecret(name string) bool {
	for _, suffix := range []string{"_SECRET", "_PASSWORD", "_TOKEN", "_SIGNING_KEY", "MDE_STORE"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// Lookup answers go-envconfig. It remembers the last name asked for because the library's error does not carry it.
func (e *environment) Lookup(name string) (string, bool) {
	e.last, e.known[name] = name, true
	if e.masked[name] {
		return "", false
	}
	value, ok := e.values[name]
	if !isSecret(name) {
		return value, ok
	}
	file, byFile := e.values[name+"_FILE"]
	e.known[name+"_FILE"] = true
	switch {
	case !byFile:
		return value, ok
	case ok:
		e.mask(name, "%s and %s_FILE are both set: keep one", name, name)
		return "", false
	}
	return e.readSecret(name, file)
}

func (e *environment) readSecret(name, file string) (string, bool) {
	b, err := os.ReadFile(file)
	if err != nil {
		var path *os.PathError
		errors.As(err, &path)
		e.mask(name, "%s_FILE: %s can't be read: %v", name, file, path.Err)
		return "", false
	}
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" {
		e.mask(name, "%s_FILE: %s is empty", name, file)
		return "", false
	}
	e.files[name+"_FILE"] = file
	return text, true
}

// mask notes a fault once and makes the setting look unset from then on.
func (e *environment) mask(name, format string, args ...any) {
	if !e.masked[name] {
		e.masked[name] = true
		e.bad.add(format, args...)
	}
}

// process decodes into cfg. The library stops at the first value it can't parse; masking that one and starting again
// collects them all.
func (e *environment) process(ctx context.Context, cfg *Config) faults {
	var bad faults
	for range 100 {
		err := envconfig.ProcessWith(ctx, &envconfig.Config{Target: cfg, Lookuper: e, DefaultOverwrite: true})
		if err == nil {
			return bad
		}
		if e.masked[e.last] {
			bad.add("%s: %v", e.last, err)
			return bad
		}
		value := e.values[e.last]
		if isSecret(e.last) {
			value = "(secret)"
		}
		e.masked[e.last] = true
		bad.add("%s: %q is not valid here: %s", e.last, value, expectation(e.last, err))
	}
	return bad
}

// expectation turns a decoding error into what would have been right.
func expectation(name string, err error) string {
	text := err.Error()
	switch {
	case name == "MDE_LOG_LEVEL":
		return "want DEBUG, INFO, WARN or ERROR"
	case strings.Contains(text, "ParseBool"):
		return "want true or false"
	case strings.Contains(text, "time:"):
		return "want a duration such as 5s, 2m or 1h"
	case strings.Contains(text, "strconv."):
		return "want a whole number"
	}
	return text
}

// faults returns what was noticed while looking up, and every MDE_ variable that is no setting.
func (e *environment) faults() faults {
	bad := slices.Clone(e.bad)
	for _, name := range slices.Sorted(maps.Keys(e.values)) {
		if e.known[name] || isDevelopers(name) {
			continue
		}
		bad.add("%s is not a setting%s", name, e.nearest(name))
	}
	return bad
}

// isDevelopers reports whether a variable is for the project's own tests, which run both programs.
func isDevelopers(name string) bool {
	return strings.HasPrefix(name, "MDE_TEST_") || name == "MDE_CONTRACT_DIR" || name == "MDE_NEXUS_CONTRACT_DIR" || name == "MDE_SLACK_MANIFEST_DIR" || name == "MDE_FAILPOINT"
}

// nearest offers the setting that differs least from name.
func (e *environment) nearest(name string) string {
	best, ok := nearest.Word(name, slices.Sorted(maps.Keys(e.known)))
	if !ok {
		return "; docs/configuration.md lists them"
	}
	return "; did you mean " + best + "?"
}

// set returns the names of the settings that have a value.
func (e *environment) set() map[string]bool {
	set := make(map[string]bool, len(e.values))
	for name := range e.values {
		set[strings.TrimSuffix(name, "_FILE")] = true
	}
	return set
}
