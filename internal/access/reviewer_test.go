package access_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

// audience is the additional audience of the reviewers in these tests.
const audience = "appmarket.io"

// countingTransport counts the requests of a reviewer to the API server, and can be cut.
type countingTransport struct {
	base      http.RoundTripper
	requests  atomic.Int64
	now, most atomic.Int64
	slow      time.Duration
	cut       atomic.Bool
}

func (w *countingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	w.requests.Add(1)
	now := w.now.Add(1)
	defer w.now.Add(-1)
	for most := w.most.Load(); now > most; most = w.most.Load() {
		if w.most.CompareAndSwap(most, now) {
			break
		}
	}
	time.Sleep(w.slow)
	if w.cut.Load() {
		return nil, errors.New("the connection is cut")
	}
	return w.base.RoundTrip(r)
}

// newReviewer returns a reviewer and its transport.
func newReviewer(t *testing.T, server *testenv.Env, age time.Duration) (*access.Reviewer, *countingTransport) {
	t.Helper()
	w := &countingTransport{}
	cfg := rest.CopyConfig(server.Config)
	cfg.Wrap(func(base http.RoundTripper) http.RoundTripper {
		w.base = base
		return w
	})
	reviewer, err := access.New(cfg, access.Options{Age: age, Audience: audience})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return reviewer, w
}

// tokenOf returns a token of an existing service account.
func tokenOf(t *testing.T, server *testenv.Env, namespace, name string, audiences ...string) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: audiences}}
	NewWithT(t).Expect(server.Client.SubResource("token").Create(t.Context(), account, request)).To(Succeed())
	return request.Status.Token
}

// createReader creates an account that may get the source "own" of its namespace.
func createReader(t *testing.T, server *testenv.Env, namespace string) {
	t.Helper()
	server.Allow(t, namespace, "reader", rbacv1.PolicyRule{
		APIGroups: []string{"appmarket.io"}, Resources: []string{"marketsources"}, ResourceNames: []string{"own"}, Verbs: []string{"get"},
	})
}

func sourceRight(namespace, name string) access.Right {
	return access.Right{Verb: "get", Group: "appmarket.io", Resource: "marketsources", Namespace: namespace, Name: name}
}

func TestReviewerDecides(t *testing.T) {
	server := testenv.Start(t)
	ours, theirs := server.Namespace(t, nil), server.Namespace(t, nil)
	createReader(t, server, ours)
	server.Create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: theirs, Name: "reader"}})
	reviewer, _ := newReviewer(t, server, time.Minute)
	good := tokenOf(t, server, ours, "reader")
	for _, c := range []struct {
		why   string
		token string
		right access.Right
		want  access.Decision
	}{
		{"no token", "", sourceRight(ours, "own"), access.Unauthenticated},
		{"text that is not a token", "nonsense", sourceRight(ours, "own"), access.Unauthenticated},
		{"a token that was changed", good[:len(good)-8] + "AAAAAAAA", sourceRight(ours, "own"), access.Unauthenticated},
		{"a token for another audience", tokenOf(t, server, ours, "reader", "vault.example"), sourceRight(ours, "own"), access.Unauthenticated},
		{"a token for the API server", good, sourceRight(ours, "own"), access.Allowed},
		{"a token for the additional audience", tokenOf(t, server, ours, "reader", audience), sourceRight(ours, "own"), access.Allowed},
		{"another source", good, sourceRight(ours, "other"), access.Forbidden},
		{"a source with the same name in another namespace", good, sourceRight(theirs, "own"), access.Forbidden},
		{"all sources", good, sourceRight("", ""), access.Forbidden},
		{"an account with the same name in another namespace", tokenOf(t, server, theirs, "reader"), sourceRight(ours, "own"), access.Forbidden},
		{"a path", good, access.Right{Verb: "get", Path: "/metrics"}, access.Forbidden},
		{"a path that every account may get", good, access.Right{Verb: "get", Path: "/version"}, access.Allowed},
	} {
		t.Run(c.why, func(t *testing.T) {
			for range 2 {
				decision, err := reviewer.Review(t.Context(), c.token, c.right)
				NewWithT(t).Expect(err).NotTo(HaveOccurred())
				NewWithT(t).Expect(decision).To(Equal(c.want), "the cached decision is the same")
			}
		})
	}
}

