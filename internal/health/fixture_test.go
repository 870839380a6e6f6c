package health_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/health"
	"github.com/appmarket/operator/internal/release"
)

var apiServer struct {
	once   sync.Once
	env    *envtest.Environment
	config *rest.Config
	mapper meta.RESTMapper
	admin  ctrl.Client
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if apiServer.env != nil {
		if err := apiServer.env.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop API server:", err)
		}
	}
	os.Exit(code)
}

func startAPIServer() {
	apiServer.env = &envtest.Environment{}
	if apiServer.config, apiServer.err = apiServer.env.Start(); apiServer.err != nil {
		return
	}
	apiServer.config.QPS = -1
	web, err := rest.HTTPClientFor(apiServer.config)
	if err != nil {
		apiServer.err = err
		return
	}
	if apiServer.mapper, apiServer.err = apiutil.NewDynamicRESTMapper(apiServer.config, web); apiServer.err != nil {
		return
	}
	apiServer.admin, apiServer.err = ctrl.New(apiServer.config, ctrl.Options{Mapper: apiServer.mapper})
}

// requireAPIServer skips the test if the programs of the control plane are not available.
func requireAPIServer(t testing.TB) {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("KUBEBUILDER_ASSETS is not set")
		}
		t.Skip("skipped: KUBEBUILDER_ASSETS is not set")
	}
	apiServer.once.Do(startAPIServer)
	if apiServer.err != nil {
		t.Fatal(apiServer.err)
	}
}

var (
	namespaces     atomic.Int64
	allPermissions = rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}
)

// fixture is a namespace with a tenant and a watcher, and the events of the watcher.
type fixture struct {
	*WithT
	t         testing.TB
	namespace string
	tenant    release.Tenant
	watcher   *health.Watcher
	changes   chan event.GenericEvent
	watches   *watchCounter
}

func newFixture(t testing.TB, rules ...rbacv1.PolicyRule) *fixture {
	t.Helper()
	requireAPIServer(t)
	s := &fixture{
		WithT: NewWithT(t), t: t, namespace: fmt.Sprintf("tenant-%d", namespaces.Add(1)),
		changes: make(chan event.GenericEvent, 100), watches: &watchCounter{},
	}
	s.tenant = release.Tenant{Namespace: s.namespace, ServiceAccount: "installer"}
	s.createObject(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}})
	name := metav1.ObjectMeta{Name: "installer", Namespace: s.namespace}
	s.createObject(&rbacv1.Role{ObjectMeta: name, Rules: rules})
	s.createObject(&rbacv1.RoleBinding{
		ObjectMeta: name,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name.Name},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: "installer", Namespace: s.namespace}},
	})
	cfg := rest.CopyConfig(apiServer.config)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { s.watches.next = next; return s.watches })
	s.watcher = health.NewWatcher(cfg, apiServer.mapper, s.changes)
	t.Cleanup(s.watcher.Close)
	return s
}

func (s *fixture) createObject(object ctrl.Object) {
	s.t.Helper()
	s.Expect(apiServer.admin.Create(context.Background(), object)).To(Succeed())
}

// applyYAML creates an object with the labels that Helm sets.
func (s *fixture) applyYAML(text string) v1alpha1.ObjectReference {
	s.t.Helper()
	object := &unstructured.Unstructured{}
	s.Expect(yaml.Unmarshal([]byte(text), &object.Object)).To(Succeed())
	if object.GetNamespace() == "" {
		object.SetNamespace(s.namespace)
	}
	labels := object.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels["app.kubernetes.io/managed-by"] = "Helm"
	object.SetLabels(labels)
	status, hasStatus := object.Object["status"]
	s.createObject(object)
	if hasStatus {
		object.Object["status"] = status
		s.Expect(apiServer.admin.Status().Update(context.Background(), object)).To(Succeed())
	}
	mapping, err := apiServer.mapper.RESTMapping(object.GroupVersionKind().GroupKind(), object.GroupVersionKind().Version)
	s.Expect(err).NotTo(HaveOccurred())
	ref := v1alpha1.ObjectReference{
		APIVersion: object.GetAPIVersion(), Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName(),
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		ref.Namespace = ""
	}
	return ref
}

