package locale_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/ui/locale"
)

func TestLanguageOfARequest(t *testing.T) {
	for _, c := range []struct {
		why, cookie, accepted, want string
	}{
		{"no header", "", "", "en"},
		{"Chinese first", "", "zh-CN,zh;q=0.9,en;q=0.8", "zh"},
		{"another region and script", "", "zh-Hans-SG", "zh"},
		{"English first", "", "en-GB,zh;q=0.5", "en"},
		{"an unknown language before Chinese", "", "eo,zh;q=0.5", "zh"},
		{"unknown languages only", "", "eo,tlh", "en"},
		{"an invalid header", "", ";;;=,,", "en"},
		{"a header that is too long", "", "zh," + strings.Repeat("en;q=0.1,", 100), "en"},
		{"the cookie decides", "en", "zh-CN", "en"},
		{"the cookie decides for Chinese", "zh", "en", "zh"},
		{"an unknown cookie", "../../etc", "zh-CN", "zh"},
	} {
		t.Run(c.why, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept-Language", c.accepted)
			if c.cookie != "" {
				r.Header.Set("Cookie", locale.Cookie+"="+c.cookie)
			}
			NewWithT(t).Expect(locale.Of(r).Code).To(Equal(c.want))
		})
	}
}

func TestText(t *testing.T) {
	g := NewWithT(t)
	g.Expect(locale.English.Text("layout.tasks")).To(Equal("Tasks"))
	g.Expect(locale.Chinese.Text("layout.tasks")).To(Equal("任务"))
	g.Expect(locale.English.Text("time.daysAgo", "Count", 1)).To(Equal("1 day ago"))
	g.Expect(locale.English.Text("time.daysAgo", "Count", int64(2))).To(Equal("2 days ago"))
	g.Expect(locale.Chinese.Text("time.daysAgo", "Count", 1)).To(Equal("1 天前"))
	g.Expect(locale.English.Text("about.permissionsIn", "Namespace", "<b>")).To(Equal("Your permissions in <b>"), "escaped by templates, once")
	g.Expect(locale.English.Text("layout.unknown")).To(Equal("layout.unknown"))
	g.Expect(locale.Chinese.Word("tab", "Objects")).To(Equal("对象"))
	g.Expect(locale.Chinese.Word("tab", "Other")).To(Equal("Other"))
	g.Expect(locale.English.Reason("NoSuchReason")).To(BeEmpty())
}

// TestLanguagesHaveTheSameMessages compares the messages and their values. The tests of package pages compare
// them with the messages that the pages use.
func TestLanguagesHaveTheSameMessages(t *testing.T) {
	value := regexp.MustCompile(`\{\{\.(\w+)\}\}`)
	valuesOf := func(texts []string) []string {
		var names []string
		for _, text := range texts {
			for _, match := range value.FindAllStringSubmatch(text, -1) {
				names = append(names, match[1])
			}
		}
		slices.Sort(names)
		return slices.Compact(names)
	}
	english, chinese := locale.English.Messages(), locale.Chinese.Messages()
	g := NewWithT(t)
	for id, texts := range english {
		other, ok := chinese[id]
		if g.Expect(ok).To(BeTrue(), "%s is missing in Chinese", id); !ok {
			continue
		}
		g.Expect(valuesOf(other)).To(Equal(valuesOf(texts)), "values of %s", id)
		for _, text := range slices.Concat(texts, other) {
			g.Expect(strings.Count(text, "`")%2).To(BeZero(), "backticks of %s", id)
			g.Expect(strings.TrimSpace(text)).To(And(Equal(text), Not(BeEmpty())), id)
			g.Expect(text).NotTo(MatchRegexp(`<[a-z/]|&[a-z]+;`), "%s is text, not HTML", id)
		}
	}
	for id := range chinese {
		g.Expect(english).To(HaveKey(id), "%s is missing in English", id)
	}
}
