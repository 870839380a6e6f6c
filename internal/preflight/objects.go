package preflight

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/objects"

	appsv1 "k8s.io/api/apps/v1"

	batchv1 "k8s.io/api/batch/v1"

	corev1 "k8s.io/api/core/v1"

	rbacv1 "k8s.io/api/rbac/v1"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	kjson "k8s.io/apimachinery/pkg/util/json"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	// maxObjects bounds the objects of one app.
	maxObjects = 5000
	// maxDepth bounds lists in lists.
	maxDepth = 8
	// crdFolder contains the CRDs of a chart. Helm creates them before anything else when it
	// installs the chart, and does not change them afterwards.
	crdFolder = "crds/"
)

// object is one that the app brings.
type object struct {
	gvk schema.GroupVersionKind
	// namespace is as rendered.
	namespace string
	name      string
	// unit is the index of its unit, or noUnit.
	unit int
	// hook says that Helm runs it at a moment of its own; early that it is a CRD
	// which Helm creates before it looks at anything else.
	hook  bool
	early bool
	// provisional says that the installation may not render it.
	provisional bool
	// generated says that the API server completes the name.
	generated bool
	text      []byte
	// faults say what is wrong with its form; it is in no other check then.
	faults []string
}

// noUnit stands for the unit of what is there, whoever has brought it.
const noUnit = -1

// title names an object for people, as "Deployment/web".
func (o *object) title() string { return o.gvk.Kind + "/" + o.name }

// is reports whether the object is of a kind.
func (o *object) is(group schema.GroupVersion, kind string) bool {
	return o.gvk == group.WithKind(kind)
}

// place is the namespace that the object goes to, empty for one of the cluster. A
// kind that nobody knows is taken for one of a namespace.
func (d *Demand) place(o *object, facts *Facts) string {
	if kind, ok := d.kind(o, facts); ok && !kind.Namespaced {
		return ""
	}
	if o.namespace == "" || o.unit != noUnit && o.namespace == d.wish.Units[o.unit].RenderedIn {
		return d.wish.Tenant.Namespace
	}
	return o.namespace
}

func (d *Demand) readUnit(unit int) error {
	deployed := d.wish.Units[unit].Deployed
	for _, doc := range d.wish.Units[unit].Documents {
		text := []byte(doc.Object)
		like := object{unit: unit, hook: doc.Hook, early: objects.IsCRDFile(doc.Path), provisional: d.wish.Units[unit].Provisional}
		if deployed && like.early {
			d.readSkipped(text, like)
			continue
		}
		if err := d.readObjects(text, like, 0); err != nil {
			return fmt.Errorf("%s: %w", doc.Path, err)
		}
	}
	return nil
}

// readSkipped keeps what a CRD is for that Helm does not create, since it does not touch
// the CRDs of a chart in an upgrade.
func (d *Demand) readSkipped(text []byte, like object) {
	other := &Demand{}
	if err := other.readObjects(text, like, 0); err != nil {
		return // The installation read it.
	}
	for i := range other.objects {
		_ = other.takeCRD(&other.objects[i]) // what cannot be read names no kind
	}
	d.skipped = append(d.skipped, other.crds...)
}

// hookMark names the moments of a hook.
const hookMark = "helm.sh/hook"

// textAt is the string in a mapping at a path, empty if there is none.
func textAt(content map[string]any, path ...string) string {
	text, _, _ := unstructured.NestedString(content, path...)
	return text
}

// onlyTest reports whether a hook is for the helm test command alone, which nothing
// here runs.
func onlyTest(moments string) bool {
	if moments == "" {
		return false
	}
	for moment := range strings.SplitSeq(moments, ",") {
		if !strings.HasPrefix(strings.TrimSpace(moment), "test") {
			return false
		}
	}
	return true
}

// isAt reports whether Helm runs a hook at one of the moments.
func isAt(doc objects.Document, moments []string) bool {
	var content map[string]any
	if err := json.Unmarshal([]byte(doc.Object), &content); err != nil {
		return true // Read reports it.
	}
	for moment := range strings.SplitSeq(textAt(content, "metadata", "annotations", hookMark), ",") {
		if slices.Contains(moments, strings.TrimSpace(moment)) {
			return true
		}
	}
	return false
}

