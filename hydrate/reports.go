package hydrate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/internal/chart"
)

// masked replaces secret values in reports.
const masked = "(masked)"

// NewReports returns the texts that are published with a chart for users and for web pages.
// They are too long for an object.
//
//	app.json                   the manifest as AppMarket parsed it
//	images.json                the images with their details from the registries
//	objects.yaml               the rendered objects, with the contents of Secrets and the platform values masked
//	changes.yaml               the annotation artifacthub.io/changes of the chart
//	README.md, values.yaml, …  files of the chart for users
func NewReports(d *Draft) (map[string][]byte, error) {
	reports := map[string][]byte{}
	for _, name := range []string{"README.md", chart.ValuesFile, chart.SchemaFile} {
		if text, ok := d.FindFile(name); ok {
			reports[name] = text
		}
	}
	for _, f := range d.Files {
		if locale, ok := strings.CutPrefix(path.Dir(f.Name), "i18n/"); ok && path.Base(f.Name) == manifestFile && !strings.Contains(locale, "/") {
			reports["i18n-"+locale+".yaml"] = f.Data
		}
	}
	if changes := d.Chart.Annotations["artifacthub.io/changes"]; changes != "" {
		reports["changes.yaml"] = []byte(changes)
	}
	var err error
	if reports["app.json"], err = indentedJSON(d.Manifest); err != nil {
		return nil, fmt.Errorf("encode app.json: %w", err)
	}
	if reports["images.json"], err = indentedJSON(d.Images); err != nil {
		return nil, fmt.Errorf("encode images.json: %w", err)
	}
	if reports["objects.yaml"], err = objectsReport(d); err != nil {
		return nil, err
	}
	return reports, nil
}

func indentedJSON(content any) ([]byte, error) { return json.MarshalIndent(content, "", "  ") }

func objectsReport(d *Draft) ([]byte, error) {
	var out bytes.Buffer
	platform := newMasker(d.Request.Platform)
	for _, unit := range d.Units {
		for _, doc := range unit.Documents {
			text, err := platform.maskDocument(doc)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", doc.Path, err)
			}
			fmt.Fprintf(&out, "---\n# Source: %s\n%s\n", doc.Path, strings.TrimSuffix(text, "\n"))
		}
	}
	return out.Bytes(), nil
}

// maskSecret masks the values of a Secret, which may contain platform values. Other
// documents are returned unchanged.
func maskSecret(text string) (string, error) {
	if !strings.Contains(text, "Secret") {
		return text, nil
	}
	var document any
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return "", fmt.Errorf("read object: %w", err)
	}
	object, ok := document.(map[string]any)
	if !ok || !maskSecretFields(object) {
		return text, nil
	}
	out, err := yaml.Marshal(object)
	if err != nil {
		return "", fmt.Errorf("write object: %w", err)
	}
	return string(out), nil
}

// maskSecretFields masks a Secret, or the Secrets in a List, and reports whether it found any.
func maskSecretFields(object map[string]any) bool {
	found := false
	if items, ok := object["items"].([]any); ok {
		for _, item := range items {
			inner, ok := item.(map[string]any)
			if ok && object["kind"] == "SecretList" && inner["kind"] == nil {
				inner["kind"] = "Secret"
			}
			if ok && maskSecretFields(inner) {
				found = true
			}
		}
	}
	if object["kind"] != "Secret" {
		return found
	}
	for _, field := range []string{"data", "stringData"} {
		if values, ok := object[field].(map[string]any); ok {
			for key := range values {
				values[key] = masked
			}
		}
	}
	return true
}
