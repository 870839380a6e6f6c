package story_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// mountSmallVolume mounts a volume of 4 MiB that is unmounted after the spec. It skips the spec if
// mounting is not permitted.
func mountSmallVolume() string {
	GinkgoHelper()
	dir := GinkgoT().TempDir()
	err := syscall.Mount("appmarket-test", dir, "tmpfs", 0, "size=4m")
	if errors.Is(err, syscall.EPERM) {
		Skip("skipped: mounting a volume is not permitted; run as root")
	}
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(syscall.Unmount(dir, syscall.MNT_DETACH)).To(Succeed()) })
	return dir
}

// remountVolume changes whether a volume is writable. It waits for open files that are being written.
func remountVolume(ctx context.Context, dir string, flags uintptr) {
	GinkgoHelper()
	Eventually(func() error {
		return syscall.Mount("appmarket-test", dir, "tmpfs", syscall.MS_REMOUNT|flags, "size=4m")
	}).WithContext(ctx).Should(Succeed())
}

// waitForOtherApps waits until the apps of earlier specs are deleted. Their namespaces are deleted in the
// background, and until then their charts are published on a volume of this spec, too.
func waitForOtherApps(ctx context.Context) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		var apps v1alpha1.AppInfoList
		g.Expect(k8sClient.List(ctx, &apps)).To(Succeed())
		g.Expect(apps.Items).To(BeEmpty())
	}).WithContext(ctx).WithTimeout(5*time.Minute).Should(Succeed(), "on a busy machine, a namespace with 200 apps is deleted after minutes")
}

// fillVolume fills a volume and returns the file that takes the space.
func fillVolume(dir string) string {
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

// setCustomParams changes the custom parameters of a source, so that all of its charts are published
// again.
func setCustomParams(ctx context.Context, source *v1alpha1.MarketSource, params string) {
	GinkgoHelper()
	Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(source), source)).To(Succeed())
	patch := client.MergeFrom(source.DeepCopy())
	source.Spec.CustomParams = &runtime.RawExtension{Raw: []byte(params)}
	Expect(k8sClient.Patch(ctx, source, patch)).To(Succeed())
}

// createPageSource creates a source of apps with one page each.
func createPageSource(ctx context.Context, ns, name string) (*v1alpha1.MarketSource, *fixture.Repository) {
	GinkgoHelper()
	repo := fixture.NewRepository()
	var all []fixture.Offer
	for _, app := range []string{"red", "green", "blue"} {
		archive := pageChart(ns, app)
		repo.Handle("/"+app+".tgz", fixture.Content(archive))
		all = append(all, fixture.NewOffer(app, "1.0.0", app+".tgz", archive))
	}
	repo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(all...)))
	return cluster.CreateSource(ctx, ns, name, repo.URL, fixture.ShareWithAll), repo
}

// pageChart returns an app that no other namespace has, so that its blob is not shared.
func pageChart(ns, app string) []byte {
	GinkgoHelper()
	return packChart(app, "1.0.0", pageTemplate, chartFile{"values.yaml", "from: " + ns + "\n"})
}

