package receiver_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/receiver"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

const token = "0123456789abcdef-token"

// hookServer is a namespace with sources, and a server of their webhooks.
type hookServer struct {
	url, namespace string

	mu        sync.Mutex
	triggered []string
	// failure is the error of each request for a synchronization, and secretFailure the error of reading a Secret.
	failure, secretFailure error
}

func startHookServer(t *testing.T) *hookServer {
	t.Helper()
	env := testenv.Start(t)
	s := &hookServer{namespace: env.Namespace(t, nil)}
	for name, labels := range map[string]map[string]string{"hook": {v1alpha1.CredentialsLabel: "true"}, "unlabeled": nil} {
		env.Create(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name, Labels: labels}, Data: map[string][]byte{"token": []byte(token)}})
	}
	env.Create(t, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "short", Labels: map[string]string{v1alpha1.CredentialsLabel: "true"}}, Data: map[string][]byte{"token": []byte("short")},
	})
	create := func(name string, of *v1alpha1.Receiver) {
		source := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
		source.Spec.Type, source.Spec.Helm, source.Spec.Receiver = v1alpha1.SourceTypeHelm, &v1alpha1.HelmSource{URL: "https://charts.example"}, of
		env.Create(t, source)
	}
	for _, kind := range []v1alpha1.ReceiverType{v1alpha1.ReceiverGitHub, v1alpha1.ReceiverGitLab, v1alpha1.ReceiverHarbor, v1alpha1.ReceiverDockerHub, v1alpha1.ReceiverGeneric} {
		create(strings.ToLower(string(kind)), &v1alpha1.Receiver{Type: kind, SecretRef: v1alpha1.LocalObjectReference{Name: "hook"}})
	}
	for _, secret := range []string{"unlabeled", "short", "missing"} {
		create(secret, &v1alpha1.Receiver{Type: v1alpha1.ReceiverGitLab, SecretRef: v1alpha1.LocalObjectReference{Name: secret}})
	}
	create("none", nil)
	secrets := interceptor.NewClient(env.Client, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
		s.mu.Lock()
		failure := s.secretFailure
		s.mu.Unlock()
		if failure != nil {
			return failure
		}
		return c.Get(ctx, key, o, options...)
	}})
	handler := receiver.New(env.Client, secrets, func(_ context.Context, source types.NamespacedName) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.triggered = append(s.triggered, source.Name)
		return s.failure
	}, logr.Discard())
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// takeTriggered returns the synchronizations since the last call.
func (s *hookServer) takeTriggered() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.triggered
	s.triggered = nil
	return taken
}

// post sends a webhook, and returns the status and the response without its date.
func (s *hookServer) post(t *testing.T, path string, header map[string]string, body string) (int, string) {
	t.Helper()
	return s.postFrom(t, "127.0.0.1", path, header, body)
}

