package pages_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/ui/images"
	"github.com/appmarket/operator/ui/pages"
)

var shotSource = regexp.MustCompile(`<img src="(/img/[^"]+/shot/[^"]+)" alt="Screenshot`)

// TestScreenshotsOfAnApp shows an app whose manifest names screenshots, of which one has an address that is refused.
func TestScreenshotsOfAnApp(t *testing.T) {
	g := NewWithT(t)
	var shot bytes.Buffer
	g.Expect(png.Encode(&shot, image.NewGray(image.Rect(0, 0, 2000, 1000)))).To(Succeed())
	fetched := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetched <- r.URL.Path
		_, _ = w.Write(shot.Bytes()) // The test fails without the screenshot.
	}))
	t.Cleanup(server.Close)
	w := newFormWorld(t, func(o *pages.Options) { o.Images = images.New(netguard.Policy{Loopback: true}, "test") })
	addresses := []string{server.URL + "/1.png", "javascript:alert(1)", server.URL + "/3.png"}
	for range 10 {
		addresses = append(addresses, server.URL+"/more.png")
	}
	manifest, err := json.Marshal(map[string]any{
		"FullDescription": "All about **wikis** <script>alert(1)</script>", "Website": "https://wiki.example", "PromoteImages": addresses,
	})
	g.Expect(err).NotTo(HaveOccurred())
	w.reports.mu.Lock()
	w.reports.texts["/reports/"+digest+"/app.json"] = string(manifest)
	w.reports.mu.Unlock()
	page := w.b.get(t, "/apps/"+w.market+"/samples/wiki").text
	g.Expect(page).To(And(ContainSubstring("<strong>wikis</strong>"), ContainSubstring(`href="https://wiki.example"`), Not(ContainSubstring("<script>alert"))))
	g.Expect(page).NotTo(ContainSubstring(server.URL), "a browser does not connect to another server")
	found := shotSource.FindAllStringSubmatch(page, -1)
	g.Expect(found).To(HaveLen(7), "the first 8 addresses, without one that cannot be fetched")
	address := regexp.MustCompile("&amp;").ReplaceAllString(found[0][1], "&")
	answer := w.b.get(t, address)
	g.Expect([]string{answer.Status, answer.Header.Get("Content-Type")}).To(Equal([]string{"200 OK", "image/jpeg"}))
	decoded, err := jpeg.Decode(bytes.NewReader([]byte(answer.text)))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]int{decoded.Bounds().Dx(), decoded.Bounds().Dy()}).To(Equal([]int{1280, 640}))
	g.Expect(fetched).To(Receive(Equal("/1.png")))

	path := "/img/" + w.market + "/samples.wiki/shot/"
	for _, missing := range []string{"1?version=9.9.9", "8?version=1.2.0", "-1?version=1.2.0", "x?version=1.2.0"} {
		g.Expect(w.b.get(t, path+missing).StatusCode).To(Equal(http.StatusNotFound), missing)
	}
	other := w.signIn(t, w.Namespace(t, nil), "other", viewer)
	foreign, unknown := other.get(t, address), other.get(t, "/img/"+w.market+"/none/shot/0?version=1.2.0")
	g.Expect(foreign.StatusCode).To(Equal(http.StatusNotFound))
	g.Expect(foreign.text).To(Equal(unknown.text))
	g.Expect(fetched).To(BeEmpty(), "nothing else is fetched")
}
