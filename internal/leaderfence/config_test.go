package leaderfence_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/internal/leaderfence"
	"github.com/appmarket/operator/test/testenv"
)

// TestUnsentBytesAreBlocked stops a leader while a write is being sent, and checks that a
// real API server receives at most the beginning of it.
func TestUnsentBytesAreBlocked(t *testing.T) {
	server := testenv.Start(t)
	namespace := server.Namespace(t, nil)
	for _, c := range []struct {
		why       string
		protocols []string
		major     int
		// body returns a request body with the text. It calls stop to stop the leader.
		body func(text string, stop func()) io.Reader
		// before stops the leader when the transport receives the request.
		before bool
	}{
		{why: "before the connection is opened, HTTP/1", protocols: []string{"http/1.1"}, major: 1, before: true, body: wholeBody},
		{why: "before the connection is opened, HTTP/2", major: 2, before: true, body: wholeBody},
		{why: "in the middle of the body, HTTP/1", protocols: []string{"http/1.1"}, major: 1, body: bodyInTwoReads},
		{why: "in the middle of the body, HTTP/2", major: 2, body: bodyInTwoReads},
		{why: "after the body was read, HTTP/1", protocols: []string{"http/1.1"}, major: 1, body: bodyInOneRead},
		{why: "after the body was read, HTTP/2", major: 2, body: bodyInOneRead},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			r := newReplica(t, server, namespace)
			g.Eventually(r.leads, timeout).Should(BeClosed())
			stop := func() {
				r.stop()
				<-r.stopped
			}
			cfg := rest.CopyConfig(server.Config)
			cfg.NextProtos = c.protocols
			cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
				return roundTripperFunc(func(request *http.Request) (*http.Response, error) {
					if c.before && request.Method == http.MethodPost {
						stop()
					}
					return next.RoundTrip(request)
				})
			})
			cfg, err := r.fence.Config(cfg)
			g.Expect(err).NotTo(HaveOccurred())
			web, err := rest.HTTPClientFor(cfg)
			g.Expect(err).NotTo(HaveOccurred())
			url := cfg.Host + "/api/v1/namespaces/" + namespace + "/configmaps"
			answer, err := web.Get(url)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(answer.StatusCode).To(Equal(http.StatusOK))
			g.Expect(answer.ProtoMajor).To(Equal(c.major))
			g.Expect(answer.Body.Close()).To(Succeed())

			text := `{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late"}}`
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, c.body(text, stop))
			g.Expect(err).NotTo(HaveOccurred())
			request.ContentLength = int64(len(text))
			request.Header.Set("Content-Type", "application/json")
			_, err = web.Do(request)
			g.Expect(err).To(MatchError(leaderfence.ErrFenced))
			late := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "late"}}
			g.Expect(server.Client.Get(t.Context(), client.ObjectKeyFromObject(late), late)).To(Satisfy(apierrors.IsNotFound))
		})
	}
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

func (r roundTripperFunc) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

type readerFunc func(p []byte) (int, error)

func (r readerFunc) Read(p []byte) (int, error) { return r(p) }

func wholeBody(text string, _ func()) io.Reader { return strings.NewReader(text) }

func bodyInTwoReads(text string, stop func()) io.Reader {
	return io.MultiReader(strings.NewReader(text[:10]), readerFunc(func([]byte) (int, error) {
		stop()
		return 0, io.EOF
	}), strings.NewReader(text[10:]))
}

// bodyInOneRead returns the whole text in one read, after which the body is not read again.
func bodyInOneRead(text string, stop func()) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		stop()
		return copy(p, text), io.EOF
	})
}

func TestConfigReachesTheSameCluster(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	namespace := server.Namespace(t, nil)
	r := newReplica(t, server, namespace)
	g.Eventually(r.leads, timeout).Should(BeClosed())
	var dials atomic.Int64
	open := rest.CopyConfig(server.Config)
	open.UserAgent = "market"
	open.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	cfg, err := r.fence.Config(open)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(cfg.UserAgent).To(Equal("market"))
	g.Expect(cfg.QPS).To(Equal(open.QPS))

	for _, user := range []string{"", "alice", "bob"} {
		as := rest.CopyConfig(cfg)
		as.Impersonate.UserName = user
		clients, err := kubernetes.NewForConfig(as)
		g.Expect(err).NotTo(HaveOccurred())
		review, err := clients.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
		g.Expect(err).NotTo(HaveOccurred())
		if user != "" {
			g.Expect(review.Status.UserInfo.Username).To(Equal(user))
		}
	}
	g.Expect(dials.Load()).To(BeEquivalentTo(1), "all clients share one connection")

	_, err = r.fence.Config(cfg)
	g.Expect(err).To(HaveOccurred(), "the configuration is already fenced, and its connections cannot be guarded again")
}
