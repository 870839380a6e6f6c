package helm

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/releaseutil"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/objects"
)

// split cuts rendered texts into documents: those of crds/ first, then those
// that Helm keeps in the order in which it installs them, then the hooks.
func split(unit *chart.Chart, texts map[string]string) (hydrate.Rendered, error) {
	out := hydrate.Rendered{Notes: notes(unit, texts), Documents: definitions(unit)}
	documents, heads := readHeads(texts)
	if documents == nil {
		heads = texts
	}
	hooks, manifests, err := releaseutil.SortManifests(heads, nil, releaseutil.InstallOrder)
	if err != nil && documents != nil {
		// Helm names the file.
		_, _, err = releaseutil.SortManifests(texts, nil, releaseutil.InstallOrder)
	}
	if err != nil {
		return hydrate.Rendered{}, err
	}
	add := func(path, text string, hook bool) {
		document, known := documents[path]
		if !known {
			document = objects.NewDocument(path, text)
		}
		if document.Hook = hook; !blank(document.Text) {
			out.Documents = append(out.Documents, document)
		}
	}
	for _, manifest := range manifests {
		add(manifest.Name, manifest.Content, false)
	}
	for _, hook := range hooks {
		add(hook.Path, hook.Manifest, true)
	}
	return out, nil
}

// readHeads reads each document of rendered texts once, and gives the head of each in
// the place of its text: Helm, which sorts them, reads no more than the head. Both maps
// have keys that sort as the paths do and then by the order in the file. There are no
// documents where a head is unusual; Helm then judges the texts themselves.
func readHeads(texts map[string]string) (documents map[string]objects.Document, heads map[string]string) {
	documents, heads = map[string]objects.Document{}, map[string]string{}
	for path, text := range texts {
		if isPartial(path) {
			continue
		}
		for i, part := range cut(text) {
			if blank(part) {
				continue
			}
			document := objects.NewDocument(path, part)
			head, ok := document.Head()
			if !ok {
				return nil, nil
			}
			key := fmt.Sprintf("%s\x00%06d", path, i)
			documents[key], heads[key] = document, head
		}
	}
	return documents, heads
}

// isPartial reports whether a file has no objects, as Helm tells it.
func isPartial(name string) bool { return strings.HasPrefix(path.Base(name), "_") }

// definitions are the documents in crds/.
func definitions(unit *chart.Chart) []objects.Document {
	var documents []objects.Document
	for _, crd := range unit.CRDObjects() {
		for _, text := range cut(string(crd.File.Data)) {
			if !blank(text) {
				documents = append(documents, objects.NewDocument(crd.Filename, text))
			}
		}
	}
	return documents
}

// cut gives the documents of a YAML text in their order, as releaseutil.SplitManifests
// does, whose regular expression takes most of the time that rendering a chart takes.
// It is not asked to be right about separators in block scalars: Helm is not, either.
func cut(text string) []string {
	const separator, space = "---", " \t\n\f\r"
	text = strings.TrimSpace(text)
	if rest, ok := strings.CutPrefix(text, separator); ok {
		text = strings.TrimLeft(rest, space)
	}
	var documents []string
	for more := true; more; {
		var document string
		document, text, more = strings.Cut(text, "\n"+separator)
		text = strings.TrimLeft(text, space)
		if document = strings.TrimSpace(document); document != "" {
			documents = append(documents, document)
		}
	}
	return documents
}

// blank reports whether a document says nothing: it has comments at most, as is
// left over where a template's condition does not hold.
func blank(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
}

// splitAnyhow cuts rendered texts into documents without reading them: hooks are
// documents among others.
func splitAnyhow(unit *chart.Chart, texts map[string]string) hydrate.Rendered {
	out := hydrate.Rendered{Notes: notes(unit, texts), Documents: definitions(unit)}
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		if isPartial(path) {
			continue
		}
		for _, text := range cut(texts[path]) {
			if !blank(text) {
				out.Documents = append(out.Documents, objects.NewDocument(path, text))
			}
		}
	}
	return out
}
