package preflight

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
)

// Wish is an app that a tenant wants installed.
type Wish struct {
	// Tenant is where it goes, and as whom.
	Tenant release.Tenant
	// Instance is the AppInstance. With the account it names the roles of a remedy, so
	// that no remedy replaces that of another instance or account.
	Instance string
	// DefaultAccount reports whether no service account is specified, so that the
	// account of Tenant is the one that Kubernetes names "default".
	DefaultAccount bool
	// App is the name of the app in messages.
	App string
	// Units are in the order in which they are installed.
	Units []Unit
	// There are objects that are in the cluster already, and will be changed or
	// removed. Nothing but the rights to them is looked at.
	There []v1alpha1.ObjectReference
	// Retained are volume claims that an earlier life of the instance has left and that
	// it takes again by their names. They exist, and quotas count them already.
	Retained []v1alpha1.ObjectReference
	// Platforms are the builds of images, as os/architecture or
	// os/architecture/variant, by the full name of the image. An image without is
	// taken to run anywhere.
	Platforms map[string][]string
	// Architectures, CPU and Memory are what the app says of itself, beside what its
	// objects say: architectures such as amd64, and quantities. Empty is no demand.
	Architectures []string
	CPU           string
	Memory        string
	// RightsOnly reports whether nothing is compared but rights, releases and the
	// accounts of hooks: the operation creates nothing that has not been there.
	RightsOnly bool
	// Moments are the hooks that the operation runs, such as pre-install.
	Moments []string
	// Adopted are the names of the releases that the operation adopts.
	Adopted []string
	// Replaces says that the app is there already and is brought to another version.
	// What the cluster has in use is then partly its own, so that only what the
	// cluster has in all counts.
	Replaces bool
}

// Unit is a chart that becomes a release of its own.
type Unit struct {
	// Name is that of the chart, and Release that of its release.
	Name    string
	Release string
	// KubeVersion is the constraint of its Chart.yaml, empty if there is none.
	KubeVersion string
	// RenderedIn is the namespace that the templates were told. What names it, or no
	// namespace, goes to the tenant's.
	RenderedIn string
	// Documents are what it renders to. Names of objects count: those of cluster-wide
	// ones are written into the role of a remedy.
	Documents []objects.Document
	// Provisional says that its templates ask the cluster for objects, among which those
	// of the units before it will be: it may render to something else then.
	Provisional bool
	// Deployed says that its release is there already and is upgraded, in which Helm
	// does not touch its folder of CRDs.
	Deployed bool
}

// Describe takes what an AppInfo says of the app into the wish. The images there are
// those of the selected version; those of another are unknown and run anywhere.
func (w *Wish) Describe(app *v1alpha1.AppInfo) {
	w.App = app.Spec.App
	w.Platforms = maps.Clone(w.Platforms)
	if w.Platforms == nil {
		w.Platforms = map[string][]string{}
	}
	for _, image := range app.Status.Images {
		w.Platforms[image.Name] = image.Platforms
	}
	summary := app.Status.Summary
	if summary == nil {
		return
	}
	w.Architectures = summary.Architectures
	if summary.Resources != nil {
		w.CPU, w.Memory = summary.Resources.CPU, summary.Resources.Memory
	}
}

// Units are the charts of a draft that is rendered. renderedIn is the namespace that the
// templates were told.
func Units(draft *hydrate.Draft, renderedIn string) []Unit {
	units := make([]Unit, 0, len(draft.Units))
	for i, u := range draft.Units {
		unit := Unit{
			Name: u.Name, RenderedIn: renderedIn, Documents: u.Documents,
			Provisional: i > 0 && u.Lookups > 0,
		}
		if u.Release != nil {
			unit.KubeVersion = u.Release.KubeVersion
		}
		if instance := draft.Request.At.Instance; instance != "" {
			unit.Release = hydrate.ReleaseName(instance, draft.Chart.Name, u.Name)
		}
		units = append(units, unit)
	}
	return units
}

// For leaves of a unit what Helm does at these moments, such as pre-delete: its hooks
// of them, and all that is no hook if kept says so.
func (u Unit) For(kept bool, moments ...string) Unit {
	u.Documents = slices.DeleteFunc(slices.Clone(u.Documents), func(doc objects.Document) bool {
		return doc.Hook && !isAt(doc, moments) || !doc.Hook && !kept
	})
	return u
}

// Demand is a wish whose documents are read.
type Demand struct {
	wish      Wish
	objects   []object
	there     []object
	workloads []workload
	claims    []claim
	retained  map[string]bool
	roles     []grant
	granted   ruleCount
	crds      []brought
	skipped   []brought
	volumes   map[string]bool
	classes   map[string]bool
	services  []service
	unread    []Problem
}

// Read reads the documents of a wish. A document that is not YAML is stalled with
// RenderFailed, more than 5,000 objects with LimitExceeded. An object that is not of
// the form of its kind is a problem that Check reports.
func Read(w Wish) (*Demand, error) {
	d := &Demand{wish: w, volumes: map[string]bool{}, classes: map[string]bool{}, retained: retained(w)}
	for i := range w.Units {
		if err := d.readUnit(i); err != nil {
			return nil, fmt.Errorf("chart %s: %w", w.Units[i].Name, err)
		}
	}
	for _, ref := range w.There {
		d.there = append(d.there, object{
			gvk: schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind), namespace: ref.Namespace, name: ref.Name, unit: noUnit,
		})
	}
	for i := range d.objects {
		if len(d.objects[i].faults) > 0 {
			continue
		}
		if err := d.take(&d.objects[i]); err != nil {
			d.unread = append(d.unread, refused(&d.objects[i], err))
		}
	}
	return d, nil
}

// refused is the problem of an object that is not taken. Without a reason the error is
// about the form of the object.
func refused(o *object, err error) Problem {
	what := "is not of the form of its kind"
	if outcome.IsStalled(err) {
		what = "is refused"
	}
	return final(outcome.Reason(err, v1alpha1.ReasonInvalidObject),
		"%s %s: %s; correct the values, or have the chart corrected", o.title(), what, quoted(err.Error()))
}
