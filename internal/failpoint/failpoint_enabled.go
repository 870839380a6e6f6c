//go:build faults

package failpoint

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

const (
	variableName     = "APPMARKET_FAULT"
	onceVariableName = "APPMARKET_FAULT_ONCE"
)

// knownPoints are the points that can be armed.
var knownPoints = []string{
	HelmRecordPending, HelmHookCreated, HelmHookEnded, HelmObjectsApplied, HelmRecordFinal, HelmObjectsDeleted,
	SourceBegun, AppBegun, InstanceBegun, InstanceOperated, InstanceSaved, TaskAdmitted, TaskWritten, TaskNoted,
}

// armedPoint is the point that the environment arms. Its name is empty if none is armed.
var armedPoint = fromEnvironment()

type failpoint struct{ name, subject, once string }

// fromEnvironment returns the armed point. It panics on invalid input, because a test with a
// misspelled point would pass without the kill.
func fromEnvironment() failpoint {
	text := os.Getenv(variableName)
	if text == "" {
		return failpoint{}
	}
	name, subject, found := strings.Cut(text, "@")
	if !found || subject == "" || !slices.Contains(knownPoints, name) {
		panic(fmt.Sprintf("%s: %q must be a known point, followed by @ and a subject", variableName, text))
	}
	return failpoint{name: name, subject: subject, once: os.Getenv(onceVariableName)}
}

// Point kills this process if the point is armed for the subject, unless the file of an
// earlier kill exists.
func Point(name, subject string) {
	if name != armedPoint.name || armedPoint.subject != "*" && armedPoint.subject != subject {
		return
	}
	if armedPoint.once != "" {
		file, err := os.OpenFile(armedPoint.once, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if errors.Is(err, os.ErrExist) {
			return
		}
		if err == nil {
			err = file.Close()
		}
		if err != nil {
			panic(fmt.Sprintf("%s: %v", onceVariableName, err))
		}
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		panic(fmt.Sprintf("kill at %s: %v", name, err))
	}
	select {} // The kill can take a moment. The process must not continue until then.
}
