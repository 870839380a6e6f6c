package integration_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// internalResponse is the response of the servers in the internal network.
const internalResponse = "root-password"

// serveRaw listens like a server of another protocol: it sends a text to each connection.
func serveRaw(text string) string {
	GinkgoHelper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(listener.Close)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = connection.Read(make([]byte, 4096))
			_, _ = connection.Write([]byte(text))
			_ = connection.Close()
		}
	}()
	return "http://" + listener.Addr().String() + "/charts"
}

// expectNoResponse checks that no object of the tenant contains a response of the servers in the
// internal network.
func expectNoResponse(ctx SpecContext, t *fixture.Tenant) {
	GinkgoHelper()
	objects := t.Kubectl(ctx, "get", "marketsources,appinfos,events", "--namespace", t.Namespace, "--output", "yaml")
	Expect(objects).To(ContainSubstring("kind: MarketSource"))
	Expect(objects).NotTo(ContainSubstring(internalResponse))
}

var _ = Describe("An index with internal addresses", func() {
	It("gets each address rejected, or at least no response shown", func(ctx SpecContext) {
		t := newTenant(ctx)
		internalServer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/away" {
				http.Redirect(w, r, "http://10.20.30.40/v1/kv/password?raw", http.StatusFound)
				return
			}
			fmt.Fprint(w, internalResponse)
		}))
		DeferCleanup(internalServer.Close)
		rejected := map[string]string{
			"private": "http://10.0.0.5/v1/kv/password?raw", "carrier": "http://100.64.0.1/", "unique": "http://[fd00::1]/",
			"service": "http://consul.team.svc:8500/", "short": "http://consul/", "redirect": internalServer.URL + "/away",
			"amazon": "http://169.254.169.254/latest/meta-data/", "alibaba": "http://100.100.100.200/latest/meta-data/",
			"azure": "http://168.63.129.16/", "google": "http://metadata.google.internal/", "pods": "http://[fd00:ec2::23]/v1/credentials",
			"zero": "http://0.0.0.0/", "number": "http://2852039166/", "mapped": "http://[::ffff:10.0.0.5]/", "translated": "http://[64:ff9b::a00:5]/",
		}
		unreadable := map[string]string{
			"text": internalServer.URL + "/v1/kv/password?raw", "digest": internalServer.URL + "/v1/kv/password?raw",
			"banner": serveRaw("SSH-2.0-" + internalResponse + "\r\n"), "header": serveRaw("HTTP/1.1 200 OK\r\n" + internalResponse + "\r\n\r\n"),
		}
		lines := []string{}
		for name, url := range rejected {
			lines = append(lines, "  "+name+":", "  - {name: "+name+", version: 1.0.0, urls: ['"+url+"']}")
		}
		for name, url := range unreadable {
			digest := ""
			if name == "digest" {
				digest = ", digest: '" + strings.Repeat("0", 64) + "'"
			}
			lines = append(lines, "  "+name+":", "  - {name: "+name+", version: 1.0.0, urls: ['"+url+"']"+digest+"}")
		}
		repository := fixture.NewRepository()
		repository.Serve("/index.yaml", indexWith(lines...))
		t.AddSource(ctx, repository)
		t.WaitTrue(ctx, t.Source, v1alpha1.ConditionIndexed)
		for _, name := range slices.Sorted(maps.Keys(rejected)) {
			t.WaitStalled(ctx, t.App(ctx, name), v1alpha1.ReasonNotAllowed)
		}
		for _, name := range slices.Sorted(maps.Keys(unreadable)) {
			Eventually(func() bool {
				return meta.IsStatusConditionFalse(t.App(ctx, name).Status.Conditions, v1alpha1.ConditionFetched)
			}).WithContext(ctx).Should(BeTrue(), name)
		}
		expectNoResponse(ctx, t)
		app := t.App(ctx, "digest")
		Expect(meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionFetched).Message).NotTo(ContainSubstring(fmt.Sprintf("%x", sha256.Sum256([]byte(internalResponse)))),
			"a short response could be guessed from its digest")
	})
})

var _ = Describe("A source on a loopback address", func() {
	It("is rejected without the flag for local runs, also in a market", Serial, func(ctx SpecContext) {
		args := operator.Args
		DeferCleanup(func() {
			operator.Stop()
			operator.Args = args
			operator.Start()
		})
		operator.Stop()
		operator.Args = slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "--allow-loopback-addresses" })
		operator.Start()
		for _, t := range []*fixture.Tenant{newTenant(ctx), newMarketTenant(ctx)} {
			repository := fixture.NewRepository()
			repository.Add(siteChart("1.0.0"))
			t.AddSource(ctx, repository)
			Expect(t.WaitStalled(ctx, t.Source, v1alpha1.ReasonNotAllowed)).To(ContainSubstring("loopback"))
			Expect(repository.Requests(0)).To(BeEmpty(), "no connection is opened")
		}
	})
})

var _ = Describe("A source with an internal server", func() {
	DescribeTable("does not show the response", func(ctx SpecContext, answer func() string) {
		t := newTenant(ctx)
		t.AddSource(ctx, fixture.NewRepository(), func(s *v1alpha1.MarketSourceSpec) { s.Helm.URL = answer() })
		Eventually(func() bool {
			t.Get(ctx, t.Source, t.Source.Name)
			return meta.IsStatusConditionFalse(t.Source.Status.Conditions, v1alpha1.ConditionReady)
		}).WithContext(ctx).Should(BeTrue())
		expectNoResponse(ctx, t)
	},
		Entry("in another protocol", func() string { return serveRaw("SSH-2.0-" + internalResponse + "\r\n") }),
		Entry("in invalid HTTP", func() string { return serveRaw("HTTP/1.1 200 OK\r\nX " + internalResponse + "\r\n\r\n") }),
		Entry("with an invalid redirect", func() string {
			return serveRaw("HTTP/1.1 302 Found\r\nLocation: http://[" + internalResponse + "\r\n\r\n")
		}),
		Entry("with text", func() string { return serveRaw("HTTP/1.0 200 OK\r\n\r\n" + internalResponse) }),
		Entry("with an error", func() string { return serveRaw("HTTP/1.0 500 " + internalResponse + "\r\n\r\n" + internalResponse) }),
		Entry("with a YAML alias", func() string { return serveRaw("HTTP/1.0 200 OK\r\n\r\npassword: *" + internalResponse) }),
	)
})
