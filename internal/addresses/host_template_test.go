package addresses

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/validation"
)

func TestParseHostTemplate(t *testing.T) {
	for _, c := range []struct{ why, template, wantErr string }{
		{why: "each placeholder in a label of its own", template: "{entrance}.{instance}.{namespace}.apps.example.com"},
		{why: "all placeholders in one label, for a wildcard certificate", template: "{entrance}-{instance}-{namespace}.apps.example.com"},
		{why: "one placeholder", template: "{instance}.localhost"},
		{why: "no placeholder", template: "apps.example.com", wantErr: "at least one of the placeholders"},
		{why: "empty", template: "", wantErr: "must consist of lowercase letters"},
		{why: "an unknown placeholder", template: "{app}.example.com", wantErr: `label "{app}"`},
		{why: "an uppercase letter", template: "{instance}.Example.com", wantErr: `label "Example"`},
		{why: "a scheme", template: "https://{instance}.example.com", wantErr: "must consist of"},
		{why: "a port", template: "{instance}.example.com:8443", wantErr: `label "com:8443"`},
		{why: "an empty label", template: "{instance}..example.com", wantErr: `label ""`},
		{why: "a label that starts with -", template: "-{instance}.example.com", wantErr: `label "-{instance}"`},
		{why: "a wildcard", template: "*.{instance}.example.com", wantErr: `label "*"`},
		{why: "no domain", template: "example.{instance}", wantErr: "must end with a domain"},
		{why: "a label that is always too long", template: "{instance}." + strings.Repeat("x", 64) + ".com", wantErr: "must consist of"},
		{
			why: "a host that can be too long", wantErr: "can result in hosts with 260 characters; at most 253 are allowed",
			template: "{entrance}.{instance}.{namespace}.apps." + strings.Repeat("x", 63),
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			_, err := ParseHostTemplate(c.template)
			if c.wantErr == "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(MatchError(ContainSubstring(c.wantErr)))
		})
	}
}

func TestHostFor(t *testing.T) {
	long := strings.Repeat("x", 60)
	for _, c := range []struct {
		why, template string
		at            place
		want          string
	}{
		{
			why: "labels of their own need no digest", template: "{entrance}.{instance}.{namespace}.apps.example.com",
			at: place{"demo", "wiki", "web"}, want: "web.wiki.demo.apps.example.com",
		},
		{
			why: "a label with several names gets a digest", template: "{entrance}-{instance}-{namespace}.apps.example.com",
			at: place{"demo", "wiki", "web"}, want: "web-wiki-demo-sve45nqbemy352uh.apps.example.com",
		},
		{
			why: "so does a template without all names", template: "{instance}.apps.example.com",
			at: place{"demo", "wiki", "web"}, want: "wiki-sve45nqbemy352uh.apps.example.com",
		},
		{
			why: "a label that is too long is cut", template: "{entrance}-{instance}-{namespace}.apps.example.com",
			at: place{"demo", "wiki", long}, want: strings.Repeat("x", 46) + "-DIGEST.apps.example.com",
		},
		{
			why: "a name that is not a label is cleaned", template: "{entrance}.{instance}.{namespace}.apps.example.com",
			at: place{"demo", "wiki.2", "Main Page/../*"}, want: "main-page-DIGEST.wiki-2-DIGEST.demo.apps.example.com",
		},
		{
			why: "a name without any valid character is a digest", template: "{entrance}.{instance}.{namespace}.apps.example.com",
			at: place{"demo", "wiki", "维基"}, want: "DIGEST.wiki.demo.apps.example.com",
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			template, err := ParseHostTemplate(c.template)
			g.Expect(err).NotTo(HaveOccurred())
			host := template.hostFor(c.at)
			g.Expect(validation.IsDNS1123Subdomain(host)).To(BeEmpty())
			g.Expect(host).To(Equal(template.hostFor(c.at)), "the host is stable")
			want := strings.ReplaceAll(regexpQuote(c.want), "DIGEST", "[a-z2-7]{16}")
			g.Expect(host).To(MatchRegexp("^" + want + "$"))
		})
	}
}

func regexpQuote(text string) string { return strings.ReplaceAll(text, ".", `\.`) }

// TestHostsAreUnique checks that entrances whose names are joined to the same text have different
// hosts.
func TestHostsAreUnique(t *testing.T) {
	long := strings.Repeat("x", 63)
	places := []place{
		{"demo", "a-b", "c"},
		{"demo", "a", "b-c"},
		{"demo", "b-c", "a"},
		{"c-demo", "b", "a"},
		{"demo", "c-b", "a"},
		{"demo", "wiki", "Web"},
		{"demo", "wiki", "web"},
		{"demo", "wiki", "WEB"},
		{"demo", "wiki", "web "},
		{"demo", "a.b", "c"},
		{"demo", "a", "c"},
		{"demo", "a", "c.a"},
		{"demo", "wiki", long},
		{"demo", "wiki", long + "y"},
		{"demo", "wiki2", long},
		{"other", "wiki", long},
		{"other", "wiki", "web"},
	}
	for _, text := range []string{
		"{entrance}.{instance}.{namespace}.apps.example.com", "{namespace}.{instance}.{entrance}.apps.example.com",
		"{entrance}-{instance}-{namespace}.apps.example.com", "{entrance}-{instance}.{namespace}.apps.example.com",
		"{entrance}{instance}{namespace}.example.com", "{instance}.{namespace}.example.com", "{entrance}.example.com", "x{namespace}.{entrance}.{instance}.example.com",
	} {
		t.Run(text, func(t *testing.T) {
			g := NewWithT(t)
			template, err := ParseHostTemplate(text)
			g.Expect(err).NotTo(HaveOccurred())
			owner := map[string]place{}
			for _, at := range places {
				host := template.hostFor(at)
				g.Expect(validation.IsDNS1123Subdomain(host)).To(BeEmpty(), host)
				g.Expect(owner).NotTo(HaveKey(host), "%v and %v", at, owner[host])
				owner[host] = at
			}
		})
	}
}
