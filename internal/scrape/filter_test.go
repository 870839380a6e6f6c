package scrape_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/testr"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/internal/scrape"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// statusOf returns the status of the response to a request for metrics.
func statusOf(t *testing.T, filter *scrape.Filter, log logr.Logger, method, authorization string) int {
	t.Helper()
	handler := filter.Wrap(log, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	request := httptest.NewRequestWithContext(t.Context(), method, "/metrics", nil)
	request.Header.Set("Authorization", authorization)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Code
}

// tokenOf creates a service account and returns its token.
func tokenOf(t *testing.T, server *testenv.Env, namespace, name string) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	server.Create(t, account)
	request := &authenticationv1.TokenRequest{}
	NewWithT(t).Expect(server.Client.SubResource("token").Create(t.Context(), account, request)).To(Succeed())
	return request.Status.Token
}

// allowMetrics grants permission to get /metrics, and waits until the API server has
// processed it, because a refusal would be cached.
func allowMetrics(t *testing.T, server *testenv.Env, namespace, name string) {
	t.Helper()
	server.Create(t,
		&rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: "metrics-reader-" + namespace},
			Rules:      []rbacv1.PolicyRule{{NonResourceURLs: []string{"/metrics"}, Verbs: []string{"get"}}},
		},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "metrics-reader-" + namespace},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "metrics-reader-" + namespace},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}},
		})
	NewWithT(t).Eventually(func() (bool, error) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User:                  "system:serviceaccount:" + namespace + ":" + name,
			NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: "/metrics", Verb: "get"},
		}}
		err := server.Client.Create(t.Context(), review)
		return review.Status.Allowed, err
	}).WithTimeout(30 * time.Second).Should(BeTrue())
}

func TestFilterAdmitsAuthorizedRequests(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	filter, err := scrape.New(server.Config)
	g.Expect(err).NotTo(HaveOccurred())
	namespace := server.Namespace(t, nil)
	stranger, scraper := tokenOf(t, server, namespace, "stranger"), tokenOf(t, server, namespace, "prometheus")
	allowMetrics(t, server, namespace, "prometheus")
	for name, c := range map[string]struct {
		method, authorization string
		want                  int
	}{
		"without a token":          {http.MethodGet, "", http.StatusUnauthorized},
		"with another scheme":      {http.MethodGet, "Basic " + scraper, http.StatusUnauthorized},
		"with an invalid token":    {http.MethodGet, "Bearer nonsense", http.StatusUnauthorized},
		"without the permission":   {http.MethodGet, "Bearer " + stranger, http.StatusForbidden},
		"with another method":      {http.MethodPost, "Bearer " + scraper, http.StatusForbidden},
		"with the permission":      {http.MethodGet, "Bearer " + scraper, http.StatusOK},
		"with a lower-case scheme": {http.MethodGet, "bearer " + scraper, http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) {
			for range 2 {
				NewWithT(t).Expect(statusOf(t, filter, testr.New(t), c.method, c.authorization)).To(Equal(c.want), "the cached decision is the same")
			}
		})
	}
}

// TestFilterRejectsRequestsWithoutAPIServer checks that no request is admitted while the API server
// cannot be reached.
func TestFilterRejectsRequestsWithoutAPIServer(t *testing.T) {
	g := NewWithT(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	filter, err := scrape.New(&rest.Config{Host: gone.URL})
	g.Expect(err).NotTo(HaveOccurred())
	for range 2 {
		g.Expect(statusOf(t, filter, logr.Discard(), http.MethodGet, "Bearer token")).To(Equal(http.StatusInternalServerError), "an error is not cached")
	}
}
