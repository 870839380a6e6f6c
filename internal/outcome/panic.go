package outcome

import (
	"fmt"
	"runtime/debug"
)

// Panic is a panic that was turned into an error. It is an error without a reason of
// its own: the work is tried again with back-off.
type Panic struct {
	// Value is what was passed to panic.
	Value any
	// Stack is that of the goroutine that panicked.
	Stack []byte
}

// Error names the value only: the stack is for the log.
func (p *Panic) Error() string {
	return fmt.Sprintf("internal error: %v; the operator's log has the stack, please report it", p.Value)
}

// Recover sets err to a *Panic where the function that defers it panics:
//
//	defer outcome.Recover(&err)
func Recover(err *error) {
	if value := recover(); value != nil {
		*err = &Panic{Value: value, Stack: debug.Stack()}
	}
}

// Guarded returns a function that runs do and returns a *Panic where do panics. A
// goroutine runs it in place of do: a panic that leaves a goroutine ends the process.
func Guarded(do func() error) func() error {
	return func() (err error) {
		defer Recover(&err)
		return do()
	}
}
