package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/plugin/table"
)

// wideFormat is the format with all columns of a table.
const wideFormat = "wide"

// listFlags are the flags of a command that prints a list.
type listFlags struct {
	writeFlags
	noHeaders, all, watch bool
	selector              string
}

// newListFlags adds the flags of a command that prints a list.
func newListFlags(c *cobra.Command) *listFlags {
	l := &listFlags{writeFlags: *newPrintOnlyFlags(c)}
	formats := append([]string{wideFormat}, l.print.AllowedFormats()...)
	c.Flag("output").Usage = fmt.Sprintf("Output format. One of: (%s).", strings.Join(formats, ", "))
	c.Flags().BoolVar(&l.noHeaders, "no-headers", false, "Do not print the header of the table.")
	return l
}

// addSelector adds the flag for labels.
func (l *listFlags) addSelector(c *cobra.Command) {
	c.Flags().StringVarP(&l.selector, "selector", "l", "", "Label selector, such as app=web.")
}

// addAllNamespaces adds the flag for a list of all namespaces.
func (l *listFlags) addAllNamespaces(c *cobra.Command) {
	c.Flags().BoolVarP(&l.all, "all-namespaces", "A", false, "List the objects of all namespaces.")
}

// newPrintOnlyFlags adds the flags of a command that prints objects.
func newPrintOnlyFlags(c *cobra.Command) *writeFlags {
	w := &writeFlags{print: genericclioptions.NewPrintFlags("")}
	addPrintFlags(w.print, c)
	completeFlag(c, "output", fixedCompletion(append([]string{wideFormat}, w.print.AllowedFormats()...)...))
	return w
}

// addPrintFlags adds the flags of kubectl for the format of the output. Those that few users need are not in
// the usage texts.
func addPrintFlags(printed *genericclioptions.PrintFlags, c *cobra.Command) {
	printed.AddFlags(c)
	for _, name := range []string{"allow-missing-template-keys", "show-managed-fields", "template"} {
		if flag := c.Flag(name); flag != nil {
			flag.Hidden = true
		}
	}
}

// options returns the options of the list. namespace is the namespace of the user.
func (l *listFlags) options(namespace string) ([]client.ListOption, error) {
	selector, err := labels.Parse(l.selector)
	if err != nil {
		return nil, err
	}
	if l.all {
		namespace = ""
	}
	return []client.ListOption{client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: selector}}, nil
}

// printList prints a list in the format of the flags: as a table, or as objects.
func (f *Factory) printList(l *listFlags, list runtime.Object, rows *metav1.Table, none string) error {
	if l.printsObjects() {
		return l.printObjects(f.Streams.Out, list)
	}
	if len(rows.Rows) == 0 {
		fmt.Fprintln(f.Streams.ErrOut, none)
		return nil
	}
	return f.newTablePrinter(l).PrintObj(rows, f.tableOut())
}

// tableOut returns the output of tables.
func (f *Factory) tableOut() io.Writer {
	if f.hasColors() {
		return colorWriter{f.Streams.Out}
	}
	return f.Streams.Out
}

// printsObjects reports whether objects are printed instead of a table.
func (l *listFlags) printsObjects() bool {
	return *l.print.OutputFormat != "" && *l.print.OutputFormat != wideFormat
}

// newTablePrinter returns the printer of tables in the format of the flags.
func (f *Factory) newTablePrinter(l *listFlags) printers.ResourcePrinter {
	printer := printers.NewTablePrinter(printers.PrintOptions{NoHeaders: l.noHeaders, Wide: *l.print.OutputFormat == wideFormat})
	if !f.hasColors() {
		return printer
	}
	return printers.ResourcePrinterFunc(func(o runtime.Object, out io.Writer) error {
		if rows, isTable := o.(*metav1.Table); isTable {
			table.MarkStates(rows)
		}
		return printer.PrintObj(o, out)
	})
}

// noneFound returns the sentence for an empty list of a command that has the flag --all-namespaces.
func noneFound(what, namespace string, all bool) string {
	if all {
		return "No " + what + " found"
	}
	return noneFoundIn(what, namespace) + " Use -A for all namespaces."
}

// noneFoundIn returns the sentence for an empty list of a namespace, as kubectl prints it.
func noneFoundIn(what, namespace string) string {
	return fmt.Sprintf("No %s found in %s namespace.", what, namespace)
}
