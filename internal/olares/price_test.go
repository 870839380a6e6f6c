package olares_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/olares"
	"github.com/appmarket/operator/internal/outcome"
)

// fullPrice contains every field that is read.
const fullPrice = `developer: shop.example.com
paid:
  product_id: notes-paid
  price:
  - {chain: optimism, token_symbol: USDC, receive_wallet: 0x00000000000000000000000000000000000000aa, product_price: 100000}
  - {chain: base, token_symbol: EURC, receive_wallet: "0xbb", product_price: "0.10"}
  description:
  - {lang: de, title: Notizen, description: Schreibt., icon: "https://a.example/i.png"}
  - {lang: en, title: Notes}
products: []
`

func TestReadPrice(t *testing.T) {
	t.Parallel()
	optimism := hydrate.Price{Chain: "optimism", Token: "USDC", Wallet: "0x00000000000000000000000000000000000000aa", Amount: "100000"}
	for _, c := range []struct {
		why  string
		text string
		want *hydrate.License
	}{
		{why: "all fields", text: fullPrice, want: &hydrate.License{
			Product: "notes-paid", Issuer: "shop.example.com", Title: "Notes",
			Prices: []hydrate.Price{optimism, {Chain: "base", Token: "EURC", Wallet: "0xbb", Amount: "0.10"}},
		}},
		{why: "no price", text: "developer: d\npaid: {product_id: p}\n",
			want: &hydrate.License{Product: "p", Issuer: "d"}},
		{why: "numbers instead of strings", text: "developer: 1.0\npaid: {product_id: 7}\n",
			want: &hydrate.License{Product: "7", Issuer: "1.0"}},
		{why: "aliases and merge keys", text: "x: &x {product_id: p}\ndeveloper: d\npaid: {<<: *x}\n",
			want: &hydrate.License{Product: "p", Issuer: "d", Warnings: []string{"x is not a known field."}}},
		{why: "no English title",
			text: "developer: d\npaid: {product_id: p, description: [{lang: de, title: Notizen}]}\n",
			want: &hydrate.License{Product: "p", Issuer: "d", Title: "Notizen"}},
		{why: "invalid prices", text: `developer: d
paid:
  product_id: p
  price: [7, {chain: optimism}, {chain: optimism, token_symbol: USDC, receive_wallet: 0x00000000000000000000000000000000000000aa, product_price: 100000, tax: 1}]
`, want: &hydrate.License{Product: "p", Issuer: "d", Prices: []hydrate.Price{optimism}, Warnings: []string{
			"paid.price[0] is ignored: must be a map, but is a number.",
			"paid.price[1] is ignored: chain, token_symbol, receive_wallet and product_price are required.",
			"paid.price[2].tax is not a known field.",
		}}},
		{why: "a price list of the wrong type", text: "developer: d\npaid: {product_id: p, price: free}\n",
			want: &hydrate.License{Product: "p", Issuer: "d", Warnings: []string{"paid.price is ignored: must be a list, but is a string."}}},
		{why: "no product", text: "developer: d\nproducts: []\n"},
		{why: "a product without an id", text: "developer: d\npaid: {price: []}\n"},
		{why: "an empty id", text: "developer: d\npaid: {product_id: ' '}\n"},
		{why: "an id that is null", text: "paid: {product_id: ~}\n"},
		{why: "an empty paid", text: "developer: d\npaid:\n"},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			got, err := olares.Reader{}.ReadPrice([]byte(c.text))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(got).To(Equal(c.want))
		})
	}
}

