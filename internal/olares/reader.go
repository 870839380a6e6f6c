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

// versionKey is a key with a dot in it, not a path.
const versionKey = "olaresManifest.version"

// Templated reports whether the text is a Helm template that must be rendered
// before Read. Those below olaresManifest.version 0.12.0 are, and those whose
// version is absent or no version, as the field is as old as the format. The
// line is looked for without parsing, since a template is often no YAML.
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

// below012 reads the value of a line, which may be quoted and have a comment.
func isTemplateVersion(value string) bool {
	value, _, _ = strings.Cut(value, " #")
	version, err := semver.NewVersion(strings.Trim(strings.TrimSpace(value), `"'`))
	if err != nil {
		return true
	}
	return version.Major() == 0 && version.Minor() < 12
}

// Read decodes a literal or rendered manifest. It fails, stalled with
// InvalidManifest, for a text that is no YAML map or exceeds a bound, without
// metadata.name or metadata.version, and for a wrong type of metadata, spec,
// spec.subCharts, entrances or envs. Everything else that is not understood is
// left out and becomes a warning.
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
	n := &warnings{}
	if more {
		n.addWarning("the text has more than one document and only the first was read")
	}
	top := n.openMapping(pathNode{path: "the manifest", node: root}, essential)
	if top == nil {
		return nil, n.err
	}
	top.path = ""
	m := &hydrate.Manifest{}
	readTop(m, top)
	if n.err != nil {
		return nil, n.err
	}
	m.Warnings = n.sortedWarnings()
	return m, nil
}