func TestReviewerCachesDecisions(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	namespace := server.Namespace(t, nil)
	createReader(t, server, namespace)
	reviewer, w := newReviewer(t, server, time.Minute)
	good := tokenOf(t, server, namespace, "reader")
	w.slow = 20 * time.Millisecond
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			decision, err := reviewer.Review(t.Context(), good, sourceRight(namespace, "own"))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(decision).To(Equal(access.Allowed))
		})
	}
	all.Wait()
	g.Expect(w.requests.Load()).To(Equal(int64(2)), "a TokenReview and a SubjectAccessReview for all")
	before := w.requests.Load()
	for i := range 40 {
		_, err := reviewer.Review(t.Context(), "invalid", sourceRight(namespace, fmt.Sprint(i)))
		g.Expect(err).NotTo(HaveOccurred())
	}
	g.Expect(w.requests.Load()-before).To(Equal(int64(2)), "an invalid token is reviewed one time for each audience")
}

func TestReviewerReviewsATokenOneAtATime(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	namespace := server.Namespace(t, nil)
	createReader(t, server, namespace)
	reviewer, w := newReviewer(t, server, time.Minute)
	w.slow = 5 * time.Millisecond
	good := tokenOf(t, server, namespace, "reader")
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			_, err := reviewer.Review(t.Context(), good, sourceRight(namespace, fmt.Sprint(i)))
			g.Expect(err).NotTo(HaveOccurred())
		})
	}
	all.Wait()
	g.Expect(w.most.Load()).To(Equal(int64(1)), "concurrent reviews of one token")

	for i := range 200 {
		all.Go(func() {
			_, err := reviewer.Review(t.Context(), fmt.Sprint("invalid-", i), sourceRight(namespace, "own"))
			g.Expect(err).NotTo(HaveOccurred())
		})
	}
	all.Wait()
	g.Expect(w.most.Load()).To(And(BeNumerically(">", 1), BeNumerically("<=", 16)), "concurrent reviews of many tokens")
}

func TestReviewerDetectsRevokedPermissions(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	namespace := server.Namespace(t, nil)
	createReader(t, server, namespace)
	reviewer, _ := newReviewer(t, server, 300*time.Millisecond)
	good := tokenOf(t, server, namespace, "reader")
	decide := func() access.Decision {
		decision, err := reviewer.Review(t.Context(), good, sourceRight(namespace, "own"))
		g.Expect(err).NotTo(HaveOccurred())
		return decision
	}
	g.Expect(decide()).To(Equal(access.Allowed))
	binding := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "reader"}}
	g.Expect(server.Client.Delete(t.Context(), binding)).To(Succeed())
	g.Eventually(decide).WithTimeout(20 * time.Second).Should(Equal(access.Forbidden))

	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "reader"}}
	g.Expect(server.Client.Delete(t.Context(), account)).To(Succeed())
	g.Eventually(decide).WithTimeout(20*time.Second).Should(Equal(access.Unauthenticated), "tokens of a deleted account")
}

func TestReviewerFailsWithoutAPIServer(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	namespace := server.Namespace(t, nil)
	createReader(t, server, namespace)
	reviewer, w := newReviewer(t, server, time.Minute)
	good := tokenOf(t, server, namespace, "reader")
	w.cut.Store(true)
	for range 2 {
		_, err := reviewer.Review(t.Context(), good, sourceRight(namespace, "own"))
		g.Expect(err).To(MatchError(ContainSubstring("the connection is cut")))
		g.Expect(err.Error()).NotTo(ContainSubstring(strings.Split(good, ".")[2]), "the error does not contain the token")
	}
	w.cut.Store(false)
	decision, err := reviewer.Review(t.Context(), good, sourceRight(namespace, "own"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(decision).To(Equal(access.Allowed), "an error is not cached")
	w.cut.Store(true)
	decision, err = reviewer.Review(t.Context(), good, sourceRight(namespace, "own"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(decision).To(Equal(access.Allowed), "the decision is cached")
}

// TestReviewerNeedsPermissions checks that an account without the rights to review gets
// errors, not decisions.
func TestReviewerNeedsPermissions(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	namespace := server.Namespace(t, nil)
	createReader(t, server, namespace)
	good := tokenOf(t, server, namespace, "reader")
	cfg := rest.AnonymousClientConfig(server.Config)
	cfg.BearerToken = good
	reviewer, err := access.New(cfg, access.Options{Age: time.Minute})
	g.Expect(err).NotTo(HaveOccurred())
	_, err = reviewer.Review(t.Context(), good, sourceRight(namespace, "own"))
	g.Expect(err).To(MatchError(ContainSubstring("tokenreviews")))
}
