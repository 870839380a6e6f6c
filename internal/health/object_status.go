package health

import (
	"errors"
	"fmt"
	"maps"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

// state is the state of an object according to kstatus.
type state int

const (
	inProgress state = iota
	current
	failed
)

// objectStatus is the kstatus result for an object, with details for its explanation.
type objectStatus struct {
	state   state
	message string
	// isSentence reports that the message is a sentence about the object.
	isSentence bool
	// gone reports that the object does not exist.
	gone bool
	// kindMissing reports that the cluster does not serve the kind of the object.
	kindMissing bool
	// remark is a note about an object that can be ready.
	remark string
	// pods selects the pods of a workload.
	pods map[string]string
	// replicaFailure is the reason why a workload has no pods, if it reports one.
	replicaFailure string
	// pending reports that the object is a volume claim without a volume.
	pending bool
}

func (v objectStatus) isSameStatus(other objectStatus) bool {
	return v.state == other.state && v.message == other.message && v.replicaFailure == other.replicaFailure && v.remark == other.remark &&
		v.pending == other.pending && maps.Equal(v.pods, other.pods)
}

func groupKinds(group schema.GroupVersion, names ...string) map[schema.GroupKind]bool {
	all := map[schema.GroupKind]bool{}
	for _, name := range names {
		all[schema.GroupKind{Group: group.Group, Kind: name}] = true
	}
	return all
}

func unionOf(sets ...map[schema.GroupKind]bool) map[schema.GroupKind]bool {
	all := map[schema.GroupKind]bool{}
	for _, set := range sets {
		maps.Copy(all, set)
	}
	return all
}

var (
	// statelessKinds are kinds without a status. Their objects are ready when they exist.
	statelessKinds = unionOf(
		groupKinds(corev1.SchemeGroupVersion, "ConfigMap", "Secret", "ServiceAccount", "LimitRange", "Endpoints"),
		groupKinds(rbacv1.SchemeGroupVersion, "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
		groupKinds(networkingv1.SchemeGroupVersion, "NetworkPolicy", "IngressClass"),
		groupKinds(schedulingv1.SchemeGroupVersion, "PriorityClass"),
		groupKinds(schema.GroupVersion{Group: "storage.k8s.io"}, "StorageClass"),
	)
	// workloadKinds are kinds that have pods.
	workloadKinds = unionOf(
		groupKinds(appsv1.SchemeGroupVersion, "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"),
		groupKinds(batchv1.SchemeGroupVersion, "Job"),
	)
	deploymentKinds = groupKinds(appsv1.SchemeGroupVersion, "Deployment")
	serviceKinds    = groupKinds(corev1.SchemeGroupVersion, "Service")
	ingressKinds    = groupKinds(networkingv1.SchemeGroupVersion, "Ingress")
	claimKinds      = groupKinds(corev1.SchemeGroupVersion, "PersistentVolumeClaim")
	jobKinds        = groupKinds(batchv1.SchemeGroupVersion, "Job")
)

// runsToCompletion reports whether an object is of a kind that completes. The cluster may delete
// a completed Job because of ttlSecondsAfterFinished.
func runsToCompletion(ref v1alpha1.ObjectReference) bool {
	return jobKinds[schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind()]
}

var goneStatus = objectStatus{state: failed, gone: true, isSentence: true, message: "is gone"}

// unobservedMessage is the message for an object whose latest change was not observed by its
// controller, or by the Watcher itself.
const unobservedMessage = "its latest change is not observed yet"

// missingStatus returns the status of a missing object. A missing Job counts as completed.
func missingStatus(ref v1alpha1.ObjectReference) objectStatus {
	if runsToCompletion(ref) {
		return objectStatus{state: current}
	}
	return goneStatus
}

// kindMissingStatus returns the status of an object whose kind the cluster does not serve.
func kindMissingStatus(ref v1alpha1.ObjectReference) objectStatus {
	return objectStatus{
		state: failed, gone: true, kindMissing: true, isSentence: true,
		message: fmt.Sprintf("is gone: no matches for kind %q in version %q", ref.Kind, ref.APIVersion),
	}
}

// computeStatus returns the status of a live object. An object that kstatus cannot read, or for
// which it panics, is not ready.
func computeStatus(live *unstructured.Unstructured) objectStatus {
	var v objectStatus
	err := outcome.Guarded(func() error {
		v = evaluateKstatus(live)
		return nil
	})()
	if p, ok := errors.AsType[*outcome.Panic](err); ok {
		log.Log.WithName("health").Error(err, "Recovered from a panic", "stack", string(p.Stack))
		return objectStatus{message: "the status cannot be computed: " + err.Error()}
	}
	return v
}

func evaluateKstatus(live *unstructured.Unstructured) objectStatus {
	kind := live.GroupVersionKind().GroupKind()
	v := objectStatus{}
	if jobKinds[kind] && live.GetDeletionTimestamp() != nil {
		// Use the status from before the deletion.
		live = live.DeepCopy()
		live.SetDeletionTimestamp(nil)
	}
	result, err := status.Compute(live)
	switch {
	case jobKinds[kind] && live.GetAnnotations()[v1alpha1.BeforeStopAnnotation] != "":
		v.state, v.message = current, "stopped"
	case err != nil:
		v.message = "the status cannot be computed: " + err.Error()
	case result.Status == status.CurrentStatus:
		v.state, v.message = current, result.Message
	case result.Status == status.FailedStatus:
		v.state, v.message = failed, result.Message
	case !isObserved(live):
		v.message = unobservedMessage
	default:
		v.message = result.Message
	}
	v.remark = remarkOn(kind, live)
	if v.state != current && isPaused(kind, live) {
		v.state, v.isSentence = inProgress, true
		v.message = v.remark
		return v // The pods belong to the previous revision.
	}
	if workloadKinds[kind] {
		// The API server rejects selectors of another type.
		v.pods, _, _ = unstructured.NestedStringMap(live.Object, "spec", "selector", "matchLabels")
		v.replicaFailure = replicaFailureMessage(live)
	}
	v.pending = claimKinds[kind] && isPending(live)
	return v
}

// isObserved reports whether the controller of an object has observed its latest change. An
// object without an observed generation counts as observed.
func isObserved(live *unstructured.Unstructured) bool {
	observed, ok, _ := unstructured.NestedInt64(live.Object, "status", "observedGeneration")
	return !ok || observed == live.GetGeneration()
}

// isPending reports whether a volume claim has no volume yet.
func isPending(claim *unstructured.Unstructured) bool {
	phase, _, _ := unstructured.NestedString(claim.Object, "status", "phase")
	return claim.GetDeletionTimestamp() == nil && (phase == "" || phase == string(corev1.ClaimPending))
}

// isPaused reports whether an object is a paused Deployment, whose pods are not replaced.
func isPaused(kind schema.GroupKind, live *unstructured.Unstructured) bool {
	paused, _, _ := unstructured.NestedBool(live.Object, "spec", "paused")
	return deploymentKinds[kind] && paused
}

// remarkOn returns a note about an object that can be ready, empty if there is none.
func remarkOn(kind schema.GroupKind, live *unstructured.Unstructured) string {
	if isPaused(kind, live) {
		return fmt.Sprintf("is paused: run kubectl rollout resume deployment/%s -n %s", live.GetName(), live.GetNamespace())
	}
	if kind.Group == gatewayGroup {
		return refusalOf(live)
	}
	balanced := ingressKinds[kind]
	if serviceKinds[kind] {
		kind, _, _ := unstructured.NestedString(live.Object, "spec", "type")
		balanced = kind == string(corev1.ServiceTypeLoadBalancer)
	}
	addresses, _, _ := unstructured.NestedSlice(live.Object, "status", "loadBalancer", "ingress")
	if balanced && len(addresses) == 0 {
		return "has no address yet; a load balancer or an ingress controller assigns it"
	}
	return ""
}

// gatewayGroup is the API group of the routes of Gateways.
const gatewayGroup = "gateway.networking.k8s.io"

// refusalOf returns a note about the first Gateway that refuses a route, empty if none does.
func refusalOf(route *unstructured.Unstructured) string {
	parents, _, _ := unstructured.NestedSlice(route.Object, "status", "parents")
	for _, item := range parents {
		parent, _ := item.(map[string]any)
		conditions, _, _ := unstructured.NestedSlice(parent, "conditions")
		for _, each := range conditions {
			condition, _ := each.(map[string]any)
			if condition["type"] != "Accepted" || condition["status"] != string(metav1.ConditionFalse) {
				continue
			}
			name, _, _ := unstructured.NestedString(parent, "parentRef", "name")
			message, _ := condition["message"].(string)
			return fmt.Sprintf("is not accepted by Gateway %q: %s", name, message)
		}
	}
	return ""
}

// replicaFailureMessage returns why a Deployment or ReplicaSet could not create pods.
func replicaFailureMessage(live *unstructured.Unstructured) string {
	conditions, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
	for _, item := range conditions {
		one, _ := item.(map[string]any)
		if one["type"] == string(appsv1.DeploymentReplicaFailure) && one["status"] == string(corev1.ConditionTrue) {
			message, _ := one["message"].(string)
			return message
		}
	}
	return ""
}
