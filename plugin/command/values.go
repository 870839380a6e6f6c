package command

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"helm.sh/helm/v3/pkg/strvals"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/internal/values"
)

// maxValuesFile is the maximum size of a file with values in bytes.
const maxValuesFile = 1 << 20

// valueFlags are the flags for Helm values.
type valueFlags struct {
	files, set, setString, setJSON, from []string
	reset                                bool
}

// addFlags adds the flags. keeps specifies whether the values of the instance are kept.
func (v *valueFlags) addFlags(c *cobra.Command, keeps bool) {
	flags := c.Flags()
	flags.StringArrayVarP(&v.files, "values", "f", nil, "File with Helm values; - is the standard input. Later files override earlier ones.")
	flags.StringArrayVar(&v.set, "set", nil, "Helm values as PATH=VALUE, as for helm install --set.")
	flags.StringArrayVar(&v.setString, "set-string", nil, "Helm values as PATH=TEXT. The values are texts.")
	flags.StringArrayVar(&v.setJSON, "set-json", nil, "Helm values as PATH=JSON.")
	flags.StringArrayVar(&v.from, "values-from", nil, "Secret or ConfigMap with Helm values, as secret/NAME[/KEY] or configmap/NAME[/KEY]. They replace the references of the instance.")
	if keeps {
		flags.BoolVar(&v.reset, "reset-values", false, "Do not keep the values of the instance.")
	}
}

// isGiven reports whether a flag for values is given.
func (v *valueFlags) isGiven() bool {
	return v.reset || len(v.files)+len(v.set)+len(v.setString)+len(v.setJSON) > 0
}

// encode returns the values of the flags, merged into the present values of the instance, nil if no
// flag is given. As with helm, --set-json, --set and --set-string override files, in this order.
func (v *valueFlags) encode(present *runtime.RawExtension, stdin io.Reader) (*runtime.RawExtension, error) {
	if !v.isGiven() {
		return nil, nil
	}
	given := map[string]any{}
	for _, name := range v.files {
		text, err := readFile(name, stdin)
		if err != nil {
			return nil, err
		}
		decoded, err := values.Decode(text)
		if err != nil {
			return nil, fmt.Errorf("file %s: %w", name, err)
		}
		given = values.Overlay(given, decoded)
	}
	for _, kind := range []struct {
		flag  string
		texts []string
		parse func(string, map[string]any) error
	}{
		{"set-json", v.setJSON, strvals.ParseJSON}, {"set", v.set, strvals.ParseInto}, {"set-string", v.setString, strvals.ParseIntoString},
	} {
		for _, text := range kind.texts {
			if err := kind.parse(text, given); err != nil {
				return nil, fmt.Errorf("--%s %s: %w", kind.flag, text, err)
			}
		}
	}
	if v.reset {
		present = nil
	}
	base, err := values.DecodeField(present)
	if err != nil {
		return nil, fmt.Errorf("values of the instance: %w", err)
	}
	return taskbuilder.EncodeValues(values.Overlay(base, given))
}

// references returns the references to Helm values.
func (v *valueFlags) references() ([]v1alpha1.ValuesReference, error) {
	var references []v1alpha1.ValuesReference
	for _, text := range v.from {
		ref, err := taskbuilder.ParseValuesReference(text)
		if err != nil {
			return nil, fmt.Errorf("--values-from: %w", err)
		}
		references = append(references, ref)
	}
	return references, nil
}

// readFile reads a file of the user, or the standard input for "-".
func readFile(name string, stdin io.Reader) ([]byte, error) {
	reader := stdin
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		reader = file
	}
	text, err := io.ReadAll(io.LimitReader(reader, maxValuesFile+1))
	if err == nil && len(text) > maxValuesFile {
		err = fmt.Errorf("file %s is larger than 1 MiB", name)
	}
	return text, err
}
