package app

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/license"
	"github.com/appmarket/operator/internal/market"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/registry"
)

// directory is a folder in which sources of type Directory may lie: those of a namespace,
// or of every market where the namespace is empty.
type directory struct{ namespace, path string }

// directories is a flag of folders, separated by commas, each as path or namespace=path.
type directories []directory

func (d *directories) String() string {
	var texts []string
	for _, each := range *d {
		text := each.path
		if each.namespace != "" {
			text = each.namespace + "=" + text
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ",")
}

// Set adds folders to the list.
func (d *directories) Set(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		if item == "" {
			continue
		}
		each := directory{path: item}
		if namespace, path, found := strings.Cut(item, "="); found && !strings.Contains(namespace, "/") {
			each = directory{namespace, path}
		}
		if !filepath.IsAbs(each.path) {
			return fmt.Errorf("want an absolute path, or namespace=path with one, got %q", item)
		}
		*d = append(*d, each)
	}
	return nil
}

// rootsFor returns the folders that sources of a namespace may be in.
func (d directories) rootsFor(namespace string) []string {
	var roots []string
	for _, each := range d {
		if each.namespace == "" || each.namespace == namespace {
			roots = append(roots, each.path)
		}
	}
	return roots
}

// checkMarkets returns an error if the flags about markets cannot be meant so.
func (o *options) checkMarkets() error {
	for i, namespace := range o.markets {
		if len(validation.IsDNS1123Label(namespace)) > 0 {
			return fmt.Errorf("--market-namespaces: %q is not the name of a namespace", namespace)
		}
		if slices.Contains(o.markets[:i], namespace) {
			return fmt.Errorf("--market-namespaces: %q is named twice; the order is that of the joined index", namespace)
		}
	}
	for _, each := range o.allowed {
		if each.namespace != "" && !slices.Contains(o.markets, each.namespace) {
			return fmt.Errorf("--allowed-directories: %q is not a market; name it in --market-namespaces too", each.namespace)
		}
	}
	return nil
}

// marketNamespaces are the namespaces that are markets.
func (o *options) marketNamespaces() market.Namespaces { return market.Namespaces(o.markets) }

// network returns to which addresses requests go that the sources of a namespace cause.
func (o *options) networkPolicy(namespace string) netguard.Policy {
	return o.marketNamespaces().Network(namespace, netguard.Policy{Loopback: o.allowLoopback})
}

// newImageAnalysis returns the step that asks registries about images, with two memories:
// what a registry inside told about an image of a market is not told to others.
func newImageAnalysis(o *options) (hydrate.Step, error) {
	step := imageAnalysis{markets: o.marketNamespaces()}
	for to, private := range map[*hydrate.ImageAnalysis]bool{&step.inMarket: true, &step.others: false} {
		client, err := registry.New(registry.Options{
			Mirrors: o.mirrors, PlainHTTP: o.plainHTTP, UserAgent: userAgent(),
			Network: netguard.Policy{Loopback: o.allowLoopback, Private: private},
		})
		if err != nil {
			return nil, fmt.Errorf("set up image registries: %w", err)
		}
		to.Inspector = registry.Cached(
			registry.Limited(registry.Guarded(client, registryPause), maxInspectionsPerRegistry), imageCacheTTL, imageCacheSize)
	}
	return step, nil
}

// imageAnalysis is the step for apps of markets and for others.
type imageAnalysis struct {
	markets          market.Namespaces
	inMarket, others hydrate.ImageAnalysis
}

// Name is that of the step.
func (s imageAnalysis) Name() hydrate.Name { return s.others.Name() }

// Apply runs the step as the source of the app may.
func (s imageAnalysis) Apply(ctx context.Context, d *hydrate.Draft) error {
	if s.markets.Has(d.Request.Owner.Namespace) {
		return s.inMarket.Apply(ctx, d)
	}
	return s.others.Apply(ctx, d)
}

// newIssuers returns how issuers of licenses are asked by the sources of a namespace.
func newIssuers(o *options) func(namespace string) catalog.Issuers {
	known := map[netguard.Policy]catalog.Issuers{}
	for _, private := range []bool{true, false} {
		policy := netguard.Policy{Loopback: o.allowLoopback, Private: private}
		options := license.Options{
			Transport: netguard.NewTransport(netguard.TransportOptions{Policy: policy, UserAgent: userAgent()}),
		}
		known[policy] = catalog.Issuers{Keys: license.NewKeys(options), Checkout: license.NewCheckout(options)}
	}
	return func(namespace string) catalog.Issuers { return known[o.networkPolicy(namespace)] }
}
