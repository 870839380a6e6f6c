package collector_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/test/testenv"
)

// deploymentYAML returns a Deployment with resource requests such as "cpu: 2, memory: 1Gi".
func deploymentYAML(requests string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, " +
		"spec: {containers: [{name: app, image: nginx, resources: {requests: {" + requests + "}}}]}}}"
}

func TestNodeCapacity(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createAdministrator(t, server)
	g.Expect(checkMessages(t.Context(), g, newCollector(t, server), newRequest(tenant, deploymentYAML("cpu: 900")))).To(BeEmpty(), "the cluster has no nodes")

	large, small := tenant.Namespace+"-large", tenant.Namespace+"-small"
	addNode(t, server, large, resourceList("4", "8Gi"))
	addNode(t, server, small, resourceList("2", "8Gi"))
	for i, phase := range []corev1.PodPhase{corev1.PodRunning, corev1.PodPending, corev1.PodSucceeded, corev1.PodFailed} {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: fmt.Sprintf("busy-%d", i)},
			Spec: corev1.PodSpec{NodeName: large, Containers: []corev1.Container{{
				Name: "app", Image: "nginx", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("750m")}},
			}}},
		}
		server.Create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: pod.Name}})
		pod.Spec.ServiceAccountName = pod.Name
		server.Create(t, pod)
		pod.Status.Phase = phase
		g.Expect(server.Client.Status().Update(t.Context(), pod)).To(Succeed())
	}
	g.Expect(checkMessages(t.Context(), g, newCollector(t, server), newRequest(tenant, deploymentYAML("cpu: 2500m")))).To(BeEmpty(), "completed pods use no resources")
	g.Expect(checkMessages(t.Context(), g, newCollector(t, server), newRequest(tenant, deploymentYAML("cpu: 2600m")))).To(ConsistOf(ContainSubstring(large + ", which has the most available, has only 2500m CPU of 4")))
	g.Expect(checkMessages(t.Context(), g, newCollector(t, server), newRequest(tenant, deploymentYAML("nvidia.com/gpu: 1")))).To(ContainElement(ContainSubstring("no node provides it")))
	other := newRequest(tenant, deploymentYAML("cpu: 1"))
	other.Architectures = []string{"arm64"}
	g.Expect(checkReasons(t.Context(), newCollector(t, server), other)).To(Equal([]string{v1alpha1.ReasonArchitectureMismatch}))
}

func TestStorageClasses(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createAdministrator(t, server)
	claim := func(spec string) string {
		return "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}" + spec + "}"
	}
	check := func(spec string) []string {
		return checkMessages(t.Context(), g, newCollector(t, server), newRequest(tenant, claim(spec)))
	}
	g.Expect(check("")).To(ConsistOf(ContainSubstring("no default StorageClass")))

	manual := tenant.Namespace + "-by-hand"
	class := &storagev1.StorageClass{
		ObjectMeta:  metav1.ObjectMeta{Name: "disk", Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}},
		Provisioner: "example.com/disk",
	}
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: manual},
		Spec: corev1.PersistentVolumeSpec{
			StorageClassName: manual, Capacity: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			AccessModes:            []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/data"}},
		},
	}
	reserved := volume.DeepCopy()
	reserved.Name += "-reserved"
	reserved.Spec.StorageClassName = reserved.Name
	reserved.Spec.ClaimRef = &corev1.ObjectReference{Namespace: tenant.Namespace, Name: "data"}
	taken := volume.DeepCopy()
	taken.Name += "-taken"
	taken.Spec.StorageClassName = taken.Name
	taken.Spec.ClaimRef = &corev1.ObjectReference{Namespace: tenant.Namespace, Name: "old", UID: "1"}
	server.Create(t, class, volume, reserved, taken)
	t.Cleanup(func() { g.Expect(server.Client.Delete(context.WithoutCancel(t.Context()), class)).To(Succeed()) })
	g.Expect(check("")).To(BeEmpty())
	g.Expect(check(", storageClassName: disk")).To(BeEmpty())
	g.Expect(check(", storageClassName: "+manual)).To(BeEmpty(), "a volume is available")
	g.Expect(check(", storageClassName: "+reserved.Name)).To(BeEmpty(), "a volume is reserved for the claim")
	g.Expect(check(", storageClassName: " + taken.Name)).To(ConsistOf(ContainSubstring(taken.Name)))
	g.Expect(check(", storageClassName: none")).To(ConsistOf(And(ContainSubstring(`"none"`), ContainSubstring("disk"))))

	class.Annotations = map[string]string{"storageclass.beta.kubernetes.io/is-default-class": "true"}
	g.Expect(server.Client.Update(t.Context(), class)).To(Succeed())
	g.Expect(check("")).To(BeEmpty(), "a default class by the beta annotation")
}

