package app

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

func TestMarketFlags(t *testing.T) {
	for why, c := range map[string]struct {
		args []string
		says string
	}{
		"an invalid name":                  {[]string{"--market-namespaces=Shop"}, `Invalid value: "Shop": must be a DNS label`},
		"a pattern":                        {[]string{"--market-namespaces=*"}, `Invalid value: "*": must be a DNS label`},
		"a duplicate name":                 {[]string{"--market-namespaces=a,b", "--market-namespaces=a"}, `Duplicate value: "a"`},
		"a directory of another namespace": {[]string{"--market-namespaces=a", "--allowed-directories=b=/charts"}, `Invalid value: "b": must be a market namespace`},
		"a relative path":                  {[]string{"--allowed-directories=charts"}, "must be an absolute path"},
		"a relative path of a market":      {[]string{"--market-namespaces=a", "--allowed-directories=a=charts"}, "must be an absolute path"},
	} {
		t.Run(why, func(t *testing.T) {
			_, err := parseFlags(c.args)
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(c.says)))
		})
	}
}

func TestPermissionsOfNamespaces(t *testing.T) {
	g := NewWithT(t)
	o, err := parseFlags([]string{"--market-namespaces=shop,lab", "--market-namespaces=annex",
		"--allowed-directories=/all,lab=/lab,lab=/more", "--allowed-directories=shop=/a=b"})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect([]string(o.marketNamespaces())).To(Equal([]string{"shop", "lab", "annex"}), "in the order of the flags")
	g.Expect(o.allowed.String()).To(Equal("/all,lab=/lab,lab=/more,shop=/a=b"))
	for namespace, want := range map[string][]string{"shop": {"/all", "/a=b"}, "lab": {"/all", "/lab", "/more"}, "annex": {"/all"}} {
		g.Expect(o.allowed.rootsFor(namespace)).To(Equal(want), namespace)
		g.Expect(o.networkPolicy(namespace)).To(Equal(netguard.Policy{Private: true}), namespace)
	}
	g.Expect(o.networkPolicy("team")).To(Equal(netguard.Policy{}))
	issuers := newIssuers(o)
	g.Expect(issuers("shop").Keys).To(BeIdenticalTo(issuers("lab").Keys))
	g.Expect(issuers("team").Keys).NotTo(Or(BeNil(), BeIdenticalTo(issuers("shop").Keys)), "keys are not shared between policies")

	o, err = parseFlags(nil)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(o.marketNamespaces().Has("market")).To(BeFalse(), "no namespace is a market by default")
	g.Expect(newIssuers(o)("market").Keys).NotTo(BeNil())
}

// TestDirectoriesAreOpenedInMarkets opens the directory of one market from several
// namespaces.
func TestDirectoriesAreOpenedInMarkets(t *testing.T) {
	folder := t.TempDir()
	o, err := parseFlags([]string{"--market-namespaces=shop,lab", "--allowed-directories=lab=" + folder})
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for namespace, reason := range map[string]string{"lab": "", "shop": v1alpha1.ReasonNotAllowed, "team": v1alpha1.ReasonNotMarket} {
		t.Run(namespace, func(t *testing.T) {
			g := NewWithT(t)
			source := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "charts"}}
			source.Spec.Directory = &v1alpha1.DirectorySource{Path: folder}
			opened, err := sourceFactory{options: o}.openSource(t.Context(), source)
			if err == nil {
				_, err = opened.List(t.Context(), hydrate.Cursor{})
			}
			g.Expect(outcome.Reason(err, "")).To(Equal(reason), "%v", err)
			g.Expect(outcome.IsStalled(err)).To(Equal(reason != ""))
		})
	}
}
