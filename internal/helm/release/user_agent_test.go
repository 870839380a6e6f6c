package release

import (
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	plain "github.com/appmarket/operator/internal/release"
)

func TestRequestsForATenantHaveTheUserAgent(t *testing.T) {
	g := NewWithT(t)
	var seen http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header.Clone()
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	clients, err := NewClients(&rest.Config{Host: server.URL, UserAgent: "market/1"}, nil)
	g.Expect(err).NotTo(HaveOccurred())
	as := clients.impersonatingTransport(plain.Tenant{Namespace: "demo", ServiceAccount: "tenant"})
	typed, err := kubernetes.NewForConfig(clients.restConfigFor(as))
	g.Expect(err).NotTo(HaveOccurred())
	_, err = typed.CoreV1().Secrets("demo").List(t.Context(), metav1.ListOptions{})
	g.Expect(err).To(HaveOccurred())
	g.Expect(seen.Get("User-Agent")).To(Equal("market/1"))
	g.Expect(seen.Get("Impersonate-User")).To(Equal("system:serviceaccount:demo:tenant"))
}
