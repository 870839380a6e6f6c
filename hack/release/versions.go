package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"
)

// heading matches the heading of a section in CHANGELOG.md.
var heading = regexp.MustCompile(`(?m)^## (.+)$`)

// check returns an error unless the versions of the chart agree and have a section in CHANGELOG.md.
// If a tag is given, it must be equal to the version; otherwise the section may be Unreleased.
func check(root, tag string) error {
	version, err := chartVersion(root)
	if err != nil {
		return err
	}
	changes, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	if tag == "" {
		if sectionOf(changes, "Unreleased") == "" && sectionOf(changes, version) == "" {
			return fmt.Errorf("CHANGELOG.md has neither a section Unreleased nor one for %s, the version of Chart.yaml", version)
		}
		return nil
	}
	if tag != "v"+version {
		return fmt.Errorf("tag %q is not v%s, the version of charts/appmarket/Chart.yaml", tag, version)
	}
	_, err = notesFor(root, version)
	return err
}

// chartVersion returns the version of the chart, which must be equal to its appVersion.
func chartVersion(root string) (string, error) {
	file := filepath.Join(root, "charts/appmarket/Chart.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var chart struct{ Version, AppVersion string }
	if err := yaml.Unmarshal(text, &chart); err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	if chart.Version != chart.AppVersion {
		return "", fmt.Errorf("%s: version %q and appVersion %q differ", file, chart.Version, chart.AppVersion)
	}
	if _, err := semver.StrictNewVersion(chart.Version); err != nil {
		return "", fmt.Errorf("%s: version %q: %w", file, chart.Version, err)
	}
	return chart.Version, nil
}

// notesFor returns the section of CHANGELOG.md for a version.
func notesFor(root, version string) (string, error) {
	changes, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		return "", err
	}
	section := sectionOf(changes, version)
	if section == "" {
		return "", fmt.Errorf("CHANGELOG.md has no section %q, or an empty one; move the changes of Unreleased there", "## "+version)
	}
	return section + "\n", nil
}

// sectionOf returns the text below a heading. The heading may end with a date, as in "## 0.1.0
// (2026-12-01)".
func sectionOf(changes []byte, name string) string {
	headings := heading.FindAllSubmatchIndex(changes, -1)
	for i, at := range headings {
		title, _, _ := strings.Cut(string(changes[at[2]:at[3]]), " (")
		if title != name {
			continue
		}
		end := len(changes)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		return string(bytes.TrimSpace(changes[at[1]:end]))
	}
	return ""
}