// postFrom is post from an address of the client.
func (s *hookServer) postFrom(t *testing.T, address, path string, header map[string]string, body string) (int, string) {
	t.Helper()
	g := NewWithT(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/hooks/"+path, strings.NewReader(body))
	g.Expect(err).NotTo(HaveOccurred())
	for key, value := range header {
		request.Header.Set(key, value)
	}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	client := http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	response, err := client.Do(request)
	g.Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	response.Header.Del("Date")
	var text bytes.Buffer
	g.Expect(response.Header.Write(&text)).To(Succeed())
	_, err = text.ReadFrom(response.Body)
	g.Expect(err).NotTo(HaveOccurred())
	return response.StatusCode, text.String()
}

func signBody(body, key string) string {
	sum := hmac.New(sha256.New, []byte(key))
	sum.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(sum.Sum(nil))
}

func TestWebhooksOfProviders(t *testing.T) {
	s := startHookServer(t)
	for _, c := range []struct {
		source, query string
		header        map[string]string
	}{
		{"github", "", map[string]string{"X-Hub-Signature-256": signBody("push", token)}},
		{"gitlab", "", map[string]string{"X-Gitlab-Token": token}},
		{"harbor", "", map[string]string{"Authorization": token}},
		{"dockerhub", "?token=" + token, nil},
		{"generic", "", map[string]string{"X-Signature": signBody("push", token)}},
	} {
		t.Run(c.source, func(t *testing.T) {
			g := NewWithT(t)
			status, _ := s.post(t, s.namespace+"/"+c.source+c.query, c.header, "push")
			g.Expect(status).To(Equal(http.StatusAccepted))
			g.Expect(s.takeTriggered()).To(Equal([]string{c.source}))
			for range 2 {
				status, _ = s.post(t, s.namespace+"/"+c.source+c.query, c.header, "push")
				g.Expect(status).To(Equal(http.StatusAccepted))
			}
			g.Expect(s.takeTriggered()).To(BeEmpty(), "requests that are sent again wait together")
		})
	}
	NewWithT(t).Eventually(s.takeTriggered, "20s").Should(ContainElement("generic"), "a change within the interval is not lost")
}

// TestHostileWebhooks has requests that must be rejected. All responses are equal.
func TestHostileWebhooks(t *testing.T) {
	s := startHookServer(t)
	responses := map[string]bool{}
	for _, c := range []struct {
		why, path string
		header    map[string]string
		body      string
	}{
		{"no signature", s.namespace + "/github", nil, "push"},
		{"the signature of another body", s.namespace + "/github", map[string]string{"X-Hub-Signature-256": signBody("other", token)}, "push"},
		{"another token", s.namespace + "/github", map[string]string{"X-Hub-Signature-256": signBody("push", "other")}, "push"},
		{"a signature without an algorithm", s.namespace + "/github", map[string]string{"X-Hub-Signature-256": signBody("push", token)[7:]}, "push"},
		{"a signature that is not hexadecimal", s.namespace + "/github", map[string]string{"X-Hub-Signature-256": "sha256=x"}, "push"},
		{"the header of another provider", s.namespace + "/github", map[string]string{"X-Gitlab-Token": token}, "push"},
		{"an empty token", s.namespace + "/gitlab", map[string]string{"X-Gitlab-Token": ""}, ""},
		{"a part of the token", s.namespace + "/gitlab", map[string]string{"X-Gitlab-Token": token[:20]}, ""},
		{"no token in the URL", s.namespace + "/dockerhub?token=", nil, ""},
		{"a Secret without the label", s.namespace + "/unlabeled", map[string]string{"X-Gitlab-Token": token}, ""},
		{"a short token", s.namespace + "/short", map[string]string{"X-Gitlab-Token": "short"}, ""},
		{"a Secret that does not exist", s.namespace + "/missing", map[string]string{"X-Gitlab-Token": ""}, ""},
		{"a source without a receiver", s.namespace + "/none", map[string]string{"X-Signature": signBody("push", "")}, "push"},
		{"a source that does not exist", s.namespace + "/other", map[string]string{"X-Signature": signBody("push", "")}, "push"},
		{"a namespace that does not exist", "other/generic", map[string]string{"X-Signature": signBody("push", token)}, "push"},
		{"a name that is none", s.namespace + "/A_B/c", map[string]string{"X-Signature": signBody("push", token)}, "push"},
		{"a large body", s.namespace + "/generic", map[string]string{"X-Signature": signBody(strings.Repeat("a", receiver.MaxBodyBytes+1), token)}, strings.Repeat("a", receiver.MaxBodyBytes+1)},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			status, response := s.post(t, c.path, c.header, c.body)
			g.Expect(status).To(Equal(http.StatusNotFound))
			if c.why != "a large body" { // The connection is closed after a body that is not read.
				responses[response] = true
			}
			g.Expect(s.takeTriggered()).To(BeEmpty())
		})
	}
	NewWithT(t).Expect(responses).To(HaveLen(1), "a response reveals nothing")
}

