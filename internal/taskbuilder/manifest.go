package taskbuilder

import (
	"bytes"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/printers"
)

// Manifest returns objects as YAML documents, as kubectl prints them.
func Manifest(objects ...runtime.Object) (string, error) {
	var text bytes.Buffer
	printer := &printers.YAMLPrinter{}
	for _, o := range objects {
		if err := printer.PrintObj(o, &text); err != nil {
			return "", err
		}
	}
	return text.String(), nil
}

// ApplyCommand returns the command of kubectl that applies a manifest, ready to be pasted into a shell. The manifest
// ends with a line break.
func ApplyCommand(manifest string) string {
	end, lines := "EOF", strings.Split(manifest, "\n")
	for slices.Contains(lines, end) {
		end += "_"
	}
	return "kubectl apply -f - <<'" + end + "'\n" + manifest + end + "\n"
}
