package olares

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/outcome"
)

// maxPrices is the maximum number of prices of a product, and maxTitles the maximum number of
// languages of its description.
const (
	maxPrices = 32
	maxTitles = 100
)

// ReadPrice decodes price.yaml. It returns nil if the app is free: paid.product_id is absent
// or empty, and all other fields are valid. It returns an error that is stalled with
// InvalidManifest if
//
//   - the content is not a YAML map, exceeds a limit, or has more than one document;
//   - paid has a wrong type;
//   - the product has an id, but the id or developer is missing, too long or not a string;
//   - the product has no id, and a field is invalid or unknown, such as a mistyped key.
//
// Any other problem is a warning, and the app must be purchased nevertheless.
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
	w := &warnings{}
	if more {
		w.setError("the file has more than one document: only one is allowed")
	}
	top := w.openMapping(pathNode{path: "the file", node: root}, essential)
	if top == nil {
		return nil, w.err
	}
	top.path = ""
	license := readTerms(top)
	warnings := w.sortedWarnings()
	switch {
	case w.err != nil:
		return nil, w.err
	case license.Product != "":
		license.Warnings = warnings
		return license, nil
	case len(warnings) > 0:
		return nil, fmt.Errorf("paid.product_id: Required value, because the file has other fields: %s", warnings[0])
	}
	return nil, nil
}

// readTerms reads the price list. Product and issuer are empty if the app is free.
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

// isBlank reports whether a field is absent, null or an empty string.
func isBlank(at pathNode) bool {
	return at.node == nil || at.node.Kind == yaml.ScalarNode && strings.TrimSpace(at.node.Value) == ""
}

func readPrices(paid *decoder) []hydrate.Price {
	var prices []hydrate.Price
	for _, each := range paid.listItems("price", maxPrices, optional) {
		d := paid.warnings.openMapping(each, optional)
		if d == nil {
			continue
		}
		price := hydrate.Price{
			Chain:  d.boundedText("chain", maxLine),
			Token:  d.boundedText("token_symbol", maxLine),
			Wallet: d.boundedText("receive_wallet", maxLine),
			Amount: d.boundedText("product_price", maxQuantity),
		}
		d.warnUnknownKeys()
		if price.Chain == "" || price.Token == "" || price.Wallet == "" || price.Amount == "" {
			paid.warnings.addWarning("%s is ignored: chain, token_symbol, receive_wallet and product_price are required", each.path)
			continue
		}
		prices = append(prices, price)
	}
	return prices
}

// readProductTitle returns the English title, because the other texts of AppMarket are in
// English, or the first title if there is none in English.
func readProductTitle(paid *decoder) string {
	var first, english string
	for _, each := range paid.listItems("description", maxTitles, optional) {
		d := paid.warnings.openMapping(each, optional)
		if d == nil {
			continue
		}
		language, title := d.boundedText("lang", maxLine), d.truncatedText("title", maxLine)
		d.ignoreKeys("description", "icon")
		d.warnUnknownKeys()
		first = firstNonEmpty(first, title)
		if language == "en" || language == "en-US" {
			english = firstNonEmpty(english, title)
		}
	}
	return firstNonEmpty(english, first)
}
