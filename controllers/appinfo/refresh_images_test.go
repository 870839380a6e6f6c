package appinfo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	registryserver "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/chartrepo"
	images "github.com/appmarket/operator/internal/registry"
)

// imageRegistry is a registry that can be unavailable, and counts requests. It is the mirror of the
// registry in the name of the image, so that messages do not contain ports.
type imageRegistry struct {
	image       string
	url         string
	unavailable atomic.Bool
	requests    atomic.Int32
}

func newImageRegistry() *imageRegistry {
	GinkgoHelper()
	r := &imageRegistry{}
	store := registryserver.New(registryserver.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.requests.Add(1)
		if r.unavailable.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		store.ServeHTTP(w, request)
	}))
	DeferCleanup(server.Close)
	r.image, r.url = "images.example.com/team/app:1", server.URL
	return r
}

// inspector returns the inspector of a source.
func (r *imageRegistry) inspector(context.Context, *v1alpha1.MarketSource) hydrate.Inspector {
	inspector, err := images.New(images.Options{Mirrors: map[string]string{"images.example.com": r.url}})
	Expect(err).NotTo(HaveOccurred())
	return inspector
}

// push pushes a new image with the same tag and returns its digest.
func (r *imageRegistry) push() string {
	GinkgoHelper()
	image, err := random.Image(100, 1)
	Expect(err).NotTo(HaveOccurred())
	r.write(r.image, image)
	var digest v1.Hash
	digest, err = image.Digest()
	Expect(err).NotTo(HaveOccurred())
	return digest.String()
}

// write pushes an image.
func (r *imageRegistry) write(to string, image v1.Image) {
	GinkgoHelper()
	ref, err := name.ParseReference(strings.Replace(to, "images.example.com", strings.TrimPrefix(r.url, "http://"), 1))
	Expect(err).NotTo(HaveOccurred())
	Expect(remote.Write(ref, image)).To(Succeed())
}

// randomImage returns an image with one layer.
func randomImage(size int64) v1.Image {
	GinkgoHelper()
	image, err := random.Image(size, 1)
	Expect(err).NotTo(HaveOccurred())
	return image
}

// withLayer returns an image with the layers of another one and an additional layer.
func withLayer(base v1.Image) v1.Image {
	GinkgoHelper()
	layer, err := random.Layer(300, types.DockerLayer)
	Expect(err).NotTo(HaveOccurred())
	image, err := mutate.AppendLayers(base, layer)
	Expect(err).NotTo(HaveOccurred())
	return image
}

// unreadableReports is a repository whose reports cannot be read.
type unreadableReports struct{ *chartrepo.Store }

var errUnreadable = errors.New("the volume is not readable")

func (unreadableReports) Report(string, string) ([]byte, error) { return nil, errUnreadable }

func sizeOfLayers(image v1.Image) (sum int64) {
	GinkgoHelper()
	layers, err := image.Layers()
	Expect(err).NotTo(HaveOccurred())
	for _, layer := range layers {
		size, err := layer.Size()
		Expect(err).NotTo(HaveOccurred())
		sum += size
	}
	return sum
}

// podFiles returns the files of an app with one Pod for each image.
func podFiles(images ...string) map[string]string {
	text := ""
	for i, image := range images {
		text += fmt.Sprintf("---\napiVersion: v1\nkind: Pod\nmetadata: {name: web-%d}\nspec: {containers: [{name: web, image: %q}]}\n", i, image)
	}
	return map[string]string{"templates/pod.yaml": text}
}

