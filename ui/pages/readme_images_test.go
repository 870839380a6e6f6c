package pages_test

import (
	"bytes"
	"html"
	"image"
	"image/jpeg"
	"image/png"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/ui/images"
	"github.com/appmarket/operator/ui/pages"
)

var readmeImageSource = regexp.MustCompile(`<img src="(/img/[^"]+/readme/[^"]+)" alt="([^"]*)" loading="lazy"`)

// TestImagesOfAReadme shows an app whose README names images, of which some cannot be fetched.
func TestImagesOfAReadme(t *testing.T) {
	g := NewWithT(t)
	var picture bytes.Buffer
	g.Expect(png.Encode(&picture, image.NewGray(image.Rect(0, 0, 2000, 1000)))).To(Succeed())
	fetched := make(chan string, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetched <- r.URL.Path
		if r.URL.Path != "/one.png" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(picture.Bytes()) // The test fails without the image.
	}))
	t.Cleanup(server.Close)
	w := newFormWorld(t, func(o *pages.Options) { o.Images = images.New(netguard.Policy{Loopback: true}, "test") })
	readme := "# Wiki\n\n![The *first* page](" + server.URL + "/one.png) ![build](" + server.URL + "/badge.svg) [![linked](" + server.URL + "/two.png)](https://wiki.example)\n\n" +
		"![relative](docs/shot.png) ![inline](data:image/png;base64,AAAA) ![script](javascript:alert(1)) ![own](/img/x/y/readme/0?v=1) " +
		"[![linked badge](" + server.URL + "/other.svg)](https://badge.example) ![x\" onerror=\"alert(1)](" + server.URL + "/three.png)\n\n" + strings.Repeat("![more]("+server.URL+"/more.png)\n", 30)
	w.reports.mu.Lock()
	w.reports.texts["/reports/"+digest+"/README.md"] = readme
	w.reports.mu.Unlock()
	page := w.b.get(t, "/apps/"+w.market+"/samples/wiki").text
	found := readmeImageSource.FindAllStringSubmatch(page, -1)
	g.Expect(found).To(HaveLen(20), "the first images that can be fetched")
	g.Expect([]string{found[0][2], found[1][2], html.UnescapeString(found[2][2])}).To(Equal([]string{"The first page", "linked", `x" onerror="alert(1)`}))
	g.Expect(page).To(And(ContainSubstring(`href="`+server.URL+`/badge.svg" rel="nofollow noreferrer">build</a>`), ContainSubstring(`rel="nofollow noreferrer">linked badge</a>`),
		ContainSubstring("<p>relative inline script own <a ")))
	g.Expect(page).NotTo(ContainSubstring(`src="`+server.URL), "a browser does not connect to another server")

	address := html.UnescapeString(found[0][1])
	answer := w.b.get(t, address)
	g.Expect([]string{answer.Status, answer.Header.Get("Content-Type")}).To(Equal([]string{"200 OK", "image/jpeg"}))
	decoded, err := jpeg.Decode(strings.NewReader(answer.text))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]int{decoded.Bounds().Dx(), decoded.Bounds().Dy()}).To(Equal([]int{1280, 640}))
	g.Expect(fetched).To(Receive(Equal("/one.png")))
	g.Expect(w.b.get(t, html.UnescapeString(found[1][1])).StatusCode).To(Equal(http.StatusNotFound), "the browser shows the alternative text")
	g.Expect(fetched).To(Receive(Equal("/two.png")))

	path := "/img/" + w.market + "/samples.wiki/readme/"
	for _, missing := range []string{"1?version=9.9.9", "20?version=1.2.0", "-1?version=1.2.0", "x?version=1.2.0"} {
		g.Expect(w.b.get(t, path+missing).StatusCode).To(Equal(http.StatusNotFound), missing)
	}
	other := w.signIn(t, w.Namespace(t, nil), "other", viewer)
	foreign, unknown := other.get(t, address), other.get(t, "/img/"+w.market+"/none/readme/0?version=1.2.0")
	g.Expect(foreign.StatusCode).To(Equal(http.StatusNotFound))
	g.Expect(foreign.text).To(Equal(unknown.text))
	g.Expect(fetched).To(BeEmpty(), "nothing else is fetched")
}

// TestImagesOfAReadmeAreLinks shows the README with pages that fetch no images.
func TestImagesOfAReadmeAreLinks(t *testing.T) {
	w := newFormWorld(t)
	w.reports.mu.Lock()
	w.reports.texts["/reports/"+digest+"/README.md"] = "![The page](https://wiki.example/one.png)"
	w.reports.mu.Unlock()
	page := w.b.get(t, "/apps/"+w.market+"/samples/wiki").text
	NewWithT(t).Expect(page).To(And(ContainSubstring(`<a href="https://wiki.example/one.png" rel="nofollow noreferrer">The page</a>`), Not(ContainSubstring("/readme/"))))
}
