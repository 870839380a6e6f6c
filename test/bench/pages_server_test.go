package bench_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/appmarket/operator/api/v1alpha1"
)

// viewers is the group of the users of the pages.
const viewers = "bench-viewers"

// pagesServer is the process that serves the web pages.
type pagesServer struct {
	*process
	url string
	// watches is the number of watches of the kinds of AppMarket that it has opened at the API server.
	watches int
}

// startPages starts a process that serves the web pages, and stops it when the measurement ends. Its users are
// named by headers, as an authenticating proxy on the same machine names them, and may view everything.
func (m *benchmark) startPages() *pagesServer {
	m.b.Helper()
	m.allowViewers()
	before := m.countWatches()
	address := m.freeAddress()
	server, err := startProcess(filepath.Join(m.scratch, "ui.log"), filepath.Join(m.scratch, "appmarket"),
		[]string{"ui", "--auth", "proxy", "--bind-address", address, "--kubeconfig", m.kubeconfig}, nil)
	m.Expect(err).NotTo(HaveOccurred())
	b := m.b
	b.Cleanup(func() {
		if err := server.stopProcess(); err != nil {
			b.Errorf("stop pages: %v", err)
		}
	})
	s := &pagesServer{process: server, url: "http://" + address}
	m.Eventually(func() error {
		_, err := s.getPage(m.ctx, 0, "/apps")
		return err
	}, timeout, 50*time.Millisecond).Should(Succeed())
	s.watches = m.countWatches() - before
	return s
}

// allowViewers lets the users of the pages view the objects of AppMarket.
func (m *benchmark) allowViewers() {
	m.b.Helper()
	name := metav1.ObjectMeta{Name: viewers}
	role := &rbacv1.ClusterRole{ObjectMeta: name, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch"}},
	}}
	m.Expect(m.createUnlessExists(role)).To(Succeed())
	m.Expect(m.createUnlessExists(&rbacv1.ClusterRoleBinding{
		ObjectMeta: name, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: viewers},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: viewers}},
	})).To(Succeed())
}

// countWatches returns the number of open watches of the kinds of AppMarket.
func (m *benchmark) countWatches() int {
	m.b.Helper()
	cfg, err := clientcmd.BuildConfigFromFlags("", m.kubeconfig)
	m.Expect(err).NotTo(HaveOccurred())
	clients, err := kubernetes.NewForConfig(cfg)
	m.Expect(err).NotTo(HaveOccurred())
	text, err := clients.RESTClient().Get().AbsPath("/metrics").DoRaw(m.ctx)
	m.Expect(err).NotTo(HaveOccurred())
	sum := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "apiserver_longrunning_requests{") || !strings.Contains(line, `group="`+v1alpha1.GroupVersion.Group+`"`) ||
			!strings.Contains(line, `verb="WATCH"`) {
			continue
		}
		var count int
		_, err := fmt.Sscan(line[strings.LastIndex(line, "}")+1:], &count)
		m.Expect(err).NotTo(HaveOccurred())
		sum += count
	}
	return sum
}

// newRequest returns a request of a user.
func (s *pagesServer) newRequest(ctx context.Context, user int, path string) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("X-Forwarded-User", fmt.Sprint("viewer-", user))
	request.Header.Set("X-Forwarded-Groups", viewers)
	return request, nil
}

// getPage gets a page as a user and returns the time until its first byte.
func (s *pagesServer) getPage(ctx context.Context, user int, path string) (time.Duration, error) {
	request, err := s.newRequest(ctx, user, path)
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	took := time.Since(begin)
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return 0, err
	}
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("get %s: %s", path, response.Status)
	}
	return took, nil
}

// measurePage returns the 95th percentile of the time until the first byte of a page, in requests of several
// users one after the other, after one request of each.
func (m *benchmark) measurePage(s *pagesServer, path string) time.Duration {
	m.b.Helper()
	const users, rounds = 20, 10
	var all []time.Duration
	for round := range rounds + 1 {
		for user := range users {
			took, err := s.getPage(m.ctx, user, path)
			m.Expect(err).NotTo(HaveOccurred())
			if round > 0 {
				all = append(all, took)
			}
		}
	}
	return percentile(all, 95)
}

// percentile returns a percentile of durations.
func percentile(all []time.Duration, percent int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}
