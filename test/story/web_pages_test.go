package story_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/net/html"
)

// webPages is a browser without JavaScript, signed in at the web pages of the program under test.
type webPages struct {
	client http.Client
	base   string
}

// startWebPages starts the web pages, as the user of the kubeconfig, and signs in with the one-time
// link. They end with the specs of the container.
func startWebPages(ctx context.Context) *webPages {
	GinkgoHelper()
	command := exec.Command(defaultOperator.Program, "ui", "--auth=local", "--bind-address=127.0.0.1:0",
		"--kubeconfig", cluster.Kubeconfig(), "--repository-url", defaultOperator.URL)
	out, err := command.StdoutPipe()
	Expect(err).NotTo(HaveOccurred())
	command.Stderr = GinkgoWriter
	Expect(command.Start()).To(Succeed())
	DeferCleanup(func() {
		Expect(command.Process.Signal(syscall.SIGTERM)).To(Succeed())
		_ = command.Wait() // The exit code of a program that was stopped is not examined.
	})
	link := ""
	for lines := bufio.NewScanner(out); link == "" && lines.Scan(); {
		if name, text, _ := strings.Cut(lines.Text(), " "); name == "pages" {
			link = strings.TrimSpace(text)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }() // The program must not wait for a reader.
	address, err := url.Parse(link)
	Expect(err).NotTo(HaveOccurred())
	Expect(address.Path).To(Equal("/link"), "the one-time link")
	jar, err := cookiejar.New(nil)
	Expect(err).NotTo(HaveOccurred())
	w := &webPages{client: http.Client{Jar: jar}, base: address.Scheme + "://" + address.Host}
	w.submit(ctx, address.RequestURI(), nil)
	return w
}

// webPage is a page as a user without JavaScript gets it.
type webPage struct {
	path, text string
	root       *html.Node
}

// send sends a request, again while the session has sent too many, and returns the page to which it leads.
func (w *webPages) send(ctx context.Context, method, path string, form url.Values) webPage {
	GinkgoHelper()
	for {
		request, err := http.NewRequestWithContext(ctx, method, w.base+path, strings.NewReader(form.Encode()))
		Expect(err).NotTo(HaveOccurred())
		if form != nil {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set("Origin", w.base)
		}
		response, err := w.client.Do(request)
		Expect(err).NotTo(HaveOccurred())
		text, err := io.ReadAll(response.Body)
		Expect(err).NotTo(HaveOccurred())
		Expect(response.Body.Close()).To(Succeed())
		if response.StatusCode == http.StatusTooManyRequests {
			continue
		}
		Expect(response.StatusCode).To(BeNumerically("<", 500), "%s %s: %s", method, path, text)
		root, err := html.Parse(strings.NewReader(string(text)))
		Expect(err).NotTo(HaveOccurred())
		return webPage{path: response.Request.URL.RequestURI(), text: string(text), root: root}
	}
}

func (w *webPages) open(ctx context.Context, path string) webPage {
	GinkgoHelper()
	return w.send(ctx, http.MethodGet, path, nil)
}

// waitFor opens a page until it contains a text.
func (w *webPages) waitFor(ctx context.Context, path, text string) webPage {
	GinkgoHelper()
	var page webPage
	Eventually(func() string {
		page = w.open(ctx, path)
		return page.text
	}).WithContext(ctx).WithTimeout(timeout).Should(ContainSubstring(text))
	return page
}

// submit fills in the form of a page, as the page proposes it except for the given entries, and sends it.
func (w *webPages) submit(ctx context.Context, path string, entries map[string]string) webPage {
	GinkgoHelper()
	page := w.open(ctx, path)
	form := page.form()
	Expect(form).NotTo(BeNil(), page.text)
	values := url.Values{}
	addFormFields(form, values)
	for name, value := range entries {
		Expect(values).To(HaveKey(name), "a field of %s", path)
		values.Set(name, value)
	}
	action := attributeOf(form, "action")
	if action == "" {
		action = path
	}
	return w.send(ctx, http.MethodPost, action, values)
}

// form returns the form of the page that changes something, not one of its header.
func (p webPage) form() *html.Node {
	for node := range p.root.Descendants() {
		isForm := node.Type == html.ElementNode && node.Data == "form" && attributeOf(node, "method") == "post"
		if action := attributeOf(node, "action"); isForm && action != "/logout" && action != "/language" {
			return node
		}
	}
	return nil
}

// linkWith returns the address of the first link whose address contains a text.
func (p webPage) linkWith(part string) string {
	GinkgoHelper()
	for node := range p.root.Descendants() {
		if node.Type == html.ElementNode && node.Data == "a" && strings.Contains(attributeOf(node, "href"), part) {
			return attributeOf(node, "href")
		}
	}
	Fail("no link contains " + part + ": " + p.text)
	return ""
}

// addFormFields adds the values with which a browser sends a form.
func addFormFields(form *html.Node, values url.Values) {
	for node := range form.Descendants() {
		name := attributeOf(node, "name")
		if node.Type != html.ElementNode || name == "" {
			continue
		}
		switch kind := attributeOf(node, "type"); {
		case node.Data == "textarea":
			values.Set(name, strings.TrimPrefix(textOf(node), "\n"))
		case node.Data == "select":
			values.Set(name, selectedValue(node))
		case node.Data != "input":
		case kind != "radio" && kind != "checkbox":
			values.Set(name, attributeOf(node, "value"))
		case hasAttribute(node, "checked"):
			values.Set(name, attributeOf(node, "value"))
		case !values.Has(name):
			values[name] = nil // A browser sends nothing.
		}
	}
}

// selectedValue returns the value of the selected option, or of the first one.
func selectedValue(list *html.Node) string {
	first, found := "", false
	for node := range list.Descendants() {
		if node.Type != html.ElementNode || node.Data != "option" {
			continue
		}
		value := attributeOf(node, "value")
		if !hasAttribute(node, "value") {
			value = textOf(node)
		}
		if hasAttribute(node, "selected") {
			return value
		}
		if !found {
			first, found = value, true
		}
	}
	return first
}

func textOf(node *html.Node) string {
	var text strings.Builder
	for each := range node.Descendants() {
		if each.Type == html.TextNode {
			text.WriteString(each.Data)
		}
	}
	return text.String()
}

func hasAttribute(node *html.Node, key string) bool {
	for _, a := range node.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

func attributeOf(node *html.Node, key string) string {
	for _, a := range node.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
