package hydrate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/inputs"
)

// masked replaces secret values in reports.
const masked = "(masked)"

// NewReports returns the texts that are published with a chart for users and for web pages.
// They are too long for an object.
//
//	app.json                   the manifest as AppMarket parsed it
//	chart.json                 the content of Chart.yaml
//	inputs.json                the inputs with their conditions and limits
//	permissions.json           what the objects may do outside their Pods; only if they are known
//	audit.json                 the findings of the rules of the market; only if the source requires a review
//	images.json                the images with their details from the registries
//	layers.json                the layers of the images; added when the version is published
//	objects.yaml               the rendered objects, with the contents of Secrets and the platform values masked
//	README.md, values.yaml, …  files of the chart for users
func NewReports(d *Draft) (map[string][]byte, error) {
	reports := map[string][]byte{}
	for _, name := range []string{"README.md", chart.ValuesFile, chart.SchemaFile} {
		if text, ok := d.FindFile(name); ok {
			reports[name] = text
		}
	}
	for _, f := range d.Files {
		if locale := localeOf(f.Name); locale != "" {
			reports["i18n-"+locale+".yaml"] = f.Data
		}
	}
	contents := map[string]any{"app.json": d.Manifest, "chart.json": d.Chart, "inputs.json": inputs.ToReport(d.Inputs), "images.json": d.Images}
	if d.Description != nil {
		contents["permissions.json"] = d.Description.Access
	}
	if d.Audit != nil {
		contents["audit.json"] = d.Audit
	}
	var err error
	for name, content := range contents {
		if reports[name], err = indentedJSON(content); err != nil {
			return nil, fmt.Errorf("encode %s: %w", name, err)
		}
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
