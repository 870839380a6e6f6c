package pages_test

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/ui/images"
	"github.com/appmarket/operator/ui/pages"
)

// TestIconsOfInstances opens the list and the page of an instance as a user who can list the app, and as one who
// cannot.
func TestIconsOfInstances(t *testing.T) {
	g := NewWithT(t)
	var icon bytes.Buffer
	g.Expect(png.Encode(&icon, image.NewGray(image.Rect(0, 0, 200, 200)))).To(Succeed())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(icon.Bytes()) // The test fails without the icon.
	}))
	t.Cleanup(server.Close)
	w := newFormWorld(t, func(o *pages.Options) { o.Images = images.New(netguard.Policy{Loopback: true}, "test") })
	w.addApp(t, w.market, "samples", "board", v1alpha1.AppSummary{Icon: server.URL + "/icon.png"})
	w.addInstance(t, w.tenant, "board", v1alpha1.AppReference{Namespace: w.market, Source: "samples", Name: "board"})
	w.addInstance(t, w.tenant, "lost", v1alpha1.AppReference{Namespace: w.market, Source: "samples", Name: "no-such-app"})
	w.addInstance(t, w.tenant, "plain", w.ref)
	shows(t, w.b, "/apps", "board")
	shows(t, w.b, "/instances", "3 instances")

	page := "/instances/" + w.tenant + "/board"
	for _, path := range []string{"/instances", "/parts/instances", page, page + "/history"} {
		found := iconSource.FindAllStringSubmatch(w.b.get(t, path).text, -1)
		g.Expect(found).To(HaveLen(1), path)
		answer := w.b.get(t, found[0][1])
		g.Expect([]string{answer.Status, answer.Header.Get("Content-Type")}).To(Equal([]string{"200 OK", "image/png"}))
		decoded, err := png.Decode(bytes.NewReader([]byte(answer.text)))
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(decoded.Bounds().Dx()).To(Equal(96), path)
	}
	for _, name := range []string{"lost", "plain"} {
		g.Expect(iconSource.FindString(w.b.get(t, "/instances/"+w.tenant+"/"+name).text)).To(BeEmpty(), "a letter")
	}

	other := w.signIn(t, w.tenant, "other", viewer)
	shows(t, other, "/instances", "3 instances")
	for _, path := range []string{"/instances", page} {
		g.Expect(other.get(t, path).text).To(And(ContainSubstring(`class="tile`), Not(ContainSubstring("/img/"))), "the user cannot list apps of the market")
	}
}
