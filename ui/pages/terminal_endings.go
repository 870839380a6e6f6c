package pages

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/client-go/util/exec"

	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/ui/terminal"
)

// Outcomes of a terminal that its command ended, for the log and the recording. The others are the reasons of
// package terminal.
const (
	outcomeExited   = "Exited"
	outcomeNoShell  = "NoShell"
	outcomeNotFound = "NotFound"
	outcomeDenied   = "Denied"
	outcomeFailed   = "Failed"
)

// terminalEndings are the sentences for the reasons why a terminal ended.
var terminalEndings = map[terminal.Ending]string{
	terminal.Disconnected:      "The connection was lost.",
	terminal.SignedOut:         "Your sign-in has ended. Sign in again to open the terminal.",
	terminal.Denied:            "You no longer have the permission to create pods/exec in this namespace, or the permission cannot be checked now.",
	terminal.Idle:              "The terminal was closed because there was no input and no output for 30 minutes.",
	terminal.Expired:           "The terminal was closed because it was open for 4 hours.",
	terminal.NotRecorded:       "The terminal was closed because it can no longer be recorded. Ask an administrator to look at the log of the server.",
	terminal.RecordingTooLarge: "The terminal was closed because its recording has reached the maximum size.",
	terminal.InputNotRead:      "The terminal was closed because the program in the container does not read what you enter.",
	terminal.Invalid:           "The terminal was closed because the page sent an invalid message.",
	terminal.ShutDown:          "The server stops. Connect again in a few seconds.",
}

// explain returns the outcome of a terminal for the log, and the explanation for the user.
func (t *terminalView) explain(opened *terminal.Session, ending terminal.Ending, err error) (string, terminal.Explanation) {
	if ending != terminal.Ended {
		return string(ending), terminal.Explanation{Text: terminalEndings[ending]}
	}
	if err == nil {
		return outcomeExited, terminal.Explanation{Text: "The shell has ended."}
	}
	var exited exec.CodeExitError
	message := statusMessage(err)
	detail := text.Printable(message, 500)
	switch {
	case isShellMissing(err, opened.HadInput()):
		return outcomeNoShell, terminal.Explanation{
			Text: fmt.Sprintf("The container %s has no shell. This command starts one in a container of its own next to it:", t.Container.Name), Detail: detail, Command: t.debugCommand(),
		}
	case errors.As(err, &exited):
		return outcomeExited, terminal.Explanation{Text: fmt.Sprintf("The shell has ended with exit code %d.", exited.Code)}
	case strings.Contains(message, "is forbidden"): // The error of a refused connection is a text only.
		return outcomeDenied, terminal.Explanation{Text: "The API server does not allow you to open a terminal in this pod.", Detail: detail}
	case strings.Contains(message, fmt.Sprintf("pods %q not found", t.Pod.Name)):
		return outcomeNotFound, terminal.Explanation{Text: "The pod no longer exists."}
	case strings.Contains(message, "container not found"), strings.Contains(message, "not created or running"):
		return outcomeNotFound, terminal.Explanation{Text: fmt.Sprintf("The container %s is not running any more.", t.Container.Name), Detail: detail}
	}
	return outcomeFailed, terminal.Explanation{
		Text: fmt.Sprintf("Node %s does not open a terminal. The API server cannot reach the node, the connection was interrupted, or the node runs no programs, as it is the case for simulated nodes.",
			t.Pod.Spec.NodeName), Detail: detail,
	}
}

// isShellMissing reports whether the container has no shell. Runtimes describe this by an exit code of a shell,
// or by a text. After input, the exit code is the one of a command that the user entered.
func isShellMissing(err error, hadInput bool) bool {
	var exited exec.CodeExitError
	if errors.As(err, &exited) {
		return !hadInput && (exited.Code == 126 || exited.Code == 127)
	}
	message := statusMessage(err)
	return strings.Contains(message, "executable file not found") || strings.Contains(message, `exec: "sh"`)
}
