package render

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
		if document.Hook = hook; !objects.IsEmptyDocument(document.Text) {
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
		for i, part := range objects.SplitDocuments(text) {
			if objects.IsEmptyDocument(part) {
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
		for _, text := range objects.SplitDocuments(string(crd.File.Data)) {
			if !objects.IsEmptyDocument(text) {
				documents = append(documents, objects.NewDocument(crd.Filename, text))
			}
		}
	}
	return documents
}

// splitUnsorted splits rendered texts into documents without decoding them. Hooks are not separated
// from other documents.
func splitUnsorted(unit *chart.Chart, texts map[string]string) hydrate.Rendered {
	out := hydrate.Rendered{Notes: extractNotes(unit, texts), Documents: crdDocuments(unit)}
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		if isPartial(path) {
			continue
		}
		for _, text := range objects.SplitDocuments(texts[path]) {
			if !objects.IsEmptyDocument(text) {
				out.Documents = append(out.Documents, objects.NewDocument(path, text))
			}
		}
	}
	return out
}
