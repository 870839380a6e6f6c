package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/tools/clientcmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

// Exit codes of the plugin. docs/kubectl-market.md documents them.
const (
	ExitDone = 0
	// ExitError is the exit code for usage, the API and objects that do not exist.
	ExitError = 1
	// ExitRejected is the exit code for a task that failed before it changed anything.
	ExitRejected = 2
	// ExitNeedsInput is the exit code for a task that waits for inputs.
	ExitNeedsInput = 3
	// ExitFailed is the exit code for a task that failed after it was admitted.
	ExitFailed = 4
	// ExitTimedOut is the exit code for the end of --timeout. The task continues.
	ExitTimedOut = 5
	// ExitCanceled is the exit code for a task that was canceled or interrupted by another task.
	ExitCanceled = 6
	// ExitChanges is the exit code of --exit-code if there are updates or changes.
	ExitChanges = 10
	// ExitInterrupted is the exit code for Ctrl-C. The task continues.
	ExitInterrupted = 130
)

// exitError is an error with an exit code, further lines, and commands that help.
type exitError struct {
	code    int
	cause   error
	details []string
	hints   []string
}

// Error implements error.
func (e *exitError) Error() string { return e.cause.Error() }

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.cause }

// withHint returns an error with exit code 1 and a command that helps.
func withHint(err error, hint string) error {
	return &exitError{code: ExitError, cause: err, hints: []string{hint}}
}

// errUpdates is the error of --exit-code if there are updates. It is not printed.
var errUpdates = &exitError{code: ExitChanges, cause: errors.New("updates are available")}

// printError prints an error as kubectl does and returns the exit code.
func printError(out io.Writer, err error) int {
	var exit *exitError
	if errors.As(err, &exit) {
		if exit == errUpdates || exit == errChanges || exit == errWatchInterrupted {
			return exit.code
		}
		fmt.Fprintln(out, strings.TrimSuffix(errorText(exit.cause), "\n"))
		for _, line := range exit.details {
			fmt.Fprintln(out, line)
		}
		for _, hint := range exit.hints {
			writeHint(out, hint)
		}
		return exit.code
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(out, "error: interrupted")
		return ExitInterrupted
	}
	fmt.Fprintln(out, strings.TrimSuffix(errorText(err), "\n"))
	return ExitError
}

// errorText returns the text of an error in the words of kubectl. An error of the API server that
// was wrapped is printed as if it was not.
func errorText(err error) string {
	var status *apierrors.StatusError
	if errors.As(err, &status) {
		if status.Status().Reason == metav1.StatusReasonInvalid {
			return invalidText(status.Status())
		}
		err = status
	}
	if clientcmd.IsConfigurationInvalid(err) {
		return cmdutil.MultilineError("Error in configuration: ", err)
	}
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if message, known := cmdutil.StandardErrorMessage(cause); known {
			return message
		}
	}
	return "error: " + strings.TrimPrefix(err.Error(), "error: ")
}

// invalidText returns the text for an object that the API server rejected.
func invalidText(status metav1.Status) string {
	details := status.Details
	if details == nil || details.Kind == "" {
		return "The request is invalid: " + status.Message
	}
	subject := fmt.Sprintf("The %s %q is invalid", details.Kind, details.Name)
	var causes []error
	for _, cause := range details.Causes {
		causes = append(causes, fmt.Errorf("%s: %s", cause.Field, cause.Message))
	}
	if len(causes) == 0 {
		return subject + ": " + status.Message
	}
	return cmdutil.MultilineError(subject+": ", utilerrors.NewAggregate(causes))
}
