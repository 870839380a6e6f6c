package command

import (
	"fmt"
	"io"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preview"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/internal/transitions"
)

// printChange prints what an Upgrade or Configure request changes in an instance. app is the app of the
// instance, nil if the user cannot read it.
// asked contains the names of the inputs that the user has to type.
func printChange(out io.Writer, instance *v1alpha1.AppInstance, app *v1alpha1.AppInfo, r taskbuilder.Request, asked []string) error {
	lines, err := preview.ChangeLines(instance, app, r, asked)
	if err != nil {
		return err
	}
	printLines(out, lines)
	return nil
}

// printReinstallation prints which values and inputs of an uninstalled instance an Install request uses again. It
// prints nothing for an instance that is nil or installed.
func printReinstallation(out io.Writer, instance *v1alpha1.AppInstance, r taskbuilder.Request, asked []string) error {
	if transitions.StateOf(instance) != transitions.Uninstalled {
		return nil
	}
	lines, err := preview.ReinstallLines(instance, r, asked)
	if err != nil {
		return err
	}
	printLines(out, lines)
	return nil
}

// printLines prints the lines of a preview.
func printLines(out io.Writer, lines []preview.Line) {
	for _, line := range lines {
		printLine(out, line.Name, line.Text)
	}
}

// printLine prints a line of a preview, unless it is empty.
func printLine(out io.Writer, name, line string) {
	if line != "" {
		fmt.Fprintf(out, "%-10s %s\n", name+":", printable(line))
	}
}
