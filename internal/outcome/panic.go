package outcome

import (
	"fmt"
	"runtime/debug"
)

// Panic is a recovered panic. It is an unclassified error, so the work is retried with
// backoff.
type Panic struct {
	// Value is the argument of panic.
	Value any
	// Stack is the stack of the goroutine that panicked.
	Stack []byte
}

// Error returns a message with the value only. The stack is logged.
func (p *Panic) Error() string {
	return fmt.Sprintf("internal error: %v; report this error with the stack trace from the log of the operator", p.Value)
}

// Recover sets err to a *Panic if the function that defers it panics:
//
//	defer outcome.Recover(&err)
func Recover(err *error) {
	if value := recover(); value != nil {
		*err = &Panic{Value: value, Stack: debug.Stack()}
	}
}

// Guarded returns a function that calls do and returns a *Panic if do panics. Use it for
// functions that run in a goroutine, where a panic ends the process.
func Guarded(do func() error) func() error {
	return func() (err error) {
		defer Recover(&err)
		return do()
	}
}
