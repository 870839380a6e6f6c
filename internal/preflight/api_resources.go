package preflight

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/appmarket/operator/api/v1alpha1"
)

// crdGroup is the API group of CRDs.
const crdGroup = "apiextensions.k8s.io"

// appCRD is a CRD of the app.
type appCRD struct {
	object   *object
	group    string
	kind     string
	versions []string
	served   Kind
}

// addCRD adds a CRD to the requirements.
func (d *Requirements) addCRD(o *object) error {
	if o.gvk.Kind != "CustomResourceDefinition" {
		return nil
	}
	type definition struct {
		Spec struct {
			Group string `json:"group"`
			Scope string `json:"scope"`
			Names struct {
				Kind   string `json:"kind"`
				Plural string `json:"plural"`
			} `json:"names"`
			Versions []struct {
				Name   string `json:"name"`
				Served bool   `json:"served"`
			} `json:"versions"`
		} `json:"spec"`
	}
	crd, err := decodeObject[definition](o)
	if err != nil {
		return err
	}
	spec := crd.Spec
	b := appCRD{
		object: o, group: spec.Group, kind: spec.Names.Kind,
		served: Kind{Resource: spec.Names.Plural, Namespaced: spec.Scope != "Cluster"},
	}
	for _, version := range spec.Versions {
		if version.Served {
			b.versions = append(b.versions, version.Name)
		}
	}
	d.crds = append(d.crds, b)
	return nil
}

// CRDs returns the kinds of the CRDs that Helm creates before all other objects, sorted and
// without duplicates.
func (d *Requirements) CRDs() []schema.GroupKind {
	var all []schema.GroupKind
	for i := range d.crds {
		if d.crds[i].object.early {
			all = append(all, d.crds[i].groupKind())
		}
	}
	slices.SortFunc(all, func(a, b schema.GroupKind) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

func (b *appCRD) groupKind() schema.GroupKind { return schema.GroupKind{Group: b.group, Kind: b.kind} }

// isEstablished reports whether an object is a CRD of a crds folder that already exists in
// the cluster.
func (d *Requirements) isEstablished(o *object, facts *Facts) bool {
	return o.early && slices.ContainsFunc(d.crds, func(b appCRD) bool { return b.object == o && facts.CRDs[b.groupKind()] })
}

// Kinds returns the kinds of all objects, sorted and without duplicates.
func (d *Requirements) Kinds() []schema.GroupVersionKind {
	var all []schema.GroupVersionKind
	for _, o := range d.allObjects() {
		all = append(all, o.gvk)
	}
	slices.SortFunc(all, func(a, b schema.GroupVersionKind) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

// servedKind returns how the kind of an object is served after the CRDs of the app are created.
func (d *Requirements) servedKind(o *object, facts *Facts) (Kind, bool) {
	if kind, ok := facts.Kinds[o.gvk]; ok {
		return kind, true
	}
	if own := d.ownCRD(o.gvk); own != nil {
		return own.served, true
	}
	return Kind{}, false
}

// ownCRD returns the app's own CRD of a kind, preferably one of a crds folder, or nil.
func (d *Requirements) ownCRD(gvk schema.GroupVersionKind) *appCRD {
	var found *appCRD
	for i := range d.crds {
		b := &d.crds[i]
		if b.group != gvk.Group || b.kind != gvk.Kind || !slices.Contains(b.versions, gvk.Version) {
			continue
		}
		if found == nil || b.object.early && !found.object.early {
			found = b
		}
	}
	return found
}

// checkKinds reports each kind that does not exist when Helm needs it.
func (d *Requirements) checkKinds(facts *Facts) []Problem {
	var problems []Problem
	first := map[schema.GroupVersionKind]*object{}
	count := map[schema.GroupVersionKind]int{}
	var order []schema.GroupVersionKind
	for i := range d.objects {
		o := &d.objects[i]
		if _, ok := facts.Kinds[o.gvk]; ok || d.hasEarlierCRD(o) {
			continue
		}
		if first[o.gvk] == nil {
			first[o.gvk] = o
			order = append(order, o.gvk)
		}
		count[o.gvk]++
	}
	for _, gvk := range order {
		problems = append(problems, d.noMatchProblem(gvk, fmt.Sprintf("%s%s", first[gvk].kindAndName(), otherObjectsText(count[gvk]))))
	}
	return problems
}

// hasEarlierCRD reports whether the app creates the CRD of an object before Helm looks up its
// kind. Helm looks up the kinds of all objects of a release before it creates the first
// one, so that the CRD must be in the crds folder of the chart or in a chart that is
// installed earlier. The kinds of hooks are looked up when they run.
func (d *Requirements) hasEarlierCRD(o *object) bool {
	own := d.ownCRD(o.gvk)
	return own != nil && (own.object.early && own.object.unit <= o.unit || own.object.unit < o.unit || o.hook && own.object.unit == o.unit)
}

// noMatchProblem returns the problem of a missing kind. It is final if Kubernetes has removed the
// kind or if the chart creates its CRD too late.
func (d *Requirements) noMatchProblem(gvk schema.GroupVersionKind, subject string) Problem {
	version := gvk.GroupVersion().String()
	message := fmt.Sprintf("%s: no matches for kind %q in version %q", subject, gvk.Kind, version)
	if removal, ok := removedKinds[removedKind{version, gvk.Kind}]; ok {
		if removal.use == "" {
			return newFinalProblem(v1alpha1.ReasonNoKindMatch, "%s, which Kubernetes %s removed without a replacement; remove the object from the chart", message, removal.in)
		}
		return newFinalProblem(v1alpha1.ReasonNoKindMatch, "%s, which Kubernetes %s removed; change the chart to apiVersion %s", message, removal.in, removal.use)
	}
	if own := d.ownCRD(gvk); own != nil {
		return newFinalProblem(v1alpha1.ReasonNoKindMatch, "%s when Helm needs it: %s is created later; move it to the folder %s of the chart",
			message, own.object.kindAndName(), crdFolder)
	}
	for _, b := range d.skipped {
		if b.group == gvk.Group && b.kind == gvk.Kind && slices.Contains(b.versions, gvk.Version) {
			return newTransientProblem(v1alpha1.ReasonNoKindMatch, "%s: Helm applies the folder %s of the chart only when it installs the chart; apply %s first, for example from helm show crds",
				message, crdFolder, b.object.kindAndName())
		}
	}
	return newTransientProblem(v1alpha1.ReasonNoKindMatch, "%s; install the operator that provides this CRD first", message)
}
