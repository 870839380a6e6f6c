package pages_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// htmlElement returns the first tag of a page, which has the attributes that preferences set.
func htmlElement(page answer) string {
	_, rest, _ := strings.Cut(page.text, "<html")
	attributes, _, _ := strings.Cut(rest, ">")
	return attributes
}

// setCookie sets a cookie as a browser does that has it from elsewhere.
func (b *browser) setCookie(t *testing.T, name, value string) {
	t.Helper()
	base, err := url.Parse(b.base)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	b.Jar.SetCookies(base, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

func TestSettingsAreKeptInCookies(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, false)
	namespace := s.Namespace(t, nil)
	anonymous := s.newBrowser(t)
	g.Expect(anonymous.get(t, "/settings").Header.Get("Location")).To(Equal("/login"))
	g.Expect(anonymous.post(t, "/settings", url.Values{"theme": {"dark"}}).Cookies()).NotTo(ContainElement(HaveField("Name", "appmarket-theme")))

	b := s.signIn(t, namespace, "jane", viewer)
	page := b.get(t, "/settings")
	g.Expect(page.StatusCode).To(Equal(http.StatusOK))
	g.Expect(htmlElement(page)).NotTo(ContainSubstring("data-"), "the defaults")
	g.Expect(strings.Count(page.text, `value="" checked`)).To(Equal(3), "language, theme and density")
	g.Expect(page.text).To(ContainSubstring(`name="shortcuts" value="on" checked`))

	saved := b.post(t, "/settings", url.Values{"language": {"en"}, "theme": {"dark"}, "density": {"compact"}, "default-namespace": {" " + namespace + " "}})
	g.Expect(saved.StatusCode).To(Equal(http.StatusSeeOther), saved.text)
	g.Expect(saved.Header.Get("Location")).To(Equal("/settings?saved=1"))
	values := map[string]string{}
	for _, cookie := range saved.Cookies() {
		if cookie.Name == "appmarket-namespace" {
			continue
		}
		values[cookie.Name] = cookie.Value
		g.Expect(cookie.HttpOnly && cookie.SameSite == http.SameSiteLaxMode && cookie.Path == "/").To(BeTrue(), cookie.Name)
		g.Expect(cookie.MaxAge).To(Equal(365*24*60*60), cookie.Name)
	}
	g.Expect(values).To(Equal(map[string]string{
		"appmarket-language": "en", "appmarket-theme": "dark", "appmarket-density": "compact", "appmarket-shortcuts": "off", "appmarket-default-namespace": namespace,
	}))
	page = b.get(t, "/settings?saved=1")
	g.Expect(htmlElement(page)).To(HaveSuffix(` data-theme="dark" data-density="compact" data-shortcuts="off"`))
	g.Expect(page.text).To(And(ContainSubstring(`role="status"`), ContainSubstring(`value="dark" checked`), ContainSubstring(`value="`+namespace+`"`)))
	g.Expect(page.text).NotTo(ContainSubstring(`name="shortcuts" value="on" checked`))
	g.Expect(htmlElement(b.get(t, "/nothing"))).To(ContainSubstring(`data-theme="dark"`), "an error")
	b.post(t, "/logout", nil)
	g.Expect(htmlElement(b.get(t, "/login"))).To(ContainSubstring(`data-theme="dark"`), "the settings outlive the session")
}

func TestSettingsAreReset(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, true)
	b := s.signInAsAdmin(t)
	b.post(t, "/settings", url.Values{"theme": {"light"}})
	g.Expect(htmlElement(b.get(t, "/about"))).To(ContainSubstring(`data-theme="light" data-shortcuts="off"`))
	b.post(t, "/settings", url.Values{"shortcuts": {"on"}})
	g.Expect(htmlElement(b.get(t, "/about"))).NotTo(ContainSubstring("data-"))
	base, err := url.Parse(b.base)
	g.Expect(err).NotTo(HaveOccurred())
	for _, cookie := range b.Jar.Cookies(base) {
		g.Expect(cookie.Name).NotTo(HavePrefix("appmarket-theme"))
	}
}

func TestInvalidSettingsAreRejected(t *testing.T) {
	g := NewWithT(t)
	s := startSite(t, true)
	b := s.signInAsAdmin(t)
	for name, form := range map[string]url.Values{
		"a language": {"language": {"xx"}}, "a theme": {"theme": {`"><script>`}}, "a density": {"density": {"huge"}}, "two": {"theme": {"dark"}, "density": {"0"}},
	} {
		answer := b.post(t, "/settings", form)
		g.Expect(answer.StatusCode).To(Equal(http.StatusBadRequest), name)
		g.Expect(answer.Cookies()).To(BeEmpty(), name)
	}
	answer := b.post(t, "/settings", url.Values{"theme": {"dark"}, "default-namespace": {"Not a name"}})
	g.Expect(answer.StatusCode).To(Equal(http.StatusUnprocessableEntity))
	g.Expect(answer.Cookies()).To(BeEmpty())
	g.Expect(answer.text).To(And(ContainSubstring(`href="#default-namespace"`), ContainSubstring(`aria-invalid="true"`), ContainSubstring(`value="Not a name"`), ContainSubstring(`value="dark" checked`)))

	// A cookie can have any value: other pages of the same host, and the user, can set it.
	for name, value := range map[string]string{
		"appmarket-theme": "sepia", "appmarket-density": "compact compact", "appmarket-shortcuts": "on", "appmarket-language": "../en", "appmarket-default-namespace": "a/b",
	} {
		b.setCookie(t, name, value)
	}
	page := b.get(t, "/settings")
	g.Expect(page.StatusCode).To(Equal(http.StatusOK))
	g.Expect(htmlElement(page)).NotTo(ContainSubstring("data-"))
	g.Expect(page.text).NotTo(Or(ContainSubstring("sepia"), ContainSubstring("../en"), ContainSubstring("a/b")))
}

// TestDefaultNamespace opens a list without a selected namespace, with one, and with all namespaces.
func TestDefaultNamespace(t *testing.T) {
	g := NewWithT(t)
	w := newWorld(t, true)
	b := w.signInAsAdmin(t)
	shows(t, b, "/instances", "Unhealthy")
	selected := func(path string) string {
		_, rest, _ := strings.Cut(b.get(t, path).text, "<option selected>")
		name, _, _ := strings.Cut(rest, "</option>")
		return name
	}
	g.Expect(b.post(t, "/settings", url.Values{"default-namespace": {w.market}}).StatusCode).To(Equal(http.StatusSeeOther))
	g.Expect(selected("/instances")).To(Equal(w.market))
	g.Expect(selected("/instances?namespace=" + w.tenant)).To(Equal(w.tenant))
	g.Expect(selected("/tasks")).To(Equal(w.tenant), "the last selection counts")
	b.get(t, "/instances?namespace=")
	g.Expect(b.get(t, "/instances").text).NotTo(ContainSubstring("<option selected>"), "all namespaces were selected")
	b.post(t, "/settings", url.Values{"default-namespace": {w.tenant}})
	g.Expect(selected("/instances")).To(Equal(w.tenant), "a new default counts at once")
	g.Expect(b.post(t, "/settings", url.Values{"default-namespace": {w.tenant}, "theme": {"dark"}}).Cookies()).NotTo(ContainElement(HaveField("Name", "appmarket-namespace")))
}
