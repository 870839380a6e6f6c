package collector_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight/collector"
	"github.com/appmarket/operator/test/testenv"
)

// createTemporary creates objects that other tests must not see, and deletes them after the test.
func createTemporary(t *testing.T, server *testenv.Env, objects ...client.Object) {
	t.Helper()
	server.Create(t, objects...)
	t.Cleanup(func() {
		for _, o := range objects {
			NewWithT(t).Expect(client.IgnoreNotFound(server.Client.Delete(context.WithoutCancel(t.Context()), o))).To(Succeed())
		}
	})
}

func TestNodesOnDemandFlag(t *testing.T) {
	server := testenv.Start(t)
	tenant := createAdministrator(t, server)
	addNode(t, server, tenant.Namespace+"-node", resourceList("2", "8Gi"))
	createTemporary(t, server, newAutoscalerStatus(time.Now()))
	tooLarge := newRequest(tenant, deploymentYAML("cpu: 900"))
	for mode, want := range map[collector.NodesOnDemand][]string{
		collector.NodesOnDemandAlways: nil,
		collector.NodesOnDemandAuto:   nil,
		collector.NodesOnDemandNever:  {v1alpha1.ReasonInsufficientResources},
	} {
		g := NewWithT(t)
		c, err := collector.New(server.Config, server.Mapper, collector.WithNodesOnDemand(mode))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(checkReasons(t.Context(), c, tooLarge)).To(Equal(want), string(mode))
	}
}

// newAutoscalerStatus returns the status of a Cluster Autoscaler with a group that can grow.
func newAutoscalerStatus(updated time.Time) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "kube-system", Name: "cluster-autoscaler-status",
			Annotations: map[string]string{"cluster-autoscaler.kubernetes.io/last-updated": updated.Format("2006-01-02 15:04:05.999999999 -0700 MST")},
		},
		Data: map[string]string{"status": "autoscalerStatus: Running\nclusterWide: {health: {status: Healthy}}\n" +
			"nodeGroups: [{name: a, health: {status: Healthy, cloudProviderTarget: 1, minSize: 1, maxSize: 2}}]\n"},
	}
}

func TestClusterAutoscaler(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createAdministrator(t, server)
	addNode(t, server, tenant.Namespace+"-node", resourceList("2", "8Gi"))
	tooLarge := newRequest(tenant, deploymentYAML("cpu: 900"))
	check := func() ([]string, error) { return checkReasons(t.Context(), newCollector(t, server), tooLarge) }
	insufficient := []string{v1alpha1.ReasonInsufficientResources}
	g.Expect(check()).To(Equal(insufficient), "no autoscaler")
	status := newAutoscalerStatus(time.Now())
	createTemporary(t, server, status)
	g.Expect(check()).To(BeEmpty(), "an autoscaler that can add a node")
	status.Annotations = newAutoscalerStatus(time.Now().Add(-time.Hour)).Annotations
	g.Expect(server.Client.Update(t.Context(), status)).To(Succeed())
	g.Expect(check()).To(Equal(insufficient), "an autoscaler that was removed")
}

const nodePoolCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: nodepools.karpenter.sh}
spec:
  group: karpenter.sh
  scope: Cluster
  names: {plural: nodepools, singular: nodepool, kind: NodePool, listKind: NodePoolList}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`

// installNodePools creates the CRD of NodePools and waits until it is served.
func installNodePools(t *testing.T, server *testenv.Env) {
	t.Helper()
	crd := &unstructured.Unstructured{}
	NewWithT(t).Expect(yaml.Unmarshal([]byte(nodePoolCRD), &crd.Object)).To(Succeed())
	// The CRD of an earlier test may still be being deleted.
	NewWithT(t).Eventually(func() bool {
		return apierrors.IsNotFound(server.Client.Get(t.Context(), client.ObjectKeyFromObject(crd), crd.DeepCopy()))
	}, "20s").Should(BeTrue())
	createTemporary(t, server, crd)
	NewWithT(t).Eventually(func() error { return server.Client.List(t.Context(), newNodePools()) }).Should(Succeed())
}

func newNodePools() *unstructured.UnstructuredList {
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion("karpenter.sh/v1")
	list.SetKind("NodePoolList")
	return list
}

func newNodePool(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	pool := &unstructured.Unstructured{}
	NewWithT(t).Expect(yaml.Unmarshal([]byte(text), &pool.Object)).To(Succeed())
	pool.SetAPIVersion("karpenter.sh/v1")
	pool.SetKind("NodePool")
	pool.SetName("default")
	return pool
}

func TestKarpenter(t *testing.T) {
	server := testenv.Start(t)
	tenant := createAdministrator(t, server)
	addNode(t, server, tenant.Namespace+"-node", resourceList("2", "8Gi"))
	installNodePools(t, server)
	check := func(architectures ...string) ([]string, error) {
		request := newRequest(tenant, deploymentYAML("cpu: 900"))
		request.Architectures = architectures
		return checkReasons(t.Context(), newCollector(t, server), request)
	}
	insufficient := []string{v1alpha1.ReasonInsufficientResources}
	NewWithT(t).Expect(check()).To(Equal(insufficient), "no pool")
	for _, c := range []struct {
		why, pool     string
		architectures []string
		want          []string
	}{
		{"a pool", "spec: {template: {spec: {requirements: []}}}", nil, nil},
		{"a pool of the architecture", "spec: {template: {spec: {requirements: [{key: kubernetes.io/arch, operator: In, values: [arm64]}]}}}", []string{"arm64"}, nil},
		{"a pool of another architecture", "spec: {template: {spec: {requirements: [{key: kubernetes.io/arch, operator: In, values: [amd64]}]}}}", []string{"arm64"},
			[]string{v1alpha1.ReasonArchitectureMismatch, v1alpha1.ReasonInsufficientResources}},
		{"a taint", "spec: {template: {spec: {taints: [{key: gpu, effect: NoSchedule}]}}}", nil, insufficient},
		{"a taint at the start", "spec: {template: {spec: {startupTaints: [{key: gpu, effect: NoSchedule}]}}}", nil, nil},
		{"a limit that suffices", "spec: {limits: {cpu: 1000}}\nstatus: {resources: {cpu: '100'}}", nil, nil},
		{"a limit that is nearly reached", "spec: {limits: {cpu: 1000}}\nstatus: {resources: {cpu: 100500m}}", nil, insufficient},
		{"a limit of nodes that is reached", "spec: {limits: {nodes: '2'}}\nstatus: {resources: {nodes: '2'}}", nil, insufficient},
		{"a limit of nodes", "spec: {limits: {nodes: '2'}}\nstatus: {resources: {nodes: '1'}}", nil, nil},
		{"a fixed number of nodes", "spec: {replicas: 3}", nil, insufficient},
		{"a pool that is not ready", "status: {conditions: [{type: Ready, status: 'False'}]}", nil, insufficient},
	} {
		t.Run(c.why, func(t *testing.T) {
			createTemporary(t, server, newNodePool(t, c.pool))
			NewWithT(t).Expect(check(c.architectures...)).To(Equal(c.want))
		})
	}
}

// TestOperatorWithoutNodePools runs an operator that may not list NodePools.
func TestOperatorWithoutNodePools(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	tenant := createAdministrator(t, server)
	addNode(t, server, tenant.Namespace+"-node", resourceList("2", "8Gi"))
	installNodePools(t, server)
	operator := createOperator(t, server, tenant.Namespace+"-operator", "nodes", "pods", "persistentvolumes")
	g.Eventually(func() error {
		_, err := newCollector(t, server, operator).Check(t.Context(), newRequest(tenant, deploymentYAML("cpu: 1")))
		return err
	}).Should(Succeed(), "the permissions are effective")
	g.Expect(checkReasons(t.Context(), newCollector(t, server, operator), newRequest(tenant, deploymentYAML("cpu: 900")))).To(BeEmpty(), "there may be a pool")
}
