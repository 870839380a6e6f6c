package integration_test

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
	"github.com/appmarket/operator/test/gitserver"
)

// startGitServer starts a git server over HTTPS, and returns its repository, the URL and the
// certificate.
func startGitServer() (repository *gitserver.Repository, url, certificate string) {
	GinkgoHelper()
	repository, err := gitserver.New(GinkgoT().TempDir())
	Expect(err).NotTo(HaveOccurred())
	server := httptest.NewTLSServer(repository)
	DeferCleanup(server.Close)
	return repository, server.URL + "/team/apps.git",
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

// commitChart commits a chart in a folder of a repository.
func commitChart(repository *gitserver.Repository, folder string, chart fixture.Chart) {
	GinkgoHelper()
	files := map[string]string{folder + "/Chart.yaml": "apiVersion: v2\nname: " + chart.Name + "\nversion: " + chart.Version + "\n"}
	for name, text := range chart.Files {
		files[folder+"/"+name] = text
	}
	_, err := repository.Commit(files)
	Expect(err).NotTo(HaveOccurred())
}

var _ = Describe("A source of type Git", func() {
	It("offers the charts of a branch with their dependencies, and follows it", func(ctx SpecContext) {
		t := newMarketTenant(ctx)
		repository, url, certificate := startGitServer()
		commitChart(repository, "charts/part", partChart("1.0.0"))
		commitChart(repository, "charts/site", withDependency(siteChart("1.0.0"), "part", "1.x", "file://../part"))
		Expect(t.Client.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "git", Labels: map[string]string{v1alpha1.CredentialsLabel: "true"}},
			StringData: map[string]string{"username": "me", "password": "pw", "ca.crt": certificate},
		})).To(Succeed())
		t.Apply(ctx, `apiVersion: appmarket.io/v1alpha1
kind: MarketSource
metadata: {name: charts}
spec:
  type: Git
  git:
    url: "`+url+`"
    ref: {branch: main}
    path: charts
    secretRef: {name: git}
    certSecretRef: {name: git}
  allowedNamespaces: {from: All}
`)
		t.Source = &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "charts"}}
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionReady)
		Expect(t.Source.Status.ETag).To(HaveLen(40), "the commit")
		requests, _ := repository.TakeRequests()
		Expect(requests).To(HaveEach(HaveSuffix("Basic bWU6cHc=")))

		folder := pullChart(ctx, t, "site")
		Expect(filepath.Join(folder, "charts", "part-1.0.0.tgz")).To(BeAnExistingFile())
		t.Succeed(ctx, v1alpha1.ActionInstall, "site")

		t.Sync(ctx)
		requests, _ = repository.TakeRequests()
		Expect(requests).To(HaveLen(1), "nothing has changed")
		commitChart(repository, "charts/site", withDependency(siteChart("1.1.0"), "part", "1.x", "file://../part"))
		t.Sync(ctx)
		Eventually(func() string { return t.App(ctx, "site").Status.SelectedVersion }).WithContext(ctx).Should(Equal("1.1.0"))
		t.Succeed(ctx, v1alpha1.ActionUpgrade, "site")
	})

	It("names what is wrong with the repository", func(ctx SpecContext) {
		t := newMarketTenant(ctx)
		repository, url, certificate := startGitServer()
		commitChart(repository, "site", siteChart("1.0.0"))
		Expect(os.Symlink("/etc/passwd", filepath.Join(repository.Dir, "site", "secret"))).To(Succeed())
		_, err := repository.Commit(nil)
		Expect(err).NotTo(HaveOccurred())
		Expect(t.Client.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "git"}, StringData: map[string]string{"ca.crt": certificate},
		})).To(Succeed())
		source := func(ref *v1alpha1.GitReference) fixture.SourceChange {
			return func(s *v1alpha1.MarketSourceSpec) {
				s.Type, s.Helm = v1alpha1.SourceTypeGit, nil
				s.Git = &v1alpha1.GitSource{URL: url, Ref: ref, CertSecretRef: &v1alpha1.LocalObjectReference{Name: "git"}}
			}
		}
		missing := t.CreateSource(ctx, t.Namespace, "missing", "", source(&v1alpha1.GitReference{Tag: "v1"}))
		message := t.WaitCondition(ctx, missing, v1alpha1.ConditionReachable, "False", v1alpha1.ReasonNotFound)
		Expect(message).To(HaveSuffix(`the repository has no tag "v1"`))
		linked := t.CreateSource(ctx, t.Namespace, "linked", "", source(nil))
		t.WaitTrue(ctx, linked, v1alpha1.ConditionIndexed)
		Expect(linked.Status.Failures).To(ConsistOf(HaveField("Message", ContainSubstring("links and special files are not allowed"))))

		for _, spec := range []string{
			`{type: Git, git: {url: "http://git.example/a.git"}}`, `{type: Git, git: {url: "https://me:pw@git.example/a.git"}}`, `{type: Git, git: {url: "file:///etc"}}`,
			`{type: Git, git: {url: "https://git.example/a.git", path: ../etc}}`, `{type: Git, git: {url: "https://git.example/a.git", ref: {tag: a, branch: b}}}`,
			`{type: Git}`, `{type: Helm, helm: {url: "https://charts.example"}, git: {url: "https://git.example/a.git"}}`,
		} {
			text := "apiVersion: appmarket.io/v1alpha1\nkind: MarketSource\nmetadata: {name: rejected}\nspec: " + spec + "\n"
			out, err := t.TryKubectl(ctx, strings.NewReader(text), "apply", "--namespace", t.Namespace, "--filename", "-")
			Expect(err).To(HaveOccurred(), spec)
			Expect(out).To(ContainSubstring("git"), spec)
		}
	})
})