func TestKinds(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createAdministrator(t, server)
	text := "apiVersion: %s\nkind: %s\nmetadata: {name: web}"
	for _, c := range []struct {
		why, version, kind string
		reasons            []string
	}{
		{"built in", "v1", "ConfigMap", nil},
		{"of a CRD, without the spec that it requires", "appmarket.io/v1alpha1", "AppInstance", []string{v1alpha1.ReasonInvalidObject}},
		{"a version that is not served any more", "autoscaling/v2beta2", "HorizontalPodAutoscaler", []string{v1alpha1.ReasonNoKindMatch}},
		{"of a group that is not served", "traefik.io/v1alpha1", "IngressRoute", []string{v1alpha1.ReasonNoKindMatch}},
		{"a kind that is not served", "apps/v1", "Unknown", []string{v1alpha1.ReasonNoKindMatch}},
	} {
		g.Expect(checkReasons(t.Context(), newCollector(t, server), newRequest(tenant, fmt.Sprintf(text, c.version, c.kind)))).To(Equal(c.reasons), c.why)
	}

	var many []string
	for i := range 201 {
		many = append(many, fmt.Sprintf(text, "example.com/v1", fmt.Sprintf("Kind%d", i)))
	}
	_, err := newCollector(t, server).Check(t.Context(), newRequest(tenant, many...))
	g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonLimitExceeded))
}

func TestNamespace(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	namespace := server.Namespace(t, map[string]string{"pod-security.kubernetes.io/enforce": "baseline"})
	server.Create(t, &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "small"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"limits.cpu": resource.MustParse("1"), "requests.cpu": resource.MustParse("1")}},
	}, &corev1.LimitRange{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "defaults"},
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, Default: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
		}}},
	})
	everything := rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}
	blind := rbacv1.PolicyRule{APIGroups: []string{"", "apps", "autoscaling"}, Resources: []string{"secrets", "pods", "events", "deployments", "horizontalpodautoscalers"}, Verbs: []string{"*"}}
	server.Allow(t, namespace, "seeing", everything)
	server.Allow(t, namespace, "blind", blind)
	seeing, unseeing := release.Tenant{Namespace: namespace, ServiceAccount: "seeing"}, release.Tenant{Namespace: namespace, ServiceAccount: "blind"}

	g.Expect(checkReasons(t.Context(), newCollector(t, server), newRequest(seeing, deploymentYAML("cpu: 2")))).To(Equal([]string{v1alpha1.ReasonQuotaExceeded}))
	g.Expect(checkReasons(t.Context(), newCollector(t, server), newRequest(unseeing, deploymentYAML("cpu: 2")))).To(BeEmpty(), "quotas that the tenant may not read are not checked")
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {hostNetwork: true, containers: [{name: a, image: a}]}"
	g.Expect(checkReasons(t.Context(), newCollector(t, server), newRequest(seeing, pod))).To(Equal([]string{v1alpha1.ReasonPodSecurityViolation}))
}

func TestMissingNamespace(t *testing.T) {
	g := NewWithT(t)
	_, err := newCollector(t, testenv.Start(t)).Check(t.Context(), newRequest(release.Tenant{Namespace: "nowhere", ServiceAccount: "default"}))
	g.Expect(err).To(HaveOccurred())
	g.Expect(outcome.IsStalled(err)).To(BeFalse())
}

// pathCounter counts the requests for a path.
type pathCounter struct {
	next http.RoundTripper
	path string
	seen *atomic.Int64
}

func (c pathCounter) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == c.path {
		c.seen.Add(1)
	}
	return c.next.RoundTrip(r)
}

func TestSnapshotIsShared(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createAdministrator(t, server)
	var seen atomic.Int64
	c := newCollector(t, server, func(config *rest.Config) {
		config.Wrap(func(next http.RoundTripper) http.RoundTripper { return pathCounter{next, "/api/v1/nodes", &seen} })
	})
	var all sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		all.Go(func() { _, errs[i] = c.Check(t.Context(), newRequest(tenant, deploymentYAML("cpu: 1"))) })
	}
	all.Wait()
	g.Expect(errors.Join(errs...)).NotTo(HaveOccurred())
	g.Expect(seen.Load()).To(BeEquivalentTo(1))
}

func TestCanceledSnapshot(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createAdministrator(t, server)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := newCollector(t, server)
	_, err := c.Check(ctx, newRequest(tenant))
	g.Expect(err).To(MatchError(context.Canceled))
	_, err = c.Check(t.Context(), newRequest(tenant))
	g.Expect(err).NotTo(HaveOccurred(), "the next one is not the worse for it")
}

func TestFailedSnapshot(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createAdministrator(t, server)
	server.Allow(t, tenant.Namespace, "operator", rbacv1.PolicyRule{
		Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"serviceaccounts"},
	})
	c := newCollector(t, server, func(config *rest.Config) {
		config.Impersonate.UserName = "system:serviceaccount:" + tenant.Namespace + ":operator"
	})
	_, err := c.Check(t.Context(), newRequest(tenant))
	g.Expect(err).To(HaveOccurred(), "an operator that may not list nodes")
}