// patchStatus updates the status of an object, as its controller does.
func (s *fixture) patchStatus(ref v1alpha1.ObjectReference, status string) {
	s.t.Helper()
	s.Expect(apiServer.admin.Status().Patch(context.Background(), toUnstructured(ref),
		ctrl.RawPatch(types.MergePatchType, []byte(`{"status":`+status+`}`)))).To(Succeed())
}

func (s *fixture) deleteObject(ref v1alpha1.ObjectReference) {
	s.t.Helper()
	s.Expect(apiServer.admin.Delete(context.Background(), toUnstructured(ref))).To(Succeed())
}

func toUnstructured(ref v1alpha1.ObjectReference) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion(ref.APIVersion)
	object.SetKind(ref.Kind)
	object.SetNamespace(ref.Namespace)
	object.SetName(ref.Name)
	return object
}

func (s *fixture) instanceName(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: s.namespace, Name: name}
}

func (s *fixture) trackObjects(name string, refs ...v1alpha1.ObjectReference) {
	s.t.Helper()
	s.Expect(s.watcher.Track(context.Background(), s.instanceName(name), s.tenant, refs, false)).To(Succeed())
}

// getHealth returns the health of an instance when the watches have synced.
func (s *fixture) getHealth(name string) release.Health {
	s.t.Helper()
	var said release.Health
	s.Eventually(func() (known bool, err error) {
		said, known, err = s.watcher.Health(context.Background(), s.instanceName(name))
		return known, err
	}, "10s", "10ms").Should(BeTrue())
	return s.withoutUnready(said)
}

// withoutUnready returns a health without the list of objects that are not ready, after it has
// compared the list with the counts and the message.
func (s *fixture) withoutUnready(health release.Health) release.Health {
	s.t.Helper()
	s.Expect(health.Unready).To(HaveLen(min(health.Total-health.Ready, release.MaxUnready)))
	if len(health.Unready) > 0 {
		s.Expect(health.Message).To(HavePrefix(health.Unready[0].Object.String()))
		s.Expect(health.Message).To(ContainSubstring(health.Unready[0].Message))
	}
	health.Unready = nil
	return health
}

// expectHealth waits for a health. It only continues after an event, as the controller does.
func (s *fixture) expectHealth(name string, want release.Health) {
	s.t.Helper()
	var said release.Health
	for deadline := time.After(10 * time.Second); ; {
		var known bool
		var err error
		said, known, err = s.watcher.Health(context.Background(), s.instanceName(name))
		s.Expect(err).NotTo(HaveOccurred())
		if known && s.withoutUnready(said).IsSame(want) {
			return
		}
		select {
		case change := <-s.changes:
			s.Expect(change.Object.GetNamespace()).To(Equal(s.namespace))
		case <-deadline:
			s.Expect(said).To(Equal(want), "the health after the last event")
		}
	}
}

// drainEvents waits until no more events are sent.
func (s *fixture) drainEvents() {
	s.t.Helper()
	s.Eventually(func() int {
		count := len(s.changes)
		for range count {
			<-s.changes
		}
		return count
	}, "5s", "100ms").Should(BeZero())
}

// watchCounter counts the open watches.
type watchCounter struct {
	next http.RoundTripper
	open atomic.Int64
}

func (w *watchCounter) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := w.next.RoundTrip(r)
	if err == nil && r.URL.Query().Get("watch") == "true" && response.StatusCode == http.StatusOK {
		w.open.Add(1)
		var once sync.Once
		response.Body = closeNotifier{response.Body, func() { once.Do(func() { w.open.Add(-1) }) }}
	}
	return response, err
}

type closeNotifier struct {
	io.ReadCloser
	closed func()
}

func (c closeNotifier) Close() error {
	c.closed()
	return c.ReadCloser.Close()
}

// zeroGrace deletes pods immediately, because there is no kubelet to end them.
type zeroGrace struct{}

func (zeroGrace) ApplyToDelete(o *ctrl.DeleteOptions) {
	none := int64(0)
	o.GracePeriodSeconds = &none
}
