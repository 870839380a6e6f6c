package olares

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// Reader reads OlaresManifest.yaml. It implements hydrate.ManifestReader.
type Reader struct{}

var _ hydrate.ManifestReader = Reader{}

// versionKey is one key that contains a dot. It is not a path of two keys.
const versionKey = "olaresManifest.version"

// Templated reports whether the manifest is a Helm template that must be rendered before
// Read. It is a template if olaresManifest.version is lower than 0.12.0, absent or invalid.
// The line is searched without parsing the manifest, because a template is often not valid
// YAML.
func (Reader) Templated(text []byte) bool {
	for line := range bytes.Lines(bytes.TrimPrefix(text, byteOrderMark)) {
		key, value, found := strings.Cut(string(line), ":")
		if !found || strings.Trim(strings.TrimRight(key, " \t"), `"'`) != versionKey {
			continue
		}
		return isTemplateVersion(value)
	}
	return true
}

// isTemplateVersion reports whether manifests of a version are templates. The value may be
// quoted and followed by a comment.
func isTemplateVersion(value string) bool {
	value, _, _ = strings.Cut(value, " #")
	version, err := semver.NewVersion(strings.Trim(strings.TrimSpace(value), `"'`))
	if err != nil {
		return true
	}
	return version.Major() == 0 && version.Minor() < 12
}

// Read decodes a manifest that is not a template, or that is rendered. It returns an error
// that is stalled with InvalidManifest if the content is not a YAML map or exceeds a limit, if
// metadata.name or metadata.version is missing, or if metadata, spec, spec.subCharts,
// entrances or envs has a wrong type. Any other invalid or unknown field is ignored with a
// warning.
func (Reader) Read(text []byte) (*hydrate.Manifest, error) {
	m, err := decodeManifest(text)
	if err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidManifest, fmt.Errorf("read manifest: %w", err))
	}
	return m, nil
}

func decodeManifest(text []byte) (*hydrate.Manifest, error) {
	root, more, err := parseDocument(text)
	if err != nil {
		return nil, err
	}
	w := &warnings{}
	if more {
		w.addWarning("the file has more than one document: only the first one is read")
	}
	top := w.openMapping(pathNode{path: "the manifest", node: root}, essential)
	if top == nil {
		return nil, w.err
	}
	top.path = ""
	m := &hydrate.Manifest{}
	readTop(m, top)
	if w.err != nil {
		return nil, w.err
	}
	m.Warnings = w.sortedWarnings()
	return m, nil
}
