package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

// pageOf requests a path of an app and returns the status and the page.
func pageOf(t *testing.T, a app, path string) (int, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	a.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, http.NoBody))
	return recorder.Code, recorder.Body.String()
}

func TestPageShowsNameVersionAndSettings(t *testing.T) {
	g := NewWithT(t)
	t.Setenv("APP", "wiki")
	t.Setenv("APP_VERSION", "2.0")
	t.Setenv("LANGUAGE", "<en>")
	t.Setenv("ADMIN_PASSWORD", "hidden-text")
	t.Setenv("NOTES_SERVICE_HOST", "192.0.2.1")
	a := appFromEnvironment([]string{"--theme=dark"})
	a.content = t.TempDir()
	status, page := pageOf(t, a, "/")
	g.Expect(status).To(Equal(http.StatusOK))
	g.Expect(page).To(And(
		ContainSubstring("<title>wiki 2.0</title>"), ContainSubstring("--theme=dark"), ContainSubstring("LANGUAGE=&lt;en&gt;")))
	g.Expect(page).NotTo(Or(ContainSubstring("hidden-text"), ContainSubstring("192.0.2.1")))
	status, _ = pageOf(t, a, "/other")
	g.Expect(status).To(Equal(http.StatusNotFound))
}

func TestPageShowsThePageOfTheChart(t *testing.T) {
	g := NewWithT(t)
	a := app{Name: "hello", content: t.TempDir()}
	file := filepath.Join(a.content, "index.html")
	g.Expect(os.WriteFile(file, []byte("<h1>Good evening</h1>"), 0o600)).To(Succeed())
	status, page := pageOf(t, a, "/")
	g.Expect(status).To(Equal(http.StatusOK))
	g.Expect(page).To(ContainSubstring("<h1>Good evening</h1>"))
	g.Expect(os.Remove(file)).To(Succeed())
	g.Expect(os.Mkdir(file, 0o700)).To(Succeed())
	status, _ = pageOf(t, a, "/")
	g.Expect(status).To(Equal(http.StatusInternalServerError))
}

func TestPageCountsVisitsInVolumes(t *testing.T) {
	g := NewWithT(t)
	a := app{Name: "wiki", content: t.TempDir(), volumes: []string{t.TempDir(), filepath.Join(t.TempDir(), "not-mounted")}}
	for _, count := range []string{"1", "2"} {
		_, page := pageOf(t, a, "/")
		g.Expect(page).To(ContainSubstring("<p>visit " + count + ", counted in " + a.volumes[0] + "</p>"))
		g.Expect(page).NotTo(ContainSubstring("not-mounted"))
	}
	g.Expect(os.Remove(filepath.Join(a.volumes[0], "visits"))).To(Succeed())
	g.Expect(os.Mkdir(filepath.Join(a.volumes[0], "visits"), 0o700)).To(Succeed())
	_, page := pageOf(t, a, "/")
	g.Expect(page).To(ContainSubstring("is a directory"))
}

func TestServeServesEveryAddressUntilItIsStopped(t *testing.T) {
	g := NewWithT(t)
	var addresses []string
	for range 2 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		g.Expect(err).NotTo(HaveOccurred())
		addresses = append(addresses, listener.Addr().String())
		g.Expect(listener.Close()).To(Succeed())
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, addresses, app{Name: "board", content: t.TempDir()}) }()
	for _, address := range addresses {
		g.Eventually(func() error { return get(ctx, "http://"+address+"/") }).Should(Succeed())
		g.Expect(run(ctx, []string{"http://" + address + "/other"})).To(MatchError(ContainSubstring("404")))
	}
	g.Expect(serve(ctx, addresses, app{})).To(MatchError(ContainSubstring("address already in use")))
	stop()
	g.Eventually(ended).Should(Receive(BeNil()))
}

func TestCreatePageKeepsAPageThatExists(t *testing.T) {
	g := NewWithT(t)
	folder := t.TempDir()
	g.Expect(createPage(folder, "home")).To(Succeed())
	file := filepath.Join(folder, "home")
	g.Expect(os.WriteFile(file, []byte("text"), 0o600)).To(Succeed())
	g.Expect(createPage(folder, "home")).To(Succeed())
	g.Expect(os.ReadFile(file)).To(BeEquivalentTo("text"))
	g.Expect(createPage(filepath.Join(folder, "none"), "home")).To(MatchError(os.ErrNotExist))
}
