package pages_test

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/ui/images"
	"github.com/appmarket/operator/ui/pages"
)

var iconSource = regexp.MustCompile(`<img src="(/img/[^"]+)" alt="" loading="lazy" fetchpriority="low">`)

// TestIconsOfApps lists apps with icons, without, and with icons that cannot be fetched.
func TestIconsOfApps(t *testing.T) {
	g := NewWithT(t)
	var icon bytes.Buffer
	g.Expect(png.Encode(&icon, image.NewGray(image.Rect(0, 0, 200, 200)))).To(Succeed())
	hosts := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts <- r.URL.Path
		if r.URL.Path == "/icon.png" {
			_, _ = w.Write(icon.Bytes()) // The test fails without the icon.
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	w := newFormWorld(t, func(o *pages.Options) { o.Images = images.New(netguard.Policy{Loopback: true}, "test") })
	for name, address := range map[string]string{"with-icon": server.URL + "/icon.png", "lost-icon": server.URL + "/lost.png", "script-icon": "javascript:alert(1)", "no-icon": ""} {
		w.addApp(t, w.market, "samples", name, v1alpha1.AppSummary{Icon: address})
	}
	list := shows(t, w.b, "/apps", "with-icon", "lost-icon", "script-icon", "no-icon").text
	found := iconSource.FindAllStringSubmatch(list, -1)
	g.Expect(found).To(HaveLen(2), "apps without an icon that can be fetched have a letter")
	g.Expect(list).NotTo(ContainSubstring(server.URL), "a browser does not connect to another server")
	for _, match := range found {
		answer := w.b.get(t, match[1])
		g.Expect([]string{answer.Status, answer.Header.Get("Content-Type")}).To(Equal([]string{"200 OK", "image/png"}))
		decoded, err := png.Decode(bytes.NewReader([]byte(answer.text)))
		g.Expect(err).NotTo(HaveOccurred())
		side, caching := 1, "private, max-age=600"
		if regexp.MustCompile("/samples.with-icon/").MatchString(match[1]) {
			side, caching = 96, "private, max-age=86400"
		}
		g.Expect(decoded.Bounds().Dx()).To(Equal(side), match[1])
		g.Expect(answer.Header.Get("Cache-Control")).To(Equal(caching))
	}
	g.Expect(iconSource.FindString(w.b.get(t, "/apps/"+w.market+"/samples/with-icon").text)).NotTo(BeEmpty())
	g.Expect(iconSource.FindString(w.b.get(t, "/apps/"+w.market+"/samples/script-icon").text)).To(BeEmpty())

	other := w.signIn(t, w.Namespace(t, nil), "other", viewer)
	foreign, missing := other.get(t, "/img/"+w.market+"/samples.with-icon/icon"), other.get(t, "/img/"+w.market+"/none/icon")
	g.Expect(foreign.StatusCode).To(Equal(http.StatusNotFound))
	g.Expect(foreign.text).To(Equal(missing.text))
	g.Expect(w.b.get(t, "/img/"+w.market+"/none/icon").StatusCode).To(Equal(http.StatusNotFound))
	g.Expect(w.b.get(t, "/img/"+w.market+"/samples.no-icon/icon?url="+server.URL+"/other.png").StatusCode).To(Equal(http.StatusOK))
	g.Expect(hosts).To(HaveLen(2), "the address comes from the app")
}
