package command

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"

	"github.com/appmarket/operator/plugin/table"
)

// Values of the flag --color.
const (
	colorAuto   = "auto"
	colorAlways = "always"
	colorNever  = "never"
)

var colorOptions = []string{colorAuto, colorAlways, colorNever}

// addColorFlag adds the flag for colors to all commands.
func (f *Factory) addColorFlag(root *cobra.Command) {
	root.PersistentFlags().StringVar(&f.color, "color", colorAuto,
		"Whether states in tables are colored: auto colors them on a terminal unless the variable NO_COLOR is set. One of: ("+strings.Join(colorOptions, ", ")+").")
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		if !slices.Contains(colorOptions, f.color) {
			return cmdutil.UsageErrorf(c, "--color: Unsupported value: %q: supported values: %s", f.color, strings.Join(colorOptions, ", "))
		}
		return nil
	}
}

// hasColors reports whether tables are colored.
func (f *Factory) hasColors() bool {
	return f.color == colorAlways || f.color == colorAuto && f.Screen != nil && os.Getenv("NO_COLOR") == ""
}

// colorWriter replaces the marks of a table with the control sequences of a terminal.
type colorWriter struct{ out io.Writer }

var controlSequences = strings.NewReplacer(
	string(table.MarkGood), "\x1b[32m", string(table.MarkBad), "\x1b[31m", string(table.MarkNeutral), "\x1b[39m", string(table.MarkEnd), "\x1b[0m")

// Write implements io.Writer.
func (w colorWriter) Write(text []byte) (int, error) {
	if _, err := fmt.Fprint(w.out, controlSequences.Replace(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}