// all are the objects that the app brings, and then those that are there.
func (d *Demand) all() []*object {
	var all []*object
	for _, list := range [][]object{d.objects, d.there} {
		for i := range list {
			all = append(all, &list[i])
		}
	}
	return all
}

// readObjects adds the object of a document, or those of a list. A document without a
// kind is no object.
func (d *Demand) readObjects(text []byte, like object, depth int) error {
	var document any
	if err := kjson.Unmarshal(text, &document); err != nil {
		return outcome.Stalled(v1alpha1.ReasonRenderFailed, err)
	}
	content, ok := document.(map[string]any)
	if !ok {
		return nil
	}
	return d.readObject(content, text, like, depth)
}

func (d *Demand) readObject(content map[string]any, text []byte, like object, depth int) error {
	version, kind := textAt(content, "apiVersion"), textAt(content, "kind")
	items, _ := content["items"].([]any)
	if of, isList := strings.CutSuffix(kind, "List"); isList && items != nil && depth < maxDepth {
		like.gvk = schema.FromAPIVersionAndKind(version, of)
		return d.readItems(items, like, depth+1)
	}
	// What a typed list leaves out of its items is added, as Kubernetes does.
	if kind == "" && like.gvk.Kind != "" {
		version, kind = like.gvk.GroupVersion().String(), like.gvk.Kind
	}
	if kind == "" || version == "" || onlyTest(textAt(content, "metadata", "annotations", hookMark)) {
		return nil
	}
	if len(d.objects) == maxObjects {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("more than %d objects", maxObjects))
	}
	like.gvk = schema.FromAPIVersionAndKind(version, kind)
	like.namespace, like.name, like.text = textAt(content, "metadata", "namespace"), textAt(content, "metadata", "name"), text
	if like.generated = like.name == ""; like.generated {
		like.name = textAt(content, "metadata", "generateName")
	}
	like.faults = faultsOf(&like, content)
	d.objects = append(d.objects, like)
	return nil
}

func (d *Demand) readItems(items []any, like object, depth int) error {
	for _, item := range items {
		content, ok := item.(map[string]any)
		if !ok {
			continue
		}
		text, err := json.Marshal(content)
		if err != nil {
			return outcome.Stalled(v1alpha1.ReasonRenderFailed, err)
		}
		if err := d.readObject(content, text, like, depth); err != nil {
			return err
		}
	}
	return nil
}

// decode reads an object as the API server does, which takes no string for a number.
func decode[T any](o *object) (*T, error) {
	typed := new(T)
	if err := kjson.Unmarshal(o.text, typed); err != nil {
		return nil, err
	}
	return typed, nil
}

// take keeps what the checks look at.
func (d *Demand) take(o *object) error {
	switch o.gvk.GroupVersion() {
	case corev1.SchemeGroupVersion:
		return d.takeCore(o)
	case appsv1.SchemeGroupVersion, batchv1.SchemeGroupVersion:
		return d.takeWorkload(o)
	case rbacv1.SchemeGroupVersion:
		return d.takeGrant(o)
	case storagev1.SchemeGroupVersion:
		if o.gvk.Kind == "StorageClass" {
			d.classes[o.name] = true
		}
	}
	if o.gvk.Group == crdGroup {
		return d.takeCRD(o)
	}
	return nil
}

func (d *Demand) takeCore(o *object) error {
	switch o.gvk.Kind {
	case "PersistentVolumeClaim":
		one, err := decode[corev1.PersistentVolumeClaim](o)
		if err != nil {
			return err
		}
		d.claims = append(d.claims, claim{object: o, title: o.title(), spec: *one, copies: 1})
	case "PersistentVolume":
		one, err := decode[corev1.PersistentVolume](o)
		if err != nil {
			return err
		}
		d.volumes[one.Spec.StorageClassName] = true
	case "Service":
		one, err := decode[corev1.Service](o)
		if err != nil {
			return err
		}
		d.services = append(d.services, service{object: o, spec: one.Spec})
	default:
		return d.takeWorkload(o)
	}
	return nil
}

// service is a Service, for the quotas that count its ports.
type service struct {
	object *object
	spec   corev1.ServiceSpec
}
