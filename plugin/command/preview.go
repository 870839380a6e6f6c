package command

import (
	"fmt"
	"io"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preview"
	"github.com/appmarket/operator/internal/taskbuilder"
)

// printChange prints what an Upgrade or Configure request changes in an instance. app is the app of the
// instance, nil if the user cannot read it.
// asked contains the names of the inputs that the user has to type.
func printChange(out io.Writer, instance *v1alpha1.AppInstance, app *v1alpha1.AppInfo, r taskbuilder.Request, asked []string) error {
	lines, err := preview.ChangeLines(instance, app, r, asked)
	if err != nil {
		return err
	}
	for _, line := range lines {
		printLine(out, line.Name, line.Text)
	}
	return nil
}

// printLine prints a line of a preview, unless it is empty.
func printLine(out io.Writer, name, line string) {
	if line != "" {
		fmt.Fprintf(out, "%-10s %s\n", name+":", printable(line))
	}
}
