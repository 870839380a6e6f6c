package collector_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/test/testenv"
)

// panickingTransport panics for the selected requests.
type panickingTransport struct {
	next http.RoundTripper
	pick func(*http.Request) bool
}

func (p panickingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.pick(r) {
		panic("the response cannot be read")
	}
	return p.next.RoundTrip(r)
}

// TestPanicsAreErrors checks that panics in goroutines become errors. Other panics would end the
// test.
func TestPanicsAreErrors(t *testing.T) {
	server := testenv.Start(t)
	tenant := createOwner(t, server)
	server.Create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: tenant.Namespace, Name: "there"}})
	asks := func(method, path string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, path) }
	}
	for _, c := range []struct {
		why  string
		pick func(*http.Request) bool
	}{
		{"a dry run", func(r *http.Request) bool { return r.URL.Query().Get("dryRun") == "All" }},
		{"the owner of an object", asks(http.MethodGet, "/configmaps/there")},
		{"the nodes", asks(http.MethodGet, "/api/v1/nodes")},
		{"the namespace", asks(http.MethodGet, "/namespaces/"+tenant.Namespace)},
		{"quotas", asks(http.MethodGet, "/resourcequotas")},
		{"limits", asks(http.MethodGet, "/limitranges")},
		{"records", asks(http.MethodGet, "/secrets")},
		{"permissions", asks(http.MethodPost, "/selfsubjectrulesreviews")},
		{"roles", asks(http.MethodGet, "/roles/there")},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			asked := newRequest(tenant, configMapYAML("there"), "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: b}\n"+
				"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: there}\nsubjects: [{kind: ServiceAccount, name: a}]\n")
			asked.Units[0].Release = "web"
			one := newCollector(t, server, func(config *rest.Config) {
				config.Wrap(func(next http.RoundTripper) http.RoundTripper { return panickingTransport{next, c.pick} })
			})
			_, err := one.Check(t.Context(), asked)
			_, panicked := errors.AsType[*outcome.Panic](err)
			g.Expect(panicked).To(BeTrue(), "%v", err)
		})
	}
}
