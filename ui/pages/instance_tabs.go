package pages

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/locale"
)

// maxYAMLBytes bounds an object that is shown as YAML.
const maxYAMLBytes = 256 << 10

// objectsView is the list of the objects of an instance, of which one may be open.
type objectsView struct {
	Rows []objectRow
	// Total is the number of objects in all.
	Total, Ready int
	Open         *openObject
}

type objectRow struct {
	v1alpha1.ObjectReference

	URL   string
	Open  bool
	State objectState
}

type openObject struct {
	Name, YAML, Problem string
}

func showObjects(r *request, v *instanceView) error {
	inventory := v.Instance.Status.Inventory
	if inventory == nil {
		return nil
	}
	v.Objects = objectsView{Total: int(inventory.Total), Ready: int(inventory.Ready)}
	wanted := r.URL.Query().Get("object")
	states := readObjectStates(r, inventory.Objects)
	for _, ref := range inventory.Objects {
		key := ref.APIVersion + " " + ref.Kind + " " + ref.Namespace + " " + ref.Name
		row := objectRow{
			ObjectReference: ref, Open: key == wanted, State: objectState{rank: 2},
			URL: instanceTabURL(v.Instance.Namespace, v.Instance.Name, "objects") + queryOf(map[string][]string{"object": {key}}),
		}
		if state, known := states[ref]; known {
			row.State = state
		}
		v.Objects.Rows = append(v.Objects.Rows, row)
		if row.Open {
			opened, err := openObjectFor(r, ref)
			if err != nil {
				return err
			}
			v.Objects.Open = opened
		}
	}
	slices.SortStableFunc(v.Objects.Rows, func(a, b objectRow) int {
		// Objects without a state and ready ones are sorted together.
		return cmp.Or(cmp.Compare(min(a.State.rank, 2), min(b.State.rank, 2)),
			strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	})
	return nil
}

// openObjectFor reads an object of the inventory with the rights of the user.
func openObjectFor(r *request, ref v1alpha1.ObjectReference) (*openObject, error) {
	opened := &openObject{Name: ref.String()}
	kind := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(kind)
	err := r.Get(r.Context(), types.NamespacedName{Namespace: ref.Namespace, Name: ref.Name}, object)
	switch {
	case apierrors.IsForbidden(err):
		opened.Problem = r.Text("object.forbidden", "Kind", ref.Kind)
	case apierrors.IsNotFound(err):
		opened.Problem = r.Text("object.missing")
	case meta.IsNoMatchError(err):
		opened.Problem = r.Text("object.noKind", "Kind", ref.Kind)
	case err != nil:
		return nil, err
	default:
		maskSecret(object)
		opened.YAML, opened.Problem = formatYAML(r.lang, object.Object)
	}
	return opened, nil
}

// maskSecret removes the values of a Secret, also those in annotations that copy the whole object.
func maskSecret(object *unstructured.Unstructured) {
	object.SetManagedFields(nil)
	if object.GetKind() != "Secret" || object.GroupVersionKind().Group != "" {
		return
	}
	for _, field := range []string{"data", "stringData"} {
		values, ok := object.Object[field].(map[string]any)
		if !ok {
			continue
		}
		for key := range values {
			values[key] = "(masked)"
		}
	}
	annotations := object.GetAnnotations()
	if _, ok := annotations[corev1.LastAppliedConfigAnnotation]; ok {
		annotations[corev1.LastAppliedConfigAnnotation] = "(masked)"
		object.SetAnnotations(annotations)
	}
}

// formatYAML returns an object as YAML, or why it is not shown.
func formatYAML(l *locale.Language, object any) (text, problem string) {
	out, err := yaml.Marshal(object)
	switch {
	case err != nil:
		return "", l.Text("object.notYAML")
	case len(out) > maxYAMLBytes:
		return "", l.Text("object.tooLarge")
	}
	return string(out), ""
}

// showInstanceValues shows the values of the user, with references instead of secret values.
func showInstanceValues(r *request, v *instanceView) error {
	own := map[string]any{}
	if v.Instance.Spec.Values != nil {
		if err := yaml.Unmarshal(v.Instance.Spec.Values.Raw, &own); err != nil {
			return fmt.Errorf("read values: %w", err)
		}
		v.Text, _ = formatYAML(r.lang, own)
	}
	if r.URL.Query().Has("effective") {
		return v.addEffectiveValues(r, own)
	}
	return nil
}

func showInstanceYAML(r *request, v *instanceView) error {
	shown := v.Instance.DeepCopy()
	shown.ManagedFields = nil
	shown.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("AppInstance"))
	v.Text, _ = formatYAML(r.lang, shown)
	return nil
}
