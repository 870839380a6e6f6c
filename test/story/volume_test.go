package story_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// smallVolume mounts a volume of 4 MiB that is unmounted after the spec. It skips the spec if
// mounting is not permitted.
func smallVolume() string {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	err := syscall.Mount("appmarket-story", dir, "tmpfs", 0, "size=4m")
	if errors.Is(err, syscall.EPERM) {
		Skip("left out: mounting a volume is not permitted; run as root")
	}
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(syscall.Unmount(dir, syscall.MNT_DETACH)).To(Succeed()) })
	return dir
}

// remount changes whether a volume is writable. It waits for open files that are being written.
func remount(ctx context.Context, dir string, flags uintptr) {
	GinkgoHelper()
	Eventually(func() error {
		return syscall.Mount("appmarket-story", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=4m")
	}).WithContext(ctx).Should(Succeed())
}

// fill fills a volume and returns the file that takes the space.
func fill(dir string) string {
	GinkgoHelper()
	path := filepath.Join(dir, "ballast")
	ballast, err := os.Create(path)
	Expect(err).NotTo(HaveOccurred())
	for chunk := make([]byte, 64<<10); err == nil; {
		_, err = ballast.Write(chunk)
	}
	Expect(errors.Is(err, syscall.ENOSPC)).To(BeTrue(), err.Error())
	Expect(ballast.Close()).To(Succeed())
	return path
}

// customize changes the custom parameters of a source, so that all of its charts are published
// again.
func customize(ctx context.Context, source *v1alpha1.MarketSource, params string) {
	GinkgoHelper()
	Expect(cluster.Get(ctx, client.ObjectKeyFromObject(source), source)).To(Succeed())
	patch := client.MergeFrom(source.DeepCopy())
	source.Spec.CustomParams = &runtime.RawExtension{Raw: []byte(params)}
	Expect(cluster.Patch(ctx, source, patch)).To(Succeed())
}

// pagesAt creates a source of apps with one page each.
func pagesAt(ctx context.Context, ns, name string) (*v1alpha1.MarketSource, *fixture.Repository) {
	GinkgoHelper()
	repo := fixture.NewRepository()
	var all []fixture.Offer
	for _, app := range []string{"red", "green", "blue"} {
		archive := pageOf(ns, app)
		repo.Handle("/"+app+".tgz", fixture.Content(archive))
		all = append(all, fixture.NewOffer(app, "1.0.0", app+".tgz", archive))
	}
	repo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(all...)))
	return sourceOf(ctx, ns, name, repo.URL, sharedByAll), repo
}

// pageOf returns an app that no other namespace has, so that its blob is not shared.
func pageOf(ns, app string) []byte {
	GinkgoHelper()
	return packed(app, "1.0.0", page, file{"values.yaml", "from: " + ns + "\n"})
}

