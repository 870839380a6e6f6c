package helmtest

import (
	"context"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// Deployments is the resource of Deployments.
var Deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}

// GetLive returns an object, as the administrator.
func GetLive(t testing.TB, resource schema.GroupVersionResource, namespace, name string) *unstructured.Unstructured {
	t.Helper()
	admin, err := dynamic.NewForConfig(Server.Config)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	object, err := admin.Resource(resource).Namespace(namespace).Get(context.Background(), name, metav1.GetOptions{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return object
}

// PatchObject applies a JSON merge patch to an object, as another client.
func PatchObject(t testing.TB, resource schema.GroupVersionResource, namespace, name, patch string) {
	t.Helper()
	admin, err := dynamic.NewForConfig(Server.Config)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	_, err = admin.Resource(resource).Namespace(namespace).Patch(context.Background(), name, types.MergePatchType,
		[]byte(patch), metav1.PatchOptions{FieldManager: "kubectl"})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
}

// SetPermissions replaces the permissions of the service account of a tenant.
func SetPermissions(t testing.TB, namespace string, rules ...rbacv1.PolicyRule) {
	t.Helper()
	_, err := Server.Admin.RbacV1().Roles(namespace).Update(t.Context(), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "installer", Namespace: namespace}, Rules: rules,
	}, metav1.UpdateOptions{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
}

// FieldAt returns the field at a path such as spec.replicas, or the error that it cannot be read.
func FieldAt(object *unstructured.Unstructured, path string) any {
	value, _, err := unstructured.NestedFieldCopy(object.Object, strings.Split(path, ".")...)
	if err != nil {
		return err
	}
	return value
}

// DeploymentManifest returns the YAML of a Deployment.
func DeploymentManifest(name, replicas string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + "}\nspec:\n  replicas: " + replicas + PodText
}

// NewAutoscalerSpec returns an autoscaler of a workload of apps/v1.
func NewAutoscalerSpec(kind string, least *int32, most int32) *autoscalingv2.HorizontalPodAutoscalerSpec {
	return &autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: kind},
		MinReplicas:    least, MaxReplicas: most,
	}
}

// RecordsLeft returns the names of the Secrets in a namespace.
func RecordsLeft(t testing.TB, namespace string) []string {
	t.Helper()
	list, err := Server.Admin.CoreV1().Secrets(namespace).List(context.Background(), metav1.ListOptions{})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	var names []string
	for _, one := range list.Items {
		if one.Type != corev1.SecretTypeServiceAccountToken {
			names = append(names, one.Name)
		}
	}
	return names
}

// EndJob sets the status of a Job like the Job controller, and returns the UID of the Job.
func EndJob(t testing.TB, namespace, name string, how ...batchv1.JobConditionType) types.UID {
	t.Helper()
	g := NewWithT(t)
	jobs := Server.Admin.BatchV1().Jobs(namespace)
	var job *batchv1.Job
	g.Eventually(func() (err error) {
		job, err = jobs.Get(context.Background(), name, metav1.GetOptions{})
		return err
	}, "10s").Should(Succeed())
	now := metav1.Now()
	job.Status.StartTime = &now
	for _, one := range how {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{
			Type: one, Status: corev1.ConditionTrue, Reason: "Played", Message: "by the test",
		})
		if one == batchv1.JobComplete {
			job.Status.CompletionTime, job.Status.Succeeded = &now, 1
		}
	}
	_, err := jobs.UpdateStatus(context.Background(), job, metav1.UpdateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	return job.UID
}

// Completed contains the conditions of a Job that has succeeded.
var Completed = []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete}

// PodText is the template of a pod, as part of the spec of a workload.
const PodText = `
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec:
      containers: [{name: web, image: nginx}]
`
