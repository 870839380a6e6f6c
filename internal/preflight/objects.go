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
	// maxObjects is the maximum number of objects of one app.
	maxObjects = 5000
	// maxDepth is the maximum nesting depth of lists.
	maxDepth = 8
	// crdFolder contains the CRDs of a chart. Helm creates them before all other objects
	// when it installs the chart, and does not change them afterwards.
	crdFolder = "crds/"
)

// object is an object of the app or of the instance.
type object struct {
	gvk schema.GroupVersionKind
	// namespace is the rendered namespace.
	namespace string
	name      string
	// unit is the index of the chart in the request, or noUnit.
	unit int
	// hook reports whether the object is a Helm hook. early reports whether it is a CRD
	// that Helm creates before all other objects.
	hook  bool
	early bool
	// provisional reports whether the installation may render it differently.
	provisional bool
	// generated reports whether the API server generates the name.
	generated bool
	text      []byte
	// faults describes the fields that cannot be decoded. Such an object is skipped by all
	// other checks.
	faults []string
}

// noUnit is the unit of existing objects.
const noUnit = -1

// kindAndName returns the kind and name of an object, such as "Deployment/web".
func (o *object) kindAndName() string { return o.gvk.Kind + "/" + o.name }

// isKind reports whether the object is of a kind.
func (o *object) isKind(group schema.GroupVersion, kind string) bool {
	return o.gvk == group.WithKind(kind)
}

// objectNamespace returns the namespace in which the object is created, or "" for a cluster-scoped
// object. An unknown kind is assumed to be namespaced.
func (d *Requirements) objectNamespace(o *object, facts *Facts) string {
	if kind, ok := d.servedKind(o, facts); ok && !kind.Namespaced {
		return ""
	}
	if o.namespace == "" || o.unit != noUnit && o.namespace == d.request.Units[o.unit].RenderedIn {
		return d.request.Tenant.Namespace
	}
	return o.namespace
}

func (d *Requirements) readUnit(unit int) error {
	deployed := d.request.Units[unit].Deployed
	for _, doc := range d.request.Units[unit].Documents {
		text := []byte(doc.Object)
		like := object{unit: unit, hook: doc.Hook, early: objects.IsCRDFile(doc.Path), provisional: d.request.Units[unit].Provisional}
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

// readSkipped records the CRDs of a chart that is upgraded. Helm does not create them in an
// upgrade.
func (d *Requirements) readSkipped(text []byte, like object) {
	other := &Requirements{}
	if err := other.readObjects(text, like, 0); err != nil {
		return // The installation has validated it.
	}
	for i := range other.objects {
		_ = other.addCRD(&other.objects[i]) // invalid CRDs are ignored
	}
	d.skipped = append(d.skipped, other.crds...)
}

// hookAnnotation is the annotation with the moments of a hook.
const hookAnnotation = "helm.sh/hook"

// nestedString returns the string at a path in a mapping, or "" if there is none.
func nestedString(content map[string]any, path ...string) string {
	text, _, _ := unstructured.NestedString(content, path...)
	return text
}

// isTestHook reports whether a hook is only run by the helm test command.
func isTestHook(moments string) bool {
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

// hasHookEvent reports whether Helm runs a hook at one of the moments.
func hasHookEvent(doc objects.Document, moments []string) bool {
	var content map[string]any
	if err := json.Unmarshal([]byte(doc.Object), &content); err != nil {
		return true // Read returns the error.
	}
	for moment := range strings.SplitSeq(nestedString(content, "metadata", "annotations", hookAnnotation), ",") {
		if slices.Contains(moments, strings.TrimSpace(moment)) {
			return true
		}
	}
	return false
}

// allObjects returns the objects of the app, followed by the existing objects of the instance.
func (d *Requirements) allObjects() []*object {
	var all []*object
	for _, list := range [][]object{d.objects, d.existing} {
		for i := range list {
			all = append(all, &list[i])
		}
	}
	return all
}

// readObjects adds the object or the items of a list in a document. It ignores documents
// without a kind.
func (d *Requirements) readObjects(text []byte, like object, depth int) error {
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

func (d *Requirements) readObject(content map[string]any, text []byte, like object, depth int) error {
	version, kind := nestedString(content, "apiVersion"), nestedString(content, "kind")
	items, _ := content["items"].([]any)
	if of, isList := strings.CutSuffix(kind, "List"); isList && items != nil && depth < maxDepth {
		like.gvk = schema.FromAPIVersionAndKind(version, of)
		return d.readItems(items, like, depth+1)
	}
	// As Kubernetes does, add the kind that items of a typed list may omit.
	if kind == "" && like.gvk.Kind != "" {
		version, kind = like.gvk.GroupVersion().String(), like.gvk.Kind
	}
	if kind == "" || version == "" || isTestHook(nestedString(content, "metadata", "annotations", hookAnnotation)) {
		return nil
	}
	if len(d.objects) == maxObjects {
		return outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("must have at most %d objects", maxObjects))
	}
	like.gvk = schema.FromAPIVersionAndKind(version, kind)
	like.namespace, like.name, like.text = nestedString(content, "metadata", "namespace"), nestedString(content, "metadata", "name"), text
	if like.generated = like.name == ""; like.generated {
		like.name = nestedString(content, "metadata", "generateName")
	}
	like.faults = faultsOf(&like, content)
	d.objects = append(d.objects, like)
	return nil
}

func (d *Requirements) readItems(items []any, like object, depth int) error {
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

// decodeObject decodes an object as strictly as the API server, which does not convert strings to
// numbers.
func decodeObject[T any](o *object) (*T, error) {
	typed := new(T)
	if err := kjson.Unmarshal(o.text, typed); err != nil {
		return nil, err
	}
	return typed, nil
}

// addObject adds an object to the inputs of the checks.
func (d *Requirements) addObject(o *object) error {
	switch o.gvk.GroupVersion() {
	case corev1.SchemeGroupVersion:
		return d.addCoreObject(o)
	case appsv1.SchemeGroupVersion, batchv1.SchemeGroupVersion:
		return d.addWorkload(o)
	case rbacv1.SchemeGroupVersion:
		return d.addGrant(o)
	case storagev1.SchemeGroupVersion:
		if o.gvk.Kind == "StorageClass" {
			d.classes[o.name] = true
		}
	}
	if o.gvk.Group == crdGroup {
		return d.addCRD(o)
	}
	return nil
}

func (d *Requirements) addCoreObject(o *object) error {
	switch o.gvk.Kind {
	case "PersistentVolumeClaim":
		one, err := decodeObject[corev1.PersistentVolumeClaim](o)
		if err != nil {
			return err
		}
		d.claims = append(d.claims, claimSpec{object: o, title: o.kindAndName(), spec: *one, copies: 1})
	case "PersistentVolume":
		one, err := decodeObject[corev1.PersistentVolume](o)
		if err != nil {
			return err
		}
		d.volumes[one.Spec.StorageClassName] = true
	case "Service":
		one, err := decodeObject[corev1.Service](o)
		if err != nil {
			return err
		}
		d.services = append(d.services, service{object: o, spec: one.Spec})
	default:
		return d.addWorkload(o)
	}
	return nil
}

// service is a Service, for the quotas that count its ports.
type service struct {
	object *object
	spec   corev1.ServiceSpec
}
