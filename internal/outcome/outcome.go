// Package outcome classifies errors by how they are retried.
//
// A phase of a controller, a step of hydration and an adapter return only an error. The code
// that knows the meaning of a failure classifies it, once:
//
//   - Stalled: no retry until the spec or the source changes;
//   - Waiting: another event must happen first;
//   - Failed: retried with backoff.
//
// An unclassified error counts as Failed without a reason of its own. Wrapping with %w keeps
// the classification. The outermost classification applies. Package status turns it into
// conditions and into the result for the work queue.
package outcome

import (
	"errors"
	"fmt"
	"time"
)

type kind int

const (
	failed kind = iota
	waiting
	stalled
)

// classifiedError is an error with its classification.
type classifiedError struct {
	kind   kind
	reason string
	after  time.Duration
	err    error
}

func (v *classifiedError) Error() string { return v.err.Error() }
func (v *classifiedError) Unwrap() error { return v.err }

// Failed classifies err as a failure that is retried with backoff. The reason is a constant
// of api/v1alpha1.
func Failed(reason string, err error) error {
	return orNil(&classifiedError{kind: failed, reason: reason, err: err})
}

// Waiting classifies err as a condition that another event must resolve first. The object is
// reconciled again after the given time, or earlier if a watch triggers it. Zero means that
// only a watch triggers it.
func Waiting(reason string, after time.Duration, err error) error {
	return orNil(&classifiedError{kind: waiting, reason: reason, after: after, err: err})
}

// Stalled classifies err as final: it is not retried until the spec, or an object that the
// spec refers to, changes.
func Stalled(reason string, err error) error {
	return orNil(&classifiedError{kind: stalled, reason: reason, err: err})
}

// Stalledf returns an error of the formatted text that is final, as Stalled does.
func Stalledf(reason, format string, args ...any) error {
	return Stalled(reason, fmt.Errorf(format, args...))
}

// orNil returns nil for a nil error, so that callers can return the result directly.
func orNil(v *classifiedError) error {
	if v.err == nil {
		return nil
	}
	return v
}

// Reason returns the reason of the classification of err, or the fallback if it has none.
func Reason(err error, fallback string) string {
	if v, ok := errors.AsType[*classifiedError](err); ok && v.reason != "" {
		return v.reason
	}
	return fallback
}

// IsStalled reports whether err is classified as final.
func IsStalled(err error) bool {
	v, ok := errors.AsType[*classifiedError](err)
	return ok && v.kind == stalled
}

// IsWaiting reports whether err is classified as waiting, and returns the time after which
// the object is reconciled again.
func IsWaiting(err error) (time.Duration, bool) {
	v, ok := errors.AsType[*classifiedError](err)
	if !ok || v.kind != waiting {
		return 0, false
	}
	return v.after, true
}
