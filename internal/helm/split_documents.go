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

// splitRendered splits rendered texts into documents: first the documents of the folder crds, then the
// documents of the release in the order in which Helm installs them, and then the hooks.
func splitRendered(unit *chart.Chart, texts map[string]string) (hydrate.Rendered, error) {
	out := hydrate.Rendered{Notes: extractNotes(unit, texts), Documents: crdDocuments(unit)}
	documents, heads := readHeads(texts)
	if documents == nil {
		heads = texts
	}
	hooks, manifests, err := releaseutil.SortManifests(heads, nil, releaseutil.InstallOrder)
	if err != nil && documents != nil {
		// The error for texts names the file.
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
		if document.Hook = hook; !isEmptyDocument(document.Text) {
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

// readHeads splits rendered texts into documents, parses each of them once, and returns them with
// their heads. Helm reads only the heads when it sorts documents. The keys of both maps sort by
// path and then by the order in the file. If a head is unusual, readHeads returns no documents, and
// Helm sorts the texts themselves.
func readHeads(texts map[string]string) (documents map[string]objects.Document, heads map[string]string) {
	documents, heads = map[string]objects.Document{}, map[string]string{}
	for path, text := range texts {
		if isPartial(path) {
			continue
		}
		for i, part := range splitDocuments(text) {
			if isEmptyDocument(part) {
				continue
			}
			document := objects.NewDocument(path, part)
			head, ok := document.HeadText()
			if !ok {
				return nil, nil
			}
			key := fmt.Sprintf("%s\x00%06d", path, i)
			documents[key], heads[key] = document, head
		}
	}
	return documents, heads
}

// isPartial reports whether Helm ignores a file, because it contains no objects.
func isPartial(name string) bool { return strings.HasPrefix(path.Base(name), "_") }

// crdDocuments returns the documents of the folder crds.
func crdDocuments(unit *chart.Chart) []objects.Document {
	var documents []objects.Document
	for _, crd := range unit.CRDObjects() {
		for _, text := range splitDocuments(string(crd.File.Data)) {
			if !isEmptyDocument(text) {
				documents = append(documents, objects.NewDocument(crd.Filename, text))
			}
		}
	}
	return documents
}

// splitDocuments splits a YAML text into documents. It is equivalent to releaseutil.SplitManifests, whose
// regular expression takes most of the time of rendering a chart. Like Helm, it does not recognize
// block scalars that contain a separator.
func splitDocuments(text string) []string {
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

// isEmptyDocument reports whether a document is empty or contains only comments, for example because the
// condition of a template is false.
func isEmptyDocument(text string) bool {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
}

// splitUnsorted splits rendered texts into documents without decoding them. Hooks are not separated
// from other documents.
func splitUnsorted(unit *chart.Chart, texts map[string]string) hydrate.Rendered {
	out := hydrate.Rendered{Notes: extractNotes(unit, texts), Documents: crdDocuments(unit)}
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		if isPartial(path) {
			continue
		}
		for _, text := range splitDocuments(texts[path]) {
			if !isEmptyDocument(text) {
				out.Documents = append(out.Documents, objects.NewDocument(path, text))
			}
		}
	}
	return out
}
