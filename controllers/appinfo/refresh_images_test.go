package appinfo_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/appmarket/operator/api/v1alpha1"
)

// imageRegistry is a registry that can be unavailable, and counts requests of manifests.
type imageRegistry struct {
	image       string
	unavailable atomic.Bool
	requests    atomic.Int32
}

func newImageRegistry() *imageRegistry {
	GinkgoHelper()
	r := &imageRegistry{}
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Method == http.MethodGet && strings.Contains(request.URL.Path, "/manifests/") {
			r.requests.Add(1)
		}
		if r.unavailable.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		store.ServeHTTP(w, request)
	}))
	DeferCleanup(server.Close)
	r.image = strings.TrimPrefix(server.URL, "http://") + "/team/app:1"
	return r
}

// push pushes a new image with the same tag and returns its digest.
func (r *imageRegistry) push() string {
	GinkgoHelper()
	image, err := random.Image(100, 1)
	Expect(err).NotTo(HaveOccurred())
	ref, err := name.ParseReference(r.image)
	Expect(err).NotTo(HaveOccurred())
	Expect(remote.Write(ref, image)).To(Succeed())
	var digest v1.Hash
	digest, err = image.Digest()
	Expect(err).NotTo(HaveOccurred())
	return digest.String()
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
	var images *imageRegistry
	BeforeEach(func() {
		b, images = newAppFixture(), newImageRegistry()
		images.push()
		b.addVersion("1.0.0", podFiles(images.image))
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
		images.unavailable.Store(true)
		Expect(reconcile().RequeueAfter).To(BeNumerically("~", time.Minute, 10*time.Second))
		Expect(b.app.Status.Images).To(HaveExactElements(HaveField("Problem", ContainSubstring("502"))))
		Expect(b.takeFetchCount("1.0.0")).To(Equal(1))
		images.requests.Store(0)
		reconcile()
		Expect(images.requests.Load()).To(BeZero(), "the first retry is not due")

		lookedUp(2 * time.Minute)
		Expect(reconcile().RequeueAfter).To(BeNumerically("~", 2*time.Minute, 20*time.Second))
		Expect(images.requests.Load()).To(BeEquivalentTo(1))
		Expect(b.writes.Take()).To(BeEmpty(), "nothing has changed")
		reconcile()
		Expect(images.requests.Load()).To(BeEquivalentTo(1), "the second retry is not due")

		images.unavailable.Store(false)
		b.restartReconciler()
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
		images.requests.Store(0)
		lookedUp(time.Hour)
		reconcile()
		Expect(images.requests.Load()).To(BeZero(), "the interval has not passed")

		lookedUp(2 * time.Hour)
		reconcile()
		Expect(images.requests.Load()).NotTo(BeZero())
		Expect(b.app.Status.ImagesCheckedAt.Time).To(BeTemporally("~", time.Now(), time.Minute))
		Expect(b.app.Status.Images[0].Digest).To(Equal(before))

		digest := images.push()
		b.takeEvents()
		lookedUp(2 * time.Hour)
		reconcile()
		Expect(b.app.Status.Images[0].Digest).To(Equal(digest))
		Expect(b.takeEvents()).To(ConsistOf("Normal Analyzed images of version 1.0.0: " + images.image + " is now " + digest))
		Expect(b.takeFetchCount("1.0.0")).To(Equal(1), "the chart was fetched once")
		b.expectNoWrites()
	})

	It("keep their last known digest while the registry is unavailable", func() {
		reconcile()
		digest := b.app.Status.Images[0].Digest
		images.unavailable.Store(true)
		lookedUp(25 * time.Hour)
		reconcile()
		Expect(b.app.Status.Images).To(HaveExactElements(And(HaveField("Problem", ContainSubstring("502")), HaveField("Digest", digest))))
		Expect(b.conditionMessage(v1alpha1.ConditionAnalyzed)).To(HavePrefix("1 image, 1 not looked up: "))
		b.expectNoWrites()
	})

	It("are not looked up again if they are pinned by digest", func() {
		pinned := strings.TrimSuffix(images.image, ":1") + "@" + images.push()
		b.addVersion("1.0.0", podFiles(pinned))
		b.writeListing()
		Expect(reconcile().RequeueAfter).To(BeZero())
		images.requests.Store(0)
		lookedUp(1000 * time.Hour)
		reconcile()
		Expect(images.requests.Load()).To(BeZero())
	})
})
