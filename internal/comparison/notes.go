package comparison

import (
	"encoding/json"
	"fmt"
	"strings"

	sigsyaml "sigs.k8s.io/yaml"

	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/yamlbounds"
)

const (
	// maxNotesBytes is the maximum size of a text about a version, and maxNotes the maximum number of
	// changes that its developer lists.
	maxNotesBytes = 64 << 10
	maxNotes      = 50
)

// Notes are what the developer of an app writes about a version.
type Notes struct {
	// Description is the text of the app manifest about the upgrade.
	Description string
	// Changes are the entries of the annotation artifacthub.io/changes, and Total is their number.
	Changes []Note
	Total   int
}

// Note is a change that the developer lists.
type Note struct{ Kind, Text string }

// ParseNotes reads the reports app.json and chart.json of a version. A report that is missing or that
// cannot be read has no notes.
func ParseNotes(app, chart []byte) Notes {
	var manifest struct{ UpgradeDescription string }
	var notes Notes
	if json.Unmarshal(app, &manifest) == nil {
		notes.Description = strings.TrimSpace(text.Truncate(manifest.UpgradeDescription, maxNotesBytes))
	}
	var metadata struct{ Annotations map[string]string }
	if json.Unmarshal(chart, &metadata) != nil {
		return notes
	}
	changes := []byte(metadata.Annotations["artifacthub.io/changes"])
	var listed []any
	if yamlbounds.CheckText(changes, maxNotesBytes) != nil || sigsyaml.Unmarshal(changes, &listed) != nil {
		return notes
	}
	for _, entry := range listed {
		note := Note{}
		switch entry := entry.(type) {
		case string:
			note.Text = text.OneLine(entry, maxValueBytes)
		case map[string]any:
			note.Kind, note.Text = text.OneLine(textOf(entry["kind"]), 40), text.OneLine(textOf(entry["description"]), maxValueBytes)
		}
		if note.Text == "" {
			continue
		}
		if notes.Total++; len(notes.Changes) < maxNotes {
			notes.Changes = append(notes.Changes, note)
		}
	}
	return notes
}

func textOf(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}
