package storage_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/appmarket/operator/internal/helm/helmtest"
	helmrelease "github.com/appmarket/operator/internal/helm/release"
	plain "github.com/appmarket/operator/internal/release"
)

// listCounter counts the requests that list Secrets.
type listCounter struct {
	next  http.RoundTripper
	lists atomic.Int64
}

func (c *listCounter) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodGet && strings.HasSuffix(request.URL.Path, "/secrets") {
		c.lists.Add(1)
	}
	return c.next.RoundTrip(request)
}

// newCountingClient returns a client in a new namespace, and the counter of its lists of Secrets.
func newCountingClient(t *testing.T) (*helmtest.ChartClient, *listCounter) {
	t.Helper()
	_, namespace := helmtest.NewClient(t)
	g := NewWithT(t)
	counter := &listCounter{}
	cfg := rest.CopyConfig(helmtest.Server.Config)
	cfg.Wrap(transport.WrapperFunc(func(next http.RoundTripper) http.RoundTripper {
		counter.next = next
		return counter
	}))
	clients, err := helmrelease.NewClients(cfg, helmtest.Server.Mapper)
	g.Expect(err).NotTo(HaveOccurred())
	return helmtest.NewClientFor(clients, plain.Tenant{Namespace: namespace, ServiceAccount: "installer"}), counter
}

func TestAnOperationListsTheRecordsOfItsReleaseOnce(t *testing.T) {
	g := NewWithT(t)
	c, counter := newCountingClient(t)
	spec := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap})
	spec.MaxHistory = 3
	lists := func(do func()) int64 {
		before := counter.lists.Load()
		do()
		return counter.lists.Load() - before
	}
	g.Expect(lists(func() {
		spec.Unrecorded = true
		_, err := c.Install(t.Context(), spec)
		g.Expect(err).NotTo(HaveOccurred())
	})).To(BeEquivalentTo(0), "an install of a release that is known to have none")
	spec.Unrecorded = false
	for revision := 2; revision <= 5; revision++ {
		g.Expect(lists(func() {
			made, err := c.Upgrade(t.Context(), spec)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(made.Revision).To(Equal(revision))
		})).To(BeEquivalentTo(1), "upgrade to revision %d", revision)
	}
	stored, err := helmtest.Server.Admin.CoreV1().Secrets(c.Tenant.Namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "owner=helm"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(stored.Items).To(HaveLen(3), "the history is kept short by what is known of it")
	g.Expect(lists(func() {
		_, err := c.Rollback(t.Context(), plain.Rollback{Name: "blog", Revision: 4})
		g.Expect(err).NotTo(HaveOccurred())
	})).To(BeEquivalentTo(1), "a rollback")
}

func TestTheNextOperationSeesWhatOthersHaveDoneToTheRecords(t *testing.T) {
	g := NewWithT(t)
	c, _ := newCountingClient(t)
	spec := helmtest.NewSpec(map[string]string{"cm.yaml": helmtest.ConfigMap})
	_, err := c.Install(t.Context(), spec)
	g.Expect(err).NotTo(HaveOccurred())
	secrets := helmtest.Server.Admin.CoreV1().Secrets(c.Tenant.Namespace)
	label := []byte(`{"metadata":{"labels":{"appmarket.io/instance":"other"}}}`)
	_, err = secrets.Patch(t.Context(), "sh.helm.release.v1.blog.v1", types.MergePatchType, label, metav1.PatchOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	found, err := c.Get(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found.Labels).To(HaveKeyWithValue("appmarket.io/instance", "other"))
	g.Expect(secrets.Delete(t.Context(), "sh.helm.release.v1.blog.v1", metav1.DeleteOptions{})).To(Succeed())
	_, err = c.Upgrade(t.Context(), spec)
	g.Expect(err).To(MatchError(ContainSubstring("not found in namespace")))
}

func TestAReleaseThatAnotherClientHasMadeMeanwhileStays(t *testing.T) {
	g := NewWithT(t)
	c, _ := newCountingClient(t)
	theirs := helmtest.NewSpec(map[string]string{"theirs.yaml": strings.Replace(helmtest.ConfigMap, "{{ .Release.Name }}", "theirs", 1)})
	_, err := c.Install(t.Context(), theirs)
	g.Expect(err).NotTo(HaveOccurred())
	ours := helmtest.NewSpec(map[string]string{"ours.yaml": strings.Replace(helmtest.ConfigMap, "{{ .Release.Name }}", "ours", 1)})
	ours.Unrecorded = true
	_, err = c.Install(t.Context(), ours)
	g.Expect(err).To(MatchError(ContainSubstring("already has a release with this name")), "as without the hint")
	found, err := c.Get(t.Context(), "blog")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found.Revision).To(Equal(1))
	g.Expect(found.Status).To(Equal("deployed"))
	_, err = helmtest.GetConfigMap(t, c.Tenant.Namespace, "ours")
	g.Expect(err).To(HaveOccurred(), "nothing of ours was made")
}
