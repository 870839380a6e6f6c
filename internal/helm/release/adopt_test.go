package release_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/helm/helmtest"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

// helmCommand runs the helm command in a namespace as an administrator.
type helmCommand struct {
	program string
	env     []string
}

func newHelmCommand(t testing.TB, namespace string) *helmCommand {
	t.Helper()
	g := NewWithT(t)
	program := os.Getenv("HELM3")
	if program == "" {
		program = filepath.Join("..", "..", "..", ".local", "bin", "helm3")
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no helm3; make helm builds it")
		}
		t.Skip("left out: there is no helm3; make helm builds it")
	}
	admin, err := helmtest.Server.Env.AddUser(envtest.User{Name: "person", Groups: []string{"system:masters"}}, nil)
	g.Expect(err).NotTo(HaveOccurred())
	text, err := admin.KubeConfig()
	g.Expect(err).NotTo(HaveOccurred())
	home := t.TempDir()
	config := filepath.Join(home, "kubeconfig")
	g.Expect(os.WriteFile(config, text, 0o600)).To(Succeed())
	return &helmCommand{program: program, env: append(os.Environ(),
		"KUBECONFIG="+config, "HELM_NAMESPACE="+namespace, "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)}
}

func (h *helmCommand) runCommand(t testing.TB, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), h.program, args...)
	command.Env = h.env
	var said strings.Builder
	command.Stderr = &said
	out, err := command.Output()
	NewWithT(t).Expect(err).NotTo(HaveOccurred(), "helm %v: %s%s", args, out, &said)
	return string(out)
}

// installRelease installs the chart of a spec under its name.
func (h *helmCommand) installRelease(t testing.TB, s helmtest.ChartSpec, args ...string) {
	t.Helper()
	g := NewWithT(t)
	folder := t.TempDir()
	for _, file := range s.Files {
		name := filepath.Join(folder, file.Name)
		g.Expect(os.MkdirAll(filepath.Dir(name), 0o700)).To(Succeed())
		g.Expect(os.WriteFile(name, file.Data, 0o600)).To(Succeed())
	}
	h.runCommand(t, append([]string{"install", s.Name, folder}, args...)...)
}

func TestAdoptedReleaseLivesOn(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	person := newHelmCommand(t, namespace)
	g := NewWithT(t)
	ctx := t.Context()
	both := helmtest.NewSpec(map[string]string{
		"cm.yaml": helmtest.ConfigMap, "claims.yaml": replaceName(claimText, "photos") + "---\n" + replaceName(claimText, "films"),
	})
	person.installRelease(t, both, "--set", "v=one")
	labels := map[string]string{v1alpha1.InstanceLabel: "mine"}
	before, err := helmtest.GetConfigMap(t, namespace, "blog")
	g.Expect(err).NotTo(HaveOccurred())

	spy := newWriteRecorder(t, namespace)
	adopted, values, err := spy.Adopt(ctx, "blog", labels)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]any{adopted.Revision, adopted.Status, adopted.ChartName}).To(Equal([]any{1, "deployed", "web"}))
	g.Expect(values).To(Equal(map[string]any{"v": "one"}))
	g.Expect(adopted.Labels).To(HaveKeyWithValue(v1alpha1.InstanceLabel, "mine"))
	again, values, err := spy.Adopt(ctx, "blog", labels)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again).To(Equal(adopted))
	g.Expect(values).To(Equal(map[string]any{"v": "one"}))
	g.Expect(spy.recordedWrites()).To(Equal([]string{"PUT /api/v1/namespaces/" + namespace + "/secrets/sh.helm.release.v1.blog.v1"}),
		"the record is written once, and nothing else")
	after, err := helmtest.GetConfigMap(t, namespace, "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(after.ResourceVersion).To(Equal(before.ResourceVersion))
	g.Expect(json.Valid([]byte(person.runCommand(t, "status", "blog", "-o", "json")))).To(BeTrue(), "the helm command reads it still")

	claims := helmtest.Server.Admin.CoreV1().PersistentVolumeClaims(namespace)
	kept := func(name string) {
		claim, err := claims.Get(ctx, name, metav1.GetOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(claim.DeletionTimestamp).To(BeNil(), name)
	}
	one := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "claims.yaml": replaceName(claimText, "photos")})
	one.Labels, one.Values = labels, map[string]any{"v": "two"}
	r, err := c.Upgrade(ctx, one)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Labels).To(HaveKeyWithValue(v1alpha1.InstanceLabel, "mine"))
	kept("films")
	_, err = c.Rollback(ctx, plain.Rollback{Name: "blog", Revision: 1, Labels: labels})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = c.Upgrade(ctx, helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap}))
	g.Expect(err).NotTo(HaveOccurred())
	kept("photos")
	g.Expect(c.ListRetained(ctx, "blog")).To(BeEmpty(), "the newest revision has no claim")
	observed, retained := observeRetained(ctx)
	g.Expect(c.Uninstall(observed, plain.Removal{Name: "blog", Timeout: time.Minute})).To(Succeed())
	g.Expect(retained()).To(ConsistOf("PersistentVolumeClaim/films", "PersistentVolumeClaim/photos"))
	kept("photos")
	kept("films")
	g.Expect(configMaps(t, namespace)).To(BeEmpty())
	g.Expect(helmtest.RecordsLeft(t, namespace)).To(BeEmpty())
}

