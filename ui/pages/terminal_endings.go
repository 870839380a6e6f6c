package pages

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/client-go/util/exec"

	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/ui/locale"
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

// explain returns the outcome of a terminal for the log, and the explanation for the user.
func (t *terminalView) explain(l *locale.Language, opened *terminal.Session, ending terminal.Ending, err error) (string, terminal.Explanation) {
	if ending != terminal.Ended {
		return string(ending), terminal.Explanation{Text: l.Word("terminalEnding", ending)}
	}
	if err == nil {
		return outcomeExited, terminal.Explanation{Text: l.Text("terminal.exited")}
	}
	var exited exec.CodeExitError
	message := statusMessage(err)
	detail := text.Printable(message, 500)
	switch {
	case isShellMissing(err, opened.HadInput()):
		return outcomeNoShell, terminal.Explanation{
			Text: l.Text("terminal.noShell", "Container", t.Container.Name), Detail: detail, Command: t.debugCommand(),
		}
	case errors.As(err, &exited):
		return outcomeExited, terminal.Explanation{Text: l.Text("terminal.exitedWith", "Code", exited.Code)}
	case strings.Contains(message, "is forbidden"): // The error of a refused connection is a text only.
		return outcomeDenied, terminal.Explanation{Text: l.Text("terminal.denied"), Detail: detail}
	case strings.Contains(message, fmt.Sprintf("pods %q not found", t.Pod.Name)):
		return outcomeNotFound, terminal.Explanation{Text: l.Text("terminal.podMissing")}
	case strings.Contains(message, "container not found"), strings.Contains(message, "not created or running"):
		return outcomeNotFound, terminal.Explanation{Text: l.Text("terminal.containerEnded", "Container", t.Container.Name), Detail: detail}
	}
	return outcomeFailed, terminal.Explanation{Text: l.Text("terminal.failed", "Node", t.Pod.Spec.NodeName), Detail: detail}
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
