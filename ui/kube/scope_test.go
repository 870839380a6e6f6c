package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/test/testenv"
)

// countedRequests counts the requests to the API server whose path ends with a text. before is called before each of
// them is sent, and its error is the error of the request.
type countedRequests struct {
	http.RoundTripper

	suffix string
	before func(context.Context) error
	count  *atomic.Int32
}

// RoundTrip sends a request.
func (c countedRequests) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, c.suffix) {
		c.count.Add(1)
		if err := c.before(r.Context()); err != nil {
			return nil, err
		}
	}
	return c.RoundTripper.RoundTrip(r)
}

// newCountedCluster returns a cluster, and the number of its requests whose path ends with a text.
func newCountedCluster(t *testing.T, env *testenv.Env, suffix string, before func(context.Context) error) (*Cluster, *atomic.Int32) {
	t.Helper()
	count := &atomic.Int32{}
	config := rest.CopyConfig(env.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return countedRequests{next, suffix, before, count} })
	c, err := New(config, func(Change) {})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return c, count
}

// TestNamespacesAreListedOnce requests the namespaces while the API server does not respond, and after it failed.
func TestNamespacesAreListedOnce(t *testing.T) {
	g := NewWithT(t)
	env := testenv.Start(t)
	namespace := env.Namespace(t, nil)
	release := make(chan error)
	c, count := newCountedCluster(t, env, "/namespaces", func(ctx context.Context) error {
		select {
		case err := <-release:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	var waiting sync.WaitGroup
	fetch := func(ctx context.Context, want error) {
		waiting.Go(func() {
			names, err := c.namespaces.fetchNames(ctx)
			g.Expect(err).To(MatchError(want))
			g.Expect(names).To(BeEmpty())
		})
	}
	failure := errors.New("the API server does not respond")
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	fetch(t.Context(), failure)
	g.Eventually(count.Load).Should(Equal(int32(1)))
	go func() {
		_, err := c.namespaces.fetchNames(ctx)
		left <- err
	}()
	fetch(t.Context(), failure)
	cancel()
	g.Eventually(left).Should(Receive(MatchError(context.Canceled)), "a caller that leaves does not wait for the API server")
	release <- failure
	waiting.Wait()
	_, err := c.namespaces.fetchNames(t.Context())
	g.Expect(err).To(MatchError(failure))
	g.Expect(count.Load()).To(Equal(int32(1)), "a failure is not repeated at once")

	c.namespaces.known = newFetchCache[[]string](1)
	ended, end := context.WithCancel(t.Context())
	go func() {
		_, err := c.namespaces.fetchNames(ended)
		left <- err
	}()
	g.Eventually(count.Load).Should(Equal(int32(2)))
	end()
	g.Eventually(left).Should(Receive(MatchError(context.Canceled)))
	release <- nil
	g.Expect(c.namespaces.fetchNames(t.Context())).To(ContainElement(namespace), "the request of a caller that left goes on")
	g.Expect(count.Load()).To(Equal(int32(2)))
}

// TestRefusalsOfAScopeAreKept requests where a user may list apps, with many requests at once and later, among namespaces in
// which the user has no right. Single refusals are not cached here.
func TestRefusalsOfAScopeAreKept(t *testing.T) {
	g := NewWithT(t)
	env := testenv.Start(t)
	namespace := env.Namespace(t, nil)
	env.Allow(t, namespace, "jane", rbacv1.PolicyRule{APIGroups: []string{Group}, Resources: []string{Apps}, Verbs: []string{"list"}})
	c, count := newCountedCluster(t, env, "/selfsubjectaccessreviews", func(context.Context) error { return nil })
	c.reviews = access.NewSelfReviewer(time.Minute, 0)
	const others = 30
	for i := range others {
		c.apps.setRow(&AppRow{Namespace: fmt.Sprint("other-", i), Name: "a"}, false)
	}
	c.apps.setRow(&AppRow{Namespace: namespace, Name: "a"}, false)
	user, err := c.ImpersonatedUser("system:serviceaccount:"+namespace+":jane", nil)
	g.Expect(err).NotTo(HaveOccurred())
	expectScope := func() {
		scope, err := user.ScopeFor(t.Context(), Apps)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(scope).To(Equal(Scope{Namespaces: []string{namespace}}))
	}
	const requests = 5
	var waiting sync.WaitGroup
	for range requests {
		waiting.Go(expectScope)
	}
	waiting.Wait()
	g.Expect(count.Load()).To(BeNumerically("<=", others+1+requests), "each also asks for all namespaces")
	before := count.Load()
	expectScope()
	g.Expect(count.Load()-before).To(Equal(int32(1)), "only the right in all namespaces is reviewed again")

	c.apps.setRow(&AppRow{Namespace: "new", Name: "a"}, false)
	before = count.Load()
	expectScope()
	g.Expect(count.Load()-before).To(Equal(int32(2)), "a new namespace is reviewed")
	_, err = user.ScopeWith(t.Context(), "patch", Apps)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(count.Load()-before).To(BeNumerically(">", others), "another right is reviewed")
}
