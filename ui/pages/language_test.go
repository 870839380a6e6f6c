package pages_test

import (
	"net/http"
	"net/url"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/ui/locale"
)

// getIn requests a page with a header Accept-Language.
func (b *browser) getIn(t *testing.T, path, accepted string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+path, nil)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	request.Header.Set("Accept-Language", accepted)
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return b.send(t, request)
}

// selectChinese makes the pages of a browser Chinese.
func (b *browser) selectChinese(t *testing.T) {
	t.Helper()
	base, err := url.Parse(b.base)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	b.Jar.SetCookies(base, []*http.Cookie{{Name: locale.Cookie, Value: "zh"}})
}

func TestLanguageOfPages(t *testing.T) {
	s := startSite(t, true)
	b := s.signInAsAdmin(t)
	g := NewWithT(t)

	english, chinese := b.getIn(t, "/about", "fr, en;q=0.5"), b.getIn(t, "/about", "zh-CN")
	g.Expect(english.text).To(And(ContainSubstring(`<html lang="en">`), ContainSubstring("<h1>About</h1>")))
	g.Expect(chinese.text).To(And(ContainSubstring(`<html lang="zh-CN">`), ContainSubstring("<h1>关于</h1>"), ContainSubstring("<title>关于 · AppMarket</title>")))
	g.Expect(chinese.Header.Values("Vary")).To(ContainElement("Accept-Language, Cookie"))

	// A part has the language of its page, and another ETag in each.
	englishPart, chinesePart := b.getIn(t, "/parts/tasks", "en"), b.getIn(t, "/parts/tasks", "zh")
	g.Expect(englishPart.Header.Get("ETag")).NotTo(Equal(chinesePart.Header.Get("ETag")))
	g.Expect(chinesePart.Header.Values("Vary")).To(ContainElement("Accept-Language, Cookie, HX-Request"))
	g.Eventually(func() int {
		part := b.getIn(t, "/parts/tasks", "zh")
		return b.getIn(t, "/parts/tasks", "zh", "If-None-Match", part.Header.Get("ETag")).StatusCode
	}).Should(Equal(http.StatusNotModified), "the tasks of earlier tests can still change")
	g.Expect(b.getIn(t, "/parts/tasks", "en", "If-None-Match", chinesePart.Header.Get("ETag")).StatusCode).To(Equal(http.StatusOK))
}

func TestSelectLanguageBeforeSigningIn(t *testing.T) {
	s := startSite(t, false)
	b := s.newBrowser(t)
	g := NewWithT(t)
	g.Expect(b.get(t, "/login").text).To(And(ContainSubstring(`<html lang="en">`), ContainSubstring(`value="zh" lang="zh-CN">中文</button>`), ContainSubstring("Sign in")))

	response := b.post(t, "/language", url.Values{"language": {"zh"}})
	g.Expect(response.StatusCode).To(Equal(http.StatusSeeOther))
	g.Expect(response.Header.Get("Location")).To(Equal("/login"))
	g.Expect(response.Header.Get("Set-Cookie")).To(And(HavePrefix(locale.Cookie+"=zh; Path=/; Max-Age="), HaveSuffix("; HttpOnly; SameSite=Lax")))
	g.Expect(b.get(t, "/login").text).To(And(ContainSubstring(`<html lang="zh-CN">`), ContainSubstring("登录")))

	g.Expect(b.post(t, "/language", url.Values{"language": {"../x"}}).Header.Get("Set-Cookie")).To(BeEmpty())
	g.Expect(b.get(t, "/language").StatusCode).NotTo(Equal(http.StatusOK), "GET requests change nothing")
}
