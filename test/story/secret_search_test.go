package story_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// replaceEnv replaces the operator by one with additional environment variables until the test ends.
func (o *operator) replaceEnv(env ...string) *operator {
	GinkgoHelper()
	other := o.copySettings()
	other.Env = append(slices.Clone(o.Env), env...)
	return o.replaceWith(other)
}

// A secretSearch searches for the secrets of a test where they must not appear. Each secret contains
// a unique text.
type secretSearch struct {
	forms   map[string]string // owner of each text to search for
	objects map[string]int    // number of searched objects by kind
	pages   int
	files   int
	bytes   int
}

func newSecretSearch() *secretSearch {
	return &secretSearch{forms: map[string]string{}, objects: map[string]int{}}
}

// newCanary returns a new secret of letters and digits.
func (s *secretSearch) newCanary(owner string) string {
	GinkgoHelper()
	random := make([]byte, 12)
	_, err := rand.Read(random)
	Expect(err).NotTo(HaveOccurred())
	return s.addSecret(owner, "canary"+hex.EncodeToString(random))
}

// addSecret adds a text to the search: the text itself, and its base64 encodings at each of the three
// possible offsets in a longer text.
func (s *secretSearch) addSecret(owner, text string) string {
	s.forms[text] = owner
	for before := range 3 {
		encoded := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat(" ", before) + text))
		if (before+len(text))%3 > 0 {
			encoded = encoded[:len(encoded)-1]
		}
		encoded = encoded[[]int{0, 2, 3}[before]:]
		s.forms[encoded] = owner + " in base64"
		s.forms[strings.NewReplacer("-", "+", "_", "/").Replace(encoded)] = owner + " in base64"
	}
	return text
}

// foundSecret returns the owner of the secret that a text contains, or "" if it contains none.
func (s *secretSearch) foundSecret(text []byte) string {
	for form, owner := range s.forms {
		if bytes.Contains(text, []byte(form)) {
			return owner
		}
	}
	return ""
}

// searchText searches a text, and its decompressed form.
func (s *secretSearch) searchText(where string, text []byte) {
	GinkgoHelper()
	s.bytes += len(text)
	Expect(s.foundSecret(text)).To(BeEmpty(), "%s contains a secret", where)
	if bytes.HasPrefix(text, []byte("\x1f\x8b")) {
		unzipped, err := gzip.NewReader(bytes.NewReader(text))
		Expect(err).NotTo(HaveOccurred(), where)
		content, err := io.ReadAll(unzipped)
		Expect(err).NotTo(HaveOccurred(), where)
		s.searchText(where+", unpacked,", content)
	}
}

// searchCluster searches all objects of all kinds and namespaces, except Secrets.
func (s *secretSearch) searchCluster(ctx context.Context) {
	GinkgoHelper()
	lists, err := discovery.NewDiscoveryClientForConfigOrDie(restConfig).ServerPreferredResources()
	Expect(err).NotTo(HaveOccurred())
	silent := rest.CopyConfig(restConfig)
	silent.WarningHandler = rest.NoWarnings{} // for deprecated kinds
	reader := dynamic.NewForConfigOrDie(silent)
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		Expect(err).NotTo(HaveOccurred())
		for _, resource := range list.APIResources {
			if resource.Name == "secrets" || !slices.Contains(resource.Verbs, "list") {
				continue
			}
			objects, err := reader.Resource(version.WithResource(resource.Name)).List(ctx, metav1.ListOptions{})
			Expect(err).NotTo(HaveOccurred(), resource.Name)
			for _, o := range objects.Items {
				text, err := o.MarshalJSON()
				Expect(err).NotTo(HaveOccurred())
				s.searchText(o.GetKind()+" "+o.GetNamespace()+"/"+o.GetName(), text)
				s.objects[o.GetKind()]++
			}
		}
	}
}

// searchPage searches a response of the operator. An optional page may be missing.
func (s *secretSearch) searchPage(url string, optional bool, headers ...string) {
	GinkgoHelper()
	status, text := fixture.Ask(context.Background(), url, headers...)
	if optional && status == http.StatusNotFound {
		return
	}
	Expect(status).To(Equal(http.StatusOK), url)
	s.searchText(url, text)
	s.pages++
}

// searchRepository searches every page of the repository about the sources.
func (s *secretSearch) searchRepository(ctx context.Context, o *operator, sources ...*v1alpha1.MarketSource) {
	GinkgoHelper()
	for _, page := range []string{"/index.yaml", "/static-index.yaml", "/status", "/version", "/readyz", "/healthz"} {
		s.searchPage(o.URL+page, false)
	}
	for _, source := range sources {
		s.searchPage(source.Status.RepositoryURL+"/index.yaml", false)
		s.searchPage(o.URL+"/static-index.yaml", false, "X-Market-User", source.Namespace, "X-Market-Source", source.Name)
	}
	for _, app := range listApps(ctx, sources[0].Namespace) {
		for _, version := range app.Status.Versions {
			s.searchPage(version.URL, false)
			for _, report := range []string{"objects.yaml", "app.json", "images.json"} {
				s.searchPage(version.ReportURL+"/"+report, false)
			}
			for _, report := range []string{"values.yaml", "README.md", "values.schema.json"} {
				s.searchPage(version.ReportURL+"/"+report, true)
			}
		}
	}
}

// searchFiles searches the store and the log of an operator.
func (s *secretSearch) searchFiles(o *operator) {
	GinkgoHelper()
	for _, root := range []string{o.Store, o.Log.Name()} {
		Expect(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			text, err := os.ReadFile(path)
			if err == nil {
				s.searchText(path, text)
				s.files++
			}
			return err
		})).To(Succeed())
	}
}

// reportSearch reports the amount of searched data, and fails if there was none.
func (s *secretSearch) reportSearch() {
	GinkgoHelper()
	total := 0
	for _, count := range s.objects {
		total += count
	}
	for _, kind := range []string{"MarketSource", "AppInfo", "AppInstance", "AppInstallTask", "Event"} {
		Expect(s.objects).To(HaveKeyWithValue(kind, BeNumerically(">", 0)))
	}
	Expect(s.pages).To(BeNumerically(">", 10))
	Expect(s.files).To(BeNumerically(">", 5))
	AddReportEntry("searched for secrets", fmt.Sprintf(
		"%d forms of secrets in %d objects (%d of AppMarket, %d events), %d pages and %d files, %d bytes: none found",
		len(s.forms), total, s.objects["MarketSource"]+s.objects["AppInfo"]+s.objects["AppInstance"]+s.objects["AppInstallTask"],
		s.objects["Event"], s.pages, s.files, s.bytes), ReportEntryVisibilityAlways)
}
