package story_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
	"github.com/appmarket/operator/test/testbucket"
)

// bucketArgs returns the arguments of an operator that stores charts in a bucket.
func bucketArgs(server *testbucket.Server) []string {
	GinkgoHelper()
	return []string{
		"--store-bucket", testbucket.Name, "--store-bucket-endpoint", server.URL, "--store-bucket-refresh-interval", "1s",
		"--store-bucket-credentials-dir", testbucket.WriteKeys(GinkgoTB()), "--receive-uploads=false",
	}
}

// replaceStoreWithBucket runs the operator with a bucket, whose objects are the files in the store of
// the returned operator.
func (o *operator) replaceStoreWithBucket(server *testbucket.Server) *operator {
	GinkgoHelper()
	other := o.copySettings()
	other.Store = server.Dir
	other.Args = append(append(slices.Clone(o.Args), "--store-dir", GinkgoT().TempDir()), bucketArgs(server)...)
	return o.replaceWith(other)
}

// damageFiles changes a bit of every file below a folder.
func damageFiles(dir string) {
	GinkgoHelper()
	Expect(filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		content[len(content)/2] ^= 4
		return os.WriteFile(path, content, 0o600)
	})).To(Succeed())
}

var _ = Describe("A bucket", func() {
	var server *testbucket.Server
	var ns string

	BeforeEach(func(ctx SpecContext) {
		server = testbucket.Start(GinkgoTB(), GinkgoT().TempDir())
		ns = createNamespace(ctx, "market")
	})

	// expectApps waits until all apps have a status of Ready.
	expectApps := func(ctx context.Context, status metav1.ConditionStatus) {
		GinkgoHelper()
		Eventually(func(g Gomega) {
			g.Expect(listApps(ctx, ns)).To(HaveLen(3))
			for _, app := range listApps(ctx, ns) {
				summary := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady)
				g.Expect(summary).NotTo(BeNil(), app.Name)
				g.Expect(summary.Status).To(Equal(status), "%s: %s", app.Name, summary.Message)
			}
		}).WithContext(ctx).Should(Succeed())
	}

	for why, damage := range map[string]func(dir string){
		"is emptied": func(dir string) {
			for _, folder := range []string{"records", "blobs"} {
				Expect(os.RemoveAll(filepath.Join(dir, folder))).To(Succeed())
			}
		},
		"loses its content":   func(dir string) { Expect(os.RemoveAll(filepath.Join(dir, "blobs"))).To(Succeed()) },
		"has damaged records": func(dir string) { damageFiles(filepath.Join(dir, "records")) },
	} {
		It("that "+why+" is filled again, and no app is Ready before its chart is back", func(ctx SpecContext) {
			other := defaultOperator.replaceStoreWithBucket(server)
			source, repo := createPageSource(ctx, ns, "pages")
			waitTrue(ctx, source, v1alpha1.ConditionReady)
			expectApps(ctx, metav1.ConditionTrue)
			served := publishedArchives(ctx, ns)
			Expect(other.countRecords(ns)).To(Equal(3))

			other.Stop()
			damage(server.Dir)
			apps := listApps(ctx, ns)
			for _, app := range apps {
				repo.Handle("/"+app.Spec.App+".tgz", fixture.Status(http.StatusBadGateway))
			}
			other.Start()
			expectApps(ctx, metav1.ConditionFalse)
			for url := range served {
				_, err := fetchDigest(ctx, url)
				Expect(err).To(HaveOccurred())
			}

			for _, app := range apps {
				repo.Handle("/"+app.Spec.App+".tgz", fixture.Content(pageChart(ns, app.Spec.App)))
			}
			expectApps(ctx, metav1.ConditionTrue)
			Expect(publishedArchives(ctx, ns)).To(Equal(served))
			expectStatusContract(ctx, ns)
		})
	}

	It("that is emptied while the operator runs is filled again", func(ctx SpecContext) {
		other := defaultOperator.replaceStoreWithBucket(server)
		source, _ := createPageSource(ctx, ns, "pages")
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		expectApps(ctx, metav1.ConditionTrue)
		served := publishedArchives(ctx, ns)
		for _, folder := range []string{"records", "blobs"} {
			Expect(os.RemoveAll(filepath.Join(server.Dir, folder))).To(Succeed())
		}
		Eventually(func() int { return other.countRecords(ns) }).WithContext(ctx).Should(Equal(3))
		expectApps(ctx, metav1.ConditionTrue)
		Expect(publishedArchives(ctx, ns)).To(Equal(served))
	})

	It("is served by every replica, and by the one that is left", func(ctx SpecContext) {
		defaultOperator.Stop()
		DeferCleanup(defaultOperator.Start)
		replicas := []*replica{
			newReplica(ctx, ns, "first", bucketArgs(server)...), newReplica(ctx, ns, "second", bucketArgs(server)...),
		}
		expectServed := func(r *replica) {
			GinkgoHelper()
			for _, app := range listApps(ctx, ns) {
				for _, v := range app.Status.Versions {
					url := r.URL + strings.TrimPrefix(v.URL, defaultOperator.URL)
					Eventually(fetchDigest).WithContext(ctx).WithArguments(url).Should(Equal(v.Digest))
				}
			}
		}
		source, _ := createPageSource(ctx, ns, "pages")
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		expectApps(ctx, metav1.ConditionTrue)
		for _, r := range replicas {
			expectServed(r)
		}

		By("killing the first replica")
		replicas[0].Kill()
		replicas[0].Process = nil
		expectServed(replicas[1])
		setCustomParams(ctx, source, `{"greeting":"hi"}`)
		Eventually(func(g Gomega) {
			for _, app := range listApps(ctx, ns) {
				c := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionCustomized)
				g.Expect(c).NotTo(BeNil())
				g.Expect(c.Message).NotTo(Equal("no parameters"))
			}
		}).WithContext(ctx).Should(Succeed(), "the second replica becomes the leader")
		expectApps(ctx, metav1.ConditionTrue)
		expectServed(replicas[1])
		expectStatusContract(ctx, ns)
	})
})
