package taskbuilder

import (
	"bytes"

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
