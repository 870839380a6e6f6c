package impersonation_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

func TestConfigActsAsTheServiceAccountOnly(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	as := impersonation.Config(server.Config, release.Tenant{Namespace: "team", ServiceAccount: "installer"})
	clients, err := kubernetes.NewForConfig(as)
	g.Expect(err).NotTo(HaveOccurred())
	review, err := clients.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(review.Status.UserInfo.Username).To(Equal("system:serviceaccount:team:installer"))
	g.Expect(review.Status.UserInfo.Groups).To(ConsistOf("system:serviceaccounts", "system:serviceaccounts:team", "system:authenticated"),
		"the groups are the same as in a token of the account")
}

func TestConfigDoesNotChangeTheOriginal(t *testing.T) {
	g := NewWithT(t)
	own := &rest.Config{Host: "https://example.com", QPS: 5}
	as := impersonation.Config(own, release.Tenant{Namespace: "team", ServiceAccount: "installer"})
	g.Expect(own.Impersonate).To(Equal(rest.ImpersonationConfig{}))
	g.Expect(own.QPS).To(BeEquivalentTo(5))
	g.Expect(as.Host).To(Equal(own.Host))
}

func newClients(server *testenv.Env) *impersonation.Clients {
	return &impersonation.Clients{Config: server.Config, Mapper: server.Mapper, Scheme: server.Scheme}
}

func TestClientsHaveThePermissionsOfTheAccount(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	mine, theirs := server.Namespace(t, nil), server.Namespace(t, nil)
	server.Allow(t, mine, "reader", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}})
	for _, namespace := range []string{mine, theirs} {
		server.Create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "a"}})
	}
	all := newClients(server)
	get := func(account, namespace string) error {
		reader, err := all.ClientFor(release.Tenant{Namespace: mine, ServiceAccount: account})
		g.Expect(err).NotTo(HaveOccurred())
		return reader.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "a"}, &corev1.Secret{})
	}
	g.Expect(get("reader", mine)).To(Succeed())
	g.Expect(get("reader", theirs)).To(Satisfy(apierrors.IsForbidden), "a Secret of another namespace")
	g.Expect(get("other", mine)).To(Satisfy(apierrors.IsForbidden), "another account")

	g.Expect(server.Client.Delete(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: mine, Name: "reader"}})).To(Succeed())
	g.Eventually(func() error { return get("reader", mine) }).Should(Satisfy(apierrors.IsForbidden), "a revoked permission is effective immediately, because nothing is cached")
}

func TestClientsAreCached(t *testing.T) {
	g := NewWithT(t)
	all := newClients(testenv.Start(t))
	of := func(account string) client.Reader {
		reader, err := all.ClientFor(release.Tenant{Namespace: "team", ServiceAccount: account})
		g.Expect(err).NotTo(HaveOccurred())
		return reader
	}
	first := of("a")
	g.Expect(of("a")).To(BeIdenticalTo(first))
	g.Expect(of("b")).NotTo(BeIdenticalTo(first))
	for i := range 1000 {
		of(fmt.Sprint("account-", i))
	}
	g.Expect(of("a")).NotTo(BeIdenticalTo(first), "the number of cached clients is bounded")
}

func TestConcurrentClients(t *testing.T) {
	all := newClients(testenv.Start(t))
	var work sync.WaitGroup
	for i := range 20 {
		work.Go(func() {
			reader, err := all.ClientFor(release.Tenant{Namespace: "default", ServiceAccount: fmt.Sprint("account-", i%3)})
			if err == nil {
				err = reader.Get(context.Background(), client.ObjectKey{Namespace: "default", Name: "a"}, &corev1.Secret{})
			}
			if !apierrors.IsForbidden(err) {
				t.Errorf("read as an account without permissions: %v", err)
			}
		})
	}
	work.Wait()
}
