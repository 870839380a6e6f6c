package ui

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// TestFlagsAreDocumented compares the table of flags in docs/ui.md with the flags. With UPDATE=1 it
// writes the table.
func TestFlagsAreDocumented(t *testing.T) {
	g := NewWithT(t)
	const page, begin, end = "../docs/ui.md", "<!-- begin flags -->\n", "<!-- end flags -->"
	o, err := parseFlags(nil)
	g.Expect(err).NotTo(HaveOccurred())
	var table strings.Builder
	table.WriteString("| flag | default | meaning |\n|---|---|---|\n")
	o.flags.VisitAll(func(f *flag.Flag) {
		fmt.Fprintf(&table, "| `--%s` | `%s` | %s |\n", f.Name, cmp.Or(f.DefValue, `""`), f.Usage)
	})
	text, err := os.ReadFile(page)
	g.Expect(err).NotTo(HaveOccurred())
	before, rest, found := strings.Cut(string(text), begin)
	g.Expect(found).To(BeTrue(), begin)
	written, after, found := strings.Cut(rest, end)
	g.Expect(found).To(BeTrue(), end)
	if os.Getenv("UPDATE") != "" {
		g.Expect(os.WriteFile(page, []byte(before+begin+table.String()+end+after), 0o644)).To(Succeed())
		return
	}
	g.Expect(written).To(Equal(table.String()), "run UPDATE=1 go test ./ui -run %s", t.Name())
}

func TestInvalidFlagsAreRefused(t *testing.T) {
	for flags, message := range map[string]string{
		"--auth=none":                              "--auth: Unsupported value",
		"--auth=local":                             "must be a loopback address",
		"--auth=local --bind-address=0.0.0.0:80":   "must be a loopback address",
		"--auth=local --bind-address=192.0.2.1:80": "must be a loopback address",
		"--session-max-age=1s":                     "--session-max-age",
		"--max-streams=0":                          "--max-streams",
		"--public-url=market":                      "--public-url",
		"more":                                     "unexpected argument",
		"--record-terminal=recordings":             "--record-terminal",
		"--recording-max-bytes=1000":               "--recording-max-bytes",
		"--recording-max-age=1m":                   "--recording-max-age",
		"--auth=oidc":                              "--oidc-issuer-url and --oidc-client-id",
		"--auth=oidc --oidc-issuer-url=https://a.example --oidc-client-id=pages":                                         "--public-url",
		"--auth=oidc --oidc-issuer-url=https://a.example --oidc-client-id=pages --public-url=http://market.example":      "must be an https URL",
		"--auth=oidc --oidc-issuer-url=https://a.example --oidc-client-id=pages --public-url=https://market.example/sub": "without a path",
		"--trusted-proxies=10.0.0.1":                                         "must be a network",
		"--auth=proxy --trusted-proxies=10.0.0.1":                            "must be a network",
		"--auth=proxy --trusted-proxies=10.0.0.0/8 --proxy-client-ca=ca.crt": "--cert-dir",
		"--auth=proxy --proxy-sign-out-url=javascript:alert(1)":              "--proxy-sign-out-url",
		"--auth=proxy --proxy-sign-out-url=//evil.example":                   "--proxy-sign-out-url",
	} {
		_, err := parseFlags(strings.Fields(flags))
		NewWithT(t).Expect(err).To(MatchError(ContainSubstring(message)), flags)
	}
	for _, flags := range []string{
		"", "--auth=local --bind-address=127.0.0.1:0", "--auth=local --bind-address=[::1]:0", "--public-url=https://market.example", "--trusted-proxies=10.0.0.0/8",
		"--auth=oidc --oidc-issuer-url=https://a.example --oidc-client-id=pages --public-url=https://market.example/",
		"--auth=oidc --oidc-issuer-url=https://a.example --oidc-client-id=pages --public-url=http://localhost:8090",
		"--auth=proxy", "--auth=proxy --trusted-proxies=10.0.0.0/8", "--auth=proxy --trusted-proxies=127.0.0.1/32,::1/128 --proxy-sign-out-url=/oauth2/sign_out",
		"--terminal --record-terminal=recordings --recording-max-bytes=16777216 --recording-max-age=1h",
		"--auth=proxy --trusted-proxies=10.0.0.0/8,fd00::/8 --proxy-client-ca=ca.crt --cert-dir=tls",
	} {
		_, err := parseFlags(strings.Fields(flags))
		NewWithT(t).Expect(err).NotTo(HaveOccurred(), flags)
	}
}
