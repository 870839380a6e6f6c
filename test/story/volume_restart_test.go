package story_test

import (
	"context"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// changeFiles changes each file in a folder of a store.
func changeFiles(folder string, change func(path string, content []byte) error) func(store string) {
	return func(store string) {
		GinkgoHelper()
		changed := 0
		Expect(filepath.WalkDir(filepath.Join(store, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			changed++
			return change(path, content)
		})).To(Succeed())
		Expect(changed).NotTo(BeZero())
	}
}

func flipBit(path string, content []byte) error {
	content[len(content)/2] ^= 4
	return os.WriteFile(path, content, 0o600)
}

func truncateContent(path string, content []byte) error {
	return os.Truncate(path, int64(len(content)/2))
}

// removeAll removes everything in a store.
func removeAll(store string) {
	GinkgoHelper()
	entries, err := os.ReadDir(store)
	Expect(err).NotTo(HaveOccurred())
	Expect(entries).NotTo(BeEmpty())
	for _, entry := range entries {
		Expect(os.RemoveAll(filepath.Join(store, entry.Name()))).To(Succeed())
	}
}

// The charts are served again one after the other, so that the specs show that each app is Ready only with its own
// artifact.
var _ = DescribeTable("A volume that is damaged while the operator is stopped: no app is Ready before its artifact is back",
	func(ctx SpecContext, damage func(store string)) {
		store := GinkgoT().TempDir()
		other := defaultOperator.replaceStore(store, "--scrub-interval", "1s")
		ns := createNamespace(ctx, "market")
		source, repo := createPageSource(ctx, ns, "pages")
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		Eventually(func(g Gomega) {
			g.Expect(readyApps(ctx, ns)).To(HaveLen(3))
		}).WithContext(ctx).Should(Succeed())
		digests := publishedArchives(ctx, ns)
		apps := listApps(ctx, ns)

		By("damaging the volume while no source serves the charts")
		other.Stop()
		for _, app := range apps {
			repo.Handle("/"+app.Spec.App+".tgz", fixture.Status(http.StatusBadGateway))
		}
		damage(store)
		other.Start()
		Eventually(readyApps).WithContext(ctx).WithArguments(ctx, ns).Should(BeEmpty())
		for url := range digests {
			_, err := fetchDigest(ctx, url)
			Expect(err).To(HaveOccurred(), "damaged content is not served")
		}
		expectStatusContract(ctx, ns)

		for i, app := range apps {
			By("serving the chart of " + app.Spec.App)
			repo.Handle("/"+app.Spec.App+".tgz", fixture.Content(pageChart(ns, app.Spec.App)))
			waitTrue(ctx, app, v1alpha1.ConditionReady)
			url := app.Status.Versions[0].URL
			Expect(fetchDigest(ctx, url)).To(Equal(digests[url]), "the artifact is the same as before")
			Expect(readyApps(ctx, ns)).To(HaveLen(i+1), "the others have no artifact yet")
		}
		Expect(publishedArchives(ctx, ns)).To(Equal(digests))
		expectStatusContract(ctx, ns)
	},
	Entry("all files are removed", removeAll),
	Entry("the records are removed", func(store string) { Expect(os.RemoveAll(filepath.Join(store, "records"))).To(Succeed()) }),
	Entry("the charts are removed", func(store string) { Expect(os.RemoveAll(filepath.Join(store, "blobs"))).To(Succeed()) }),
	Entry("the records are truncated", changeFiles("records", truncateContent)),
	Entry("the charts are truncated", changeFiles("blobs", truncateContent)),
	Entry("a bit of each record is changed", changeFiles("records", flipBit)),
	Entry("a bit of each chart is changed", changeFiles("blobs", flipBit)),
)

// readyApps returns the names of the apps of a namespace that are Ready.
func readyApps(ctx context.Context, ns string) []string {
	ready := []string{}
	for _, app := range listApps(ctx, ns) {
		if meta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.ConditionReady) {
			ready = append(ready, strings.TrimPrefix(app.Name, "pages."))
		}
	}
	return ready
}
