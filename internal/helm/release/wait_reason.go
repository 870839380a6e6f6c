package release

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/health"
)

// maxExplained bounds the number of pods and events that are read to explain a wait.
const maxExplained = 50

// waitReason describes why an object has not reached its goal, as far as the tenant may see it. It
// returns "" if the reason is unknown.
func (o *operation) waitReason(ctx context.Context, ref v1alpha1.ObjectReference) string {
	live, err := o.GetObject(ctx, ref)
	if err != nil || live == nil {
		return ""
	}
	gvk := live.GroupVersionKind().GroupKind()
	switch {
	case live.GetDeletionTimestamp() != nil:
		return deletionReason(live)
	case gvk == jobKind.GroupKind():
		return o.jobReason(ctx, ref, live)
	case gvk == podKind.GroupKind():
		return podReason([]unstructured.Unstructured{*live})
	}
	return ""
}

// deletionReason describes why an object that is being deleted still exists.
func deletionReason(live *unstructured.Unstructured) string {
	finalizers := slices.Clone(live.GetFinalizers())
	if len(finalizers) > 0 {
		slices.Sort(finalizers)
		noun := "finalizer"
		if len(finalizers) > 1 {
			noun = "finalizers"
		}
		return fmt.Sprintf("held by %s %s; if the controller that removes it does not exist any more, "+
			"remove it from metadata.finalizers", noun, strings.Join(finalizers, ", "))
	}
	if live.GetKind() == namespaceKind.Kind {
		for _, name := range []string{"NamespaceFinalizersRemaining", "NamespaceContentRemaining"} {
			if status, why, err := findCondition(live, name); err == nil && status == metav1.ConditionTrue {
				return why
			}
		}
	}
	return "its deletion has begun and is not completed"
}

// jobReason describes why a Job has not ended: the state of its pods, or the reason why it has
// none.
func (o *operation) jobReason(ctx context.Context, ref v1alpha1.ObjectReference, job *unstructured.Unstructured) string {
	if suspended, _, err := unstructured.NestedBool(job.Object, "spec", "suspend"); err == nil && suspended {
		return "spec.suspend is true"
	}
	if reason := o.podsReason(ctx, ref); reason != "" {
		return reason
	}
	account, _, err := unstructured.NestedString(job.Object, "spec", "template", "spec", "serviceAccountName")
	if err == nil && account != "" {
		found, err := o.GetObject(ctx, accountRef(ref.Namespace, account))
		if err == nil && found == nil {
			return fmt.Sprintf("service account %q does not exist in namespace %s", account, ref.Namespace)
		}
	}
	if reason := o.eventReason(ctx, job); reason != "" {
		return reason
	}
	return "no pod was created yet"
}

// podsReason describes why the pods of a Job, or a Pod itself, have not ended. It returns "" if
// there are no pods or the tenant may not see them.
func (o *operation) podsReason(ctx context.Context, ref v1alpha1.ObjectReference) string {
	options := metav1.ListOptions{Limit: maxExplained}
	if ref.Kind == podKind.Kind {
		options.FieldSelector = fields.OneTermEqualSelector("metadata.name", ref.Name).String()
	} else {
		options.LabelSelector = labels.Set{"job-name": ref.Name}.String()
	}
	return podReason(o.listObjects(ctx, v1alpha1.ObjectReference{APIVersion: "v1", Kind: podKind.Kind, Namespace: ref.Namespace}, options))
}

// podReason returns the most severe reason why pods have not succeeded.
func podReason(pods []unstructured.Unstructured) string {
	mild := ""
	for _, one := range pods {
		var pod corev1.Pod
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(one.Object, &pod); err != nil {
			continue
		}
		grave, reason := health.PodReason(&pod)
		if grave {
			return oneLine(withoutDetails(reason))
		}
		if mild == "" {
			mild = map[corev1.PodPhase]string{
				corev1.PodPending: "its pod is pending", corev1.PodRunning: "its pod is running",
			}[pod.Status.Phase]
		}
	}
	return mild
}

// eventReason returns the message of the newest warning event of an object. It removes the prefix
// with the name of a pod, which differs between attempts.
func (o *operation) eventReason(ctx context.Context, about *unstructured.Unstructured) string {
	events := o.listObjects(ctx, v1alpha1.ObjectReference{APIVersion: "v1", Kind: "Event", Namespace: about.GetNamespace()}, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.uid": string(about.GetUID()), "type": corev1.EventTypeWarning}.String(),
		Limit:         maxExplained,
	})
	newest, message := "", ""
	for _, one := range events {
		last, _, _ := unstructured.NestedString(one.Object, "lastTimestamp")
		text, _, _ := unstructured.NestedString(one.Object, "message")
		if text != "" && last >= newest {
			newest, message = last, text
		}
	}
	if _, cause, ok := strings.Cut(message, " is forbidden: "); ok {
		message = cause
	}
	return oneLine(withoutDetails(message))
}

// listObjects returns the objects of a kind, or none if an error occurs.
func (o *operation) listObjects(ctx context.Context, kind v1alpha1.ObjectReference, options metav1.ListOptions) []unstructured.Unstructured {
	objects, err := o.ResourceClient(kind)
	if err != nil {
		return nil
	}
	found, err := objects.List(ctx, options)
	if err != nil {
		return nil
	}
	return found.Items
}

func accountRef(namespace, name string) v1alpha1.ObjectReference {
	return v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ServiceAccount", Namespace: namespace, Name: name}
}

var namespaceKind = corev1.SchemeGroupVersion.WithKind("Namespace")
