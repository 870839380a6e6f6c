package pages

import (
	"testing"

	. "github.com/onsi/gomega"
)

func TestOpenableURL(t *testing.T) {
	g := NewWithT(t)
	for _, address := range []string{"https://wiki.example", "http://10.0.0.7:30080/start?a=b#c", "https://[2001:db8::1]:8443/", "https://wiki.example/%22"} {
		g.Expect(openableURL(address)).To(Equal(address))
	}
	for _, address := range []string{
		"", "javascript:alert(1)", "JavaScript://x/%0aalert(1)", "java\tscript:alert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd", "//evil.example",
		"/logout", "logout", "https://bank.example@evil.example/", "https://a:b@evil.example", "https://", "https:evil.example", "http:///x", "ftp://evil.example", " https://evil.example",
		"https://evil.example\nx", "https://[evil", "https://evil.example:port", `https://evil.example"onclick="alert(1)`, "https://<script>",
	} {
		g.Expect(openableURL(address)).To(BeEmpty(), address)
	}
}
