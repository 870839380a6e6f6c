package preflight

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/appmarket/operator/api/v1alpha1"
)

// checkDuplicates reports objects that several charts of the app contain. Each chart becomes a
// separate release, and an object can only belong to one release.
func (d *Requirements) checkDuplicates(facts *Facts) []Problem {
	type identity struct {
		kind            schema.GroupKind
		namespace, name string
	}
	first := map[identity]*object{}
	var duplicates []string
	charts := map[string]bool{}
	for i := range d.objects {
		o := &d.objects[i]
		if o.hook || o.early || o.name == "" {
			continue
		}
		id := identity{kind: o.gvk.GroupKind(), namespace: d.objectNamespace(o, facts), name: o.name}
		other := first[id]
		switch {
		case other == nil:
			first[id] = o
		case other.unit != o.unit:
			duplicates = append(duplicates, o.kindAndName())
			charts[d.request.Units[other.unit].Name], charts[d.request.Units[o.unit].Name] = true, true
		}
	}
	if len(duplicates) == 0 {
		return nil
	}
	return []Problem{newFinalProblem(v1alpha1.ReasonInvalidChart,
		"%s: defined by several charts of the app (%s) that are installed in the same namespace; report this to the developer of the app",
		joinNames(duplicates), strings.Join(slices.Sorted(maps.Keys(charts)), ", "))}
}
