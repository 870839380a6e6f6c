package plain_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/appmarket/operator/internal/objects"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/releaseutil"
	"k8s.io/client-go/kubernetes/scheme"

	sigsyaml "sigs.k8s.io/yaml"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/helm/render"
)

// helmOutput is the result of Helm for a chart: the objects of each template. The chart is rendered
// twice, because many charts render random secrets.
type helmOutput struct {
	first, second map[string][]any
	library       bool
	err           error
}

func helmTemplate(archive []byte) helmOutput {
	var out helmOutput
	if out.first, out.library, out.err = renderOnce(archive); out.err == nil {
		out.second, _, out.err = renderOnce(archive)
	}
	return out
}

// renderOnce renders a chart like `helm template --include-crds`, with the Kubernetes version and
// the kinds that hydration uses.
func renderOnce(archive []byte) (objects map[string][]any, library bool, err error) {
	loaded, err := loader.LoadArchive(strings.NewReader(string(archive)))
	if err != nil {
		return nil, false, err
	}
	name := loaded.Name()
	library = loaded.Metadata.Type == "library"
	if err := action.CheckDependencies(loaded, loaded.Metadata.Dependencies); err != nil {
		return nil, library, err
	}
	if library {
		return nil, true, errors.New("library charts are not installable")
	}
	install := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	install.DryRun, install.ClientOnly, install.Replace = true, true, true
	install.ReleaseName, install.Namespace = name, hydrate.RenderNamespace
	install.APIVersions = knownKinds()
	if install.KubeVersion, err = chartutil.ParseKubeVersion(render.DefaultKubeVersion); err != nil {
		return nil, false, err
	}
	// The Kubernetes version is checked when the chart is installed.
	loaded.Metadata.KubeVersion = ""
	crds := loaded.CRDObjects()
	made, err := install.Run(loaded, map[string]any{})
	if err != nil {
		return nil, false, err
	}
	objects = map[string][]any{}
	for _, crd := range crds {
		for _, text := range splitText(string(crd.File.Data)) {
			addObject(objects, crd.Filename, text)
		}
	}
	for _, text := range splitText(made.Manifest) {
		path, _, _ := strings.Cut(strings.TrimPrefix(text[strings.Index(text, "# Source: "):], "# Source: "), "\n")
		addObject(objects, path, text)
	}
	for _, hook := range made.Hooks {
		addObject(objects, hook.Path, hook.Manifest)
	}
	return objects, false, nil
}

// knownKinds returns the kinds of a cluster in the format of .Capabilities.
var knownKinds = sync.OnceValue(func() chartutil.VersionSet {
	var all []string
	for gvk := range scheme.Scheme.AllKnownTypes() {
		if gvk.Version != "__internal" {
			all = append(all, gvk.GroupVersion().String()+"/"+gvk.Kind)
		}
	}
	slices.Sort(all)
	return all
})

// splitText splits a text into its documents, in their order.
func splitText(text string) []string {
	byKey := releaseutil.SplitManifests(text)
	keys := slices.Collect(maps.Keys(byKey))
	slices.SortFunc(keys, func(a, b string) int {
		var x, y int
		_, _ = fmt.Sscanf(a, "manifest-%d", &x)
		_, _ = fmt.Sscanf(b, "manifest-%d", &y)
		return x - y
	})
	var all []string
	for _, key := range keys {
		all = append(all, byKey[key])
	}
	return all
}

// addObject adds the object in a document to the objects of its template.
func addObject(objects map[string][]any, path, text string) {
	var object any
	if err := sigsyaml.Unmarshal([]byte(text), &object); err != nil {
		object = text
	}
	if object != nil {
		objects[path] = append(objects[path], object)
	}
}

// compareObjects returns the differences from the objects that Helm renders, or "" if there are none.
func (w helmOutput) compareObjects(documents []objects.Document) string {
	got := map[string][]any{}
	for _, doc := range documents {
		addObject(got, doc.Path, doc.Text)
	}
	paths := maps.Clone(w.first)
	maps.Copy(paths, got)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if len(got[path]) != len(w.first[path]) {
			return fmt.Sprintf("%s: %d objects instead of %d", path, len(got[path]), len(w.first[path]))
		}
		for i := range got[path] {
			var again any
			if i < len(w.second[path]) {
				again = w.second[path][i]
			}
			if where := findDifference(got[path][i], w.first[path][i], again); where != "" {
				return fmt.Sprintf("%s: object %d%s", path, i, where)
			}
		}
	}
	return ""
}

// findDifference returns where a value differs from the one that Helm renders, except where the two
// renderings of Helm differ.
func findDifference(got, want, again any) string {
	if reflect.DeepEqual(got, want) {
		return ""
	}
	if a, ok := want.(map[string]any); ok {
		if b, ok := got.(map[string]any); ok && slices.Equal(slices.Sorted(maps.Keys(a)), slices.Sorted(maps.Keys(b))) {
			c, _ := again.(map[string]any)
			for _, key := range slices.Sorted(maps.Keys(a)) {
				if where := findDifference(b[key], a[key], c[key]); where != "" {
					return "." + key + where
				}
			}
			return ""
		}
	}
	if a, ok := want.([]any); ok {
		b, _ := got.([]any)
		c, _ := again.([]any)
		if len(a) == len(b) && len(a) == len(c) {
			for i := range a {
				if where := findDifference(b[i], a[i], c[i]); where != "" {
					return fmt.Sprintf("[%d]%s", i, where)
				}
			}
			return ""
		}
	}
	if !reflect.DeepEqual(want, again) {
		return ""
	}
	return fmt.Sprintf(": %.80v instead of %.80v", got, want)
}