var _ = Describe("A volume", func() {
	var ns string
	var source *v1alpha1.MarketSource

	ready := func(ctx context.Context, params string) map[string]string {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			g.Expect(appsIn(ctx, ns)).NotTo(BeEmpty())
			for _, app := range appsIn(ctx, ns) {
				root := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady)
				g.Expect(root).NotTo(BeNil(), app.Name)
				g.Expect(root.Reason).To(Equal(v1alpha1.ReasonReady), root.Message)
				c := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionCustomized)
				if params == "" {
					g.Expect(c.Message).To(Equal("no parameters"))
				} else {
					g.Expect(c.Message).NotTo(Equal("no parameters"))
				}
				g.Expect(app.Status.Versions).NotTo(BeEmpty())
			}
		}).WithContext(ctx).Should(Succeed())
		return archives(ctx, ns)
	}

	// troubled waits until the publication of every app fails with a reason and is retried, while
	// the versions published before are still served.
	troubled := func(ctx context.Context, reason string, served map[string]string) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			for _, app := range appsIn(ctx, ns) {
				published := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionPublished)
				g.Expect(published).NotTo(BeNil(), app.Name)
				g.Expect(published.Status).To(Equal(metav1.ConditionFalse), app.Name)
				g.Expect(published.Reason).To(Equal(reason), published.Message)
				retry := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReconciling)
				g.Expect(retry).NotTo(BeNil(), app.Name)
				g.Expect(retry.Reason).To(Equal(v1alpha1.ReasonProgressingWithRetry))
				root := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady)
				if len(app.Status.Versions) > 0 {
					g.Expect(root.Reason).To(Equal(v1alpha1.ReasonServingPrevious), root.Message)
				} else {
					g.Expect(root.Reason).To(Equal(reason), root.Message)
				}
			}
		}).WithContext(ctx).Should(Succeed())
		for url, digest := range served {
			Eventually(digestAt).WithContext(ctx).WithArguments(url).Should(Equal(digest))
		}
		keepTheContract(ctx, ns)
	}

	It("that is full, and then read-only, keeps what it has, and takes more when it can", func(ctx SpecContext) {
		volume := smallVolume()
		other := market.elsewhere(volume)
		ns = namespace(ctx, "market")
		source, _ = pagesAt(ctx, ns, "old")
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
		plain := ready(ctx, "")

		By("being full")
		// What the operator still writes or deletes would leave space for another chart.
		other.WaitIdle(ctx)
		ballast := fill(volume)
		customize(ctx, source, `{"greeting":"hi"}`)
		fresh, _ := pagesAt(ctx, ns, "fresh")
		Eventually(func() int { return len(appsIn(ctx, ns)) }).WithContext(ctx).Should(Equal(6))
		troubled(ctx, v1alpha1.ReasonStorageFull, plain)

		By("having space again")
		Expect(os.Remove(ballast)).To(Succeed())
		customize(ctx, fresh, `{"greeting":"hi"}`)
		customized := ready(ctx, "hi")
		Expect(customized).To(HaveLen(6))
		Expect(customized).NotTo(Equal(plain))

		By("being read-only")
		remount(ctx, volume, syscall.MS_RDONLY)
		customize(ctx, source, `{"greeting":"hey"}`)
		customize(ctx, fresh, `{"greeting":"hey"}`)
		troubled(ctx, v1alpha1.ReasonStorageReadOnly, customized)

		By("starting again on it")
		other.Restart()
		troubled(ctx, v1alpha1.ReasonStorageReadOnly, customized)

		By("being writable again")
		remount(ctx, volume, 0)
		Eventually(func(g Gomega) {
			for url, digest := range customized {
				now, err := digestAt(ctx, url)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(now).NotTo(Equal(digest))
			}
		}).WithContext(ctx).Should(Succeed())
		ready(ctx, "hey")
		other.WaitIdle(ctx)
		Expect(other.temporary()).To(BeEmpty())
		keepTheContract(ctx, ns)
	})

	// Downloaded charts are served from memory, so the charts of these two specs are not
	// downloaded.

	It("on which a bit flips, or a file is lost, has it again once somebody asks for it", func(ctx SpecContext) {
		ns = namespace(ctx, "market")
		source, _ = pagesAt(ctx, ns, "pages")
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
		for i, app := range appsIn(ctx, ns) {
			published := app.Status.Versions[0]
			path := market.blob(published.Digest)
			whole, err := os.ReadFile(path)
			Expect(err).NotTo(HaveOccurred())
			if i == 0 {
				Expect(os.Remove(path)).To(Succeed())
			} else {
				broken := bytes.Clone(whole)
				broken[len(broken)/2] ^= 4
				Expect(os.WriteFile(path, broken, 0o600)).To(Succeed())
			}
			_, err = digestAt(ctx, published.URL)
			Expect(err).To(HaveOccurred(), "what is broken was served")
			Eventually(digestAt).WithContext(ctx).WithArguments(published.URL).Should(Equal(published.Digest))
			Expect(os.ReadFile(path)).To(Equal(whole))
		}
		ready(ctx, "")
		keepTheContract(ctx, ns)
	})

	It("of which a part is lost that cannot be made again has its app not ready", func(ctx SpecContext) {
		ns = namespace(ctx, "market")
		var repo *fixture.Repository
		source, repo = pagesAt(ctx, ns, "pages")
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
		lost := appsIn(ctx, ns)[0]
		published, path := lost.Status.Versions[0], "/"+lost.Spec.App+".tgz"
		archive := pageOf(ns, lost.Spec.App)
		repo.Handle(path, fixture.Status(http.StatusBadGateway))
		Expect(os.Remove(market.blob(published.Digest))).To(Succeed())
		_, err := digestAt(ctx, published.URL)
		Expect(err).To(HaveOccurred())
		ends(ctx, lost, retries(v1alpha1.ConditionFetched, v1alpha1.ReasonFetchFailed))
		keepTheContract(ctx, ns)

		By("having its source again")
		repo.Handle(path, fixture.Content(archive))
		eventuallyTrue(ctx, lost, v1alpha1.ConditionReady)
		Expect(digestAt(ctx, published.URL)).To(Equal(published.Digest))
	})

	It("that is wiped is filled again by itself", func(ctx SpecContext) {
		store := GinkgoT().TempDir()
		other := market.elsewhere(store, "--scrub-interval", "1s")
		ns = namespace(ctx, "market")
		source, _ = pagesAt(ctx, ns, "pages")
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
		served := ready(ctx, "")
		for _, folder := range []string{"records", "blobs"} {
			// The operator can write a file into a folder while it is deleted.
			Eventually(os.RemoveAll).WithContext(ctx).WithArguments(filepath.Join(store, folder)).Should(Succeed())
		}
		Eventually(func() int { return other.records(ns) }).WithContext(ctx).Should(Equal(len(served)))
		Expect(ready(ctx, "")).To(Equal(served))
		keepTheContract(ctx, ns)
	})
})
