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

// Request describes an app to install or an operation on it.
type Request struct {
	// Tenant is the namespace and the service account of the app.
	Tenant release.Tenant
	// Instance is the name of the AppInstance. It is part of the role names in remedies, so
	// that a remedy does not replace the remedy of another instance or account.
	Instance string
	// DefaultAccount reports whether no service account is specified, so that Tenant
	// contains the service account "default".
	DefaultAccount bool
	// App is the name of the app in messages.
	App string
	// Units contains the charts in the order of their installation.
	Units []Unit
	// Existing contains existing objects of the instance that may be changed or deleted. Only
	// the permissions for them are checked.
	Existing []v1alpha1.ObjectReference
	// Retained contains the PersistentVolumeClaims of an earlier installation that the
	// instance reuses by name. They exist and are already counted by quotas.
	Retained []v1alpha1.ObjectReference
	// Inputs contains the Secrets and ConfigMaps with values and inputs, which the tenant reads.
	Inputs []v1alpha1.ValuesReference
	// Platforms contains the platforms of each image, in the form os/architecture or
	// os/architecture/variant, by normalized reference. An image without platforms is
	// assumed to run on any node.
	Platforms map[string][]string
	// PrivateImages contains the images, by normalized reference, that cannot be pulled without credentials as
	// far as the market knows: their registry has denied access, or they were looked up with credentials.
	PrivateImages map[string]bool
	// Architectures, CPU and Memory are the requirements in the manifest of the app:
	// architectures such as amd64, and quantities. Empty fields are not checked.
	Architectures []string
	CPU           string
	Memory        string
	// DetectsDrift reports whether changes of the objects are watched to detect drift.
	DetectsDrift bool
	// RightsOnly limits the checks to permissions, releases and the service accounts of
	// hooks, because the operation does not create new objects.
	RightsOnly bool
	// HookEvents contains the moments of the hooks that the operation runs, such as
	// pre-install.
	HookEvents []string
	// Adopted contains the names of the releases to adopt.
	Adopted []string
	// Replaces reports whether the app is installed and is changed to another version. Some
	// of the resources in use then belong to the app, so that the total capacity is
	// compared instead of the available resources.
	Replaces bool
}

// Unit is a chart that becomes a separate release.
type Unit struct {
	// Name is the name of the chart, and Release the name of its release.
	Name    string
	Release string
	// KubeVersion is the constraint in Chart.yaml, or "" if there is none.
	KubeVersion string
	// RenderedIn is the namespace for which the templates were rendered. Objects with this
	// namespace or without one are created in the tenant's namespace.
	RenderedIn string
	// Documents contains the rendered documents. The names of cluster-scoped objects become
	// part of the role of a remedy.
	Documents []objects.Document
	// Provisional reports whether the templates look up objects, which may include objects
	// of earlier units, so that the installation may render other objects.
	Provisional bool
	// Deployed reports whether the release exists and is upgraded. Helm does not apply the
	// crds folder in an upgrade.
	Deployed bool
}

// SetAppRequirements adds the requirements in the status of an AppInfo to the request. Only the images
// of the selected version have platforms. Other images are assumed to run on any node.
func (w *Request) SetAppRequirements(app *v1alpha1.AppInfo) {
	w.App = app.Spec.App
	w.Platforms = maps.Clone(w.Platforms)
	if w.Platforms == nil {
		w.Platforms = map[string][]string{}
	}
	private := maps.Clone(w.PrivateImages)
	for _, image := range app.Status.Images {
		w.Platforms[image.Name] = image.Platforms
		if image.Access == v1alpha1.ImageDenied || image.Access == v1alpha1.ImageWithCredentials {
			if private == nil {
				private = map[string]bool{}
			}
			private[image.Name] = true
		}
	}
	w.PrivateImages = private
	summary := app.Status.Summary
	if summary == nil {
		return
	}
	w.Architectures = summary.Architectures
	if summary.Resources != nil {
		w.CPU, w.Memory = summary.Resources.CPU, summary.Resources.Memory
	}
}

// UnitsOf returns the units of a rendered draft. renderedIn is the namespace for which the
// templates were rendered.
func UnitsOf(draft *hydrate.Draft, renderedIn string) []Unit {
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

// FilterDocuments returns the unit with only the hooks of the given moments, such as pre-delete, and
// with the other objects if kept is true.
func (u Unit) FilterDocuments(kept bool, moments ...string) Unit {
	u.Documents = slices.DeleteFunc(slices.Clone(u.Documents), func(doc objects.Document) bool {
		return doc.Hook && !hasHookEvent(doc, moments) || !doc.Hook && !kept
	})
	return u
}

// Requirements is a Request with decoded documents.
type Requirements struct {
	request        Request
	objects        []object
	existing       []object
	workloads      []workload
	claims         []claimSpec
	retained       map[string]bool
	roles          []roleGrant
	granted        ruleCount
	crds           []appCRD
	skipped        []appCRD
	volumes        map[string]bool
	classes        map[string]bool
	services       []service
	invalidObjects []Problem
}

// ParseRequest decodes the documents of a request. It returns a terminal error with reason
// RenderFailed for a document that is not valid JSON, and with LimitExceeded for more than
// 5,000 objects. Check reports objects that do not match the schema of their kind.
func ParseRequest(w Request) (*Requirements, error) {
	d := &Requirements{request: w, volumes: map[string]bool{}, classes: map[string]bool{}, retained: retainedClaims(w)}
	for i := range w.Units {
		if err := d.readUnit(i); err != nil {
			return nil, fmt.Errorf("chart %s: %w", w.Units[i].Name, err)
		}
	}
	for _, ref := range w.Existing {
		d.existing = append(d.existing, object{
			gvk: schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind), namespace: ref.Namespace, name: ref.Name, unit: noUnit,
		})
	}
	for i := range d.objects {
		if len(d.objects[i].faults) > 0 {
			continue
		}
		if err := d.addObject(&d.objects[i]); err != nil {
			d.invalidObjects = append(d.invalidObjects, rejectedProblem(&d.objects[i], err))
		}
	}
	return d, nil
}

// rejectedProblem returns the problem of an object that cannot be decoded. If the error has no
// reason, the object does not match the schema of its kind.
func rejectedProblem(o *object, err error) Problem {
	return newFinalProblem(outcome.Reason(err, v1alpha1.ReasonInvalidObject),
		"%s: %s; correct the values or the chart", o.kindAndName(), truncateText(err.Error()))
}
