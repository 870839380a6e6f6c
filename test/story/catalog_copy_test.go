package story_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/Masterminds/semver/v3"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// catalogCopy is a copy of the catalog whose versions can be increased.
type catalogCopy struct {
	folder string
	source *v1alpha1.MarketSource
}

// versionLine matches the chart version in Chart.yaml and in the manifest.
var versionLine = regexp.MustCompile(`(?m)^(\s*version:\s*["']?)(\d+\.\d+\.\d+)(["']?\s*)$`)

// newCatalogCopy copies the apps of the catalog that pick selects, and creates a source for them with
// the given platform version.
func newCatalogCopy(ctx context.Context, ns, name, system string, pick func(app string) bool) *catalogCopy {
	GinkgoHelper()
	s := &catalogCopy{folder: filepath.Join(scratchDir, name)}
	catalog := os.Getenv("MARKET_CATALOG")
	apps, err := os.ReadDir(catalog)
	Expect(err).NotTo(HaveOccurred())
	Expect(os.MkdirAll(s.folder, 0o755)).To(Succeed())
	for _, app := range sampleFolders(apps) {
		if pick(app.Name()) {
			Expect(os.CopyFS(filepath.Join(s.folder, app.Name()), os.DirFS(filepath.Join(catalog, app.Name())))).To(Succeed())
		}
	}
	s.source = &v1alpha1.MarketSource{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec: v1alpha1.MarketSourceSpec{
			Type:              v1alpha1.SourceTypeDirectory,
			Directory:         &v1alpha1.DirectorySource{Path: s.folder},
			AllowedNamespaces: &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll},
			Platform:          newPlatform(system),
		},
	}
	Expect(k8sClient.Create(ctx, s.source)).To(Succeed())
	waitTrue(ctx, s.source, v1alpha1.ConditionReady)
	return s
}

// sampleDivisor is the divisor of the sample that a default run uses: one of so many apps. The whole
// catalog takes many minutes.
const sampleDivisor = 8

// sampleFolders returns the folders of the sampled apps in the order of their names: every eighth, or
// all if MARKET_CATALOG_WHOLE is true.
func sampleFolders(entries []os.DirEntry) []os.DirEntry {
	whole := os.Getenv("MARKET_CATALOG_WHOLE") == "true"
	var sample []os.DirEntry
	count := 0
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if whole || count%sampleDivisor == 0 {
			sample = append(sample, e)
		}
		count++
	}
	return sample
}

// newPlatform returns the Olares platform with the given version.
func newPlatform(system string) *v1alpha1.Platform {
	GinkgoHelper()
	values, err := json.Marshal(map[string]any{"sysVersion": system})
	Expect(err).NotTo(HaveOccurred())
	return &v1alpha1.Platform{Profile: v1alpha1.ProfileOlares, Values: &runtime.RawExtension{Raw: values}}
}

// bumpVersions increases the patch version of every app and waits for the new versions to be published.
func (s *catalogCopy) bumpVersions(ctx context.Context) {
	GinkgoHelper()
	before := map[string]string{}
	for _, app := range listApps(ctx, s.source.Namespace) {
		before[app.Name] = app.Status.SelectedVersion
	}
	Expect(filepath.WalkDir(s.folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{"Chart.yaml", "OlaresManifest.yaml"}, entry.Name()) {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		raised := versionLine.ReplaceAllStringFunc(string(text), func(line string) string {
			parts := versionLine.FindStringSubmatch(line)
			return parts[1] + semver.MustParse(parts[2]).IncPatch().String() + parts[3]
		})
		return os.WriteFile(path, []byte(raised), 0o600)
	})).To(Succeed())
	as := client.MergeFrom(s.source.DeepCopy())
	s.source.Annotations = map[string]string{v1alpha1.ReconcileRequestAnnotation: "new-versions"}
	Expect(k8sClient.Patch(ctx, s.source, as)).To(Succeed())
	Eventually(func(g Gomega) {
		for _, app := range listApps(ctx, s.source.Namespace) {
			if app.Spec.SourceRef.Name == s.source.Name {
				g.Expect(app.Status.SelectedVersion).NotTo(Equal(before[app.Name]), app.Name)
			}
		}
	}).WithContext(ctx).WithTimeout(actionTimeout).WithPolling(time.Second).Should(Succeed())
}
