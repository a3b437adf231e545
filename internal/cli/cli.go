// Package cli holds what both commands share: how they start, how they end and which exit code means what.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The exit codes of both commands.
const (
	ExitOK       = 0
	ExitRuntime  = 1 // something failed while running
	ExitArgument = 2 // the command line or the configuration must be mended
)

// Env is all that a command sees of its surroundings, so that a test can be one.
type Env struct {
	Args    []string // without the program's name
	Environ []string // KEY=value
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer
}

// Runner is a command: its error decides the exit code.
type Runner func(ctx context.Context, env Env) error

// UsageError is an error of the caller: a wrong argument or a fault in the configuration.
type UsageError struct{ Err error }

// Error returns the text for the caller.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what was wrong.
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef makes a UsageError of a text.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// Usage marks err as the caller's; nil stays nil.
func Usage(err error) error {
	if err == nil {
		return nil
	}
	return &UsageError{err}
}

// Main runs a command with the process's own surroundings and exits. An interrupt or a termination signal ends its
// context; a second one ends the process at once.
func Main(run Runner) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	err := run(ctx, Env{
		Args: os.Args[1:], Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	})
	code := ExitCode(ctx, err)
	if code != ExitOK {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	os.Exit(code)
}

// ExitCode maps a command's error to its exit code: an end that was asked for is not a failure.
func ExitCode(ctx context.Context, err error) int {
	var usage *UsageError
	switch {
	case err == nil, errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return ExitOK
	case errors.As(err, &usage):
		return ExitArgument
	}
	return ExitRuntime
}
