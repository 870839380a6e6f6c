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

// Terms returns the license terms of a chart as a status shows them, nil for an app that
// is free.
func Terms(of *hydrate.License) *v1alpha1.LicenseTerms {
	if of == nil {
		return nil
	}
	terms := &v1alpha1.LicenseTerms{Product: text.Limit(of.Product, 253), Issuer: text.Limit(of.Issuer, 253)}
	for _, p := range First(of.Prices, maxPrices) {
		terms.Prices = append(terms.Prices, text.Limit(p.String(), 253))
	}
	return terms
}

// maxPrices bounds the prices that a status lists.
const maxPrices = 20

// License checks the credential of a version that must be bought, and returns it; it
// is empty for any other version. Nothing of the chart is opened before that. The
// reader acts as the tenant.
func (c *Catalog) License(
	ctx context.Context, reader client.Reader, tenant release.Tenant, app *App, version *v1alpha1.PublishedVersion, ref *v1alpha1.KeyReference,
) (string, error) {
	terms := version.License
	if terms == nil {
		return "", nil
	}
	if ref == nil {
		return "", outcome.Stalled(v1alpha1.ReasonLicenseMissing, fmt.Errorf(
			"version %s of app %q must be bought: product %s of %s, at %s; give its credential in spec.credentialRef",
			version.Version, app.Info.Spec.App, terms.Product, terms.Issuer, price(terms)))
	}
	g := gatherer{reader: reader, tenant: tenant, objects: c.Objects}
	credential, err := g.key(ctx, v1alpha1.ValuesFromSecret, ref.Name, ref.Key)
	if err != nil {
		return "", fmt.Errorf("credential: %w", err)
	}
	credential = strings.TrimSpace(credential)
	return credential, c.checkLicense(ctx, app, terms, credential)
}

// checkTerms compares the terms by which a version was checked with those in its chart.
// They differ where the version was published by an operator that did not note them.
func checkTerms(app *App, version *v1alpha1.PublishedVersion, chart *hydrate.License) error {
	terms := Terms(chart)
	switch {
	case terms == nil && version.License == nil:
		return nil
	case terms != nil && version.License != nil && terms.Product == version.License.Product && terms.Issuer == version.License.Issuer:
		return nil
	}
	return outcome.Stalled(v1alpha1.ReasonLicenseInvalid, fmt.Errorf(
		"the license terms in the chart of version %s of app %q are not those of status.versions of its AppInfo; have the app hydrated again",
		version.Version, app.Info.Spec.App))
}

func price(terms *v1alpha1.LicenseTerms) string {
	if len(terms.Prices) == 0 {
		return "a price that its developer does not tell"
	}
	return strings.Join(terms.Prices, " or ")
}

// checkLicense checks a credential against the issuer's keys.
func (c *Catalog) checkLicense(ctx context.Context, app *App, of *v1alpha1.LicenseTerms, credential string) error {
	issuer, err := app.issuer(of)
	if err != nil {
		return err
	}
	terms := license.Terms{Issuer: issuer.Issuer, Product: of.Product, Subject: issuer.Subject}
	if issuer.KeysURL != "" {
		_, err = c.Issuers(app.Source.Namespace).Keys.Check(ctx, credential, terms, issuer.KeysURL)
		return err
	}
	terms.Keys = []byte(issuer.Keys)
	if ref := issuer.KeysRef; ref != nil {
		market := gatherer{reader: c.Secrets, tenant: release.Tenant{Namespace: app.Source.Namespace, ServiceAccount: "the operator"}, objects: c.Objects}
		keys, err := market.key(ctx, v1alpha1.ValuesFromSecret, ref.Name, ref.Key)
		if err != nil {
			return outcome.Waiting(v1alpha1.ReasonLicenseKeysUnavailable, lookAgain, fmt.Errorf("keys of issuer %s: %w", issuer.Issuer, err))
		}
		terms.Keys = []byte(keys)
	}
	_, err = license.Check(credential, terms, time.Now())
	return err
}

// issuer is the one whose credentials the source believes for the app.
func (a *App) issuer(of *v1alpha1.LicenseTerms) (*v1alpha1.LicenseIssuer, error) {
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

// Buy asks the developer's checkout for the credential of an app that was bought,
// and returns it checked. That it is not there yet is waited for.
func (c *Catalog) Buy(
	ctx context.Context, reader client.Reader, tenant release.Tenant, app *App, of *v1alpha1.LicenseTerms, request *v1alpha1.KeyReference, attempt int,
) (string, error) {
	issuer, err := app.issuer(of)
	if err != nil {
		return "", err
	}
	if issuer.CheckoutURL == "" {
		return "", outcome.Stalled(v1alpha1.ReasonPurchaseFailed, fmt.Errorf(
			"source %s/%s has no checkout for issuer %s; give the credential in spec.credentialRef", app.Source.Namespace, app.Source.Name, issuer.Issuer))
	}
	g := gatherer{reader: reader, tenant: tenant, objects: c.Objects}
	signed, err := g.key(ctx, v1alpha1.ValuesFromSecret, request.Name, request.Key)
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
