package hydrate

import "fmt"

// priceFile says that an app must be bought, and at what price.
const priceFile = "price.yaml"

// License are the terms on which an app may be had: whoever installs it needs a
// credential for the product, signed by the issuer.
type License struct {
	// Product and Issuer are never empty. The issuer is the developer.
	Product string
	Issuer  string
	// Title is the product's, in English if it has one in that language.
	Title string
	// Prices are the ways to pay, any one of which is enough; at most 32.
	Prices []Price

	// Warnings are what was not understood, one sentence each, at most 50.
	Warnings []string
}

// Price is an amount of a token of a chain, for the wallet that receives it. All
// are texts as the developer wrote them; the amount is in the smallest unit of
// the token.
type Price struct {
	Chain  string
	Token  string
	Wallet string
	Amount string
}

// String is such as "100000 USDC on optimism".
func (p Price) String() string {
	text := p.Amount + " " + p.Token
	if p.Chain != "" {
		text += " on " + p.Chain
	}
	return text
}

// license reads the terms of the draft's app; they are nil for an app that need
// not be bought. Terms that cannot be read fail the app: it is never free by
// mistake.
func (s RenderedChart) license(d *Draft) (*License, error) {
	text, ok := d.File(priceFile)
	if !ok {
		return nil, nil
	}
	license, err := s.Reader.ReadPrice(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", priceFile, err)
	}
	return license, nil
}
