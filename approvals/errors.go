package approvals

import (
	"errors"
	"fmt"
)

// Kind sorts refusals for code; the text is for people.
type Kind string

// The kinds of refusal.
const (
	KindNotFound  Kind = "not_found" // no such request
	KindDenied    Kind = "denied"    // policy or the gate says no
	KindInvalid   Kind = "invalid"   // the call itself must be mended
	KindConflict  Kind = "conflict"  // somebody or something was faster
	KindNotVoter  Kind = "not_voter" // this person's vote can't count
	KindNoAnswer  Kind = "no_answer" // a needed answer could not be had; nothing was done
	KindStore     Kind = "store"     // the database could not be read or written; nothing was done
	KindTampering Kind = "tampering" // stored data does not verify
	KindHeld      Kind = "held"      // stopped, frozen or paused by people: nothing is done until people go on
)

// Error is a refusal. Text tells the caller what was wrong and what to do; the cause is for the log only.
type Error struct {
	Kind  Kind
	Text  string
	Cause error
}

// Refuse makes a refusal of a kind with a text for the caller.
func Refuse(kind Kind, cause error, format string, args ...any) *Error {
	return &Error{Kind: kind, Text: fmt.Sprintf(format, args...), Cause: cause}
}

// Error returns the caller's text, never the cause.
func (e *Error) Error() string { return e.Text }

// Unwrap returns the cause, for the log.
func (e *Error) Unwrap() error { return e.Cause }

// KindOf returns the kind of err's refusal, or "" when it is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return ""
}