var _ = Describe("A volume", func() {
	var ns string
	var source *v1alpha1.MarketSource

	expectReady := func(ctx context.Context, params string) map[string]string {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			g.Expect(listApps(ctx, ns)).NotTo(BeEmpty())
			for _, app := range listApps(ctx, ns) {
				summary := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady)
				g.Expect(summary).NotTo(BeNil(), app.Name)
				g.Expect(summary.Reason).To(Equal(v1alpha1.ReasonReady), summary.Message)
				c := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionCustomized)
				if params == "" {
					g.Expect(c.Message).To(Equal("no parameters"))
				} else {
					g.Expect(c.Message).NotTo(Equal("no parameters"))
				}
				g.Expect(app.Status.Versions).NotTo(BeEmpty())
			}
		}).WithContext(ctx).Should(Succeed())
		return publishedArchives(ctx, ns)
	}

	// expectPublishFailure waits until the publication of every app fails with a reason and is retried, while
	// the versions published before are still served.
	expectPublishFailure := func(ctx context.Context, reason string, served map[string]string) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			for _, app := range listApps(ctx, ns) {
				published := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionPublished)
				g.Expect(published).NotTo(BeNil(), app.Name)
				g.Expect(published.Status).To(Equal(metav1.ConditionFalse), app.Name)
				g.Expect(published.Reason).To(Equal(reason), published.Message)
				retry := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReconciling)
				g.Expect(retry).NotTo(BeNil(), app.Name)
				g.Expect(retry.Reason).To(Equal(v1alpha1.ReasonProgressingWithRetry))
				summary := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady)
				if len(app.Status.Versions) > 0 {
					g.Expect(summary.Reason).To(Equal(v1alpha1.ReasonServingPrevious), summary.Message)
				} else {
					g.Expect(summary.Reason).To(Equal(reason), summary.Message)
				}
			}
		}).WithContext(ctx).Should(Succeed())
		for url, digest := range served {
			Eventually(fetchDigest).WithContext(ctx).WithArguments(url).Should(Equal(digest))
		}
		expectStatusContract(ctx, ns)
	}

	It("that is full or read-only keeps its charts, and stores new ones when it is writable", func(ctx SpecContext) {
		waitForOtherApps(ctx)
		volume := mountSmallVolume()
		other := defaultOperator.replaceStore(volume)
		ns = createNamespace(ctx, "market")
		source, _ = createPageSource(ctx, ns, "old")
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		plain := expectReady(ctx, "")

		By("filling the volume")
		// What the operator still writes or deletes would leave space for another chart.
		other.WaitIdle(ctx)
		ballast := fillVolume(volume)
		setCustomParams(ctx, source, `{"greeting":"hi"}`)
		fresh, _ := createPageSource(ctx, ns, "fresh")
		Eventually(func() int { return len(listApps(ctx, ns)) }).WithContext(ctx).Should(Equal(6))
		expectPublishFailure(ctx, v1alpha1.ReasonStorageFull, plain)

		By("freeing space")
		Expect(os.Remove(ballast)).To(Succeed())
		setCustomParams(ctx, fresh, `{"greeting":"hi"}`)
		customized := expectReady(ctx, "hi")
		Expect(customized).To(HaveLen(6))
		Expect(customized).NotTo(Equal(plain))

		By("remounting it as read-only")
		remountVolume(ctx, volume, syscall.MS_RDONLY)
		setCustomParams(ctx, source, `{"greeting":"hey"}`)
		setCustomParams(ctx, fresh, `{"greeting":"hey"}`)
		expectPublishFailure(ctx, v1alpha1.ReasonStorageReadOnly, customized)

		By("restarting the operator")
		other.Restart()
		expectPublishFailure(ctx, v1alpha1.ReasonStorageReadOnly, customized)

		By("remounting it as writable")
		remountVolume(ctx, volume, 0)
		Eventually(func(g Gomega) {
			for url, digest := range customized {
				now, err := fetchDigest(ctx, url)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(now).NotTo(Equal(digest))
			}
		}).WithContext(ctx).Should(Succeed())
		expectReady(ctx, "hey")
		other.WaitIdle(ctx)
		Expect(other.temporaryFiles()).To(BeEmpty())
		expectStatusContract(ctx, ns)
	})

	// Downloaded charts are served from memory, so the charts of these two specs are not
	// downloaded.

	It("with a changed bit or a lost file is repaired when the file is requested", func(ctx SpecContext) {
		ns = createNamespace(ctx, "market")
		source, _ = createPageSource(ctx, ns, "pages")
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		for i, app := range listApps(ctx, ns) {
			published := app.Status.Versions[0]
			path := defaultOperator.blobPath(published.Digest)
			whole, err := os.ReadFile(path)
			Expect(err).NotTo(HaveOccurred())
			if i == 0 {
				Expect(os.Remove(path)).To(Succeed())
			} else {
				broken := bytes.Clone(whole)
				broken[len(broken)/2] ^= 4
				Expect(os.WriteFile(path, broken, 0o600)).To(Succeed())
			}
			_, err = fetchDigest(ctx, published.URL)
			Expect(err).To(HaveOccurred(), "the invalid content is not served")
			Eventually(fetchDigest).WithContext(ctx).WithArguments(published.URL).Should(Equal(published.Digest))
			Expect(os.ReadFile(path)).To(Equal(whole))
		}
		expectReady(ctx, "")
		expectStatusContract(ctx, ns)
	})

	It("with a lost file that cannot be restored makes the app not Ready", func(ctx SpecContext) {
		ns = createNamespace(ctx, "market")
		var repo *fixture.Repository
		source, repo = createPageSource(ctx, ns, "pages")
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		lost := listApps(ctx, ns)[0]
		published, path := lost.Status.Versions[0], "/"+lost.Spec.App+".tgz"
		archive := pageChart(ns, lost.Spec.App)
		repo.Handle(path, fixture.Status(http.StatusBadGateway))
		Expect(os.Remove(defaultOperator.blobPath(published.Digest))).To(Succeed())
		_, err := fetchDigest(ctx, published.URL)
		Expect(err).To(HaveOccurred())
		expectStatus(ctx, lost, retriedWith(v1alpha1.ConditionFetched, v1alpha1.ReasonFetchFailed))
		expectStatusContract(ctx, ns)

		By("serving the archive again")
		repo.Handle(path, fixture.Content(archive))
		waitTrue(ctx, lost, v1alpha1.ConditionReady)
		Expect(fetchDigest(ctx, published.URL)).To(Equal(published.Digest))
	})

	It("that is emptied is filled again automatically", func(ctx SpecContext) {
		waitForOtherApps(ctx)
		store := GinkgoT().TempDir()
		other := defaultOperator.replaceStore(store, "--scrub-interval", "1s")
		ns = createNamespace(ctx, "market")
		source, _ = createPageSource(ctx, ns, "pages")
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		served := expectReady(ctx, "")
		for _, folder := range []string{"records", "blobs"} {
			// The operator can write a file into a folder while it is deleted.
			Eventually(os.RemoveAll).WithContext(ctx).WithArguments(filepath.Join(store, folder)).Should(Succeed())
		}
		Eventually(func() int { return other.countRecords(ns) }).WithContext(ctx).Should(Equal(len(served)))
		Expect(expectReady(ctx, "")).To(Equal(served))
		expectStatusContract(ctx, ns)
	})
})
