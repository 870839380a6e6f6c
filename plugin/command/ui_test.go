package command_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/appmarket/operator/plugin/command"
)

// sharedBuffer can be read while a command writes to it.
type sharedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *sharedBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(text)
}

func (b *sharedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// TestUI serves the pages without and with terminals, which are paths that exist or not.
func TestUI(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	t.Setenv("KUBECONFIG", p.kubeconfig)
	browser := t.TempDir()
	g := NewWithT(t)
	g.Expect(os.WriteFile(filepath.Join(browser, "xdg-open"), []byte("#!/bin/sh\nls -l \"$1\" > "+browser+"/mode\ncp \"$1\" "+browser+"/page\n"), 0o755)).To(Succeed())
	t.Setenv("PATH", browser+":"+os.Getenv("PATH"))
	t.Setenv("TMPDIR", t.TempDir())
	servePages(t, nil, []string{"ui"}, http.StatusNotFound)
	servePages(t, silentScreen{}, []string{"ui", "--no-open"}, http.StatusNotFound)
	g.Expect(filepath.Join(browser, "page")).NotTo(BeAnExistingFile(), "the output is no terminal, or the flag is given")
	link := servePages(t, silentScreen{}, []string{"ui", "--terminal"}, http.StatusOK)
	g.Expect(os.ReadFile(filepath.Join(browser, "page"))).To(ContainSubstring(`content="0;url=` + link + `"`))
	g.Expect(os.ReadFile(filepath.Join(browser, "mode"))).To(HavePrefix("-rw-------"))
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "appmarket-ui-*"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(left).To(BeEmpty())

	p.kubeconfig = writeKubeconfig(t, p.env.Config, "joe")
	expectGolden(t, "ui-forbidden", p.run("ui"))
}

// silentScreen is the screen of a terminal that shows nothing.
type silentScreen struct{}

func (silentScreen) Show([]string) error { return nil }

// servePages runs the command until its pages have answered. terminal is the code with which they answer
// a user who signs in and asks for the ticket of a terminal. It returns the link that the command printed.
func servePages(t *testing.T, screen command.Screen, arguments []string, terminal int) string {
	t.Helper()
	g := NewWithT(t)
	out := &sharedBuffer{}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	code := make(chan int, 1)
	go func() {
		f := command.NewFactory(genericiooptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: io.Discard}, "kubectl market", "1.2.3")
		f.Screen = screen
		code <- f.Run(ctx, arguments)
	}()
	link := regexp.MustCompile(`^pages {2}((http://127\.0\.0\.1:\d+)/link\?code=(\S+))\n$`)
	g.Eventually(out.String).WithTimeout(30 * time.Second).Should(MatchRegexp(link.String()))
	address := link.FindStringSubmatch(out.String())
	jar, err := cookiejar.New(nil)
	g.Expect(err).NotTo(HaveOccurred())
	browser := http.Client{Jar: jar}
	page, err := browser.Get(address[1])
	g.Expect(err).NotTo(HaveOccurred())
	text, err := io.ReadAll(page.Body)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(page.Body.Close()).To(Succeed())
	g.Expect(page.StatusCode).To(Equal(http.StatusOK))
	g.Expect(string(text)).To(ContainSubstring("Continue"))
	apps, err := browser.PostForm(address[2]+"/link", url.Values{"code": {address[3]}})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(apps.Body.Close()).To(Succeed())
	g.Expect(apps.Request.URL.Path).To(Equal("/apps"))
	ticket, err := browser.Post(address[2]+"/terminal/ticket", "text/plain", nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(ticket.Body.Close()).To(Succeed())
	g.Expect(ticket.StatusCode).To(Equal(terminal))
	browser.CloseIdleConnections()
	if screen != nil && !slices.Contains(arguments, "--no-open") {
		page := filepath.Join(filepath.SplitList(os.Getenv("PATH"))[0], "page")
		g.Eventually(func() ([]byte, error) { return os.ReadFile(page) }).WithTimeout(30 * time.Second).ShouldNot(BeEmpty())
	}
	interrupt()
	g.Eventually(code).WithTimeout(30 * time.Second).Should(Receive(BeZero()))
	return address[1]
}
