package preflight

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// workload is an object that creates Pods.
type workload struct {
	object *object
	pod    corev1.Pod
	// pods is the number of concurrent Pods. each reports whether a Pod runs on each node,
	// as for a DaemonSet.
	pods int64
	each bool
	// later reports whether the Pods are created later and only run for some time.
	later bool
}

// claimSpec is a PersistentVolumeClaim or a template for such claims.
type claimSpec struct {
	object *object
	title  string
	spec   corev1.PersistentVolumeClaim
	copies int64
	// first is the ordinal of the first copy.
	first int64
}

// addWorkload adds an object that creates Pods. It ignores objects without Pods, such as
// suspended ones or ones with 0 replicas.
func (d *Requirements) addWorkload(o *object) error {
	read, ok := workloadReaders[o.gvk]
	if !ok {
		return nil
	}
	w, err := read(d, o)
	if err != nil || w == nil || w.pods == 0 {
		return err
	}
	w.object, w.later = o, w.later || o.hook
	defaultRequests(&w.pod.Spec)
	d.workloads = append(d.workloads, *w)
	return nil
}

// workloadReaders contains the functions that decode the kinds that create Pods.
var workloadReaders = map[schema.GroupVersionKind]func(*Requirements, *object) (*workload, error){
	corev1.SchemeGroupVersion.WithKind("Pod"): newWorkloadReader(func(one *corev1.Pod) *workload {
		return &workload{pod: *one, pods: 1}
	}),
	corev1.SchemeGroupVersion.WithKind("ReplicationController"): newWorkloadReader(func(one *corev1.ReplicationController) *workload {
		if one.Spec.Template == nil {
			return nil
		}
		return newWorkload(*one.Spec.Template, one.Spec.Replicas)
	}),
	appsv1.SchemeGroupVersion.WithKind("Deployment"): newWorkloadReader(func(one *appsv1.Deployment) *workload {
		return newWorkload(one.Spec.Template, one.Spec.Replicas)
	}),
	appsv1.SchemeGroupVersion.WithKind("ReplicaSet"): newWorkloadReader(func(one *appsv1.ReplicaSet) *workload {
		return newWorkload(one.Spec.Template, one.Spec.Replicas)
	}),
	appsv1.SchemeGroupVersion.WithKind("StatefulSet"): (*Requirements).readStatefulSet,
	appsv1.SchemeGroupVersion.WithKind("DaemonSet"): newWorkloadReader(func(one *appsv1.DaemonSet) *workload {
		w := newWorkload(one.Spec.Template, nil)
		w.each = true
		return w
	}),
	batchv1.SchemeGroupVersion.WithKind("Job"): newWorkloadReader(func(one *batchv1.Job) *workload { return newJobWorkload(one.Spec) }),
	batchv1.SchemeGroupVersion.WithKind("CronJob"): newWorkloadReader(func(one *batchv1.CronJob) *workload {
		w := newJobWorkload(one.Spec.JobTemplate.Spec)
		w.later = true
		if one.Spec.Suspend != nil && *one.Spec.Suspend {
			w.pods = 0
		}
		return w
	}),
}

func newWorkloadReader[T any](take func(*T) *workload) func(*Requirements, *object) (*workload, error) {
	return func(_ *Requirements, o *object) (*workload, error) {
		one, err := decodeObject[T](o)
		if err != nil {
			return nil, err
		}
		return take(one), nil
	}
}

// newWorkload returns a workload with the number of replicas, which defaults to 1.
func newWorkload(template corev1.PodTemplateSpec, replicas *int32) *workload {
	w := &workload{pod: corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}, pods: 1}
	if replicas != nil {
		w.pods = max(0, int64(*replicas))
	}
	return w
}

func newJobWorkload(spec batchv1.JobSpec) *workload {
	w := newWorkload(spec.Template, spec.Parallelism)
	if spec.Completions != nil {
		w.pods = min(w.pods, max(0, int64(*spec.Completions)))
	}
	if spec.Suspend != nil && *spec.Suspend {
		w.pods = 0
	}
	return w
}

// readStatefulSet returns the workload and adds the claim templates to the requirements.
func (d *Requirements) readStatefulSet(o *object) (*workload, error) {
	one, err := decodeObject[appsv1.StatefulSet](o)
	if err != nil {
		return nil, err
	}
	w := newWorkload(one.Spec.Template, one.Spec.Replicas)
	first := int64(0)
	if one.Spec.Ordinals != nil {
		first = int64(one.Spec.Ordinals.Start)
	}
	for _, template := range one.Spec.VolumeClaimTemplates {
		d.claims = append(d.claims, claimSpec{
			object: o, title: fmt.Sprintf("volumeClaimTemplate %s of %s", template.Name, o.kindAndName()), spec: template, copies: w.pods, first: first,
		})
	}
	return w, nil
}

// defaultRequests sets missing requests to the limits, as the API server does.
func defaultRequests(spec *corev1.PodSpec) {
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			list[i].Resources.Requests = fillMissing(list[i].Resources.Requests, list[i].Resources.Limits)
		}
	}
}

// fillMissing returns a list with its missing resources copied from another list.
func fillMissing(list, from corev1.ResourceList) corev1.ResourceList {
	for name, amount := range from {
		if _, ok := list[name]; ok {
			continue
		}
		if list == nil {
			list = corev1.ResourceList{}
		}
		list[name] = amount
	}
	return list
}
