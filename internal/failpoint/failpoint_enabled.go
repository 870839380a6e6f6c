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

// points are all that can be armed.
var knownPoints = []string{
	HelmRecordPending, HelmHookCreated, HelmHookEnded, HelmObjectsApplied, HelmRecordFinal, HelmObjectsDeleted,
	SourceBegun, AppBegun, InstanceBegun, InstanceOperated, InstanceSaved, TaskAdmitted, TaskWritten, TaskNoted,
}

// armed is what the environment asks for; no name if nothing.
var armedPoint = fromEnvironment()

type failpoint struct{ name, subject, once string }

// fromEnvironment panics over what it cannot read: a story whose point is never
// passed for a slip of the pen would seem to have a good end.
func fromEnvironment() failpoint {
	text := os.Getenv(variableName)
	if text == "" {
		return failpoint{}
	}
	name, subject, found := strings.Cut(text, "@")
	if !found || subject == "" || !slices.Contains(knownPoints, name) {
		panic(fmt.Sprintf("%s: %q is not a known point, @ and a subject", variableName, text))
	}
	return failpoint{name: name, subject: subject, once: os.Getenv(onceVariableName)}
}

// Point kills this process if it is the armed point, unless the file that tells of
// the kill is there already.
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
	select {} // the kill may take a moment, in which nothing must go on
}
