package placement_test

import (
	"context"
	"os"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/kinds"
	"github.com/appmarket/operator/internal/placement"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// observedCluster is a cluster with an Observer, and the apps that it has named.
type observedCluster struct {
	server   *testenv.Env
	observer *placement.Observer
}

// startObserver starts an Observer of a cluster without nodes on demand.
func startObserver(t *testing.T) *observedCluster {
	t.Helper()
	g := NewWithT(t)
	server := testenv.Start(t)
	known, err := kinds.New(server.Config)
	g.Expect(err).NotTo(HaveOccurred())
	objects, err := cache.New(server.Config, cache.Options{
		Scheme: server.Scheme, Mapper: server.Mapper, ByObject: map[client.Object]cache.ByObject{&corev1.Node{}: {Transform: placement.StripNode}},
	})
	g.Expect(err).NotTo(HaveOccurred())
	c := &observedCluster{server: server, observer: placement.NewObserver(objects, known, func(context.Context) (bool, error) { return false, nil })}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- objects.Start(ctx) }()
	go func() { ended <- c.observer.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			g.Eventually(ended).Should(Receive(BeNil()))
		}
	})
	return c
}

// createNode creates a node, which is deleted when the test ends.
func (c *observedCluster) createNode(t *testing.T, name, architecture string, allocatable corev1.ResourceList) *corev1.Node {
	t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	c.server.Create(t, node)
	t.Cleanup(func() { NewWithT(t).Expect(c.server.Client.Delete(context.Background(), node)).To(Succeed()) })
	node.Status.NodeInfo.Architecture, node.Status.Allocatable, node.Status.Capacity = architecture, allocatable, allocatable
	NewWithT(t).Expect(c.server.Client.Status().Update(t.Context(), node)).To(Succeed())
	return node
}

// createApp creates an app with requirements and the placement Yes.
func (c *observedCluster) createApp(t *testing.T, namespace, name string, change func(*v1alpha1.AppSummary)) *v1alpha1.AppInfo {
	t.Helper()
	app := &v1alpha1.AppInfo{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "main." + name},
		Spec:       v1alpha1.AppInfoSpec{SourceRef: v1alpha1.LocalObjectReference{Name: "main"}, App: name},
	}
	c.server.Create(t, app)
	app.Status.Summary = &v1alpha1.AppSummary{Requirements: &v1alpha1.AppRequirements{}}
	change(app.Status.Summary)
	app.Status.Placement = &v1alpha1.AppPlacement{Verdict: v1alpha1.PlacementYes}
	NewWithT(t).Expect(c.server.Client.Status().Update(t.Context(), app)).To(Succeed())
	return app
}

// takeNamed returns the names of the apps that are named, until none has been named for some time. It waits
// longer for the first. It writes the placement of each app, as the controller does.
func (c *observedCluster) takeNamed(t *testing.T, wait time.Duration) []string {
	t.Helper()
	g := NewWithT(t)
	names := []string{}
	for {
		select {
		case named := <-c.observer.Changed():
			app := &v1alpha1.AppInfo{}
			g.Expect(c.server.Client.Get(t.Context(), client.ObjectKeyFromObject(named.Object), app)).To(Succeed())
			var known bool
			app.Status.Placement, known = c.observer.Assess(app)
			g.Expect(known).To(BeTrue())
			g.Expect(c.server.Client.Status().Update(t.Context(), app)).To(Succeed())
			names, wait = append(names, app.Spec.App), 2*time.Second
		case <-time.After(wait):
			return names
		}
	}
}

// TestChangesNameOnlyAffectedApps checks that a change of the cluster leads to a write of the apps whose
// placement has changed, and of no other app.
func TestChangesNameOnlyAffectedApps(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	namespace := server.Namespace(t, nil)
	c := &observedCluster{server: server}
	first := c.createNode(t, "first", "amd64", corev1.ResourceList{"cpu": resource.MustParse("4")})
	c.createApp(t, namespace, "plain", func(*v1alpha1.AppSummary) {})
	c.createApp(t, namespace, "arm", func(s *v1alpha1.AppSummary) { s.Architectures = []string{"arm64"} })
	c.createApp(t, namespace, "widgets", func(s *v1alpha1.AppSummary) {
		s.Requirements.Kinds = []v1alpha1.RequiredKind{{APIVersion: "placement.example.com/v1", Kind: "Widget"}}
	})
	c = startObserver(t)
	const most = 20 * time.Second
	g.Expect(c.takeNamed(t, most)).To(ConsistOf("arm", "widgets"))

	before := client.MergeFrom(first.DeepCopy())
	first.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.Now()}}
	g.Expect(server.Client.Status().Patch(t.Context(), first, before)).To(Succeed())
	g.Expect(c.takeNamed(t, 3*time.Second)).To(BeEmpty(), "a heartbeat has no effect")

	c.createNode(t, "second", "arm64", corev1.ResourceList{"cpu": resource.MustParse("4")})
	g.Expect(c.takeNamed(t, most)).To(Equal([]string{"arm"}))

	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "widgets.placement.example.com"},
		"spec": map[string]any{
			"group": "placement.example.com", "scope": "Namespaced", "names": map[string]any{"kind": "Widget", "plural": "widgets"},
			"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true, "schema": map[string]any{
				"openAPIV3Schema": map[string]any{"type": "object"}}}},
		},
	}}
	server.Create(t, crd)
	g.Expect(c.takeNamed(t, most)).To(Equal([]string{"widgets"}))
	g.Expect(server.Client.Delete(t.Context(), crd)).To(Succeed())
	g.Expect(c.takeNamed(t, most)).To(Equal([]string{"widgets"}), "the CRD is gone")
}
