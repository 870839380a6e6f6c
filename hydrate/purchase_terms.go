package hydrate

import "fmt"

// priceFile contains the terms and the price of an app that must be purchased.
const priceFile = "price.yaml"

// License describes the terms of an app that must be purchased. To install the app, a user
// needs a credential for the product that is signed by the issuer.
type License struct {
	// Product and Issuer are never empty. The issuer is the developer of the app.
	Product string
	Issuer  string
	// Title is the title of the product, in English if available.
	Title string
	// Prices lists the ways to pay, each of which is sufficient. There are at most 32.
	Prices []Price

	// Warnings lists the parts that were not understood, one sentence each, at most 50.
	Warnings []string
}

// Price is an amount of a token on a chain, and the wallet that receives it. All fields
// contain the text of the developer. The amount is in the smallest unit of the token.
type Price struct {
	Chain  string
	Token  string
	Wallet string
	Amount string
}

// String returns a text such as "100000 USDC on optimism".
func (p Price) String() string {
	text := p.Amount + " " + p.Token
	if p.Chain != "" {
		text += " on " + p.Chain
	}
	return text
}

// readLicense returns the terms of the draft's app. It returns nil for an app that need not be
// purchased. Terms that cannot be parsed are an error, so that an app is never free by
// mistake.
func (s RenderedChart) readLicense(d *Draft) (*License, error) {
	text, ok := d.FindFile(priceFile)
	if !ok {
		return nil, nil
	}
	license, err := s.Reader.ReadPrice(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", priceFile, err)
	}
	return license, nil
}