// TestOtherMethodsOfWebhooks sends requests that are no webhooks, as crawlers and browsers do.
func TestOtherMethodsOfWebhooks(t *testing.T) {
	s := startHookServer(t)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, "PROPFIND"} {
		t.Run(method, func(t *testing.T) {
			g := NewWithT(t)
			request, err := http.NewRequestWithContext(t.Context(), method, s.url+"/hooks/"+s.namespace+"/dockerhub?token="+token, nil)
			g.Expect(err).NotTo(HaveOccurred())
			response, err := http.DefaultClient.Do(request)
			g.Expect(err).NotTo(HaveOccurred())
			defer response.Body.Close()
			g.Expect(response.StatusCode).To(Equal(http.StatusNotFound))
			g.Expect(s.takeTriggered()).To(BeEmpty())
		})
	}
}

func TestWebhooksAreLimited(t *testing.T) {
	g := NewWithT(t)
	s := startHookServer(t)
	statuses := make(chan int, 60)
	var group sync.WaitGroup
	for range cap(statuses) {
		group.Go(func() {
			status, _ := s.post(t, s.namespace+"/github", nil, "push")
			statuses <- status
		})
	}
	group.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	g.Expect(count[http.StatusNotFound]).To(BeNumerically(">=", 20))
	g.Expect(count[http.StatusTooManyRequests]).To(BeNumerically(">", 0))

	status, _ := s.post(t, "other/generic", nil, "")
	g.Expect(status).To(Equal(http.StatusNotFound), "another namespace has a limit of its own")
	status, _ = s.post(t, s.namespace+"/gitlab", map[string]string{"X-Gitlab-Token": token}, "")
	g.Expect(status).To(Equal(http.StatusAccepted), "another source has a limit of its own")
}

// TestWebhooksOfOthersKeepNobodyOut has one client send requests that do not end, and requests for sources that do not
// exist. Another client, and then the same one, as behind a proxy, send webhooks.
func TestWebhooksOfOthersKeepNobodyOut(t *testing.T) {
	g := NewWithT(t)
	s := startHookServer(t)
	address := strings.TrimPrefix(s.url, "http://")
	for i := range 200 {
		conn, err := net.Dial("tcp", address)
		g.Expect(err).NotTo(HaveOccurred())
		defer func() { _ = conn.Close() }()
		_, err = fmt.Fprintf(conn, "POST /hooks/other-%d/main HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\na", i)
		g.Expect(err).NotTo(HaveOccurred())
	}
	var flood sync.WaitGroup
	for i := range 300 {
		flood.Go(func() {
			status, _ := s.post(t, fmt.Sprintf("other-%d/generic", i), nil, "")
			g.Expect(status).To(Or(Equal(http.StatusNotFound), Equal(http.StatusTooManyRequests)))
		})
	}
	status, _ := s.postFrom(t, "127.0.0.2", s.namespace+"/gitlab", map[string]string{"X-Gitlab-Token": token}, "")
	g.Expect(status).To(Equal(http.StatusAccepted))
	flood.Wait()
	status, _ = s.post(t, s.namespace+"/harbor", map[string]string{"Authorization": token}, "")
	g.Expect(status).To(Equal(http.StatusAccepted))
}

// TestWebhookThatCannotBeCarriedOut expects a response after which a server sends a webhook again.
func TestWebhookThatCannotBeCarriedOut(t *testing.T) {
	for why, set := range map[string]func(s *hookServer){
		"the synchronization cannot be requested": func(s *hookServer) { s.failure = errors.New("s3cr3t") },
		"the Secret cannot be read":               func(s *hookServer) { s.secretFailure = errors.New("s3cr3t") },
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			s := startHookServer(t)
			set(s)
			status, response := s.post(t, s.namespace+"/gitlab", map[string]string{"X-Gitlab-Token": token}, "")
			g.Expect(status).To(Equal(http.StatusServiceUnavailable))
			g.Expect(response).NotTo(ContainSubstring("s3cr3t"))
		})
	}
}