func TestAdoptedReleaseIsRemovedWithoutItsClaims(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	person := newHelmCommand(t, namespace)
	g := NewWithT(t)
	person.installRelease(t, helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap, "claim.yaml": replaceName(claimText, "photos")}))
	_, _, err := c.Adopt(t.Context(), "blog", map[string]string{v1alpha1.InstanceLabel: "mine"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(c.Uninstall(t.Context(), plain.Removal{Name: "blog", Timeout: time.Minute})).To(Succeed())
	claim, err := helmtest.Server.Admin.CoreV1().PersistentVolumeClaims(namespace).Get(t.Context(), "photos", metav1.GetOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(claim.DeletionTimestamp).To(BeNil())
}

func TestAdoptRefuses(t *testing.T) {
	c, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	ctx := t.Context()
	s := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap})
	_, err := c.Install(ctx, s)
	g.Expect(err).NotTo(HaveOccurred())
	store := storage.Init(driver.NewSecrets(helmtest.Server.Admin.CoreV1().Secrets(namespace)))
	for _, one := range []struct {
		why    string
		name   string
		owner  string
		status release.Status
		want   string
	}{
		{why: "no release", name: "none", owner: "blog", status: release.StatusDeployed, want: "not found in namespace"},
		{why: "another instance's", name: "blog", owner: "mine", status: release.StatusDeployed, want: `belongs to instance "blog"`},
		{why: "an installation under way", name: "blog", owner: "blog", status: release.StatusPendingInstall, want: "revision 1 is pending-install"},
		{why: "an upgrade under way", name: "blog", owner: "blog", status: release.StatusPendingUpgrade, want: "revision 1 is pending-upgrade"},
		{why: "a removal under way", name: "blog", owner: "blog", status: release.StatusUninstalling, want: "revision 1 is uninstalling"},
		{why: "a failed one", name: "blog", owner: "blog", status: release.StatusFailed, want: "revision 1 is failed"},
		{why: "a removed one", name: "blog", owner: "blog", status: release.StatusUninstalled, want: "revision 1 is uninstalled"},
	} {
		t.Run(one.why, func(t *testing.T) {
			g := NewWithT(t)
			record, err := store.Get("blog", 1)
			g.Expect(err).NotTo(HaveOccurred())
			record.Info.Status = one.status
			g.Expect(store.Update(record)).To(Succeed())
			_, _, err = c.Adopt(ctx, one.name, map[string]string{v1alpha1.InstanceLabel: one.owner})
			g.Expect(err).To(MatchError(ContainSubstring(one.want)))
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonAdoptFailed))
			g.Expect(outcome.IsStalled(err)).To(BeTrue())
		})
	}
}

// TestHelmCommandBesideLargeReleases uses the helm command in a namespace that also contains a
// release whose record it cannot read.
func TestHelmCommandBesideLargeReleases(t *testing.T) {
	c, namespace := helmtest.NewLargeClient(t)
	person := newHelmCommand(t, namespace)
	g := NewWithT(t)
	_, err := c.Install(t.Context(), helmtest.NewLargeSpec("huge", helmtest.SmallRandomSize, "one"))
	g.Expect(err).NotTo(HaveOccurred())
	theirs := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap})
	person.installRelease(t, theirs)
	ours := theirs
	ours.Name = "ours"
	_, err = c.Install(t.Context(), ours)
	g.Expect(err).NotTo(HaveOccurred())

	g.Expect(strings.Fields(person.runCommand(t, "list", "--all", "--short"))).To(ConsistOf("blog", "ours"))
	g.Expect(strings.Count(person.runCommand(t, "history", "ours"), "deployed")).To(Equal(1))
	for _, args := range [][]string{{"status"}, {"get", "manifest"}, {"get", "values"}, {"get", "metadata"}} {
		person.runCommand(t, append(args, "huge", "--revision", "1")...)
	}
	person.runCommand(t, "uninstall", "blog")
	r, err := c.Get(t.Context(), "huge")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(r.Status).To(Equal("deployed"))
}

// writeRecorder is a client that records its write requests.
type writeRecorder struct {
	*helmtest.ChartClient
	mu      sync.Mutex
	written []string
}

func newWriteRecorder(t testing.TB, namespace string) *writeRecorder {
	t.Helper()
	s := &writeRecorder{}
	s.ChartClient = helmtest.NewInterceptedClient(t, namespace, func(request *http.Request, next http.RoundTripper) (*http.Response, error) {
		if request.Method != http.MethodGet {
			s.mu.Lock()
			s.written = append(s.written, request.Method+" "+request.URL.Path)
			s.mu.Unlock()
		}
		return next.RoundTrip(request)
	})
	return s
}

func (s *writeRecorder) recordedWrites() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written
}
