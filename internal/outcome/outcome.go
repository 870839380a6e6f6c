// Package outcome says what an error means for whoever has to try again.
//
// A phase of a controller, a step of hydration and an adapter return only an
// error. Where the meaning of a failure is known, it is said there, once:
//
//   - Stalled: nothing changes until the spec or the source does;
//   - Waiting: something else must happen first;
//   - Failed: it went wrong, try again with back-off.
//
// A plain error means Failed without a reason of its own. The meaning survives
// wrapping with %w; the outermost one counts. internal/status turns it into
// conditions and the answer to the work queue.
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

// verdict is an error with its meaning.
type classifiedError struct {
	kind   kind
	reason string
	after  time.Duration
	err    error
}

func (v *classifiedError) Error() string { return v.err.Error() }
func (v *classifiedError) Unwrap() error { return v.err }

// Failed marks err as a failure that is tried again with back-off. The reason
// is a constant of api/v1alpha1.
func Failed(reason string, err error) error {
	return orNil(&classifiedError{kind: failed, reason: reason, err: err})
}

// Waiting marks err as something that must happen elsewhere first. The object is
// looked at again after the given time, or sooner when a watch says so; zero
// means that only a watch brings it back.
func Waiting(reason string, after time.Duration, err error) error {
	return orNil(&classifiedError{kind: waiting, reason: reason, after: after, err: err})
}

// Stalled marks err as final: trying again is of no use until the spec, or what
// it points to, has changed.
func Stalled(reason string, err error) error {
	return orNil(&classifiedError{kind: stalled, reason: reason, err: err})
}

// Stalledf returns an error of the formatted text that is final, as Stalled does.
func Stalledf(reason, format string, args ...any) error {
	return Stalled(reason, fmt.Errorf(format, args...))
}

// mark returns nil for a nil error, so that a call may be returned as it is.
func orNil(v *classifiedError) error {
	if v.err == nil {
		return nil
	}
	return v
}

// Reason is the reason that err was marked with, or otherwise the fallback.
func Reason(err error, fallback string) string {
	if v, ok := errors.AsType[*classifiedError](err); ok && v.reason != "" {
		return v.reason
	}
	return fallback
}

// IsStalled reports whether err is final.
func IsStalled(err error) bool {
	v, ok := errors.AsType[*classifiedError](err)
	return ok && v.kind == stalled
}

// IsWaiting reports whether err waits for something else, and for how long at
// most before the object should be looked at again.
func IsWaiting(err error) (time.Duration, bool) {
	v, ok := errors.AsType[*classifiedError](err)
	if !ok || v.kind != waiting {
		return 0, false
	}
	return v.after, true
}
