package artifactwatch_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/artifactwatch"
	"github.com/appmarket/operator/internal/kinds"
	"github.com/appmarket/operator/test/fluxobjects"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// fixture is a namespace with a watcher that records its notifications, and its requests for objects of
// Flux.
type fixture struct {
	*WithT
	t         *testing.T
	server    *testenv.Env
	namespace string
	woken     chan string

	mu       sync.Mutex
	requests []string
}

// startWatcher starts a watcher that sends its requests for objects of Flux as a user, "" for an
// administrator.
func startWatcher(t *testing.T, user string) *fixture {
	t.Helper()
	server := testenv.Start(t)
	f := &fixture{WithT: NewWithT(t), t: t, server: server, namespace: server.Namespace(t, nil), woken: make(chan string, 100)}
	objects, err := cache.New(server.Config, cache.Options{Scheme: server.Client.Scheme()})
	f.Expect(err).NotTo(HaveOccurred())
	known, err := kinds.New(server.Config)
	f.Expect(err).NotTo(HaveOccurred())
	cfg := rest.CopyConfig(server.Config)
	cfg.Impersonate.UserName = user
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return recorder{f, next} })
	flux, err := dynamic.NewForConfig(cfg)
	f.Expect(err).NotTo(HaveOccurred())
	watcher := &artifactwatch.Watcher{Cache: objects, Kinds: known, Objects: flux, Notify: func(source types.NamespacedName) {
		if source.Namespace == f.namespace {
			f.woken <- source.Name
		}
	}}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, start := range []func(context.Context) error{objects.Start, watcher.Start} {
		running.Go(func() {
			if err := start(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() { stop(); running.Wait() })
	return f
}

// recorder records the paths of requests.
type recorder struct {
	f    *fixture
	next http.RoundTripper
}

func (r recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.f.mu.Lock()
	r.f.requests = append(r.f.requests, request.URL.Path+" "+request.URL.Query().Get("fieldSelector"))
	r.f.mu.Unlock()
	return r.next.RoundTrip(request)
}

// takeRequests returns the requests in the namespace since the last call.
func (f *fixture) takeRequests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var mine []string
	for _, request := range f.requests {
		if strings.Contains(request, "/namespaces/"+f.namespace+"/") {
			mine = append(mine, request)
		}
	}
	f.requests = nil
	return mine
}

// createSource creates a source that reads a Bucket.
func (f *fixture) createSource(name, bucket string) *v1alpha1.MarketSource {
	f.t.Helper()
	source := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: name}}
	source.Spec.Type, source.Spec.Artifact = v1alpha1.SourceTypeArtifact, &v1alpha1.ArtifactSource{Kind: v1alpha1.ArtifactFromBucket, Name: bucket}
	f.server.Create(f.t, source)
	return source
}

func (f *fixture) expectWoken(name, why string) {
	f.t.Helper()
	f.Eventually(f.woken, "60s").Should(Receive(Equal(name)), why)
}

func (f *fixture) expectQuiet(why string) {
	f.t.Helper()
	f.Consistently(f.woken, "2s").ShouldNot(Receive(), why)
}

// TestWatcherFollowsAnObject follows an object from before the creation of its CRD to its deletion.
func TestWatcherFollowsAnObject(t *testing.T) {
	f := startWatcher(t, "")
	source := f.createSource("main", "charts")
	f.expectQuiet("the kind is not served")
	f.Expect(f.takeRequests()).To(BeEmpty())

	fluxobjects.InstallKind(t, f.server, "Bucket")
	f.expectWoken("main", "its kind is served")
	object := fluxobjects.CreateObject(t, f.server, "Bucket", f.namespace, "charts")
	f.expectWoken("main", "the object was created")
	fluxobjects.SetStatus(t, f.server, object, fluxobjects.ReadyStatus("http://flux.example/a", "sha256:a"))
	f.expectWoken("main", "it has an artifact")

	status := fluxobjects.ReadyStatus("http://flux.example/a", "sha256:a")
	status["observedIgnore"] = "x"
	fluxobjects.SetStatus(t, f.server, object, status)
	fluxobjects.SetStatus(t, f.server, fluxobjects.CreateObject(t, f.server, "Bucket", f.namespace, "other"), fluxobjects.ReadyStatus("http://flux.example/b", "sha256:b"))
	f.expectQuiet("nothing has changed that matters")
	fluxobjects.SetStatus(t, f.server, object, fluxobjects.ReadyStatus("http://flux.example/c", "sha256:c"))
	f.expectWoken("main", "it has another artifact")
	f.Expect(f.takeRequests()).To(HaveEach(HaveSuffix("/buckets metadata.name=charts")))
	f.Expect(f.server.Client.Delete(t.Context(), object)).To(Succeed())
	f.expectWoken("main", "it was deleted")

	f.Expect(f.server.Client.Delete(t.Context(), source)).To(Succeed())
	f.expectQuiet("the cache receives the deletion")
	fluxobjects.CreateObject(t, f.server, "Bucket", f.namespace, "charts")
	f.expectQuiet("no source reads it")
}

// TestWatcherWithoutPermission has a user who may not watch the object: the watcher does not repeat the
// request until the source changes.
func TestWatcherWithoutPermission(t *testing.T) {
	f := startWatcher(t, "system:serviceaccount:appmarket-system:appmarket")
	fluxobjects.InstallKind(t, f.server, "Bucket")
	source := f.createSource("main", "charts")
	var requests []string
	count := func() int {
		requests = append(requests, f.takeRequests()...)
		return len(requests)
	}
	f.Eventually(count, "60s").Should(BeNumerically(">", 0))
	f.Consistently(count, "5s").Should(BeNumerically("<=", 2), "a list can follow the watch that was denied, and nothing is repeated")
	before := client.MergeFrom(source.DeepCopy())
	source.Annotations = map[string]string{v1alpha1.ReconcileRequestAnnotation: "now"}
	f.Expect(f.server.Client.Patch(t.Context(), source, before)).To(Succeed())
	f.Eventually(f.takeRequests, "30s").ShouldNot(BeEmpty(), "the source has changed")
	f.expectQuiet("nothing could be read")
}
