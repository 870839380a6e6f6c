package olares

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// maxPrices bounds the ways to pay for one product, maxTitles the languages that
// it is described in.
const (
	maxPrices = 32
	maxTitles = 100
)

// ReadPrice decodes price.yaml. It is nil where paid.product_id is absent or
// empty and all else is understood: the app need not be bought. It fails, stalled
// with InvalidManifest, for a text that is no YAML map or exceeds a bound, for
// more than one document, for a wrong type of paid, for a product whose id or
// developer is missing, too long or no text, and for one without an id beside
// something that is not understood, such as a mistyped key. Anything else that is
// not understood becomes a warning: the app must be bought all the same.
func (Reader) ReadPrice(text []byte) (*hydrate.License, error) {
	license, err := decodePrice(text)
	if err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidManifest, fmt.Errorf("read price: %w", err))
	}
	return license, nil
}

func decodePrice(text []byte) (*hydrate.License, error) {
	root, more, err := parseDocument(text)
	if err != nil {
		return nil, err
	}
	n := &warnings{}
	if more {
		n.setError("the text has more than one document")
	}
	top := n.openMapping(pathNode{path: "the file", node: root}, essential)
	if top == nil {
		return nil, n.err
	}
	top.path = ""
	license := readTerms(top)
	warnings := n.sortedWarnings()
	switch {
	case n.err != nil:
		return nil, n.err
	case license.Product != "":
		license.Warnings = warnings
		return license, nil
	case len(warnings) > 0:
		return nil, fmt.Errorf("paid.product_id is missing: %s", warnings[0])
	}
	return nil, nil
}

// readTerms leaves out product and issuer for an app that need not be bought.
func readTerms(top *decoder) *hydrate.License {
	license := &hydrate.License{}
	paid := top.mappingField("paid", essential)
	if isBlank(paid.takeField("product_id")) {
		top.ignoreKeys("developer")
	} else {
		license.Product, license.Issuer = requiredText(paid, "product_id"), requiredText(top, "developer")
	}
	license.Title = readProductTitle(paid)
	license.Prices = readPrices(paid)
	paid.warnUnknownKeys()
	top.ignoreKeys("products")
	top.warnUnknownKeys()
	return license
}

// isBlank reports whether an entry is absent, null or text without a character.
func isBlank(at pathNode) bool {
	return at.node == nil || at.node.Kind == yaml.ScalarNode && strings.TrimSpace(at.node.Value) == ""
}

func readPrices(paid *decoder) []hydrate.Price {
	var prices []hydrate.Price
	for _, each := range paid.listItems("price", maxPrices, optional) {
		f := paid.warnings.openMapping(each, optional)
		if f == nil {
			continue
		}
		price := hydrate.Price{
			Chain:  f.boundedText("chain", maxLine),
			Token:  f.boundedText("token_symbol", maxLine),
			Wallet: f.boundedText("receive_wallet", maxLine),
			Amount: f.boundedText("product_price", maxQuantity),
		}
		f.warnUnknownKeys()
		if price.Chain == "" || price.Token == "" || price.Wallet == "" || price.Amount == "" {
			paid.warnings.addWarning("%s is not complete and was left out", each.path)
			continue
		}
		prices = append(prices, price)
	}
	return prices
}

// readProductTitle prefers English, which is what the market's own texts are in.
func readProductTitle(paid *decoder) string {
	var first, english string
	for _, each := range paid.listItems("description", maxTitles, optional) {
		f := paid.warnings.openMapping(each, optional)
		if f == nil {
			continue
		}
		language, title := f.boundedText("lang", maxLine), f.truncatedText("title", maxLine)
		f.ignoreKeys("description", "icon")
		f.warnUnknownKeys()
		first = firstNonEmpty(first, title)
		if language == "en" || language == "en-US" {
			english = firstNonEmpty(english, title)
		}
	}
	return firstNonEmpty(english, first)
}
