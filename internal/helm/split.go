package helm

import (
	"maps"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/releaseutil"

	"github.com/appmarket/operator/hydrate"
)

// split cuts rendered texts into documents: those of crds/ first, then those
// that Helm keeps in the order in which it installs them, then the hooks.
func split(unit *chart.Chart, texts map[string]string) (hydrate.Rendered, error) {
	out := hydrate.Rendered{Notes: notes(unit, texts)}
	add := func(path, text string, hook bool) {
		if !blank(text) {
			out.Documents = append(out.Documents, hydrate.Document{Path: path, Text: text, Hook: hook})
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(texts, nil, releaseutil.InstallOrder)
	if err != nil {
		return hydrate.Rendered{}, err
	}
	for _, crd := range unit.CRDObjects() {
		for _, text := range cut(string(crd.File.Data)) {
			add(crd.Filename, text, false)
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

// cut gives the documents of a YAML text in their order.
func cut(text string) []string {
	byKey := releaseutil.SplitManifests(text)
	keys := make([]string, 0, len(byKey))
	for key := range byKey {
		keys = append(keys, key)
	}
	sort.Sort(releaseutil.BySplitManifestsOrder(keys))
	documents := make([]string, 0, len(keys))
	for _, key := range keys {
		documents = append(documents, byKey[key])
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

// splitAnyhow cuts rendered texts into documents without reading them, which takes
// releaseutil most of its time: hooks are documents among others.
func splitAnyhow(unit *chart.Chart, texts map[string]string) hydrate.Rendered {
	out := hydrate.Rendered{Notes: notes(unit, texts)}
	add := func(path, text string) {
		for document := range strings.SplitSeq("\n"+text, "\n---") {
			if !blank(document) {
				out.Documents = append(out.Documents, hydrate.Document{Path: path, Text: document})
			}
		}
	}
	for _, crd := range unit.CRDObjects() {
		add(crd.Filename, string(crd.File.Data))
	}
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		// Files of helpers are no objects, as for Helm.
		if !strings.HasPrefix(filepath.Base(path), "_") {
			add(path, texts[path])
		}
	}
	return out
}
