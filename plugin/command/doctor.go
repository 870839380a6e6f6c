package command

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/appmarket/operator/plugin/diagnostics"
)

func (f *Factory) newDoctorCommand() *cobra.Command {
	var file, operator string
	c := &cobra.Command{
		Use: "doctor", Short: "Collect the state of the market in an archive, for a bug report",
		Long: "Writes an archive with the versions, the objects of AppMarket, their events, and the pods, the logs and the readiness of the operator, " +
			"as far as you may read them. It contains no Secrets. Helm values, the values of inputs, environment variables and tokens are removed. " +
			"Look at the archive before you give it to others.",
		Example: f.example("# Write an archive to the current folder", "doctor", "# Write an archive to a file", "doctor -n demo --out report.tar.gz"),
		Args:    exactArgs(0, ""),
	}
	c.Flags().StringVar(&file, "out", "", "File to write, - for the standard output. Defaults to appmarket-doctor-TIME.tar.gz.")
	c.Flags().StringVar(&operator, "operator-namespace", "", "Namespace of the operator. Defaults to all namespaces.")
	completeFlag(c, "operator-namespace", noCompletion)
	c.RunE = func(c *cobra.Command, _ []string) error {
		config, err := f.flags.ToRESTConfig()
		if err != nil {
			return err
		}
		namespace, err := f.namespaceName()
		if err != nil {
			return err
		}
		o := diagnostics.Options{Namespace: namespace, OperatorNamespace: operator, Version: f.Version, Now: f.Now()}
		ctx, _, stop := waitContexts(c.Context(), 0)
		defer stop()
		write := func(out io.Writer) error {
			problems, err := diagnostics.Write(ctx, config, out, o)
			for _, problem := range problems {
				fmt.Fprintln(f.Streams.ErrOut, "not read: "+printable(problem))
			}
			return err
		}
		if file == "-" {
			return write(f.Streams.Out)
		}
		file = cmp.Or(file, "appmarket-doctor-"+f.Now().UTC().Format("20060102T150405Z")+".tar.gz")
		if err := writeNewFile(file, write); err != nil {
			return err
		}
		f.printResult("%s", file)
		return nil
	}
	return c
}

// writeNewFile writes a file that only the user can read, and replaces it when it is complete.
func writeNewFile(file string, write func(io.Writer) error) error {
	temporary, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-")
	if err != nil {
		return err
	}
	if err := errors.Join(write(temporary), temporary.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return os.Rename(temporary.Name(), file)
}
