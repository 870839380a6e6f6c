package command

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/taskbuilder"
	"github.com/appmarket/operator/internal/values"
)

// inputFlags are the flags for the inputs of an app.
type inputFlags struct {
	texts, files, secrets, sources []string
}

func (i *inputFlags) addFlags(c *cobra.Command) {
	flags := c.Flags()
	flags.StringArrayVar(&i.texts, "input", nil, "Input of the app as NAME=VALUE.")
	flags.StringArrayVar(&i.files, "input-file", nil, "YAML file with inputs as a map of names and values; - is the standard input.")
	flags.StringArrayVar(&i.secrets, "secret-input", nil, "Confidential input as NAME, which asks for the value and stores it in the Secret INSTANCE-inputs, or as NAME=SECRET/KEY.")
	flags.StringArrayVar(&i.sources, "input-from", nil, "Input as NAME=secret/NAME/KEY, NAME=configmap/NAME/KEY or NAME=output/INSTANCE/OUTPUT.")
}

// givenInputs are the inputs of the flags.
type givenInputs struct {
	inputs []v1alpha1.InputValue
	// asked are the names of the confidential inputs whose values the user has to type.
	asked []string
}

// parse returns the inputs of the flags. Later inputs replace earlier ones with the same name.
func (i *inputFlags) parse(stdin io.Reader) (givenInputs, error) {
	var given givenInputs
	for _, name := range i.files {
		fromFile, err := readInputFile(name, stdin)
		if err != nil {
			return given, err
		}
		given.inputs = taskbuilder.MergeInputs(given.inputs, fromFile)
	}
	for _, text := range i.texts {
		name, value, found := strings.Cut(text, "=")
		if !found || name == "" {
			return given, fmt.Errorf("--input %s: must have the form NAME=VALUE", text)
		}
		given.inputs = taskbuilder.MergeInputs(given.inputs, []v1alpha1.InputValue{{Name: name, Value: &value}})
	}
	for _, text := range i.sources {
		name, source, _ := strings.Cut(text, "=")
		from, err := taskbuilder.ParseInputSource(source)
		if err != nil {
			return given, fmt.Errorf("--input-from %s: %w", name, err)
		}
		given.inputs = taskbuilder.MergeInputs(given.inputs, []v1alpha1.InputValue{{Name: name, ValueFrom: from}})
	}
	for _, text := range i.secrets {
		name, reference, found := strings.Cut(text, "=")
		if !found {
			given.asked = append(given.asked, name)
			continue
		}
		ref, err := taskbuilder.ParseKeyReference(reference)
		if err != nil {
			return given, fmt.Errorf("--secret-input %s: %w", name, err)
		}
		given.inputs = taskbuilder.MergeInputs(given.inputs, []v1alpha1.InputValue{taskbuilder.SecretInput(name, ref.Name, ref.Key)})
	}
	return given, nil
}

// readInputFile reads a file with inputs.
func readInputFile(name string, stdin io.Reader) ([]v1alpha1.InputValue, error) {
	text, err := readFile(name, stdin)
	if err != nil {
		return nil, err
	}
	decoded, err := values.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", name, err)
	}
	var given []v1alpha1.InputValue
	for _, input := range slices.Sorted(maps.Keys(decoded)) {
		if inputs.IsNested(decoded[input]) {
			return nil, fmt.Errorf("file %s: input %q must be a text, a number or a boolean", name, input)
		}
		value := inputs.ValueText(decoded[input])
		given = append(given, v1alpha1.InputValue{Name: input, Value: &value})
	}
	return given, nil
}

// askForSecrets asks for the values of confidential inputs and returns them by name.
func (f *Factory) askForSecrets(names []string) (map[string]string, error) {
	texts := map[string]string{}
	for _, name := range names {
		if f.Terminal == nil {
			return nil, fmt.Errorf("--secret-input %s asks for the value, and the input is not a terminal: use --secret-input %s=SECRET/KEY", name, name)
		}
		text, err := f.Terminal.ReadPassword(name + ": ")
		if err != nil {
			return nil, err
		}
		texts[name] = text
	}
	return texts, nil
}
