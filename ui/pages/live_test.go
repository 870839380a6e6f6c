package pages_test

import (
	"bufio"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
)

// followed matches the address of the stream of a page, and trigger the event of its part.
var (
	followed = regexp.MustCompile(`hx-sse:connect="([^"]+)"`)
	partOf   = regexp.MustCompile(`<div id="part" hx-get="([^"]+)" hx-trigger="([^"]+)"`)
)

// openStream opens a stream of the pages and returns its lines, without empty ones.
func openStream(t *testing.T, b *browser, path string) <-chan string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+path, nil)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	response, err := b.Do(request)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	NewWithT(t).Expect(response.StatusCode).To(Equal(http.StatusOK))
	NewWithT(t).Expect(response.Header.Get("Content-Type")).To(Equal("text/event-stream"))
	lines := make(chan string, 100)
	go func() {
		defer close(lines)
		defer response.Body.Close()
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			if scanner.Text() != "" {
				lines <- scanner.Text()
			}
		}
	}()
	NewWithT(t).Eventually(lines, "5s").Should(Receive(Equal(": open")))
	return lines
}

// TestPagesAreUpdatedLive changes an instance while its page is open.
func TestPagesAreUpdatedLive(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	b := w.signIn(t, w.tenant, "jane", viewer)
	page := shows(t, b, "/instances/"+w.tenant+"/wiki", "Unhealthy")
	stream := strings.ReplaceAll(followed.FindStringSubmatch(page.text)[1], "&amp;", "&")
	part := partOf.FindStringSubmatch(page.text)
	signal := live.Topic{Resource: kube.Instances, Namespace: w.tenant, Name: "wiki"}.Signal()
	g.Expect(part[2]).To(ContainSubstring(signal + " from:body"))
	g.Expect(part[1]).To(Equal("/parts/instances/" + w.tenant + "/wiki"))
	lines := openStream(t, b, stream)

	instance := &v1alpha1.AppInstance{}
	instance.Namespace, instance.Name = w.tenant, "wiki"
	g.Expect(w.Client.Get(t.Context(), client.ObjectKeyFromObject(instance), instance)).To(Succeed())
	instance.Status.Conditions[0].Message = "another cause"
	instance.Status.Conditions[3].Message = "another cause"
	g.Expect(w.Client.Status().Update(t.Context(), instance)).To(Succeed())
	g.Eventually(lines, "5s").Should(Receive(Equal("event: " + signal)))
	fragment := b.get(t, part[1])
	g.Expect(fragment.text).To(HavePrefix(`<div id="part"`))
	g.Expect(fragment.text).To(ContainSubstring("another cause"))

	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+part[1], nil)
	g.Expect(err).NotTo(HaveOccurred())
	request.Header.Set("If-None-Match", fragment.Header.Get("ETag"))
	g.Expect(b.send(t, request).StatusCode).To(Equal(http.StatusNotModified))
}

// TestForeignTopicsSendNothing follows the objects of another tenant by their address.
func TestForeignTopicsSendNothing(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, false)
	b := w.signIn(t, w.Namespace(t, nil), "jane", viewer)
	lines := openStream(t, b, "/live?t=appinstances/"+w.tenant+"/&t=appinstances/"+w.tenant+"/new&t=appinstances//")
	w.addInstance(t, w.tenant, "new", w.ref)
	admin := w.signIn(t, w.tenant, "admin", viewer)
	shows(t, admin, "/instances?namespace="+w.tenant, "/"+w.tenant+"/new\"")
	g.Consistently(lines, "1500ms").ShouldNot(Receive())
	g.Expect(w.newBrowser(t).get(t, "/live?t=appinstances//").StatusCode).To(Equal(http.StatusUnauthorized))
	g.Expect(b.get(t, "/live").StatusCode).To(Equal(http.StatusBadRequest))
	g.Expect(b.get(t, "/live?"+strings.Repeat("t=appinfos//&", 65)).StatusCode).To(Equal(http.StatusBadRequest))
}

func TestRefusedTopicsAreBounded(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, true)
	begun := time.Now()
	g.Expect(s.signInAsAdmin(t).get(t, "/live?t="+strings.Repeat("x", 5000)).StatusCode).To(Equal(http.StatusBadRequest))
	g.Expect(time.Since(begun)).To(BeNumerically("<", 10*time.Second))
}

// TestChangeBeforeTheStreamIsSignaled changes an instance after its page was read and before the page connects.
func TestChangeBeforeTheStreamIsSignaled(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	path := "/instances/" + w.tenant + "/wiki"
	stream := ""
	g.Eventually(func() bool {
		page := shows(t, b, path, "Unhealthy")
		stream = strings.ReplaceAll(followed.FindStringSubmatch(page.text)[1], "&amp;", "&")
		select {
		case <-openStream(t, b, stream):
			return false
		case <-time.After(time.Second):
			return true
		}
	}, "15s", "100ms").Should(BeTrue(), "earlier changes are not signaled")

	signal := live.Topic{Resource: kube.Instances, Namespace: w.tenant, Name: "wiki"}.Signal()
	w.hub.Notify(kube.Change{Resource: kube.Instances, Namespace: w.tenant, Name: "wiki"})
	g.Eventually(openStream(t, b, stream), "3s").Should(Receive(Equal("event: " + signal)))
	g.Expect(b.get(t, "/live?t=appinstances//&since=x").StatusCode).To(Equal(http.StatusBadRequest))
}