var _ = Describe("Images of a served version", func() {
	var b *appFixture
	var registry *imageRegistry
	BeforeEach(func() {
		b, registry = newAppFixture(), newImageRegistry()
		b.reconciler.Inspector = registry.inspector
		registry.push()
		b.addVersion("1.0.0", podFiles(registry.image))
		b.writeListing()
	})

	// lookedUp changes the time of the last lookup.
	lookedUp := func(ago time.Duration) {
		GinkgoHelper()
		at := metav1.NewTime(time.Now().Add(-ago))
		b.editStatus(func(st *v1alpha1.AppInfoStatus) { st.ImagesCheckedAt = &at })
	}
	reconcile := func() ctrl.Result {
		GinkgoHelper()
		b.writes.Take()
		result, err := b.reconcileApp()
		Expect(err).NotTo(HaveOccurred())
		Expect(b.conditionStatus(v1alpha1.ConditionReady)).To(Equal("True Ready"))
		return result
	}

	It("are looked up again with a backoff if the registry was unavailable, without another hydration", func() {
		registry.unavailable.Store(true)
		Expect(reconcile().RequeueAfter).To(BeNumerically("~", time.Minute, 10*time.Second))
		Expect(b.app.Status.Images).To(HaveExactElements(HaveField("Problem", ContainSubstring("502"))))
		Expect(b.takeFetchCount("1.0.0")).To(Equal(1))
		registry.requests.Store(0)
		reconcile()
		Expect(registry.requests.Load()).To(BeZero(), "the first retry is not due")

		lookedUp(2 * time.Minute)
		Expect(reconcile().RequeueAfter).To(BeNumerically("~", 2*time.Minute, 20*time.Second))
		Expect(registry.requests.Swap(0)).NotTo(BeZero())
		Expect(b.writes.Take()).To(BeEmpty(), "nothing has changed")
		reconcile()
		Expect(registry.requests.Load()).To(BeZero(), "the second retry is not due")

		registry.unavailable.Store(false)
		b.restartReconciler()
		b.reconciler.Inspector = registry.inspector
		b.takeEvents()
		Expect(reconcile().RequeueAfter).To(BeNumerically("~", 24*time.Hour, 3*time.Hour))
		Expect(b.app.Status.Images).To(HaveExactElements(And(HaveField("Problem", ""), HaveField("Digest", HavePrefix("sha256:")))))
		Expect(b.conditionMessage(v1alpha1.ConditionAnalyzed)).To(Equal("1 image"))
		Expect(b.takeEvents()).To(BeEmpty(), "the digest was not known before")
		Expect(b.takeFetchCount("1.0.0")).To(BeZero())
		b.expectNoWrites()
	})

	It("are looked up again after the interval of the source, and moved tags are reported", func() {
		b.editSource(func(spec *v1alpha1.MarketSourceSpec) { spec.ImageInterval = "2h" })
		Expect(reconcile().RequeueAfter).To(BeNumerically("~", 2*time.Hour, 15*time.Minute))
		before := b.app.Status.Images[0].Digest
		registry.requests.Store(0)
		lookedUp(time.Hour)
		reconcile()
		Expect(registry.requests.Load()).To(BeZero(), "the interval has not passed")

		lookedUp(2 * time.Hour)
		reconcile()
		Expect(registry.requests.Load()).NotTo(BeZero())
		Expect(b.app.Status.ImagesCheckedAt.Time).To(BeTemporally("~", time.Now(), time.Minute))
		Expect(b.app.Status.Images[0].Digest).To(Equal(before))

		digest := registry.push()
		b.takeEvents()
		lookedUp(2 * time.Hour)
		reconcile()
		Expect(b.app.Status.Images[0].Digest).To(Equal(digest))
		Expect(b.takeEvents()).To(ConsistOf("Normal Analyzed images of version 1.0.0: changed " + registry.image + " to " + digest))
		Expect(b.takeFetchCount("1.0.0")).To(Equal(1), "the chart was fetched once")
		b.expectNoWrites()
	})

	It("keep their last known digest while the registry is unavailable", func() {
		reconcile()
		digest := b.app.Status.Images[0].Digest
		registry.unavailable.Store(true)
		lookedUp(25 * time.Hour)
		reconcile()
		Expect(b.app.Status.Images).To(HaveExactElements(And(HaveField("Problem", ContainSubstring("502")), HaveField("Digest", digest))))
		Expect(b.conditionMessage(v1alpha1.ConditionAnalyzed)).To(HavePrefix("1 image, 1 not looked up: "))
		b.expectNoWrites()
	})

	It("count a layer that they share once, also after a tag has moved", func() {
		const web, db = "images.example.com/team/web:1", "images.example.com/team/db:1"
		base := randomImage(5000)
		first, second, other := withLayer(base), withLayer(base), randomImage(700)
		registry.write(web, first)
		registry.write(db, second)
		digest, err := second.Digest()
		Expect(err).NotTo(HaveOccurred())
		b.addVersion("1.0.0", podFiles(web, strings.TrimSuffix(db, ":1")+"@"+digest.String(), "images.example.invalid/app:1"))
		b.writeListing()
		reconcile()
		expectSize := func(size int64) {
			GinkgoHelper()
			footprint := b.app.Status.Summary.Footprint
			Expect(footprint.PullSizes).To(ConsistOf(HaveField("Bytes", HaveValue(Equal(size)))))
			Expect(footprint.PullBytes).To(Equal(size))
		}
		shared := sizeOfLayers(first) + sizeOfLayers(second) - sizeOfLayers(base)
		expectSize(shared)

		registry.write(web, other)
		lookedUp(25 * time.Hour)
		reconcile()
		expectSize(sizeOfLayers(other) + sizeOfLayers(second))

		registry.write(web, first)
		lookedUp(25 * time.Hour)
		reconcile()
		expectSize(shared)
		Expect(b.app.Status.Images).To(ContainElement(And(HaveField("Name", web), HaveField("LargestPlatformBytes", sizeOfLayers(first)))))

		b.reconciler.Repository = unreadableReports{b.store}
		lookedUp(25 * time.Hour)
		reconcile()
		expectSize(shared)
		registry.write(web, other)
		lookedUp(25 * time.Hour)
		_, err = b.reconcileApp()
		Expect(err).To(MatchError(errUnreadable))
	})

	It("are not looked up again if they are pinned by digest", func() {
		pinned := strings.TrimSuffix(registry.image, ":1") + "@" + registry.push()
		b.addVersion("1.0.0", podFiles(pinned))
		b.writeListing()
		Expect(reconcile().RequeueAfter).To(BeZero())
		registry.requests.Store(0)
		lookedUp(1000 * time.Hour)
		reconcile()
		Expect(registry.requests.Load()).To(BeZero())
	})
})
