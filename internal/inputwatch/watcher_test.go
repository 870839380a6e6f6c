package inputwatch_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/inputwatch"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// readInputs grants the permissions that the watches need.
var readInputs = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"list", "watch"}}

// fixture is a namespace with a tenant, and a watcher that records its notifications and requests.
type fixture struct {
	*WithT
	t       *testing.T
	server  *testenv.Env
	tenant  release.Tenant
	watcher *inputwatch.Watcher
	woken   chan string

	mu       sync.Mutex
	requests []string
}

func newFixture(t *testing.T, limit int, rules ...rbacv1.PolicyRule) *fixture {
	server := testenv.Start(t)
	s := &fixture{WithT: NewWithT(t), t: t, server: server, woken: make(chan string, 100)}
	s.tenant = release.Tenant{Namespace: server.Namespace(t, nil), ServiceAccount: "tenant"}
	server.Allow(t, s.tenant.Namespace, "tenant", rules...)
	cfg := rest.CopyConfig(server.Config)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return recorder{s, next} })
	s.watcher = inputwatch.NewWatcher(cfg, limit, func(instance types.NamespacedName) { s.woken <- instance.Name })
	t.Cleanup(s.watcher.Close)
	return s
}

// recorder records the user, the path, and whether a request is for metadata only.
type recorder struct {
	s    *fixture
	next http.RoundTripper
}

func (r recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.s.mu.Lock()
	r.s.requests = append(r.s.requests, fmt.Sprintf("%s %s %t", request.Header.Get("Impersonate-User"), request.URL.Path,
		strings.Contains(request.Header.Get("Accept"), "as=PartialObjectMetadata")))
	r.s.mu.Unlock()
	return r.next.RoundTrip(request)
}

// watchInputs watches the inputs of an instance and waits for the notification of the start.
func (s *fixture) watchInputs(instance string, inputs ...inputwatch.Input) {
	s.t.Helper()
	s.Expect(s.watcher.WatchInputs(s.nameOf(instance), s.tenant, inputs)).To(Succeed())
	s.Eventually(s.woken, "20s").Should(Receive(Equal(instance)), "it may have missed a change")
}

func (s *fixture) nameOf(instance string) types.NamespacedName {
	return types.NamespacedName{Namespace: s.tenant.Namespace, Name: instance}
}

func (s *fixture) object(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: s.tenant.Namespace, Name: name}
}

func (s *fixture) expectWoken(instances ...string) {
	s.t.Helper()
	for range instances {
		s.Eventually(s.woken, "20s").Should(Receive(BeElementOf(instances)))
	}
	s.expectNotWoken()
}

func (s *fixture) expectNotWoken() {
	s.t.Helper()
	s.Consistently(s.woken, "200ms").ShouldNot(Receive())
}

// writeData changes the data of a Secret or a ConfigMap.
func (s *fixture) writeData(object client.Object, field string) {
	s.t.Helper()
	patch := client.RawPatch(types.MergePatchType, []byte(field))
	s.Expect(s.server.Client.Patch(s.t.Context(), object, patch)).To(Succeed())
}

func secret(name string) inputwatch.Input {
	return inputwatch.Input{Kind: v1alpha1.ValuesFromSecret, Name: name}
}

func configMap(name string) inputwatch.Input {
	return inputwatch.Input{Kind: v1alpha1.ValuesFromConfigMap, Name: name}
}

func TestChangesWakeTheInstancesThatReadTheObject(t *testing.T) {
	s := newFixture(t, 0, readInputs)
	password := &corev1.Secret{ObjectMeta: s.object("password")}
	other := &corev1.Secret{ObjectMeta: s.object("other")}
	s.server.Create(t, password, other)
	s.watchInputs("blog", secret("password"), secret("password"), configMap("settings"))
	s.expectWoken("blog") // for the other kind
	s.watchInputs("shop", secret("password"))

	s.writeData(other, `{"stringData": {"a": "b"}}`)
	s.server.Create(t, &corev1.Secret{ObjectMeta: s.object("sh.helm.release.v1.blog.v1"), Type: "helm.sh/release.v1"})
	s.expectNotWoken()

	s.writeData(password, `{"stringData": {"value": "b"}}`)
	s.expectWoken("blog", "shop")

	settings := &corev1.ConfigMap{ObjectMeta: s.object("settings")}
	s.server.Create(t, settings)
	s.expectWoken("blog")
	s.writeData(settings, `{"data": {"a": "b"}}`)
	s.expectWoken("blog")
	s.Expect(s.server.Client.Delete(t.Context(), settings)).To(Succeed())
	s.expectWoken("blog")

	s.watcher.ForgetInputs(s.nameOf("blog"))
	s.writeData(password, `{"stringData": {"value": "c"}}`)
	s.expectWoken("shop")

	s.mu.Lock()
	defer s.mu.Unlock()
	s.Expect(s.requests).NotTo(BeEmpty())
	for _, request := range s.requests {
		s.Expect(request).To(And(HavePrefix("system:serviceaccount:"+s.tenant.Namespace+":tenant "), HaveSuffix(" true")), "as the tenant, metadata only")
	}
}

func TestWatchStartsWithThePermission(t *testing.T) {
	s := newFixture(t, 0, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}})
	s.Expect(s.watcher.WatchInputs(s.nameOf("blog"), s.tenant, []inputwatch.Input{secret("password")})).To(Succeed())
	s.expectNotWoken()

	role := &rbacv1.Role{ObjectMeta: s.object("tenant"), Rules: []rbacv1.PolicyRule{readInputs}}
	s.Expect(s.server.Client.Update(t.Context(), role)).To(Succeed())
	s.Eventually(s.woken, "40s").Should(Receive(Equal("blog")))
	s.server.Create(t, &corev1.Secret{ObjectMeta: s.object("password")})
	s.expectWoken("blog")
}

func TestWatchIsStartedAgainAfterAPanic(t *testing.T) {
	for _, failing := range []int32{1, 2} {
		t.Run(fmt.Sprintf("of notification %d", failing), func(t *testing.T) {
			s := newFixture(t, 0, readInputs)
			var calls atomic.Int32
			s.watcher = inputwatch.NewWatcher(s.server.Config, 0, func(instance types.NamespacedName) {
				if calls.Add(1) == failing {
					panic("a defect")
				}
				s.woken <- instance.Name
			})
			t.Cleanup(s.watcher.Close)
			s.watchInputs("blog", secret("password"))
			s.server.Create(t, &corev1.Secret{ObjectMeta: s.object("password")})
			s.expectWoken("blog")
		})
	}
}

func TestWatchesOfANamespaceAreLimited(t *testing.T) {
	s := newFixture(t, 1, readInputs)
	s.watchInputs("blog", secret("a"))
	s.watchInputs("shop", secret("b"))

	err := s.watcher.WatchInputs(s.nameOf("wiki"), s.tenant, []inputwatch.Input{configMap("a"), secret("a")})
	s.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonAllowanceExceeded))

	elsewhere := release.Tenant{Namespace: s.server.Namespace(t, nil), ServiceAccount: "tenant"}
	s.Expect(s.watcher.WatchInputs(types.NamespacedName{Namespace: elsewhere.Namespace, Name: "wiki"}, elsewhere,
		[]inputwatch.Input{configMap("a")})).To(Succeed(), "other namespaces have their own limit")

	s.watcher.ForgetInputs(s.nameOf("blog"))
	s.watcher.ForgetInputs(s.nameOf("shop"))
	s.Expect(s.watcher.WatchInputs(s.nameOf("wiki"), s.tenant, []inputwatch.Input{configMap("a")})).To(Succeed(), "watches without users end")
}
