package permissions

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/yamlbounds"
)

const (
	// maxReportBytes is the maximum size of objects.yaml, and maxDecodedBytes of its documents as JSON, which is larger
	// if they contain aliases.
	maxReportBytes  = 8 << 20
	maxDecodedBytes = 32 << 20
)

// sourceComment precedes the path of the template in the first line of each document.
const sourceComment = "# Source: "

// parseReport returns the documents of objects.yaml as JSON.
func parseReport(report []byte) ([]objects.Document, error) {
	if len(report) > maxReportBytes {
		return nil, fmt.Errorf("objects.yaml has %d bytes, at most %d are read", len(report), maxReportBytes)
	}
	var documents []objects.Document
	left := maxDecodedBytes
	for _, part := range objects.SplitDocuments(string(report)) {
		document := objects.Document{Text: part}
		if line, _, _ := strings.Cut(part, "\n"); strings.HasPrefix(line, sourceComment) {
			document.Path = strings.TrimSpace(strings.TrimPrefix(line, sourceComment))
		}
		if err := yamlbounds.CheckText([]byte(part), maxReportBytes); err != nil {
			return nil, fmt.Errorf("%s: %w", document.Path, err)
		}
		decoded, err := yaml.YAMLToJSON([]byte(part))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", document.Path, err)
		}
		if left -= len(decoded); left < 0 {
			return nil, fmt.Errorf("the objects of the version have more than %d bytes", maxDecodedBytes)
		}
		document.Object, document.Hook = string(decoded), isHook(decoded)
		documents = append(documents, document)
	}
	return documents, nil
}

// isHook reports whether an object in JSON has the annotation of a Helm hook.
func isHook(decoded []byte) bool {
	var object struct {
		Metadata struct {
			Annotations map[string]any `json:"annotations"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal(decoded, &object); err != nil {
		return false // Not an object. ParseRequest ignores it.
	}
	_, found := object.Metadata.Annotations["helm.sh/hook"]
	return found
}
