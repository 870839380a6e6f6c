package pages_test

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// addEvent creates an event of an object.
func (s *site) addEvent(t *testing.T, object corev1.ObjectReference, name, message string, age time.Duration) {
	t.Helper()
	s.Create(t, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: object.Namespace, Name: name}, InvolvedObject: object, Type: corev1.EventTypeWarning,
		Reason: "Tested", Message: message, LastTimestamp: metav1.NewTime(time.Now().Add(-age)),
	})
}

// addReplicaSet creates a ReplicaSet with a controller, and returns its name.
func (s *site) addReplicaSet(t *testing.T, namespace, deployment string) string {
	t.Helper()
	labels, pod := map[string]string{"app": deployment}, corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}}
	set := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: deployment + "-7c9d5", OwnerReferences: []metav1.OwnerReference{controllerOf("Deployment", deployment)},
		},
		Spec: appsv1.ReplicaSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod},
		},
	}
	s.Create(t, set, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: set.Name + "-abcde", OwnerReferences: []metav1.OwnerReference{controllerOf("ReplicaSet", set.Name)},
		},
		Spec: pod,
	})
	return set.Name
}

func controllerOf(kind, name string) metav1.OwnerReference {
	yes := true
	return metav1.OwnerReference{APIVersion: "apps/v1", Kind: kind, Name: name, UID: "11111111-2222-3333-4444-555555555555", Controller: &yes}
}

// TestEventsOfAnInstance has two instances, of which one has the beginning of the name of the other.
func TestEventsOfAnInstance(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	events := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"list"}}
	controllers := rbacv1.PolicyRule{APIGroups: []string{"", "apps", "batch"}, Resources: []string{"pods", "replicasets", "jobs"}, Verbs: []string{"list"}}
	for _, name := range []string{"web", "web-2"} {
		w.addInstance(t, w.tenant, name, w.ref, func(i *v1alpha1.AppInstance) {
			i.Status.Inventory = &v1alpha1.Inventory{Total: 1, Objects: []v1alpha1.ObjectReference{
				{APIVersion: "apps/v1", Kind: "Deployment", Namespace: w.tenant, Name: name},
			}}
			i.Status.Claims = []v1alpha1.VolumeClaim{{Name: "data-" + name, Storage: "1Gi", OnRemoval: v1alpha1.ClaimRetained}}
		})
		set := w.addReplicaSet(t, w.tenant, name)
		for _, ref := range []corev1.ObjectReference{
			{APIVersion: "appmarket.io/v1alpha1", Kind: "AppInstance", Name: name}, {APIVersion: "apps/v1", Kind: "Deployment", Name: name},
			{APIVersion: "v1", Kind: "PersistentVolumeClaim", Name: "data-" + name},
			{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: set}, {APIVersion: "v1", Kind: "Pod", Name: set + "-abcde"},
		} {
			ref.Namespace = w.tenant
			w.addEvent(t, ref, fmt.Sprintf("z-%s.%s", name, kindSuffix(ref.Kind)), ref.Kind+" of "+name+"!", time.Minute)
		}
	}
	w.addEvent(t, corev1.ObjectReference{APIVersion: "v1", Kind: "Service", Namespace: w.tenant, Name: "web"}, "service", "Service of another app!", time.Minute)
	b := w.signIn(t, w.tenant, "jane", viewer, events, controllers)
	for _, name := range []string{"web", "web-2"} {
		page := b.get(t, "/instances/"+w.tenant+"/"+name+"/events").text
		for _, kind := range []string{"AppInstance", "Deployment", "PersistentVolumeClaim", "ReplicaSet", "Pod"} {
			g.Expect(page).To(ContainSubstring(kind + " of " + name + "!"))
		}
		other := map[string]string{"web": "web-2", "web-2": "web"}[name]
		g.Expect(page).NotTo(Or(ContainSubstring(" of "+other+"!"), ContainSubstring("Service of another app!")))
	}
	limited := w.signIn(t, w.tenant, "joe", viewer, events)
	g.Expect(limited.get(t, "/instances/"+w.tenant+"/web/events").text).To(And(
		ContainSubstring("Deployment of web!"), ContainSubstring("You cannot list Pod objects in namespace "+w.tenant), Not(ContainSubstring("Pod of web!"))))
}

func kindSuffix(kind string) string {
	return map[string]string{"AppInstance": "a", "Deployment": "d", "PersistentVolumeClaim": "c", "ReplicaSet": "r", "Pod": "p"}[kind]
}

// TestNewestEventsAreShown has more events than one request returns. The name of the newest one is the last.
func TestNewestEventsAreShown(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, true)
	object := corev1.ObjectReference{APIVersion: "appmarket.io/v1alpha1", Kind: "AppInstance", Namespace: w.tenant, Name: "wiki"}
	for i := range 1001 {
		w.addEvent(t, object, fmt.Sprintf("event-%04d", i), fmt.Sprintf("message %04d!", i), time.Duration(2000-i)*time.Second)
	}
	page := w.signInAsAdmin(t).get(t, "/instances/"+w.tenant+"/wiki/events").text
	g.Expect(page).To(And(ContainSubstring("message 1000!"), ContainSubstring("message 0801!"), Not(ContainSubstring("message 0800!"))))
}
