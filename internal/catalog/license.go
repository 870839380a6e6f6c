package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/license"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/text"
)

// LicenseTermsOf returns the license terms of a chart in the form of a status. It returns nil for an
// app that need not be purchased.
func LicenseTermsOf(of *hydrate.License) *v1alpha1.PurchaseTerms {
	if of == nil {
		return nil
	}
	terms := &v1alpha1.PurchaseTerms{Product: text.Limit(of.Product, 253), Issuer: text.Limit(of.Issuer, 253)}
	for _, p := range FirstItems(of.Prices, maxPrices) {
		terms.Prices = append(terms.Prices, text.Limit(p.String(), 253))
	}
	return terms
}

// maxPrices is the maximum number of prices in a status.
const maxPrices = 20

// ReadCredential returns the verified credential for a version that must be purchased, and "" for
// all other versions. It does not open the chart. The reader has the permissions of the
// tenant.
func (c *Catalog) ReadCredential(
	ctx context.Context, reader client.Reader, tenant release.Tenant, app *App, version *v1alpha1.PublishedVersion, ref *v1alpha1.KeyReference,
) (string, error) {
	terms := version.Purchase
	if terms == nil {
		return "", nil
	}
	if ref == nil {
		return "", outcome.Stalled(v1alpha1.ReasonLicenseNotFound, fmt.Errorf(
			"version %s of app %q must be bought: product %s of %s, at %s; give its credential in spec.credentialSecretRef",
			version.Version, app.Info.Spec.App, terms.Product, terms.Issuer, priceText(terms)))
	}
	g := valueReader{reader: reader, tenant: tenant, objects: c.Objects}
	credential, err := g.readKey(ctx, v1alpha1.ValuesFromSecret, ref.Name, ref.Key)
	if err != nil {
		return "", fmt.Errorf("credential: %w", err)
	}
	credential = strings.TrimSpace(credential)
	return credential, c.checkLicense(ctx, app, terms, credential)
}

// checkTerms compares the license terms in the status, with which the credential was
// verified, with the terms in the chart. They differ if the version was published by an
// operator that did not record them.
func checkTerms(app *App, version *v1alpha1.PublishedVersion, chart *hydrate.License) error {
	terms := LicenseTermsOf(chart)
	switch {
	case terms == nil && version.Purchase == nil:
		return nil
	case terms != nil && version.Purchase != nil && terms.Product == version.Purchase.Product && terms.Issuer == version.Purchase.Issuer:
		return nil
	}
	return outcome.Stalled(v1alpha1.ReasonLicenseInvalid, fmt.Errorf(
		"the license terms in the chart of version %s of app %q are not those of status.versions of its AppInfo; have the app hydrated again",
		version.Version, app.Info.Spec.App))
}

func priceText(terms *v1alpha1.PurchaseTerms) string {
	if len(terms.Prices) == 0 {
		return "a price that its developer does not tell"
	}
	return strings.Join(terms.Prices, " or ")
}

// checkLicense verifies a credential with the keys of the issuer.
func (c *Catalog) checkLicense(ctx context.Context, app *App, of *v1alpha1.PurchaseTerms, credential string) error {
	issuer, err := app.findIssuer(of)
	if err != nil {
		return err
	}
	terms := license.Terms{Issuer: issuer.Issuer, Product: of.Product, Subject: issuer.Subject}
	if issuer.KeysURL != "" {
		_, err = c.Issuers(app.Source.Namespace).Keys.Check(ctx, credential, terms, issuer.KeysURL)
		return err
	}
	terms.Keys = []byte(issuer.Keys)
	if ref := issuer.KeysSecretRef; ref != nil {
		market := valueReader{reader: c.Secrets, tenant: release.Tenant{Namespace: app.Source.Namespace, ServiceAccount: "the operator"}, objects: c.Objects}
		keys, err := market.readKey(ctx, v1alpha1.ValuesFromSecret, ref.Name, ref.Key)
		if err != nil {
			return outcome.Waiting(v1alpha1.ReasonLicenseKeysUnavailable, retryInterval, fmt.Errorf("keys of issuer %s: %w", issuer.Issuer, err))
		}
		terms.Keys = []byte(keys)
	}
	_, err = license.Check(credential, terms, time.Now())
	return err
}

// findIssuer returns the issuer of the terms as specified in spec.licensing of the source.
func (a *App) findIssuer(of *v1alpha1.PurchaseTerms) (*v1alpha1.LicenseIssuer, error) {
	wanted := of.Issuer
	for i := range a.Source.Spec.Licensing {
		if issuer := &a.Source.Spec.Licensing[i]; issuer.Issuer == wanted {
			return issuer, nil
		}
	}
	return nil, outcome.Stalled(v1alpha1.ReasonLicenseInvalid, fmt.Errorf(
		"source %s/%s does not name issuer %s in spec.licensing, so that no credential can be checked: ask the administrator of the market",
		a.Source.Namespace, a.Source.Name, wanted))
}

// PurchaseCredential requests the credential of a purchased app from the checkout of the developer and
// verifies it. While the credential is not available, the error is Waiting.
func (c *Catalog) PurchaseCredential(
	ctx context.Context, reader client.Reader, tenant release.Tenant, app *App, of *v1alpha1.PurchaseTerms, request *v1alpha1.KeyReference, attempt int,
) (string, error) {
	issuer, err := app.findIssuer(of)
	if err != nil {
		return "", err
	}
	if issuer.CheckoutURL == "" {
		return "", outcome.Stalled(v1alpha1.ReasonPurchaseFailed, fmt.Errorf(
			"source %s/%s has no checkout for issuer %s; give the credential in spec.credentialSecretRef", app.Source.Namespace, app.Source.Name, issuer.Issuer))
	}
	g := valueReader{reader: reader, tenant: tenant, objects: c.Objects}
	signed, err := g.readKey(ctx, v1alpha1.ValuesFromSecret, request.Name, request.Key)
	if err != nil {
		return "", fmt.Errorf("purchase request: %w", err)
	}
	credential, err := c.Issuers(app.Source.Namespace).Checkout.Buy(ctx, license.Purchase{URL: issuer.CheckoutURL, Product: of.Product, Request: signed}, attempt)
	if err != nil {
		return "", err
	}
	if err := c.checkLicense(ctx, app, of, credential); err != nil && !outcome.IsStalled(err) {
		return "", fmt.Errorf("check what the checkout gave: %w", err)
	} else if err != nil {
		return "", outcome.Stalled(v1alpha1.ReasonPurchaseFailed, errors.New("the checkout gave a credential that is not valid: "+err.Error()))
	}
	return credential, nil
}
