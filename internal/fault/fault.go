// Package fault is the one vocabulary of errors that a user may be told about.
//
// A flow or a parser returns an *Error when a caller outside must learn what
// happened; api/problem.go is the only place that turns one into a response.
// Message and Code are public: they never carry patient data, tokens, keys,
// file names or the text of an inner error. The inner error is for the log and
// is never sent.
//
// An error that is not an *Error is Internal: the client learns nothing of it.
package fault

import (
	"errors"
	"time"

	"github.com/wardseal/wardseal/internal/words"
)

// Kind is what went wrong, in terms of what the caller can do about it. The
// zero Kind is Internal, so a forgotten Kind tells the client nothing.
type Kind uint8

const (
	Internal        Kind = iota // a defect or an unexpected failure
	Invalid                     // the request is wrong; the message says how to put it right
	Unauthenticated             // nobody is signed in, or the sign-in failed
	Denied                      // signed in, and not allowed
	NotFound                    // no such thing, or none the caller may know of
	Conflict                    // the request contradicts what is already there
	TooLarge                    // over a size limit
	Unsupported                 // a format that is not accepted
	Gone                        // was there and has expired, been used up or revoked
	TooMany                     // slow down; RetryAfter says for how long
	Unavailable                 // a part the request needs is down; RetryAfter says when to try again
	Full                        // no space left to store the request
)

// Error is one refusal. Code is a stable slug (lower-case words joined by
// hyphens) that clients may branch on; Message is one or two plain sentences
// that say what is wrong and what to do; Field names the form field at fault,
// if there is one.
type Error struct {
	Kind       Kind
	Code       string
	Message    words.Text
	Field      string
	RetryAfter time.Duration
	Err        error // inner cause: logged, never sent
}

// Error gives the public message and the cause, for logs.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Code + ": " + e.Err.Error()
	}
	return e.Code + ": " + e.Message.String()
}

// Unwrap gives the inner cause.
func (e *Error) Unwrap() error { return e.Err }

// New makes an Error without a cause.
func New(kind Kind, code string, message words.Text) *Error {
	return &Error{Kind: kind, Code: code, Message: message}
}

// With returns a copy that carries the inner cause err.
func (e *Error) With(err error) *Error { c := *e; c.Err = err; return &c }

// In returns a copy that names the form field at fault.
func (e *Error) In(field string) *Error { c := *e; c.Field = field; return &c }

// After returns a copy that says how long to wait before trying again.
func (e *Error) After(d time.Duration) *Error { c := *e; c.RetryAfter = d; return &c }

// From finds the Error in err's chain, or an Internal one that wraps err.
// From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Code: "internal", Message: "Something went wrong on our side. Nothing was lost; please try again.", Err: err}
}

// Is reports whether err's chain holds an Error of the given kind.
func Is(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}
