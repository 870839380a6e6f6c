package hostile_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// newIndex returns an index of count apps with one version.
func newIndex(count int, version string) []byte {
	var text strings.Builder
	text.WriteString("apiVersion: v1\nentries:\n")
	for i := range count {
		fmt.Fprintf(&text, "  app-%05d:\n  - {apiVersion: v2, name: app-%05[1]d, version: %s, urls: [a.tgz]}\n", i, version)
	}
	return []byte(text.String())
}

var _ = DescribeTable("An index", func(ctx SpecContext, reason string, page func() http.HandlerFunc) {
	t := newTenant(ctx)
	runAttack(ctx, func() string {
		repository := fixture.NewRepository()
		repository.Handle("/index.yaml", page())
		t.AddSource(ctx, repository)
		message := waitReady(ctx, t, t.Source, reason)
		var apps v1alpha1.AppInfoList
		Expect(t.Client.List(ctx, &apps, client.InNamespace(t.Namespace))).To(Succeed())
		Expect(apps.Items).To(BeEmpty())
		return "MarketSource " + reason + ": " + truncateMessage(message)
	})
},
	Entry("with 50,000 apps", v1alpha1.ReasonAllowanceExceeded, func() http.HandlerFunc { return fixture.Content(newIndex(50_000, "1.0.0")) }),
	Entry("that never ends", v1alpha1.ReasonInvalidIndex, func() http.HandlerFunc { return endlessBody }),
	Entry("with nested aliases next to the entries", v1alpha1.ReasonReady, func() http.HandlerFunc {
		return fixture.Content([]byte("apiVersion: v1\nentries: {}\n" + nestedAliases()))
	}),
	Entry("with a million nested lists", v1alpha1.ReasonLimitExceeded, func() http.HandlerFunc {
		return fixture.Content([]byte("apiVersion: v1\nentries: " + strings.Repeat("[", 1_000_000)))
	}),
	Entry("that redirects to the metadata service", v1alpha1.ReasonNotAllowed, func() http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		}
	}),
	Entry("that redirects to itself", v1alpha1.ReasonFetchFailed, func() http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/index.yaml", http.StatusFound) }
	}),
)

var _ = Describe("An index with 500 apps", func() {
	It("that changes with each response is synced", func(ctx SpecContext) {
		t := newTenant(ctx)
		runAttack(ctx, func() string {
			var responses atomic.Int64
			repository := fixture.NewRepository()
			repository.Handle("/index.yaml", func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write(newIndex(500, fmt.Sprintf("1.0.%d", responses.Add(1))))
			})
			t.AddSource(ctx, repository, func(s *v1alpha1.MarketSourceSpec) { s.Interval = "10s" })
			Eventually(func() int {
				var apps v1alpha1.AppInfoList
				Expect(t.Client.List(ctx, &apps, client.InNamespace(t.Namespace))).To(Succeed())
				return len(apps.Items)
			}).WithContext(ctx).Should(BeNumerically(">=", 400))
			return fmt.Sprintf("at least 400 AppInfos after %d responses", responses.Load())
		})
	})
})

var _ = DescribeTable("The address of an archive", func(ctx SpecContext, url string) {
	runAttack(ctx, func() string {
		return hydrateApp(ctx, newTenant(ctx), hydrationCase{url: url, reason: v1alpha1.ReasonNotAllowed})
	})
},
	Entry("of the metadata service", "http://169.254.169.254/latest/meta-data/"),
	Entry("of the metadata service of Alibaba", "http://100.100.100.200/latest/meta-data/"),
	Entry("that is a decimal number", "http://2852039166/latest/meta-data/"),
	Entry("with octal numbers", "http://0251.0376.0251.0376/latest/meta-data/"),
	Entry("that is an IPv4-mapped IPv6 address", "http://[::ffff:169.254.169.254]/latest/meta-data/"),
	Entry("that is private, for a source outside of a market", "http://10.96.0.1/v1/kv/password?raw"),
)

var _ = Describe("A redirect of an archive", func() {
	It("to the metadata service is rejected", func(ctx SpecContext) {
		runAttack(ctx, func() string {
			redirect := http.RedirectHandler("http://169.254.169.254/latest/meta-data/", http.StatusFound)
			return hydrateApp(ctx, newTenant(ctx), hydrationCase{handler: redirect.ServeHTTP, reason: v1alpha1.ReasonNotAllowed})
		})
	})
})

var _ = Describe("A source with a reference to a Secret", func() {
	It("that is not for sources does not send the Secret", func(ctx SpecContext) {
		t := newTenant(ctx)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "private"}, Data: map[string][]byte{"token": []byte("hidden")}}
		Expect(t.Client.Create(ctx, secret)).To(Succeed())
		runAttack(ctx, func() string {
			repository := fixture.NewRepository()
			t.AddSource(ctx, repository, func(s *v1alpha1.MarketSourceSpec) {
				s.Helm.SecretRef = &v1alpha1.LocalObjectReference{Name: secret.Name}
			})
			message := waitReady(ctx, t, t.Source, v1alpha1.ReasonReferenceNotFound)
			Expect(repository.Requests(0)).To(BeEmpty())
			return "MarketSource ReferenceNotFound: " + truncateMessage(message)
		})
	})
})
