package pages

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/values"
	"github.com/appmarket/operator/ui/reports"
)

// effectiveValues are the default values of the installed version with the values of the user.
type effectiveValues struct {
	Text string
	// Problem says why they are not shown, and Notes what they do not include.
	Problem string
	Notes   []string
}

// addEffectiveValues adds the default values with the values of the user. Values in Secrets, of inputs and of the
// platform are not included.
func (v *instanceView) addEffectiveValues(r *request, own map[string]any) error {
	v.Effective = &effectiveValues{}
	app, err := findApp(r, v.Instance)
	if err != nil {
		return err
	}
	index := -1
	if app != nil {
		index = slices.IndexFunc(app.Status.Versions, func(each v1alpha1.PublishedVersion) bool { return each.Version == v.Instance.Status.Version })
	}
	if index < 0 {
		v.Effective.Problem = r.Text("instance.versionUnknown")
		return nil
	}
	if !r.server.acquireAnalysis(r.Context()) {
		v.Effective.Problem = r.Text("compare.busy")
		return nil
	}
	defer r.server.releaseAnalysis()
	report, problem := fetchReport(r, &app.Status.Versions[index], reports.Values)
	if problem != "" {
		v.Effective.Problem = problem
		return nil
	}
	merged, err := values.DecodeFirst(report)
	if err != nil {
		v.Effective.Problem = sentenceOf(err)
		return nil
	}
	for _, ref := range v.Instance.Spec.ValuesFrom {
		further, err := readValues(r, v.Instance.Namespace, ref)
		if err != nil {
			return err
		}
		if further == nil {
			v.Effective.Notes = append(v.Effective.Notes, r.Text("instance.valuesNotIncluded", "Kind", ref.Kind, "Name", ref.Name))
		}
		merged = values.MergeMaps(merged, further)
	}
	if len(v.Instance.Spec.Inputs) > 0 {
		v.Effective.Notes = append(v.Effective.Notes, r.Text("instance.withoutInputs"))
	}
	v.Effective.Text, v.Effective.Problem = formatYAML(r.lang, values.MergeMaps(merged, own))
	return nil
}

// readValues returns the values in a ConfigMap, which is read with the rights of the user. It returns nil for a Secret,
// and for a ConfigMap that the user cannot get or that has no valid values.
func readValues(r *request, namespace string, ref v1alpha1.ValuesReference) (map[string]any, error) {
	if ref.Kind != v1alpha1.ValuesFromConfigMap {
		return nil, nil
	}
	found := &corev1.ConfigMap{}
	err := r.Get(r.Context(), types.NamespacedName{Namespace: namespace, Name: ref.Name}, found)
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get ConfigMap %s: %w", ref.Name, err)
	}
	further, err := values.DecodeFirst([]byte(found.Data[ref.Key]))
	if err != nil {
		further = nil // The page says that they are missing.
	}
	return further, nil
}