func TestReadInvalidPrice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		why  string
		text string
	}{
		{why: "an empty file", text: ""},
		{why: "only a comment", text: "# free\n"},
		{why: "null", text: "~"},
		{why: "a list", text: "- paid\n"},
		{why: "a string", text: "free"},
		{why: "invalid YAML", text: "paid: {product_id: p\n"},
		{why: "a template", text: "paid: {{ .Values.paid }}\n"},
		{why: "a mistyped product_id", text: "developer: d\npaid: {productId: p}\n"},
		{why: "a mistyped paid", text: "developer: d\npayd: {product_id: p}\n"},
		{why: "an empty id after another", text: "developer: d\npaid: {product_id: p, product_id: ''}\n"},
		{why: "binary", text: "\x00\x01\xff"},
		{why: "paid is a string", text: "developer: d\npaid: 'no'\n"},
		{why: "paid is false", text: "developer: d\npaid: false\n"},
		{why: "paid is a list", text: "developer: d\npaid: [{product_id: p}]\n"},
		{why: "the id is a list", text: "developer: d\npaid: {product_id: [p]}\n"},
		{why: "the id is a map", text: "developer: d\npaid: {product_id: {}}\n"},
		{why: "the id is too long", text: "developer: d\npaid: {product_id: " + strings.Repeat("p", 254) + "}\n"},
		{why: "the id consists of control characters", text: "developer: d\npaid: {product_id: \"\\x07\"}\n"},
		{why: "no developer", text: "paid: {product_id: p}\n"},
		{why: "the developer is a map", text: "developer: {name: d}\npaid: {product_id: p}\n"},
		{why: "the developer is too long", text: "developer: " + strings.Repeat("d", 254) + "\npaid: {product_id: p}\n"},
		{why: "a second document", text: "developer: d\n---\npaid: {product_id: p}\n"},
		{why: "too large", text: "developer: d #" + strings.Repeat("x", olares.MaxBytes)},
		{why: "too deep", text: "developer: d\npaid: {product_id: p}\nx: " + strings.Repeat("[", 100) + strings.Repeat("]", 100)},
		{why: "an alias bomb", text: aliasBomb()},
		{why: "an alias that contains itself", text: "paid: &a {product_id: p, x: *a}\ndeveloper: d\n"},
		{why: "an unknown alias", text: "paid: *unknown\n"},
	} {
		t.Run(c.why, func(t *testing.T) {
			t.Parallel()
			g := NewWithT(t)
			got, err := olares.Reader{}.ReadPrice([]byte(c.text))
			g.Expect(got).To(BeNil())
			g.Expect(outcome.IsStalled(err)).To(BeTrue(), "got %v", err)
			g.Expect(outcome.Reason(err, "")).To(Equal(v1alpha1.ReasonInvalidManifest))
			g.Expect(len(err.Error())).To(BeNumerically("<", 400))
		})
	}
}

func FuzzPrice(f *testing.F) {
	f.Add([]byte(fullPrice))
	f.Add([]byte(aliasBomb()))
	f.Add([]byte("developer: &a d\npaid: {product_id: *a, price: [*a, {chain: *a}]}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := olares.Reader{}.ReadPrice(text)
		if err != nil {
			if got != nil || !outcome.IsStalled(err) || len(err.Error()) > 400 {
				t.Fatalf("got %v with error %v", got, err)
			}
			return
		}
		if got != nil && (got.Product == "" || got.Issuer == "" || len(got.Prices) > 32 || len(got.Warnings) > 50) {
			t.Fatalf("got %+v", got)
		}
		if again, err := (olares.Reader{}).ReadPrice(text); err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("got %+v, and %+v, %v from the second call", got, again, err)
		}
	})
}

// TestCatalogPrices reads the price lists of a folder of real apps.
func TestCatalogPrices(t *testing.T) {
	t.Parallel()
	root := os.Getenv("MARKET_CATALOG")
	if root == "" {
		t.Skip("MARKET_CATALOG is not set: skipping the test with real apps")
	}
	g := NewWithT(t)
	paths, err := filepath.Glob(filepath.Join(root, "*", "price.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(paths).NotTo(BeEmpty())
	for _, path := range paths {
		text, err := os.ReadFile(path)
		g.Expect(err).NotTo(HaveOccurred())
		license, err := olares.Reader{}.ReadPrice(text)
		g.Expect(err).NotTo(HaveOccurred(), path)
		g.Expect(license).To(HaveValue(And(
			HaveField("Product", Not(BeEmpty())), HaveField("Issuer", Not(BeEmpty())), HaveField("Title", Not(BeEmpty())),
			HaveField("Prices", Not(BeEmpty())), HaveField("Warnings", BeEmpty()),
		)), path)
	}
}
